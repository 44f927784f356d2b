"""Where products come from: every kind of source behind one function, and whole files of remote ones."""

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
from tigerbush.sources.folder import list_local, refuse_less
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
    finished: Callable[[str], bool] = lambda product: False,
) -> tuple[list[Row], list[Row]]:
    """List the products of any kind of source, and those of an earlier listing that it no longer holds.

    Parameters
    ----------
    source : mapping
        The keys of `source` in the configuration.
    sites : sequence of mapping
        Keyword arguments of `tigerbush.site.Place`; a local folder is listed without them.
    period : (str, str)
        First day and the day after the last.
    old, old_files : rows of products.tsv and files.tsv
        From an earlier listing.
    connections : int
        To an object store at once.
    finished : callable
        Whether there are results of a product: it stays in the table, wherever products are looked for now.

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError, RemoteError
        When the source cannot be listed.
    """
    level = source["level"]
    if source["kind"] in FOLDERS:
        folder = Path(source["path"])
        found, files = list_local(folder, level)
        where = str(folder)

        def belongs(row: Row) -> bool:
            return Path(row["url"]).parent == folder and level in (None, row["level"])
    else:
        query = Query(
            level,
            _tiles(level, sites),
            *map(date.fromisoformat, period),
            [Place(**site) for site in sites],
            source["collections"],
            old,
            old_files,
        )
        store = open_store(source, connections=connections)
        bucket = f"s3://{store.bucket}/"
        if source["kind"] == "s3":
            where = bucket
            found, files = list_store(store, query, source["prefixes"])
        else:
            where = source["catalogue"]
            found, files = search_catalogue(store, where, query)

        def belongs(row: Row) -> bool:
            here = row["url"].startswith((bucket, where))
            return here and query.wants(row["level"], row["tile"], row["sensing_time"][:10])

    if not found:
        raise TigerbushError(
            f"{where} holds no {level or ''} product of the sites' tiles in the period; check source.prefixes, "
            "source.level, period and the table of sites."
        )
    rows = keep_removed_rows(old, found, lambda row: belongs(row) or finished(row["product"]), where)
    gone = {row["product"] for row in rows} - {row["product"] for row in found}
    return rows, files + [row for row in old_files if row["product"] in gone]


def _tiles(level: str, sites: Sequence[Mapping]) -> set[str]:
    """Return the tiles that reach sites, of the sensors whose archives keep a level."""
    sensors = [archive.sensor for archive in archives_of(level)]
    return set().union(*(sensor.site_tiles(**site) for sensor in sensors for site in sites))


def open_store(source: Mapping, connections: int = 1) -> Store:
    """Return the object store that the keys of `source` in the configuration name, and the web servers it may ask."""
    return Store(
        **{key: source[key] for key in STORE_KEYS},
        connections=connections,
        hosts=source.get("hosts", ()),
        catalogue=source.get("catalogue"),
    )


def fetch_whole_product(product: str, files: Sequence[Row], target: Path, *, store: Store) -> None:
    """Put every file of a product of an object store into one stored zip, as SNAP needs it.

    Parameters
    ----------
    product : str
    files : sequence of rows of files.tsv
        Some of its files, which tell where it lies.
    target : Path
        `{product}.zip`, written whole or not at all.
    store : Store

    Raises
    ------
    TigerbushError, RemoteError
    """
    suffix = sensor_of(product).suffix
    prefix = _folder_of(product, suffix, files)
    objects = [one for one in store.objects(prefix) if is_address(one.key) and one.key != prefix]
    refuse_less(target, [one.key.removeprefix(prefix) for one in objects], None)
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for one in objects:
            row = {"name": one.key.removeprefix(prefix), "etag": one.etag}
            content = store.read(one.key, one.size, one.etag)
            check_decodes(store.label(one.key), row, content)
            archive.writestr(f"{product}{suffix}/{checked_name(row)}", content)


def _folder_of(product: str, suffix: str, files: Sequence[Row]) -> str:
    """Return where in the bucket a product's own folder lies."""
    for row in files:
        end = f"{product}{suffix}/{row['name']}"
        if "://" not in row["key"] and row["key"].endswith(end):
            return row["key"].removesuffix(row["name"])
    raise TigerbushError(
        f"{product} does not lie as a {suffix} folder in the bucket, and SNAP reads nothing else; set "
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
    """Put whole files of a product into one stored zip in its own layout; each has to be what was listed.

    Parameters
    ----------
    product : str
    files : sequence of rows of files.tsv
        What the workflow needs.
    target : Path
        `{product}.zip`, written whole or not at all.
    store : Store
        Where files are read from that were not fetched before.
    fetched : sequence of Path
        In the order of `files`, what something else fetched.
    bands : collection of str, optional
        Those that are wanted: a copy that has one is not replaced by one without.

    Raises
    ------
    TigerbushError, RemoteError
    """
    refuse_less(target, [row["name"] for row in files], bands)
    suffix = sensor_of(product).suffix
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for i, row in enumerate(files):
            # 0: not known before, as of the item of a catalogue
            label, size = store.label(row["key"]), int(row["size"]) or None
            if fetched:
                content = fetched[i].read_bytes()
                check_content(label, content, size, row["etag"])
            else:
                content = store.read(row["key"], size, row["etag"])
            check_decodes(label, row, content)
            archive.writestr(f"{product}{suffix}/{checked_name(row)}", content)
