"""Where the files of a product are in a folder or a zip, however it was packed.

The product's own folder may be at the top of a zip, in further folders, or missing, so that its files are at the top.
Folders may be links. Files that operating systems add, whose names begin with a dot, are no part of a product.
"""

import errno
import logging
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath

from tigerbush.bundle import ZIP_ERRORS
from tigerbush.errors import MachineError, TigerbushError, one_sentence
from tigerbush.files import walk_once
from tigerbush.sensors import name_at
from tigerbush.sentinel2.names import NAME
from tigerbush.stac import STAC_ITEM

log = logging.getLogger(__name__)

# what is at the top of a product, and nowhere else in it
_TOP = re.compile(rf"(?P<folder>(?:[^/]+/)*)(?:MTD_MSIL(?:1C|2A)\.xml|{re.escape(STAC_ITEM)})")
# added by macOS, with a copy of each name
_ADDED = "__MACOSX"
# bytes; the largest image of a product has 360 MB before it is compressed
MAX_FILE_BYTES = 2**30
# no deflated byte holds more than 1032
_MAX_RATIO = 1032
_ZIP_START = b"PK\x03\x04"


def is_part(name: str) -> bool:
    """Tell whether a relative name can be a product's: it stays inside, is text, and no part begins with a dot."""
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == _ADDED for part in parts)
    return bool(name) and name.isprintable() and not hidden and not name.startswith("/")


def walk_folder(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the relative name and the path of each file and folder in a product's folder, also through links.

    Each folder is entered once, by links only when it is nowhere else.

    Raises
    ------
    OSError
        When a folder cannot be listed: it does not count as empty.
    """
    for folder, entries in walk_once(path):
        prefix = "" if folder == path else f"{folder.relative_to(path).as_posix()}/"
        for entry in entries:
            if is_part(f"{prefix}{entry.name}"):
                yield f"{prefix}{entry.name}", folder / entry.name


def zip_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the members of a product's zip by their names relative to the product's own folder.

    The names of folders end with a slash. Names that lead out of the folder are skipped.

    Raises
    ------
    TigerbushError
        When no place, or more than one, can be the product's folder.
    """
    # some Windows programs write backslashes
    entries = {entry.filename.replace("\\", "/").removeprefix("./"): entry for entry in archive.infolist()}
    tops = {match["folder"] for name in entries if is_part(name) and (match := _TOP.fullmatch(name))}
    folder = _own_folder(entries, tops, path)
    product = name_at(path).product
    if others := sorted(top for top in tops if _product_of(top) not in (None, product)):
        _warn_of_others(path, _listed(others))
    inside = {name.removeprefix(folder): entry for name, entry in entries.items() if name.startswith(folder)}
    return {name: entry for name, entry in inside.items() if is_part(name)}


def _own_folder(names: Iterable[str], tops: set[str], path: Path) -> str:
    """Return the folder in a zip that is the product's, with a slash at its end; empty when it is the top.

    `tops` are the folders with what is at the top of a product.
    """
    product = name_at(path).product
    own = f"{product}.SAFE/"
    if any(name.startswith(own) for name in names):
        # perhaps around a folder of the same name; an empty one says nothing
        tops = {top for top in tops if top.startswith(own)} or tops or {own}
    depth = min((top.count("/") for top in tops), default=0)
    tops = {top for top in tops if top.count("/") == depth}
    candidates = sorted({top for top in tops if _product_of(top) == product} or tops)
    if not candidates:
        raise TigerbushError(
            f"{path} holds no product: neither its top nor a folder in it has a file MTD_MSIL1C.xml or "
            f"MTD_MSIL2A.xml; zip the whole folder {own.rstrip('/')}, or unpack the zip."
        )
    if len(candidates) > 1 or _product_of(candidates[0]) not in (None, product):
        raise TigerbushError(f"{path} holds {_listed(candidates)}, not {product} alone; unpack it.")
    return candidates[0]


def _product_of(folder: str) -> str | None:
    """Return the product that a folder in a zip is named after."""
    name = re.sub(r"\.SAFE\Z", "", PurePosixPath(folder).name, flags=re.IGNORECASE)
    return name if NAME.fullmatch(name) else None


def _listed(folders: Sequence[str]) -> str:
    """Return the first of some folders, for messages."""
    return ", ".join(one_sentence(folder.rstrip("/"), 200) for folder in folders[:5])


@cache
def _warn_of_others(path: Path, others: str) -> None:
    """Name the products that a zip holds besides its own, once in a process."""
    log.warning(
        "%s also holds %s, not read: zip each product alone, or unpack them", one_sentence(path), others
    )


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; damage found while it is read raises TigerbushError.

    Raises
    ------
    TigerbushError
    """
    if not path.exists():
        raise TigerbushError(
            f"{path} does not exist; restore the product, or run ./tigerbush discover to refresh the table."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except ZIP_ERRORS as error:
        raise TigerbushError(_zip_sentence(path, error)) from error
    except OSError as error:
        # a position before the beginning, and what the decompressor of bzip2 raises
        if error.errno not in (errno.EINVAL, None) or isinstance(error, MachineError):
            raise
        raise TigerbushError(_zip_sentence(path, error)) from error


def _zip_sentence(path: Path, error: Exception) -> str:
    """Say what is wrong with a zip: only a checksum or a missing end says that another copy would be better."""
    reason = one_sentence(str(error) or type(error).__name__, 300)
    with path.open("rb") as file:
        is_cut = file.read(len(_ZIP_START)) == _ZIP_START and not zipfile.is_zipfile(path)
    if is_cut or "CRC" in reason or path.stat().st_size == 0:
        advice = "fetch the product again, then run ./tigerbush retry"
    elif isinstance(error, NotImplementedError | RuntimeError):  # unknown compression, encryption
        advice = "unpack it, and keep the product as a folder"
    else:
        advice = "look what it is, and put an intact copy in its place"
    return f"{path} is not a readable zip file ({reason}); {advice}."


def open_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, label: str) -> zipfile.ZipExtFile:
    """Open a member of a zip, unless its header states a size that cannot be true.

    Parameters
    ----------
    archive : ZipFile
    entry : ZipInfo
    label : str
        Name of the file in messages.

    Raises
    ------
    TigerbushError
        Before anything is decompressed.
    """
    held = entry.compress_size * (_MAX_RATIO if entry.compress_type == zipfile.ZIP_DEFLATED else 1)
    impossible = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and entry.file_size > held
    if impossible or entry.file_size > MAX_FILE_BYTES:
        raise TigerbushError(
            f"{label} has {entry.file_size} bytes according to the zip, which stores {entry.compress_size}: more than "
            "a file of a product can have; unpack the zip and look at that file."
        )
    return archive.open(entry)
