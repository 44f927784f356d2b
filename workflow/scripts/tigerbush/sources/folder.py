"""List the products of a local folder, and copy what is needed of each into one file."""

import logging
import zipfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tigerbush.errors import TigerbushError, product_sentence, raise_machine_fault
from tigerbush.files import atomic_write
from tigerbush.planning.addresses import is_address
from tigerbush.planning.tables import file_row, newest_baseline, table_row
from tigerbush.readers import list_files, list_folders, needed_files, open_product, stated_files
from tigerbush.sensors import name_at, parse_name, sensor_of, short_forms, suffixes
from tigerbush.sources.query import is_band_mask
from tigerbush.sources.tree import find_products
from tigerbush.verification import check_content, check_size

log = logging.getLogger(__name__)


def list_local(
    folder: Path, level: str | None = None, masks: bool = False, replaced: dict[str, str] | None = None
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """List the products of a folder and its sub-folders (`tigerbush.sources.tree`).

    A product whose metadata cannot be read is kept (with an empty cloud cover), so that it shows up as failed instead
    of disappearing.

    Parameters
    ----------
    folder : Path
    level : {"L1C", "L2A"}, optional
        Keep only this level.
    masks : bool
        Whether to list the masks of single bands.
    replaced : dict, optional
        Receives the products of older baselines, which are not listed, with those that take their place.

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError
        When the folder does not exist or has no product (of that level).
    MachineError
        When the machine prevents a product from being read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise TigerbushError(
            f"source.path {folder} is not a folder; set it to the folder of your {suffixes()} products."
        )
    paths = {
        product: path
        for product, path in find_products(folder).items()
        if level in {None, parse_name(product).level}
    }
    if not paths:
        products = f"{level} products" if level else "products"
        raise TigerbushError(
            f"source.path {folder} contains no {products} (folders or zips named {short_forms()}); check source.path "
            "and source.level."
        )
    listed = {product: _local_row(path) for product, path in sorted(paths.items())}
    rows = newest_baseline((row for row, _ in listed.values()), replaced)
    files = [file for row in rows for file in _file_rows(row["product"], listed[row["product"]][1])]
    return rows, [file for file in files if masks or not is_band_mask(file["role"], file["band"])]


def _local_row(path: Path) -> tuple[dict[str, str], Mapping[str, int]]:
    """Return the row of a product, and the sizes of its files by name."""
    try:
        product = open_product(path)
        return table_row(
            product.name,
            url=str(path),
            granule=product.granule,
            size_bytes=sum(product.files.values()),
            cloud_percent=product.cloud_percent,
        ), product.files
    except Exception as error:  # whatever a file from outside does to a parser
        raise_machine_fault(error, path)
        log.warning("%s", product_sentence(error, path))
    files: Mapping[str, int] = {}
    with suppress(Exception):  # already reported
        files = list_files(path)
    return table_row(name_at(path), url=str(path), granule="", size_bytes=0, cloud_percent=None), files


def _file_rows(product: str, files: Mapping[str, int]) -> list[dict[str, str]]:
    """Return the rows of a product's files; a name that the table cannot hold is not listed."""
    roles = {name: sensor_of(product).role(name) for name in files if is_address(name)}
    return [file_row(product, role, name, name, files[name]) for name, role in roles.items() if role]


def copy_product(
    path: Path,
    target: Path,
    bands: Iterable[str] | None,
    masks: Collection[str] = (),
    *,
    verify: bool = True,
) -> None:
    """Copy the files of a product that the workflow needs into one uncompressed zip, in the product's own layout.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    target : Path
        `{product}.zip`, written completely or not at all.
    bands : iterable of str, optional
        Bands to copy, each at its finest resolution, as far as the product has them; metadata and masks
        are always copied. None copies the whole product, with all files and folders.
    masks : collection of str
        Bands of which the masks are copied, too.
    verify : bool
        Whether files are compared with the sizes and checksums that the product states.

    Raises
    ------
    TigerbushError
        When the product cannot be read, or is not what it states.
    """
    product = open_product(path)
    bands = None if bands is None else tuple(bands)
    refuse_smaller_copy(target, product.files, bands)
    names = list(product.files) if bands is None else needed_files(product, bands, masks)
    stated = stated_files(product) if verify else {}
    for name in names:
        check_size(product, name, stated)
    folder = f"{product.name.product}{sensor_of(product.name.product).suffix}"
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        if bands is None:
            # SNAP requires some folders even when they are empty
            for name in list_folders(path):
                archive.mkdir(f"{folder}/{name}")
        for name in names:
            content = product.read_bytes(name)
            check_content(product, name, content, stated)
            archive.writestr(f"{folder}/{name}", content)


def refuse_smaller_copy(target: Path, names: Iterable[str], bands: Collection[str] | None) -> None:
    """Refuse to replace a copy of a product by one that lacks a band or metadata file of it.

    Parameters
    ----------
    target : Path
        `{product}.zip`; when it does not exist or is damaged, nothing is refused.
    names : iterable of str
        The product's files now.
    bands : collection of str, optional
        Bands that are needed; None for all.

    Raises
    ------
    TigerbushError
    """
    role = sensor_of(target.stem).role
    try:
        copied = {role(name) for name in list_files(target)}
    except TigerbushError:
        return
    missing = sorted(lost for lost in copied - {role(name) for name in names} if lost and lost[0] != "mask")
    for kind, band in missing:
        if kind == "metadata" or bands is None or band in bands:
            subject = f"the file of band {band} is" if band else "metadata are"
            raise TigerbushError(
                f"{target.stem}: {subject} missing; restore the product, then run ./tigerbush retry."
            )
