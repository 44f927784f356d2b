"""Discovery of products in an object store: list them, and describe the new ones.

Two layouts are supported. EODATA (CDSE, CREODIAS, WEkEO) keeps whole products, in folders named after them below
`{prefix}YYYY/MM/DD/`. Other buckets keep files by tile and year, which are renamed to the product's own layout
(`tigerbush.archives.TileLayout`).
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
from tigerbush.planning.tables import by_product, file_row, newest_baseline, table_row
from tigerbush.product import ProductName
from tigerbush.sensors import why_not_read
from tigerbush.sources.changes import same_files
from tigerbush.sources.query import Query, Row, is_band_mask
from tigerbush.sources.store import Store, StoredObject

log = logging.getLogger(__name__)

# steps of a long listing between two lines of progress
_PROGRESS = 100

# the row of a product and the rows of its files
Description = tuple[Row, list[Row]]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ListedProduct:
    """A product found in a listing.

    Attributes
    ----------
    name : ProductName
    url : str
        Its folder, `s3://bucket/...`, or its STAC item.
    objects : sequence of (str, StoredObject)
        Files that are already known, with their names in the product's own layout; empty when the folder has yet to
        be listed.
    """

    name: ProductName
    url: str
    objects: Sequence[tuple[str, StoredObject]] = ()

    def matches(self, query: Query) -> bool:
        """Tell whether the query includes this product."""
        return query.includes(self.name.level, self.name.tile, self.name.sensing_time.date().isoformat())


def list_store(
    store: Store, query: Query, prefixes: Sequence[str] | None = None
) -> tuple[list[Row], list[Row]]:
    """List the products of the query's tiles and period.

    Names are selected by level, tile and newest baseline before anything else is requested. Products that have
    rows from an earlier listing are not requested again.

    Parameters
    ----------
    store : Store
    query : Query
    prefixes : sequence of str, optional
        Prefixes in the bucket; by default those of EODATA.

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError, RemoteError
        When the store refuses or does not respond.
    """
    products: dict[str, ListedProduct] = {}
    with ThreadPoolExecutor(store.connections) as pool:
        for prefix in prefixes or _eodata_prefixes(query.level):
            archive = _archive_by_tile(prefix)
            listing = (
                _list_tiles(pool, store, prefix, query, archive)
                if archive
                else _list_days(pool, store, prefix, query)
            )
            for product in listing:
                if product.matches(query):
                    products.setdefault(product.name.product, product)
    return describe_products(store, products, query)


def _eodata_prefixes(level: str) -> list[str]:
    """Return the prefixes in EODATA of products of a level."""
    return [prefix for archive in archives_of(level) for prefix in archive.levels[level].prefixes]


def _archive_by_tile(prefix: str) -> Archive | None:
    """Return the archive that keeps files by tile below a prefix, if there is one."""
    matching = (archive for archive in archives() if archive.tiles and prefix.endswith(archive.tiles.ending))
    return next(matching, None)


def describe_products(
    store: Store,
    products: Mapping[str, ListedProduct],
    query: Query,
    describe: Callable[[Store, "ListedProduct", Description | None], Description] | None = None,
) -> tuple[list[Row], list[Row]]:
    """Return the rows of the products of the newest baselines, reusing those of an earlier listing that are the same.

    Parameters
    ----------
    store : Store
    products : mapping of str to ListedProduct
        By product name.
    query : Query
    describe : callable, optional
        Returns the row of a product and the rows of its files; receives those of an earlier listing, which it returns
        if they are still the same. By default `describe_stored`.
    """
    describe = describe or describe_stored
    known_files = by_product(query.old_files)
    with ThreadPoolExecutor(store.connections) as pool:
        newest = {
            row["product"] for row in newest_baseline(map(_minimal_row, products.values()), query.replaced)
        }
        with_files = {
            row["product"]
            for row in query.old_files
            if is_band_mask(row["role"], row["band"]) or not query.masks
        }
        known = {
            row["product"]: (row, known_files[row["product"]])
            for row in query.old
            if row["product"] in newest & with_files and row["url"] == products[row["product"]].url
        }
        log.info("%d products, %d of them new", len(newest), len(newest - known.keys()))
        described = _map(pool, lambda name: describe(store, products[name], known.get(name)), sorted(newest))
        rows, files = [], []
        for row, file_rows in _with_progress(described, len(newest), "products"):
            rows.append(row)
            files += [
                file for file in file_rows if query.masks or not is_band_mask(file["role"], file["band"])
            ]
    return rows, sorted(files, key=lambda row: (row["product"], row["name"]))


def _minimal_row(product: ListedProduct) -> Row:
    return table_row(product.name, url=product.url, granule="", size_bytes=0, cloud_percent=None)


def _list_days(pool: ThreadPoolExecutor, store: Store, prefix: str, query: Query) -> Iterator[ListedProduct]:
    """List the products of each day in EODATA's layout."""
    days = [query.start + timedelta(days=i) for i in range((query.end - query.start).days)]
    listings = _map(pool, lambda day: store.folders(f"{prefix}{day:%Y/%m/%d}/"), days)
    skipped, reason = 0, ""
    for folders in _with_progress(listings, len(days), f"days of {prefix}"):
        for folder in folders:
            base, _, last = folder.removesuffix("/").rpartition("/")
            name = _product_name(last)
            if name is None or not base.startswith(prefix) or not is_address(folder.removesuffix("/")):
                skipped += 1
                reason = why_not_read(last) or reason
            elif name.tile in query.tiles:
                yield ListedProduct(name, f"s3://{store.bucket}/{folder.removesuffix('/')}")
    if skipped:
        log.warning("%s: skipped %d name(s) that are not product names", prefix, skipped)
    if reason:
        log.warning("%s: a product cannot be read: %s", prefix, reason)


