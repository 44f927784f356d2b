"""Discovery of products in a catalogue: a STAC API (CDSE, Earth Search), or the OData catalogue of CDSE.

A catalogue says which products there are. Of products in SAFE layout in the configured bucket, the store
then says which files they have, with checksums, and with the masks that items do not name. Of other items the
assets are the files, and the item itself is the metadata.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from math import cos, radians
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pystac_client
import requests
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tigerbush.errors import TigerbushError
from tigerbush.products import BANDS, STAC_ITEM, ProductName, file_row, parse_name, role, table_row
from tigerbush.remote import Store, is_address
from tigerbush.s3 import Found, Row, describe_listed, describe_products
from tigerbush.stac_item import band_of, cloud_percent, product_of, resolution_of

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20
RETRIES = Retry(total=4, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None)
PAGE = 100
# the first of these that a catalogue has: of Earth Search the reprocessed one
COLLECTIONS = {"L1C": ("sentinel-2-l1c",), "L2A": ("sentinel-2-c1-l2a", "sentinel-2-l2a")}


def list_catalogue(
    store: Store,
    catalogue: str,
    collections: Sequence[str] | None = None,
    *,
    level: str,
    sites: Sequence[Mapping],
    tiles: Collection[str],
    start: date,
    end: date,
    old: Collection[Row] = (),
    old_files: Collection[Row] = (),
) -> tuple[list[Row], list[Row]]:
    """List the products of some sites in a period.

    Parameters
    ----------
    store : Store
        Where products in SAFE layout lie, and what reads everything else.
    catalogue : str
        Address of a STAC API; with `/odata/` in its path, of an OData catalogue.
    collections : sequence of str, optional
        Of the STAC API; without it the first of `COLLECTIONS` that it has.
    level : {"L1C", "L2A"}
    sites : sequence of mapping
        longitude, latitude and region_size in degrees.
    tiles : collection of str
        What the sites use; other tiles are left out.
    start, end : date
        First day, and the day after the last.
    old, old_files : rows of products.tsv and files.tsv
        From an earlier listing.

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
    boxes = [bounding_box(**site) for site in sites]
    found: dict[str, Found] = {}
    items: dict[str, Mapping] = {}
    passed_over = 0
    with _sentences(catalogue):
        if "/odata/" in f"{catalogue}/":
            entries = _odata(catalogue, level, boxes, start, end)
        else:
            entries = _search(catalogue, collections, level, boxes, start, end)
        for entry in entries:
            one = (
                _found_in_odata(entry, store) if "Name" in entry else _found_in_stac(entry, store, catalogue)
            )
            if one is None:
                passed_over += 1
                continue
            name = one.name
            if name.level == level and name.tile in tiles and start <= name.sensing_time.date() < end:
                found.setdefault(name.product, one)
                # what the store describes need not be held
                if not one.url.startswith("s3://"):
                    items.setdefault(one.url, entry)
    if passed_over:
        log.warning(
            "%s: %d items passed over, which are no Sentinel-2 products or lie in another bucket than source.bucket",
            catalogue,
            passed_over,
        )
    if not found:
        raise TigerbushError(
            f"{catalogue} has no {level} products of the sites' tiles from {start} to {end} "
            f"({passed_over} items passed over); check period, source.level, source.bucket and source.collections."
        )

    def describe(store: Store, one: Found) -> tuple[Row, list[Row]]:
        item = items.get(one.url)
        return _describe_item(store, one, item, catalogue) if item else describe_listed(store, one)

    return describe_products(store, found, describe, old=old, old_files=old_files)


def bounding_box(longitude: float, latitude: float, region_size: float) -> tuple[float, float, float, float]:
    """Return west, south, east and north of a site, in degrees."""
    half = region_size / 2
    # a site is as wide as it is high, in metres
    wide = half / max(cos(radians(latitude)), 0.1)
    return (
        max(longitude - wide, -180.0),
        max(latitude - half, -90.0),
        min(longitude + wide, 180.0),
        min(latitude + half, 90.0),
    )


