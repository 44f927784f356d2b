"""List the products of any kind of source, and download whole files of remote ones."""

import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from tigerbush.archives import archives_of
from tigerbush.errors import TigerbushError
from tigerbush.files import atomic_write
from tigerbush.planning.addresses import is_address
from tigerbush.planning.scenes import Selection
from tigerbush.planning.source import FOLDERS, STORE_KEYS
from tigerbush.planning.tables import keep_removed_rows, newest_baseline, observation
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
    results_of: Callable[[str], Sequence[object]] | None = None,
    masks: bool = False,
    replaced: dict[str, str] | None = None,
    skipped: list[tuple[str, str]] | None = None,
    scenes: Mapping[str, Any] | None = None,
) -> tuple[list[Row], list[Row]]:
    """List the products of any kind of source, including those of an earlier listing that it no longer has.

    A local folder is listed as a whole; of other sources the products that sites need, and those chosen for scenes.

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
    results_of : callable, optional
        Returns what was made of a product: with results it stays in the table even if the source has changed, and
        without any it is no longer used when it is gone. By default nothing is known of results.
    masks : bool
        Whether to list the masks of single bands.
    replaced : dict, optional
        Receives the products of older baselines, which are not listed, with those that take their place.
    skipped : list of (str, str), optional
        Receives the entries of a catalogue that cannot be used, by name, with the reasons.
    scenes : mapping, optional
        What `tigerbush.planning.scenes.selection_parameters` returns.

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
    skipped = [] if skipped is None else skipped
    level = source["level"]
    if source["kind"] in FOLDERS:
        folder, where = Path(source["path"]), str(source["path"])
        listed, files = with_versions(*list_local(folder, level, masks, replaced))

        def belongs(row: Row) -> bool:
            return folder in Path(row["url"]).parents and level in (None, row["level"])
    else:
        store = open_store(source, connections=connections)
        bucket = f"s3://{store.bucket}/"
        where = bucket if source["kind"] == "s3" else source["catalogue"]
        queries = _queries(source, sites, period, (old, old_files, masks, replaced, skipped), scenes)
        listed, files = _merged((_list_remote(store, source, query, where) for query in queries), replaced)

        def belongs(row: Row) -> bool:
            return row["url"].startswith((bucket, where)) and any(query.includes(row) for query in queries)

    names = {row["product"] for row in listed}
    absent = [row for row in old if row["product"] not in names]
    unused = {row["product"]: row for row in absent if results_of and not results_of(row["product"])}
    unused = {product: row for product, row in unused.items() if belongs(row)}
    rows = keep_removed_rows(
        [row for row in absent if row["product"] not in unused],
        listed,
        lambda row: belongs(row) or bool(results_of and results_of(row["product"])),
        where,
        replaced,
    )
    # they take the place of no other baseline
    used = set(map(observation, rows))
    unused = {product: row for product, row in unused.items() if observation(row) not in used}
    rows = sorted([*rows, *unused.values()], key=lambda row: row["product"])
    removed = {row["product"] for row in rows} - names
    files += [row for row in old_files if row["product"] in removed]
    return record_versions(rows, files, old, old_files, removed, unused), files


def _places(sites: Sequence[Mapping]) -> list[Place]:
    """Return the places of sites, each once, although a site may be listed once for each zone."""
    return list(dict.fromkeys(Place(**{**site, "zone": None}) for site in sites))


def _queries(
    source: Mapping,
    sites: Sequence[Mapping],
    period: Sequence[str],
    listing: tuple[Sequence[Row], Sequence[Row], bool, dict[str, str], list[tuple[str, str]]],
    scenes: Mapping[str, Any] | None,
) -> list[Query]:
    """Return the queries for sites and for scenes, as far as there are any.

    `listing` are `old`, `old_files`, `masks`, `replaced` and `skipped`.
    """
    query = Query(
        source["level"],
        _tiles(source["level"], sites),
        *map(date.fromisoformat, period),
        _places(sites),
        source["collections"],
        *listing,
    )
    of_scenes = [replace(query, scenes=Selection.of(scenes, source))] if scenes else []
    return [query] * bool(sites) + of_scenes


def _list_remote(store: Store, source: Mapping, query: Query, where: str) -> tuple[list[Row], list[Row]]:
    """List the products of a query; refuse a query that finds none."""
    if source["kind"] != "s3":
        return search_catalogue(store, where, query)
    rows, files = list_store(store, query, source["prefixes"])
    if not rows:
        raise TigerbushError(
            f"{where} has no {query.subject} in the period; check source.prefixes, source.level, period and "
            f"{query.advice}."
        )
    return rows, files


def _merged(
    listings: Iterable[tuple[list[Row], list[Row]]], replaced: dict[str, str]
) -> tuple[list[Row], list[Row]]:
    """Merge listings of one source, in which a product has the same rows."""
    rows: dict[str, Row] = {}
    files: dict[tuple[str, str], Row] = {}
    for listed, listed_files in listings:
        rows |= {row["product"]: row for row in listed}
        files |= {(row["product"], row["name"]): row for row in listed_files}
    newest = newest_baseline(rows.values(), replaced)
    names = {row["product"] for row in newest}
    return newest, [row for (product, _), row in sorted(files.items()) if product in names]


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