def _list_tiles(
    pool: ThreadPoolExecutor, store: Store, prefix: str, query: Query, archive: Archive
) -> Iterator[ListedProduct]:
    """List the products of each tile and year in a bucket that keeps files by tile."""
    tiles = archive.tiles
    years = range(query.start.year, query.last_day.year + 1)
    folders = [f"{prefix}{tiles.folder(tile, year)}" for tile in sorted(query.tiles) for year in years]
    for objects in _with_progress(_map(pool, store.objects, folders), len(folders), "tiles and years"):
        by_folder: dict[str, dict[str, StoredObject]] = {}
        for stored in objects:
            match = tiles.key.fullmatch(stored.key)
            if match and is_address(stored.key) and _in_period(match, query):
                by_folder.setdefault(match["folder"], {})[match["file"]] = stored
        for product in _map(
            pool,
            lambda files: _tile_product(store, prefix, archive, query.masks, *files),
            sorted(by_folder.items()),
        ):
            if product:
                yield product


def _in_period(match: re.Match, query: Query) -> bool:
    try:
        return query.start <= date(*(int(match[part]) for part in ("year", "month", "day"))) <= query.last_day
    except ValueError:
        return False


def _tile_product(
    store: Store, prefix: str, archive: Archive, masks: bool, folder: str, objects: dict[str, StoredObject]
) -> ListedProduct | None:
    """Return the product to which a tile's folder belongs, as named in its info file."""
    tiles = archive.tiles
    info = objects.get(tiles.info)
    if info is None or info.size > archive.metadata_bytes:
        log.warning("skipped %s/: it has no %s", folder, tiles.info)
        return None
    try:
        content = json.loads(store.read(info.key, info.size, info.etag))
        name, path = archive.sensor.parse(str(content[tiles.name_field])), str(content[tiles.path_field])
    except (ValueError, KeyError, TypeError, TigerbushError) as error:
        log.warning("skipped %s: %s", info.key, error)
        return None
    metadata = f"{prefix.removesuffix(tiles.ending)}{path}/{tiles.metadata}"
    if path.rpartition("/")[2] != name.product or not is_address(metadata):
        log.warning(
            "skipped %s: its %s %r is not that of %s", info.key, tiles.path_field, path[:120], name.product
        )
        return None
    named = [(tiles.file_name(name, file), stored) for file, stored in objects.items()]
    # its size is known once it has been read
    named.append((archive.metadata(name), StoredObject(metadata, -1, "")))
    files = [
        (file_name, stored)
        for file_name, stored in named
        if file_name and (masks or not is_band_mask(*(archive.sensor.role(file_name) or ("", ""))))
    ]
    return ListedProduct(name, f"s3://{store.bucket}/{folder}", files)


