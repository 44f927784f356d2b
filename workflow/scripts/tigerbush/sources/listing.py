"""List the products of any kind of source, and download whole files of remote ones."""

import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

from tigerbush.archives import archives_of
from tigerbush.errors import TigerbushError
from tigerbush.files import atomic_write
from tigerbush.planning.addresses import is_address
from tigerbush.planning.source import FOLDERS, STORE_KEYS
from tigerbush.planning.tables import keep_removed_rows
from tigerbush.sensors import sensor_of
from tigerbush.site import Place
from tigerbush.sources.bucket import list_store
from tigerbush.sources.catalogue import search_catalogue
from tigerbush.sources.changes import record_versions, with_versions
from tigerbush.sources.folder import list_local, refuse_smaller_copy
from tigerbush.sources.query import Query, Row
from tigerbush.sources.ranges import check_decodes, checked_name
from tigerbush.sources.store import Store, check_content


def list_products(
    source: Mapping,
    sites: Sequence[Mapping],
    period: Sequence[str],
    old: Sequence[Row],
    old_files: Sequence[Row],
    connections: int = 4,
    finished: Callable[[str], object] = lambda product: False,
    masks: bool = False,
    replaced: dict[str, str] | None = None,
) -> tuple[list[Row], list[Row]]:
    """List the products of any kind of source, including those of an earlier listing that it no longer has.

    Parameters
    ----------
    source : mapping
        The keys of `source` in the configuration.
    sites : sequence of mapping
        Arguments of `tigerbush.site.Place`, with `zone` or without; not used for a local folder.
    period : (str, str)
        First day and the day after the last.
    old, old_files : rows of products.tsv and files.tsv
        From an earlier listing.
    connections : int
        Number of simultaneous connections to an object store.
    finished : callable
        Tells whether a product has results, in which case it stays in the table even if the source has changed.
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
    TigerbushError, RemoteError
        When the source cannot be listed.
    """
    replaced = {} if replaced is None else replaced
    level = source["level"]
    if source["kind"] in FOLDERS:
        folder, where = Path(source["path"]), str(source["path"])
        listed, files = with_versions(*list_local(folder, level, masks, replaced))

        def belongs(row: Row) -> bool:
            return folder in Path(row["url"]).parents and level in (None, row["level"])
    else:
        tiles, dates = _tiles(level, sites), map(date.fromisoformat, period)
        collections, places = source["collections"], _places(sites)
        query = Query(level, tiles, *dates, places, collections, old, old_files, masks, replaced)
        store = open_store(source, connections=connections)
        bucket = f"s3://{store.bucket}/"
        if source["kind"] == "s3":
            where = bucket
            listed, files = list_store(store, query, source["prefixes"])
        else:
            where = source["catalogue"]
            listed, files = search_catalogue(store, where, query)

        def belongs(row: Row) -> bool:
            in_source = row["url"].startswith((bucket, where))
            return in_source and query.includes(row["level"], row["tile"], row["sensing_time"][:10])

    if not listed:
        raise TigerbushError(
            f"{where} has no {level or ''} products of the sites' tiles in the period; check source.prefixes, "
            "source.level, period and the table of sites."
        )
    rows = keep_removed_rows(
        old, listed, lambda row: belongs(row) or finished(row["product"]), where, replaced
    )
    removed = {row["product"] for row in rows} - {row["product"] for row in listed}
    files = files + [row for row in old_files if row["product"] in removed]
    return record_versions(rows, files, old, old_files, removed), files


def _places(sites: Sequence[Mapping]) -> list[Place]:
    """Return the places of sites, each once, although a site may be listed once for each zone."""
    return list(dict.fromkeys(Place(**{**site, "zone": None}) for site in sites))


def _tiles(level: str, sites: Sequence[Mapping]) -> set[str]:
    """Return the tiles that reach the sites, for the sensors whose archives have a level."""
    sensors = [archive.sensor for archive in archives_of(level)]
    return set().union(*(sensor.site_tiles(**site) for sensor in sensors for site in sites))


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
