"""Discovery of products in a catalogue: a STAC API (CDSE, Earth Search), or the OData catalogue of CDSE.

A catalogue lists products. For whole products in the configured bucket, the store then lists their files, with
checksums, and with the masks that items do not name. For other items, the assets are the files, and the item itself is
the metadata.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from tigerbush.archives import Archive, archive_of, archives
from tigerbush.errors import RemoteError, TigerbushError, one_sentence
from tigerbush.planning.addresses import is_address
from tigerbush.planning.credentials import reveals_secret
from tigerbush.planning.tables import file_row, table_row
from tigerbush.product import ProductName
from tigerbush.sensors import titles
from tigerbush.site import Place
from tigerbush.sources.bucket import Description, ListedProduct, describe_products, describe_stored
from tigerbush.sources.changes import same_files, version_of
from tigerbush.sources.pages import Pages, catalogue_errors, odata_entries, stac_items
from tigerbush.sources.query import Query, Row
from tigerbush.sources.retries import TRIES
from tigerbush.sources.store import Store
from tigerbush.sources.web import HostRefusedError, Web
from tigerbush.stac import STAC_ITEM, cloud_percent

log = logging.getLogger(__name__)

# of each page, after the first attempt
RETRIES = TRIES - 1
# at most so many skipped items are named
_NAMED = 20
# required fields of an item, and their types
_FIELDS = {"id": str, "geometry": Mapping | None, "properties": Mapping, "assets": Mapping}


@dataclass(frozen=True)
class Item:
    """The fields used of an item whose assets are the product's files.

    Attributes
    ----------
    cloud_percent : float or None
    assets : sequence of (key, name, address, bytes)
        Key in the item, name in the product's own layout; 0 bytes when the item does not state the size.
    content : str
        What the pixels read from it depend on: the addresses and checksums of files (`file:checksum`), and the fields
        that the sensor's reader uses. Catalogues rewrite other fields, such as `updated`, for the same data.
    """

    cloud_percent: float | None
    assets: Sequence[tuple[str, str, str, int]]
    content: str


def list_catalogue(
    store: Store,
    catalogue: str,
    collections: Sequence[str] | None = None,
    *,
    sites: Iterable[Mapping],
    **fields: Any,
) -> tuple[list[Row], list[Row]]:
    """List the products of sites in a period: `search_catalogue` with the fields of a `Query` as arguments.

    Parameters
    ----------
    sites : iterable of mapping
        longitude, latitude and region_size in degrees.
    """
    places = [Place(**site) for site in sites]
    return search_catalogue(store, catalogue, Query(sites=places, collections=collections, **fields))


def search_catalogue(store: Store, catalogue: str, query: Query) -> tuple[list[Row], list[Row]]:
    """List the products of the query's sites, or those chosen for scenes, in its period.

    Parameters
    ----------
    store : Store
        The bucket of whole products; also reads from web servers.
    catalogue : str
        Address of a STAC API, or of an OData catalogue, which has `/odata/` in its path.
    query : Query

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError
        When the catalogue does not respond, refuses, or is not a catalogue.
    """
    catalogue = catalogue.rstrip("/")
    store = store.with_catalogue(catalogue)
    pages = Pages(Web(store.hosts, public=False), catalogue, tries=1 + RETRIES)
    products: dict[str, ListedProduct] = {}
    items: dict[str, Item] = {}
    skipped = _SkippedItems(catalogue, query.skipped)
    with catalogue_errors(catalogue):
        for product, item in _products(pages, store, query, skipped):
            if product.matches(query):
                products.setdefault(product.name.product, product)
                # the others are described by the store
                if item:
                    items.setdefault(product.url, item)
    skipped.log_count()
    if not products:
        raise TigerbushError(
            f"{catalogue} has no {query.subject} from {query.start} to {query.end} "
            f"({len(query.skipped)} item(s) skipped); check period, source.level, source.bucket and source.collections."
        )
    silent: set[str] = set()

    def describe(store: Store, product: ListedProduct, known: Description | None) -> Description:
        item = items.get(product.url)
        if item is None:
            return describe_stored(store, product, known)
        if known and _is_same(item, *known):
            row, files = known[0] | _item_row(product, item, known[1]), known[1]
        else:
            row, files = _describe_item(store, product, item, silent)
        return row | {"content": item.content}, files

    return describe_products(store, products, query, describe)


class _SkippedItems:
    """The entries of a catalogue that cannot be used: the first ones are named in the log, all in a list."""

    def __init__(self, catalogue: str, entries: list[tuple[str, str]]) -> None:
        self._catalogue, self._entries = catalogue, entries

    def add(self, name: object, reason: object) -> None:
        # a name in a response may contain anything
        entry = repr(name)[:120], one_sentence(reason)[:200]
        if reveals_secret("\t".join(entry)):
            entry = "an item", "its name or fields contain a key or password"
        self._entries.append(entry)
        if len(self._entries) <= _NAMED:
            log.warning("%s: skipped %s: %s", self._catalogue, *entry)

    def log_count(self) -> None:
        if self._entries:
            log.warning("%s: skipped %d item(s)", self._catalogue, len(self._entries))


def _products(
    pages: Pages, store: Store, query: Query, skipped: _SkippedItems
) -> Iterator[tuple[ListedProduct, Item | None]]:
    """Yield the products of a catalogue, each with its item if the item's assets are the product's files."""
    odata = "/odata/" in f"{pages.catalogue}/"
    for entry in odata_entries(pages, query) if odata else stac_items(pages, query):
        try:
            product = (
                (_odata_product(entry, store), None)
                if odata
                else _stac_product(entry, store, pages.catalogue)
            )
        except Exception as error:  # no entry, whatever its content, prevents the others from being listed
            name = entry.get("Name" if odata else "id") if isinstance(entry, Mapping) else entry
            skipped.add(name, error)
        else:
            yield product


def _odata_product(entry: Mapping, store: Store) -> ListedProduct:
    bucket, _, key = str(entry.get("S3Path", "")).lstrip("/").partition("/")
    text = str(entry.get("Name"))
    sensor = archive_of(text).sensor
    name = sensor.parse(text)
    folder = f"{name.product}{sensor.suffix}"
    if bucket != store.bucket or not is_address(key) or PurePosixPath(key).name != folder:
        raise TigerbushError("its S3Path is not its folder in source.bucket")
    return ListedProduct(name, f"s3://{bucket}/{key}")


def _stac_product(item: Mapping, store: Store, catalogue: str) -> tuple[ListedProduct, Item | None]:
    """Return an item's product, with the URL of its folder in the bucket, or else of the item itself."""
    for field, kind in _FIELDS.items():
        if field not in item or not isinstance(item[field], kind):
            raise TigerbushError(f"its {field} is missing or not of the type that STAC requires")
    cloud = cloud_percent(item["properties"])
    if cloud is None and item["properties"].get("eo:cloud_cover") is not None:
        raise TigerbushError("its eo:cloud_cover is not a number from 0 to 100")
    name, archive = _parse_name(item)
    product_folder = f"/{name.product}{archive.sensor.suffix}/"
    for asset in _assets(item).values():
        href = str(asset.get("href"))
        parent, _, file = href.partition(product_folder)
        if file and parent.startswith("s3://"):
            if not parent.startswith(f"s3://{store.bucket}/") or not is_address(href):
                raise TigerbushError("it is in a bucket other than source.bucket")
            return ListedProduct(name, parent + product_folder.rstrip("/")), None
    address = f"{catalogue}/collections/{item.get('collection')}/items/{item['id']}"
    if not is_address(address):
        raise TigerbushError("its collection or id contains unexpected characters")
    assets = tuple(_item_files(name, archive, item, store))
    checksums = {key: _assets(item)[key].get("file:checksum") for key, *_ in assets}
    addresses = {key: href for key, _, href, _ in assets}
    content = json.dumps([archive.item_content(name, item), addresses, checksums], sort_keys=True)
    return ListedProduct(name, address), Item(cloud, assets, content)


