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

from tigerbush.archives import Archive, archive_of, archives, archives_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.addresses import is_address
from tigerbush.planning.tables import by_product, file_row, newest_baseline, table_row
from tigerbush.product import ProductName
from tigerbush.sensors import parse_name, why_not_read
from tigerbush.sources.changes import same_files
from tigerbush.sources.parallel import map_in_order, with_progress
from tigerbush.sources.query import Query, Row, is_band_mask
from tigerbush.sources.store import Store, StoredObject

log = logging.getLogger(__name__)

# the row of a product and the rows of its files
Description = tuple[Row, list[Row]]
# the end of a folder of a year, of a month of it, or of a day
_DAY = re.compile(r"(?:^|/)([0-9]{4}(?:/[0-9]{2}(?:/[0-9]{2})?)?)/$")


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
        return query.includes(self.row)

    @property
    def row(self) -> Row:
        """Its row in the table of products, as far as name and address tell."""
        return table_row(self.name, url=self.url, granule="", size_bytes=0, cloud_percent=None)


def list_store(
    store: Store, query: Query, prefixes: Sequence[str] | None = None
) -> tuple[list[Row], list[Row]]:
    """List the products of the query's tiles, or those chosen for scenes, in its period.

    Names are selected, also by newest baseline, before anything else is requested. Products that have
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
        for listing in _listings(pool, store, query, prefixes):
            for product in listing:
                if product.matches(query):
                    products.setdefault(product.name.product, product)
    return describe_products(store, products, query)


def _listings(
    pool: ThreadPoolExecutor, store: Store, query: Query, prefixes: Sequence[str] | None
) -> Iterator[Iterator[ListedProduct]]:
    """Yield a listing for each prefix: those of scenes are listed as they are, others by day or by tile."""
    whole = query.scenes.prefixes if query.scenes else ()
    chosen = [prefix.removeprefix(f"s3://{store.bucket}/") for prefix in whole]
    for prefix in chosen or prefixes or _eodata_prefixes(query.level):
        root, archive = _archive_by_tile(prefix)
        if archive and root == prefix:
            yield _list_tiles(pool, store, prefix, query, archive)
        elif archive and chosen:
            yield _list_tile_folders(pool, store, (root, archive), query, [prefix])
        elif chosen:
            yield _list_below(pool, store, prefix, query)
        else:
            yield _list_days(pool, store, prefix, query)


def _eodata_prefixes(level: str) -> list[str]:
    """Return the prefixes in EODATA of products of a level."""
    return [prefix for archive in archives_of(level) for prefix in archive.levels[level].prefixes]


def _archive_by_tile(prefix: str) -> tuple[str, Archive | None]:
    """Return the archive that keeps files by tile below a prefix, if there is one, and where its tiles begin."""
    for archive in archives():
        if archive.tiles and archive.tiles.ending in prefix:
            head, ending, _ = prefix.rpartition(archive.tiles.ending)
            return head + ending, archive
    return prefix, None


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
        With a limit of scenes, no more new products are described than are needed.
    describe : callable, optional
        Returns the row of a product and the rows of its files; receives those of an earlier listing, which it returns
        if they are still the same. By default `describe_stored`.
    """
    describe = describe or describe_stored
    known_files = by_product(query.old_files)
    with ThreadPoolExecutor(store.connections) as pool:
        rows = newest_baseline((product.row for product in products.values()), query.replaced)
        newest = {row["product"] for row in rows}
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

        def describe_all(names: Sequence[str]) -> list[Description]:
            described = map_in_order(
                pool, lambda name: describe(store, products[name], known.get(name)), names
            )
            return list(with_progress(described, len(names), "products"))

        if query.scenes and query.scenes.limit:
            described = _describe_first(query, sorted(newest), describe_all)
        else:
            described = describe_all(sorted(newest))
    files = [
        file
        for _, file_rows in described
        for file in file_rows
        if query.masks or not is_band_mask(file["role"], file["band"])
    ]
    rows = sorted((row for row, _ in described), key=lambda row: row["product"])
    return rows, sorted(files, key=lambda row: (row["product"], row["name"]))