@contextmanager
def _sentences(catalogue: str) -> Iterator[None]:
    """Turn what a catalogue does wrong into sentences."""
    try:
        yield
    except TigerbushError:
        raise
    except APIError as error:
        # without a status there was no answer, or none that is JSON
        status = getattr(error, "status_code", None)
        what = f"refuses the search ({status})" if status else f"does not answer ({str(error)[:200]!r})"
        raise TigerbushError(
            f"{catalogue} {what}; check source.catalogue and source.collections, or try again later."
        ) from error
    except requests.RequestException as error:
        raise TigerbushError(
            f"{catalogue} does not answer ({type(error).__name__}); check source.catalogue, or try again later."
        ) from error
    except Exception as error:  # pystac raises many kinds for documents that are none
        raise TigerbushError(
            f"source.catalogue {catalogue} does not answer like a STAC API or an OData catalogue "
            f"({type(error).__name__}: {str(error)[:200]}); check the address."
        ) from error


def _search(
    catalogue: str,
    collections: Sequence[str] | None,
    level: str,
    boxes: Iterable[tuple],
    start: date,
    end: date,
) -> Iterator[Mapping]:
    """Search a STAC API, site by site."""
    client = pystac_client.Client.open(
        catalogue, stac_io=StacApiIO(timeout=TIMEOUT_SECONDS, max_retries=RETRIES)
    )
    if not collections:
        there = {collection.id for collection in client.get_collections()}
        collections = [name for name in COLLECTIONS[level] if name in there][:1]
        if not collections:
            raise TigerbushError(
                f"{catalogue} has none of the collections {', '.join(COLLECTIONS[level])}; name yours in "
                "source.collections."
            )
    last = end - timedelta(days=1)
    for box in boxes:
        search = client.search(
            collections=list(collections), bbox=box, datetime=f"{start}/{last}", limit=PAGE
        )
        yield from _new_on_each(catalogue, (page["features"] for page in search.pages_as_dicts()), "id")


def _new_on_each(catalogue: str, pages: Iterable[Sequence[Mapping]], key: str) -> Iterator[Mapping]:
    """Pass on what pages hold; a page without anything new would go on for ever."""
    seen: set[str] = set()
    for page in pages:
        new = [entry for entry in page if isinstance(entry, Mapping) and str(entry.get(key)) not in seen]
        if page and not new:
            raise TigerbushError(f"{catalogue} gives the same page again and again; try again later.")
        seen.update(str(entry.get(key)) for entry in new)
        yield from new


def _odata(catalogue: str, level: str, boxes: Iterable[tuple], start: date, end: date) -> Iterator[Mapping]:
    """Ask an OData catalogue, site by site."""
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
        for west, south, east, north in boxes:
            ring = f"{west} {south},{east} {south},{east} {north},{west} {north},{west} {south}"
            conditions = (
                "Collection/Name eq 'SENTINEL-2'",
                f"contains(Name,'MSI{level}')",
                f"OData.CSC.Intersects(area=geography'SRID=4326;POLYGON(({ring}))')",
                f"ContentDate/Start ge {start}T00:00:00.000Z",
                f"ContentDate/Start lt {end}T00:00:00.000Z",
            )
            query = {"$filter": " and ".join(conditions), "$orderby": "ContentDate/Start", "$top": PAGE}
            yield from _new_on_each(catalogue, _odata_pages(session, catalogue, query), "Name")


def _odata_pages(session: requests.Session, catalogue: str, query: Mapping) -> Iterator[Sequence[Mapping]]:
    answer = session.get(f"{catalogue}/Products", params=query, timeout=TIMEOUT_SECONDS)
    while True:
        if not answer.ok:
            raise TigerbushError(f"{catalogue} refuses the search ({answer.status_code}); try again later.")
        page = answer.json()
        yield page["value"]
        following = page.get("@odata.nextLink")
        if not following:
            return
        if urlsplit(following)[:2] != urlsplit(catalogue)[:2]:
            raise TigerbushError(
                f"{catalogue} continues on another server ({following[:120]!r}); that is refused."
            )
        answer = session.get(following, timeout=TIMEOUT_SECONDS)