def _parse_name(item: Mapping) -> tuple[ProductName, Archive]:
    """Return the name of an item's product and the archive of its sensor.

    Raises
    ------
    TigerbushError
    """
    for archive in archives():
        if name := archive.product_of(item):
            return name, archive
    fields = " nor ".join(archive.item_field for archive in archives())
    raise TigerbushError(f"neither {fields} nor its id is the name of a {titles()} product")


def _assets(item: Mapping) -> dict[str, Mapping]:
    return {key: asset for key, asset in item["assets"].items() if isinstance(asset, Mapping)}


def _item_files(
    name: ProductName, archive: Archive, item: Mapping, store: Store
) -> Iterator[tuple[str, str, str, int]]:
    """Yield key, name in the product's own layout, address and size of the assets that are needed."""
    for key, asset in sorted(_assets(item).items()):
        try:
            href = str(asset.get("href"))
            file = archive.asset_name(name, key, asset)
            if file is not None:
                _check_href(href, store)
                yield key, file, href, _size(asset)
        except (TigerbushError, ValueError) as error:
            # the product then fails, because the band is missing
            log.warning("%s: skipped asset %s: %s", name.product, key, error)


def _is_same(item: Item, known: Row, known_files: Sequence[Row]) -> bool:
    """Tell whether an item is that of an earlier listing, with the same files as far as it states sizes."""
    files = [row for row in known_files if row["name"] != STAC_ITEM]
    # of two assets with one name, the first is read
    assets = {file: (href, str(size)) for _, file, href, size in reversed(item.assets)}
    listed = [row | {"size": assets.get(row["name"], ("", "0"))[1]} for row in files]
    version = version_of(known_files, item.content)
    return (
        {row["name"]: row["key"] for row in files} == {file: href for file, (href, _) in assets.items()}
        and same_files(files, listed)
        and known.get("etag", version) in ("", version)
    )