def describe_stored(store: Store, product: ListedProduct, known: Description | None = None) -> Description:
    """Return the row of a product in the store and the rows of its files; lists its folder and reads its metadata.

    A product whose metadata cannot be read is kept without cloud cover, so that it shows up as failed. Metadata are not
    read if the files are still those of an earlier listing, as far as sizes and ETags are known.
    """
    name = product.name.product
    archive = archive_of(name)
    objects = list(product.objects) or _list_folder(store, product)
    if known and same_files(known[1], _rows_of_objects(name, archive, objects)):
        return known
    cloud, files, granule = None, [], ""
    for file, stored in objects:
        role = archive.sensor.role(file)
        if role is None or not is_address(file):
            continue
        if file == archive.metadata(product.name):
            cloud, stored = _read_metadata(store, archive, stored)
        granule = archive.granule_of(file) or granule
        files.append(file_row(name, role, file, stored.key, stored.size, stored.etag))
    size = sum(max(stored.size, 0) for _, stored in objects)
    row = table_row(product.name, url=product.url, granule=granule, size_bytes=size, cloud_percent=cloud)
    time = max((stored.time for _, stored in objects), default="")
    return row | ({"time": time} if time else {}), files


def _rows_of_objects(
    product: str, archive: Archive, objects: Iterable[tuple[str, StoredObject]]
) -> list[Row]:
    """Return the rows of the files that are needed of a product, as they are listed; 0 bytes for an unknown size."""
    return [
        file_row(product, role, file, stored.key, max(stored.size, 0), stored.etag)
        for file, stored in objects
        if (role := archive.sensor.role(file)) and is_address(file)
    ]


def _list_folder(store: Store, product: ListedProduct) -> list[tuple[str, StoredObject]]:
    prefix = product.url.removeprefix(f"s3://{store.bucket}/") + "/"
    objects = store.objects(prefix)
    usable = [stored for stored in objects if stored.key.startswith(prefix) and is_address(stored.key)]
    if len(usable) < len(objects):
        log.warning("%s: skipped %d unusable name(s)", product.url, len(objects) - len(usable))
    return [(stored.key.removeprefix(prefix), stored) for stored in usable]


def _read_metadata(store: Store, archive: Archive, stored: StoredObject) -> tuple[float | None, StoredObject]:
    """Return the cloud cover, and the metadata file with its actual size."""
    try:
        if stored.size > archive.metadata_bytes:
            raise TigerbushError(
                f"{stored.key} has {stored.size} bytes, more than any {archive.sensor.title} metadata file."
            )
        content = store.read(stored.key, stored.size if stored.size >= 0 else None, stored.etag)
        cloud = archive.cloud_percent(store.label(stored.key), content)
        return cloud, StoredObject(stored.key, len(content), stored.etag)
    except TigerbushError as error:
        log.warning("%s", error)
        return None, StoredObject(stored.key, max(stored.size, 0), stored.etag)


def _product_name(text: str) -> ProductName | None:
    try:
        sensor = archive_of(text).sensor
        return sensor.parse(text) if text.endswith(sensor.suffix) else None
    except TigerbushError:
        return None


def _map(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the results in order; after a failure, work that has not started is cancelled."""
    futures = [pool.submit(work, item) for item in items]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _with_progress(results: Iterable[Result], total: int, unit: str) -> Iterator[Result]:
    """Yield the results, and log the progress from time to time."""
    for number, result in enumerate(results, 1):
        yield result
        if number % _PROGRESS == 0 or number == total:
            log.info("%d of %d %s", number, total, unit)
