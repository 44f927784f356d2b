"""List the products of a local folder, and copy what is needed of each into one file."""

import logging
import zipfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from tigerbush.errors import TigerbushError, raise_machine_fault
from tigerbush.files import atomic_write
from tigerbush.planning.tables import file_row, newest_baseline, table_row
from tigerbush.readers import Product, list_files, list_folders, open_product
from tigerbush.sensors import ends_like_product, name_at, sensor_of, short_forms, suffixes
from tigerbush.sources.query import is_band_mask

log = logging.getLogger(__name__)


def list_local(
    folder: Path, level: str | None = None, masks: bool = False
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """List the products of a folder: product folders as delivered, and zips of them.

    Names that are not product names are skipped with a warning. A product whose metadata cannot be
    read is kept (with an empty cloud cover), so that it shows up as failed instead of disappearing.

    Parameters
    ----------
    folder : Path
    level : {"L1C", "L2A"}, optional
        Keep only this level.
    masks : bool
        Whether to list the masks of single bands.

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
    paths = {}
    for path in sorted(folder.iterdir()):
        if not ends_like_product(path):
            continue
        try:
            name = name_at(path)
        except TigerbushError as error:
            log.warning("skipped %s: %s", path, error)
            continue
        # a folder takes precedence over its zip, because it is faster to read
        if level in {None, name.level} and (name.product not in paths or path.suffix != ".zip"):
            paths[name.product] = path
    if not paths:
        products = f"{level} products" if level else "products"
        raise TigerbushError(
            f"source.path {folder} contains no {products} (folders or zips named {short_forms()}); check source.path "
            "and source.level."
        )
    rows = newest_baseline(_local_row(path) for path in paths.values())
    files = [file for row in rows for file in _file_rows(row["product"], paths[row["product"]])]
    return rows, [file for file in files if masks or not is_band_mask(file["role"], file["band"])]


def _local_row(path: Path) -> dict[str, str]:
    try:
        product = open_product(path)
        return table_row(
            product.name,
            url=str(path),
            granule=product.granule,
            size_bytes=sum(product.files.values()),
            cloud_percent=product.cloud_percent,
        )
    except (TigerbushError, OSError) as error:
        raise_machine_fault(error, path)
        log.warning("%s", error)
        return table_row(name_at(path), url=str(path), granule="", size_bytes=0, cloud_percent=None)


def _file_rows(product: str, path: Path) -> list[dict[str, str]]:
    try:
        files = list_files(path)
    except (TigerbushError, OSError) as error:
        raise_machine_fault(error, path)
        return []  # already reported with the product's row
    roles = {name: sensor_of(product).role(name) for name in files}
    return [file_row(product, roles[name], name, name, size) for name, size in files.items() if roles[name]]


def copy_product(path: Path, target: Path, bands: Iterable[str] | None, masks: Collection[str] = ()) -> None:
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

    Raises
    ------
    TigerbushError
        When the product cannot be read.
    """
    product = open_product(path)
    bands = None if bands is None else tuple(bands)
    refuse_smaller_copy(target, product.files, bands)
    names = list(product.files) if bands is None else _needed(product, bands, masks)
    folder = f"{product.name.product}{sensor_of(product.name.product).suffix}"
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        if bands is None:
            # SNAP requires some folders even when they are empty
            for name in list_folders(path):
                archive.mkdir(f"{folder}/{name}")
        for name in names:
            archive.writestr(f"{folder}/{name}", product.read_bytes(name))


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
                f"{target.stem}: {subject} missing; fetch the product again, then run ./tigerbush retry."
            )


def _needed(product: Product, bands: Sequence[str], masks: Collection[str]) -> list[str]:
    """Return the names of the files to copy; a missing band is reported later, when it is read."""
    role = sensor_of(product.name.product).role
    roles = {name: role(name) for name in product.files}
    available = {file_role[1] for file_role in roles.values() if file_role and file_role[0] == "band"}
    return [
        name
        for name, file_role in roles.items()
        if file_role and file_role[0] != "band" and (not file_role[1] or file_role[1] in masks)
    ] + [product.band_file(band)[0] for band in bands if band in available]