def _size(asset: Mapping) -> int:
    size = asset.get("file:size")
    valid = isinstance(size, int) and not isinstance(size, bool) and 0 < size < 10**15
    return size if valid else 0


def _describe_item(
    store: Store, product: ListedProduct, item: Item, silent: set[str]
) -> tuple[Row, list[Row]]:
    """Return the row of a product whose files are an item's assets, and the rows of these files."""
    name = product.name.product
    archive = archive_of(name)
    files = {STAC_ITEM: file_row(name, ("metadata", ""), STAC_ITEM, product.url, 0)}
    for key, file, href, size in item.assets:
        if file in files:
            continue
        try:
            size = size or _size_of(store, href, silent)
        except TigerbushError as error:
            log.warning("%s: skipped asset %s: %s", name, key, error)
            continue
        files[file] = file_row(name, archive.sensor.role(file), file, href, size)
    return _item_row(product, item, list(files.values())), list(files.values())


def _item_row(product: ListedProduct, item: Item, files: Sequence[Row]) -> Row:
    return table_row(
        product.name,
        url=product.url,
        granule=archive_of(product.name.product).granule(product.name),
        size_bytes=sum(int(row["size"]) for row in files),
        cloud_percent=item.cloud_percent,
    )


def _size_of(store: Store, href: str, silent: set[str]) -> int:
    """Return the size of a file in bytes, or 0 when its web server does not respond or must not be contacted.

    The product fails later in that case. A server that did not respond is added to `silent` and not contacted again.
    """
    server = urlsplit(href)[:2]
    if server in silent:
        return 0
    try:
        return store.size_of(href)
    except (HostRefusedError, RemoteError) as error:
        # an error of the configured store concerns more than one product
        if href.startswith("s3://"):
            raise
        silent.add(server)
        log.warning("%s; products with files there will fail", str(error).rstrip("."))
        return 0


def _check_href(href: str, store: Store) -> None:
    """Refuse addresses of local files, of other buckets, and of other hosts without encryption.

    Raises
    ------
    TigerbushError
    """
    parts = urlsplit(href)
    allowed = (
        parts.scheme == "https"
        or (parts.scheme == "http" and store.hosts.resolve(parts) is not None)
        or (parts.scheme == "s3" and parts.netloc == store.bucket)
    )
    if not allowed or not is_address(href):
        raise TigerbushError(
            f"its address {href[:120]!r} is neither https://, nor http:// on a known host (source.hosts), nor in "
            "source.bucket, or it contains unexpected characters"
        )