def _describe_first(
    query: Query, names: Sequence[str], describe: Callable[[Sequence[str]], list[Description]]
) -> list[Description]:
    """Describe products in the order of their names until there are as many clear ones as the limit of scenes.

    Those of the earlier listing stay listed, whatever the limit is today.
    """
    described: list[Description] = []
    while names and (missing := query.scenes.limit - sum(query.scenes.is_clear(row) for row, _ in described)):
        described += describe(names[:missing])
        names = names[missing:]
    known = {row["product"] for row in query.old}
    return described + describe([name for name in names if name in known])


def _list_days(pool: ThreadPoolExecutor, store: Store, prefix: str, query: Query) -> Iterator[ListedProduct]:
    """List the products of each day in EODATA's layout; if products are chosen by name, only of their days."""
    days = [query.start + timedelta(days=i) for i in range((query.end - query.start).days)]
    if query.scenes and query.scenes.products:
        named = {parse_name(product).sensing_time.date() for product in query.scenes.products}
        days = [day for day in days if day in named]
    listings = map_in_order(pool, lambda day: store.folders(f"{prefix}{day:%Y/%m/%d}/"), days)
    skipped = []
    for folders in with_progress(listings, len(days), f"days of {prefix}"):
        for folder in folders:
            base, _, last = folder.removesuffix("/").rpartition("/")
            name = _product_name(last)
            if name is None or not base.startswith(prefix) or not is_address(folder.removesuffix("/")):
                skipped.append(last)
            elif query.scenes or name.tile in query.tiles:
                yield ListedProduct(name, f"s3://{store.bucket}/{folder.removesuffix('/')}")
    _log_skipped(prefix, skipped)


def _log_skipped(prefix: str, names: Sequence[str]) -> None:
    """Log how many names are not product names, and why products with such names are not read."""
    if names:
        log.warning("%s: skipped %d name(s) that are not product names", prefix, len(names))
    if reason := next(filter(None, map(why_not_read, reversed(names))), None):
        log.warning("%s: a product cannot be read: %s", prefix, reason)


def _list_below(pool: ThreadPoolExecutor, store: Store, prefix: str, query: Query) -> Iterator[ListedProduct]:
    """List the products below a prefix, and in its folders of years, months and days in the period."""
    waiting, skipped = [prefix], []
    while waiting:
        listings = list(map_in_order(pool, store.folders, waiting))
        waiting = []
        for folder in (folder for folders in listings for folder in folders):
            path = folder.removesuffix("/")
            last = path.rpartition("/")[2]
            name = _product_name(last)
            if not folder.startswith(prefix) or not is_address(path):
                skipped.append(last)
            elif name:
                yield ListedProduct(name, f"s3://{store.bucket}/{path}")
            elif day := _DAY.search(folder):
                waiting += [folder] if query.reaches(day[1]) else []
            else:
                skipped.append(last)
    _log_skipped(prefix, skipped)


def _list_tiles(
    pool: ThreadPoolExecutor, store: Store, prefix: str, query: Query, archive: Archive
) -> Iterator[ListedProduct]:
    """List the products of each tile and year in a bucket that keeps files by tile.

    Raises
    ------
    TigerbushError
        When nothing says which tiles.
    """
    names = query.scenes.tiles_in_reach(archive.sensor) if query.scenes else query.tiles
    if not names:
        raise TigerbushError(
            f"s3://{store.bucket}/{prefix} keeps products by tile, and nothing says which tiles; set scene.tiles, "
            "scene.bbox or scene.products."
        )
    years = range(query.start.year, query.last_day.year + 1)
    folders = [f"{prefix}{archive.tiles.folder(tile, year)}" for tile in sorted(names) for year in years]
    return _list_tile_folders(pool, store, (prefix, archive), query, folders)


def _list_tile_folders(
    pool: ThreadPoolExecutor,
    store: Store,
    root: tuple[str, Archive],
    query: Query,
    folders: Sequence[str],
) -> Iterator[ListedProduct]:
    """List the products in folders of a bucket that keeps files by tile; `root` is its prefix and its archive."""
    prefix, archive = root
    tiles = archive.tiles
    for objects in with_progress(map_in_order(pool, store.objects, folders), len(folders), "tiles and years"):
        by_folder: dict[str, dict[str, StoredObject]] = {}
        for stored in objects:
            match = tiles.key.fullmatch(stored.key)
            if match and is_address(stored.key) and _in_period(match, query):
                by_folder.setdefault(match["folder"], {})[match["file"]] = stored
        for product in map_in_order(
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
