"""Discovery of products in an object store: what lies there, day by day, and what is new.

Two layouts are known. EODATA (CDSE, CREODIAS, WEkEO) keeps whole products, in folders of their names below
`{prefix}YYYY/MM/DD/`. Others keep files by tile and year, whose names are made those of the product's own layout
(`tigerbush.archives.Tiles`).
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from tigerbush.archives import Archive, archive_of, archives, archives_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.addresses import is_address
from tigerbush.planning.tables import file_row, newest_baseline, table_row
from tigerbush.product import ProductName
from tigerbush.sources.query import Query, Row
from tigerbush.sources.store import Object, Store

log = logging.getLogger(__name__)

# how many steps of a long listing pass without a word
_PROGRESS = 100

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Found:
    """A product in a store.

    Attributes
    ----------
    name : ProductName
    url : str
        Its folder, `s3://bucket/...`.
    objects : sequence of (str, Object)
        Names in the product's own layout of what is already known of its files; empty when the folder is still to be
        listed.
    """

    name: ProductName
    url: str
    objects: Sequence[tuple[str, Object]] = ()

    def answers(self, query: Query) -> bool:
        """Tell whether this is a product that is asked for."""
        return query.wants(self.name.level, self.name.tile, self.name.sensing_time.date().isoformat())


def list_store(
    store: Store, query: Query, prefixes: Sequence[str] | None = None
) -> tuple[list[Row], list[Row]]:
    """List the products of some tiles in a period.

    Names are chosen by level, tile and newest baseline before anything else is asked. Products whose rows
    are there already are not asked about again.

    Parameters
    ----------
    store : Store
    query : Query
    prefixes : sequence of str, optional
        Of the bucket; without them those of EODATA.

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError, RemoteError
        When the store refuses or does not answer.
    """
    found: dict[str, Found] = {}
    with ThreadPoolExecutor(store.connections) as pool:
        for prefix in prefixes or _prefixes(query.level):
            archive = _archive_of_tiles(prefix)
            products = (
                _list_tiles(pool, store, prefix, query, archive)
                if archive
                else _list_days(pool, store, prefix, query)
            )
            for product in products:
                if product.answers(query):
                    found.setdefault(product.name.product, product)
    return describe_products(store, found, query)


def _prefixes(level: str) -> list[str]:
    """Return the prefixes of EODATA that keep a level."""
    return [prefix for archive in archives_of(level) for prefix in archive.levels[level].prefixes]


def _archive_of_tiles(prefix: str) -> Archive | None:
    """Return the archive that keeps files by tile below a prefix, if one does."""
    fitting = (archive for archive in archives() if archive.tiles and prefix.endswith(archive.tiles.ending))
    return next(fitting, None)


def describe_products(
    store: Store,
    found: Mapping[str, Found],
    query: Query,
    describe: Callable[[Store, Found], tuple[Row, list[Row]]] | None = None,
) -> tuple[list[Row], list[Row]]:
    """Return the rows of the newest baselines; those that an earlier listing described are taken as they are.

    Parameters
    ----------
    store : Store
    found : mapping of str to Found
        By product name.
    query : Query
    describe : callable, optional
        Gives the rows of a product and of its files; without it the product's folder is listed.
    """
    describe = describe or describe_listed
    with ThreadPoolExecutor(store.connections) as pool:
        kept = {row["product"] for row in newest_baseline(_bare_row(one) for one in found.values())}
        listed = {row["product"] for row in query.old_files}
        finished = {
            row["product"]: row
            for row in query.old
            if row["product"] in kept & listed and row["url"] == found[row["product"]].url
        }
        new = [found[name] for name in sorted(kept - finished.keys())]
        log.info("%d products, %d of them new", len(kept), len(new))
        described = list(_progress(_map(pool, lambda one: describe(store, one), new), len(new), "products"))
    files = [row for row in query.old_files if row["product"] in finished]
    rows = [*finished.values(), *(row for row, _ in described)]
    files += [row for _, some in described for row in some]
    return sorted(rows, key=lambda row: row["product"]), sorted(
        files, key=lambda row: (row["product"], row["name"])
    )


def _bare_row(found: Found) -> Row:
    return table_row(found.name, url=found.url, granule="", size_bytes=0, cloud_percent=None)


def _list_days(pool: ThreadPoolExecutor, store: Store, prefix: str, query: Query) -> Iterator[Found]:
    """List the products of each day in EODATA's layout."""
    days = [query.start + timedelta(days=i) for i in range((query.end - query.start).days)]
    pages = _map(pool, lambda day: store.folders(f"{prefix}{day:%Y/%m/%d}/"), days)
    passed_over = 0
    for folders in _progress(pages, len(days), f"days of {prefix}"):
        for folder in folders:
            base, _, last = folder.removesuffix("/").rpartition("/")
            name = _product_name(last)
            if name is None or not base.startswith(prefix) or not is_address(folder.removesuffix("/")):
                passed_over += 1
            elif name.tile in query.tiles:
                yield Found(name, f"s3://{store.bucket}/{folder.removesuffix('/')}")
    if passed_over:
        log.warning("%s: %d names that are no product names passed over", prefix, passed_over)


