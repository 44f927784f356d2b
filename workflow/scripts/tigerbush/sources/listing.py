"""List the products of any kind of source."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from tigerbush.archives import archives_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.scenes import Selection
from tigerbush.planning.source import FOLDERS
from tigerbush.planning.tables import keep_removed_rows, newest_baseline, observation
from tigerbush.site import Place
from tigerbush.sources.bucket import list_store
from tigerbush.sources.catalogue import search_catalogue
from tigerbush.sources.changes import record_versions, with_versions
from tigerbush.sources.download import open_store
from tigerbush.sources.folder import list_local
from tigerbush.sources.query import Query, Row
from tigerbush.sources.store import Store


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
