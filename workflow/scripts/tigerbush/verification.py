"""Compare the files of a product with the sizes and checksums that the product states, once.

Window by window, damage is only noticed where the codestream shows it (`tigerbush.jp2`); a checksum is one of the whole
file, so that all of it is read. A record remembers which files have been compared, by their size and time.
"""

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError, one_sentence
from tigerbush.files import read_json, write_json
from tigerbush.readers import Product, Stated, needed_files, open_product, stated_files
from tigerbush.sensors import sensor_at

log = logging.getLogger(__name__)

# {product} and this suffix, in the folder of records
RECORD = ".checked.json"
_ADVICE = "fetch the product again, then run ./tigerbush retry (if it was changed on purpose, set source.verify: never)"


def verify_product(path: Path, bands: Iterable[str], records: Path, masks: Collection[str] = ()) -> None:
    """Compare the files that are read of a product with what the product states, unless an earlier job has.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    bands : iterable of str
        Of their files, of the metadata and of masks.
    records : Path
        Folder of the record, `{product}.checked.json`; deleting it has the files compared again.
    masks : collection of str
        Bands of which the masks of single bands are compared, too.

    Raises
    ------
    TigerbushError
        When a file has another size or checksum, or the product cannot be opened.
    """
    product = open_product(path)
    names = needed_files(product, bands, masks)
    record = records / f"{product.name.product}{RECORD}"
    states = {name: _state(product.path, name) for name in names}
    known = _read_record(record)
    new = {name: state for name, state in states.items() if known.get(name) != state}
    stated = stated_files(product) if new else {}
    if not stated:
        return
    for name in new:
        check_size(product, name, stated)
        if name in stated and stated[name].algorithm:
            check_content(product, name, product.read_bytes(name), stated)
    # other jobs may have recorded other files meanwhile
    write_json(record, _read_record(record) | new)


def records_folder(source: Mapping, results: Path) -> Path | None:
    """Return the folder of records of a run; None when its configuration says that nothing is verified.

    Parameters
    ----------
    source : mapping
        The keys of `source` in the configuration.
    results : Path
        The folder of results, which has another name where the workflow is a module of a larger one.
    """
    return results / "downloads" if source["verify"] == "once" else None


def _state(path: Path, name: str) -> list[int]:
    """Return what changes with a file: its size and time, or those of the zip that it is in."""
    state = (path / name if path.is_dir() else path).stat()
    return [state.st_size, state.st_mtime_ns]


def _read_record(record: Path) -> dict[str, object]:
    """Read the record of a product; one that is missing or damaged is empty."""
    try:
        content = read_json(record)
    except (TigerbushError, OSError):
        return {}
    return content if isinstance(content, dict) else {}


def check_size(product: Product, name: str, stated: Mapping[str, Stated]) -> None:
    """Refuse a file of another size than the product states; metadata are only warned of (`_report`).

    Raises
    ------
    TigerbushError
    """
    size = stated[name].size if name in stated else None
    if size not in (None, product.files[name]):
        _report(product, name, f"has {product.files[name]} bytes, but the product states {size}")


def check_content(product: Product, name: str, content: bytes, stated: Mapping[str, Stated]) -> None:
    """Refuse the content of a file with another checksum than the product states; metadata are only warned of.

    Raises
    ------
    TigerbushError
    """
    if name not in stated or stated[name].algorithm is None:
        return
    digest = hashlib.new(stated[name].algorithm, content, usedforsecurity=False).hexdigest()
    if digest != stated[name].digest:
        _report(product, name, "is damaged: its checksum is not the one that the product states")


def _report(product: Product, name: str, difference: str) -> None:
    """Refuse a file; warn of metadata, which people correct, and of which every field that is used is checked.

    Raises
    ------
    TigerbushError
    """
    role = sensor_at(product.path).role(name)
    if role is None or role[0] != "metadata":
        raise TigerbushError(f"{product.path}/{name} {difference}; {_ADVICE}.")
    log.warning("%s; it is used as it is", one_sentence(f"{product.path}/{name} {difference}"))