def _list_tiles(
    pool: ThreadPoolExecutor, store: Store, prefix: str, query: Query, archive: Archive
) -> Iterator[Found]:
    """List the products of each tile and year where files are kept so."""
    tiles = archive.tiles
    years = range(query.start.year, (query.end - timedelta(days=1)).year + 1)
    folders = [f"{prefix}{tiles.folder(tile, year)}" for tile in sorted(query.tiles) for year in years]
    for objects in _progress(_map(pool, store.objects, folders), len(folders), "tiles and years"):
        takes: dict[str, dict[str, Object]] = {}
        for one in objects:
            match = tiles.key.fullmatch(one.key)
            if match and is_address(one.key) and _within(match, query):
                takes.setdefault(match["folder"], {})[match["file"]] = one
        for product in _map(
            pool, lambda take: _tile_product(store, prefix, archive, *take), sorted(takes.items())
        ):
            if product:
                yield product


def _within(match: re.Match, query: Query) -> bool:
    try:
        return query.start <= date(*(int(match[part]) for part in ("year", "month", "day"))) < query.end
    except ValueError:
        return False


def _tile_product(
    store: Store, prefix: str, archive: Archive, folder: str, objects: dict[str, Object]
) -> Found | None:
    """Return the product that a tile's folder belongs to, as a file of it says."""
    tiles = archive.tiles
    info = objects.get(tiles.info)
    if info is None or info.size > archive.metadata_bytes:
        log.warning("%s/ passed over: it has no %s", folder, tiles.info)
        return None
    try:
        content = json.loads(store.read(info.key, info.size, info.etag))
        name, path = archive.sensor.parse(str(content[tiles.name_field])), str(content[tiles.path_field])
    except (ValueError, KeyError, TypeError, TigerbushError) as error:
        log.warning("%s passed over: %s", info.key, error)
        return None
    metadata = f"{prefix.removesuffix(tiles.ending)}{path}/{tiles.metadata}"
    if path.rpartition("/")[2] != name.product or not is_address(metadata):
        log.warning(
            "%s passed over: %s %r is not that of %s", info.key, tiles.path_field, path[:120], name.product
        )
        return None
    named = [(tiles.file_name(name, file), one) for file, one in objects.items()]
    # its size comes with its content
    named.append((archive.metadata(name), Object(metadata, -1, "")))
    return Found(name, f"s3://{store.bucket}/{folder}", [(own, one) for own, one in named if own])


def describe_listed(store: Store, found: Found) -> tuple[Row, list[Row]]:
    """Return the rows of a product and its files: one listing, and its main metadata file.

    A product whose metadata cannot be read is kept without cloud cover, so that it shows up as failed.
    """
    product = found.name.product
    archive = archive_of(product)
    named = list(found.objects) or _listed(store, found)
    cloud, files, granule = None, [], ""
    for name, one in named:
        kind = archive.sensor.role(name)
        if kind is None or not is_address(name):
            continue
        if name == archive.metadata(found.name):
            cloud, one = _read_metadata(store, archive, one)
        granule = archive.granule_of(name) or granule
        files.append(file_row(product, kind, name, one.key, one.size, one.etag))
    size = sum(max(one.size, 0) for _, one in named)
    return table_row(found.name, url=found.url, granule=granule, size_bytes=size, cloud_percent=cloud), files


def _listed(store: Store, found: Found) -> list[tuple[str, Object]]:
    prefix = found.url.removeprefix(f"s3://{store.bucket}/") + "/"
    objects = store.objects(prefix)
    good = [one for one in objects if one.key.startswith(prefix) and is_address(one.key)]
    if len(good) < len(objects):
        log.warning("%s: %d unusable names passed over", found.url, len(objects) - len(good))
    return [(one.key.removeprefix(prefix), one) for one in good]


def _read_metadata(store: Store, archive: Archive, one: Object) -> tuple[float | None, Object]:
    """Return the cloud cover, and the file with its size if that was not known."""
    try:
        if one.size > archive.metadata_bytes:
            raise TigerbushError(
                f"{one.key} has {one.size} bytes, more than any {archive.sensor.title} metadata file."
            )
        content = store.read(one.key, one.size if one.size >= 0 else None, one.etag)
        cloud = archive.cloud_percent(store.label(one.key), content)
        return cloud, Object(one.key, len(content), one.etag)
    except TigerbushError as error:
        log.warning("%s", error)
        return None, Object(one.key, max(one.size, 0), one.etag)


def _product_name(text: str) -> ProductName | None:
    try:
        sensor = archive_of(text).sensor
        return sensor.parse(text) if text.endswith(sensor.suffix) else None
    except TigerbushError:
        return None


def _map(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the results in order; after a failure what has not begun is dropped."""
    futures = [pool.submit(work, item) for item in items]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _progress(results: Iterable[Result], total: int, what: str) -> Iterator[Result]:
    """Pass results on, and say now and then how far they are."""
    for number, result in enumerate(results, 1):
        yield result
        if number % _PROGRESS == 0 or number == total:
            log.info("%d of %d %s", number, total, what)
