"""Discovery of products in a catalogue: a STAC API (CDSE, Earth Search), or the OData catalogue of CDSE.

A catalogue says which products there are. Of whole products in the configured bucket, the store then says which
files they have, with checksums, and with the masks that items do not name. Of other items the assets are the files,
and the item itself is the metadata.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from tigerbush.archives import Archive, archive_of, archives
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.planning.addresses import is_address
from tigerbush.planning.tables import file_row, table_row
from tigerbush.product import ProductName
from tigerbush.sensors import titles
from tigerbush.site import Place
from tigerbush.sources.bucket import Found, describe_listed, describe_products
from tigerbush.sources.pages import Pages, catalogue_sentences, odata_entries, stac_items
from tigerbush.sources.query import Query, Row
from tigerbush.sources.retries import TRIES
from tigerbush.sources.store import Store
from tigerbush.sources.web import HostRefusedError, Web
from tigerbush.stac import STAC_ITEM, cloud_percent

log = logging.getLogger(__name__)

# of a page after the first try
RETRIES = TRIES - 1
# how many items that are passed over are named
_NAMED = 20
# fields of an item that are looked into or make it one, and their kinds
_FIELDS = {"id": str, "geometry": Mapping | None, "properties": Mapping, "assets": Mapping}


@dataclass(frozen=True)
class Item:
    """What is needed of an item whose files are its assets.

    Attributes
    ----------
    cloud_percent : float or None
    assets : sequence of (key, name, address, bytes)
        Key in the item, name in the product's own layout; 0 bytes where the item does not say how many.
    """

    cloud_percent: float | None
    assets: Sequence[tuple[str, str, str, int]]


def list_catalogue(
    store: Store,
    catalogue: str,
    collections: Sequence[str] | None = None,
    *,
    sites: Iterable[Mapping],
    **fields: Any,
) -> tuple[list[Row], list[Row]]:
    """List the products of some sites in a period: `search_catalogue` with the fields of a `Query` as arguments.

    Parameters
    ----------
    sites : iterable of mapping
        longitude, latitude and region_size in degrees.
    """
    places = [Place(**site) for site in sites]
    return search_catalogue(store, catalogue, Query(sites=places, collections=collections, **fields))


def search_catalogue(store: Store, catalogue: str, query: Query) -> tuple[list[Row], list[Row]]:
    """List the products of some sites in a period.

    Parameters
    ----------
    store : Store
        Where whole products lie, and what reads everything else.
    catalogue : str
        Address of a STAC API; with `/odata/` in its path, of an OData catalogue.
    query : Query

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError
        When the catalogue does not answer, refuses, or is none.
    """
    catalogue = catalogue.rstrip("/")
    store = store.beside(catalogue)
    pages = Pages(Web(store.hosts, public=False), catalogue, tries=1 + RETRIES)
    found: dict[str, Found] = {}
    items: dict[str, Item] = {}
    passed_over = _PassedOver(catalogue)
    with catalogue_sentences(catalogue):
        for product, item in _products(pages, store, query, passed_over):
            if product.answers(query):
                found.setdefault(product.name.product, product)
                # what the store describes need not be held
                if item:
                    items.setdefault(product.url, item)
    passed_over.tell()
    if not found:
        raise TigerbushError(
            f"{catalogue} has no {query.level} products of the sites' tiles from {query.start} to {query.end} "
            f"({passed_over.count} items passed over); check period, source.level, source.bucket and "
            "source.collections."
        )
    silent: set[str] = set()

    def describe(store: Store, product: Found) -> tuple[Row, list[Row]]:
        item = items.get(product.url)
        return _describe_item(store, product, item, silent) if item else describe_listed(store, product)

    return describe_products(store, found, query, describe)


class _PassedOver:
    """The entries of a catalogue that are no products to use: some by name, all by number."""

    def __init__(self, catalogue: str) -> None:
        self.count = 0
        self._catalogue = catalogue

    def add(self, name: object, reason: object) -> None:
        self.count += 1
        if self.count <= _NAMED:
            # as Python writes it: a name of an answer may hold anything
            log.warning("%s: %.120r passed over: %s", self._catalogue, name, str(reason)[:200])

    def tell(self) -> None:
        if self.count:
            log.warning("%s: %d items passed over", self._catalogue, self.count)


def _products(
    pages: Pages, store: Store, query: Query, passed_over: _PassedOver
) -> Iterator[tuple[Found, Item | None]]:
    """Yield the products of a catalogue, and the item of those whose files are its assets."""
    odata = "/odata/" in f"{pages.catalogue}/"
    for entry in odata_entries(pages, query) if odata else stac_items(pages, query):
        try:
            product = (
                (_found_in_odata(entry, store), None)
                if odata
                else _found_in_stac(entry, store, pages.catalogue)
            )
        except Exception as error:  # whatever an entry holds, the others are found
            passed_over.add(
                entry.get("Name" if odata else "id") if isinstance(entry, Mapping) else entry, error
            )
        else:
            yield product


def _found_in_odata(entry: Mapping, store: Store) -> Found:
    bucket, _, key = str(entry.get("S3Path", "")).lstrip("/").partition("/")
    text = str(entry.get("Name"))
    sensor = archive_of(text).sensor
    name = sensor.parse(text)
    folder = f"{name.product}{sensor.suffix}"
    if bucket != store.bucket or not is_address(key) or PurePosixPath(key).name != folder:
        raise TigerbushError("its S3Path is not its folder in source.bucket")
    return Found(name, f"s3://{bucket}/{key}")


def _found_in_stac(item: Mapping, store: Store, catalogue: str) -> tuple[Found, Item | None]:
    """Return an item's product: its folder in the bucket where it has one, else the item's own address."""
    for field, kind in _FIELDS.items():
        if field not in item or not isinstance(item[field], kind):
            raise TigerbushError(f"its {field} is missing or of another kind than in STAC")
    cloud = cloud_percent(item["properties"])
    if cloud is None and item["properties"].get("eo:cloud_cover") is not None:
        raise TigerbushError("its eo:cloud_cover is no number from 0 to 100")
    name, archive = _name_of(item)
    inside = f"/{name.product}{archive.sensor.suffix}/"
    for asset in _assets(item).values():
        href = str(asset.get("href"))
        folder, _, rest = href.partition(inside)
        if rest and folder.startswith("s3://"):
            if not folder.startswith(f"s3://{store.bucket}/") or not is_address(href):
                raise TigerbushError("it lies in another bucket than source.bucket")
            return Found(name, folder + inside.rstrip("/")), None
    address = f"{catalogue}/collections/{item.get('collection')}/items/{item['id']}"
    if not is_address(address):
        raise TigerbushError("its collection and id are no plain names")
    return Found(name, address), Item(cloud, tuple(_item_files(name, archive, item, store)))


def _name_of(item: Mapping) -> tuple[ProductName, Archive]:
    """Return the name of an item's product, and the archive that knows it.

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
    """Yield key, name in the product's own layout, address and bytes of the assets that are needed."""
    for key, asset in sorted(_assets(item).items()):
        try:
            href = str(asset.get("href"))
            file = archive.asset_name(name, key, asset)
            if file is not None:
                _check_href(href, store)
                yield key, file, href, _size(asset)
        except (TigerbushError, ValueError) as error:
            # the product then fails for want of the band, and is named
            log.warning("%s: asset %s passed over: %s", name.product, key, error)


