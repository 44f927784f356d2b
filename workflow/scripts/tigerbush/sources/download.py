"""Download whole files of remote products, each of them checked."""

import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.files import atomic_write
from tigerbush.planning.addresses import is_address
from tigerbush.planning.source import STORE_KEYS
from tigerbush.sensors import sensor_of
from tigerbush.sources.folder import refuse_smaller_copy
from tigerbush.sources.query import Row
from tigerbush.sources.ranges import check_decodes, checked_name
from tigerbush.sources.store import Store, check_content


def open_store(source: Mapping, connections: int = 1) -> Store:
    """Return the object store configured in `source`, with the web servers that it may contact."""
    return Store(
        **{key: source[key] for key in STORE_KEYS},
        connections=connections,
        hosts=source.get("hosts", ()),
        catalogue=source.get("catalogue"),
    )


def fetch_whole_product(product: str, files: Sequence[Row], target: Path, *, store: Store) -> None:
    """Download all files of a product from an object store into one uncompressed zip, as SNAP needs them.

    Parameters
    ----------
    product : str
    files : sequence of rows of files.tsv
        Some of its files, from which the product's folder is known.
    target : Path
        `{product}.zip`, written completely or not at all.
    store : Store

    Raises
    ------
    TigerbushError, RemoteError
    """
    suffix = sensor_of(product).suffix
    prefix = _folder_of(product, suffix, files)
    objects = [stored for stored in store.objects(prefix) if is_address(stored.key) and stored.key != prefix]
    refuse_smaller_copy(target, [stored.key.removeprefix(prefix) for stored in objects], None)
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for stored in objects:
            row = {"name": stored.key.removeprefix(prefix), "etag": stored.etag}
            content = store.read(stored.key, stored.size, stored.etag)
            check_decodes(store.label(stored.key), row, content)
            archive.writestr(f"{product}{suffix}/{checked_name(row)}", content)


def _folder_of(product: str, suffix: str, files: Sequence[Row]) -> str:
    """Return the prefix of a product's folder in the bucket."""
    for row in files:
        end = f"{product}{suffix}/{row['name']}"
        if "://" not in row["key"] and row["key"].endswith(end):
            return row["key"].removesuffix(row["name"])
    raise TigerbushError(
        f"{product} is not stored as a {suffix} folder in the bucket, and SNAP cannot read it otherwise; set "
        "scene.engine: rasterio."
    )


def fetch_product(
    product: str,
    files: Sequence[Row],
    target: Path,
    *,
    store: Store,
    fetched: Sequence[Path] = (),
    bands: Collection[str] | None = None,
) -> None:
    """Download whole files of a product into one uncompressed zip, in the product's own layout, and check each.

    Parameters
    ----------
    product : str
    files : sequence of rows of files.tsv
        The files that the workflow needs.
    target : Path
        `{product}.zip`, written completely or not at all.
    store : Store
        The source of files that have not been fetched before.
    fetched : sequence of Path
        Files that the storage plugin has fetched, in the order of `files`.
    bands : collection of str, optional
        Bands that are needed: a copy that has one of them is not replaced by a copy without it.

    Raises
    ------
    TigerbushError, RemoteError
    """
    refuse_smaller_copy(target, [row["name"] for row in files], bands)
    suffix = sensor_of(product).suffix
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for i, row in enumerate(files):
            # 0: size not known in advance, such as that of a STAC item
            label, size = store.label(row["key"]), int(row["size"]) or None
            if fetched:
                content = fetched[i].read_bytes()
                check_content(label, content, size, row["etag"])
            else:
                content = store.read(row["key"], size, row["etag"])
            check_decodes(label, row, content)
            archive.writestr(f"{product}{suffix}/{checked_name(row)}", content)