def _found_in_odata(entry: Mapping, store: Store) -> Found | None:
    bucket, _, key = str(entry.get("S3Path", "")).lstrip("/").partition("/")
    try:
        name = parse_name(str(entry["Name"]))
    except TigerbushError:
        return None
    right = bucket == store.bucket and is_address(key) and PurePosixPath(key).name == f"{name.product}.SAFE"
    return Found(name, f"s3://{bucket}/{key}") if right else None


def _found_in_stac(item: Mapping, store: Store, catalogue: str) -> Found | None:
    """Return an item's product: its folder in the bucket where it has one, else the item's own address."""
    name = product_of(item)
    if name is None:
        return None
    inside = f"/{name.product}.SAFE/"
    for asset in _assets(item).values():
        href = str(asset.get("href"))
        folder, _, rest = href.partition(inside)
        if rest and folder.startswith("s3://"):
            right = folder.startswith(f"s3://{store.bucket}/") and is_address(href)
            return Found(name, folder + inside.rstrip("/")) if right else None
    address = f"{catalogue}/collections/{item.get('collection')}/items/{item.get('id')}"
    return Found(name, address) if is_address(address) else None


def _assets(item: Mapping) -> dict[str, Mapping]:
    assets = item.get("assets")
    pairs = assets.items() if isinstance(assets, Mapping) else ()
    return {str(key): asset for key, asset in pairs if isinstance(asset, Mapping)}


def _describe_item(store: Store, found: Found, item: Mapping, catalogue: str) -> tuple[Row, list[Row]]:
    """Return the rows of a product whose files are an item's assets."""
    product = found.name.product
    files = {STAC_ITEM: file_row(product, ("metadata", ""), STAC_ITEM, found.url, 0)}
    for key, asset in sorted(_assets(item).items()):
        name = _safe_name(found.name, key, asset)
        if name is None or name in files:
            continue
        href = str(asset.get("href"))
        try:
            _check_href(href, store, catalogue)
            size = asset.get("file:size")
            known = isinstance(size, int) and not isinstance(size, bool) and 0 < size < 10**15
            size = size if known else store.size_of(href)
        except TigerbushError as error:
            # the product then fails for want of the band, and is named
            log.warning("%s: asset %s passed over: %s", product, key[:60], error)
            continue
        files[name] = file_row(product, role(name), name, href, size)
    row = table_row(
        found.name,
        url=found.url,
        granule=_granule(found.name),
        size_bytes=sum(int(file["size"]) for file in files.values()),
        cloud_percent=cloud_percent(item["properties"]),
    )
    return row, list(files.values())


def _granule(name: ProductName) -> str:
    return f"{name.level}_T{name.tile}"


def _safe_name(name: ProductName, key: str, asset: Mapping) -> str | None:
    """Return the name in SAFE layout of an asset that is a band or the scene classification, or None."""
    band = band_of(key)
    suffix = PurePosixPath(urlsplit(str(asset.get("href"))).path).suffix
    if band is None or suffix not in {".jp2", ".tif"}:
        return None
    resolution = resolution_of(key, asset, BANDS.get(band, 20))
    number = f"B{int(band[1:]):02d}" if band[1:].isdigit() else band
    stem = f"T{name.tile}_{name.sensing_time:%Y%m%dT%H%M%S}_{number}_{resolution}m"
    return f"GRANULE/{_granule(name)}/IMG_DATA/R{resolution}m/{stem}{suffix}"


def _check_href(href: str, store: Store, catalogue: str) -> None:
    """Refuse what leads to the machine itself, to another bucket, or out of encryption.

    Raises
    ------
    TigerbushError
    """
    parts, home = urlsplit(href), urlsplit(catalogue)
    allowed = (
        parts.scheme == "https"
        or (parts.scheme == "http" and parts[:2] == home[:2])
        or (parts.scheme == "s3" and parts.netloc == store.bucket)
    )
    if not allowed or not is_address(href):
        raise TigerbushError(
            f"its address {href[:120]!r} is neither https:// nor in the bucket of source.bucket, of plain characters"
        )