def _size(asset: Mapping) -> int:
    size = asset.get("file:size")
    known = isinstance(size, int) and not isinstance(size, bool) and 0 < size < 10**15
    return size if known else 0


def _describe_item(store: Store, found: Found, item: Item, silent: set[str]) -> tuple[Row, list[Row]]:
    """Return the rows of a product whose files are an item's assets."""
    product = found.name.product
    archive = archive_of(product)
    files = {STAC_ITEM: file_row(product, ("metadata", ""), STAC_ITEM, found.url, 0)}
    for key, name, href, size in item.assets:
        if name in files:
            continue
        try:
            size = size or _size_of(store, href, silent)
        except TigerbushError as error:
            log.warning("%s: asset %s passed over: %s", product, key, error)
            continue
        files[name] = file_row(product, archive.sensor.role(name), name, href, size)
    row = table_row(
        found.name,
        url=found.url,
        granule=archive.granule(found.name),
        size_bytes=sum(int(file["size"]) for file in files.values()),
        cloud_percent=item.cloud_percent,
    )
    return row, list(files.values())


def _size_of(store: Store, href: str, silent: set[str]) -> int:
    """Ask how many bytes a file has; 0 where a web server is silent or not to be asked, which then fails the product.

    A server that did not answer once is in `silent` and not asked again.
    """
    server = urlsplit(href)[:2]
    if server in silent:
        return 0
    try:
        return store.size_of(href)
    except (HostRefusedError, RemoteError) as error:
        # the store of the configuration is no matter of one product
        if href.startswith("s3://"):
            raise
        silent.add(server)
        log.warning("%s; what lies there fails when it is fetched", str(error).rstrip("."))
        return 0


def _check_href(href: str, store: Store) -> None:
    """Refuse what leads to the machine itself, to another bucket, or out of encryption.

    Raises
    ------
    TigerbushError
    """
    parts = urlsplit(href)
    allowed = (
        parts.scheme == "https"
        or (parts.scheme == "http" and store.hosts.known(parts) is not None)
        or (parts.scheme == "s3" and parts.netloc == store.bucket)
    )
    if not allowed or not is_address(href):
        raise TigerbushError(
            f"its address {href[:120]!r} is neither https://, nor http:// of a known host (source.hosts), nor in the "
            "bucket of source.bucket, of plain characters"
        )
