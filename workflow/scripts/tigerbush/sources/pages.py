"""Read the pages of a catalogue: a STAC API, or the OData catalogue of CDSE.

From a link to the next page, only the address and the body of a POST request are used.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from urllib.parse import urljoin

import pystac_client
import requests
from pystac_client.stac_api_io import StacApiIO

from tigerbush.archives import archives_of
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.files import parse_json
from tigerbush.planning.scenes import Box
from tigerbush.sources.query import Query
from tigerbush.sources.retries import request_with_retries
from tigerbush.sources.web import BusyError, Response, Web, tls_problem

# items on a page
PAGE = 100
# of one search, a million items
MAX_PAGES = 10_000
# of one page, more than any has
MAX_BYTES = 200_000_000
# in a row
_MAX_EMPTY_PAGES = 100
# status codes that may be temporary
_BUSY = {429, 500, 502, 503, 504}


@contextmanager
def catalogue_errors(catalogue: str) -> Iterator[None]:
    """Convert the exceptions that a catalogue causes to sentences."""
    try:
        yield
    except TigerbushError:
        raise
    except RemoteError as error:
        raise TigerbushError(f"{error}; check source.catalogue, or try again later.") from error
    except Exception as error:  # pystac raises many kinds of exceptions for invalid documents
        raise TigerbushError(
            f"source.catalogue {catalogue} does not respond like a STAC API or an OData catalogue "
            f"({type(error).__name__}: {str(error)[:200]}); check the address."
        ) from error


def stac_items(pages: "Pages", query: Query) -> Iterator[object]:
    """Search a STAC API, area by area; yield the entries of its pages, which need not be valid items.

    Raises
    ------
    TigerbushError
        When a page is refused, links to another host or is repeated.
    Exception
        When the catalogue does not respond or is not one: see `catalogue_errors`.
    """
    client = pystac_client.Client.open(pages.catalogue, stac_io=_StacPages(pages))
    collections = query.collections or _collections_of_level(client, pages, query)
    for box in query.boxes:
        pages.requested.clear()
        search = client.search(
            collections=list(collections),
            bbox=box,
            datetime=f"{query.start}/{query.last_day}",
            limit=PAGE,
        )
        yield from _new_entries(pages.catalogue, (page["features"] for page in search.pages_as_dicts()), "id")


def _collections_of_level(client: pystac_client.Client, pages: "Pages", query: Query) -> list[str]:
    available = {collection.id for collection in client.get_collections()}
    known = [archive.levels[query.level].collections for archive in archives_of(query.level)]
    chosen = [name for names in known if (name := next(filter(available.__contains__, names), None))]
    if not chosen:
        raise TigerbushError(
            f"{pages.catalogue} has none of the collections {', '.join(chain(*known))}; name yours in "
            "source.collections."
        )
    return chosen


def odata_entries(pages: "Pages", query: Query) -> Iterator[object]:
    """Search an OData catalogue, area by area; yields and raises the same as `stac_items`."""
    for box in query.boxes:
        for archive in archives_of(query.level):
            pages.requested.clear()
            parameters = _odata_query(box, archive.levels[query.level].conditions, query)
            address = requests.Request("GET", f"{pages.catalogue}/Products", params=parameters).prepare().url
            yield from _new_entries(pages.catalogue, _odata_pages(pages, address), "Name")


def _odata_query(box: Box | None, conditions: Sequence[str], query: Query) -> dict[str, str]:
    if box:
        west, south, east, north = box
        ring = f"{west} {south},{east} {south},{east} {north},{west} {north},{west} {south}"
        conditions = (*conditions, f"OData.CSC.Intersects(area=geography'SRID=4326;POLYGON(({ring}))')")
    conditions = (
        *conditions,
        f"ContentDate/Start ge {query.start}T00:00:00.000Z",
        f"ContentDate/Start lt {query.last_day + timedelta(days=1)}T00:00:00.000Z",
    )
    return {"$filter": " and ".join(conditions), "$orderby": "ContentDate/Start", "$top": str(PAGE)}


def _odata_pages(pages: "Pages", address: str | None) -> Iterator[Sequence]:
    while address:
        page = parse_json(pages.read(address))
        yield page["value"]
        address = page.get("@odata.nextLink")


def _new_entries(catalogue: str, pages: Iterable[Sequence], key: str) -> Iterator[object]:
    """Yield the entries of pages that were not on an earlier one; refuse a search that repeats itself."""
    seen: set[str] = set()
    empty = 0
    for page in pages:
        if not isinstance(page, list):
            raise TigerbushError(
                f"{catalogue} returns a page that is not a list of products; try again later."
            )
        names = [str(entry.get(key)) if isinstance(entry, Mapping) else repr(entry)[:200] for entry in page]
        new = [entry for entry, name in zip(page, names, strict=True) if name not in seen]
        empty = 0 if page else empty + 1
        if (page and not new) or empty > _MAX_EMPTY_PAGES:
            raise _repeated_page(catalogue)
        seen.update(names)
        yield from new


def _repeated_page(catalogue: str) -> TigerbushError:
    return TigerbushError(f"{catalogue} returns the same page repeatedly; try again later.")


class Pages:
    """Reads the pages of a catalogue.

    Attributes
    ----------
    catalogue : str
        Address of the catalogue.
    requested : set of str
        The requests of a search, none of which is made twice.
    """

    def __init__(self, web: Web, catalogue: str, tries: int) -> None:
        self._web, self.catalogue, self._tries = web, catalogue, tries
        self._address = f"{catalogue}/"
        self.requested: set[str] = set()

    def read(self, address: object, method: str = "GET", body: object = None) -> str:
        """Return a page; a relative address is resolved against that of the previous page."""
        if method not in ("GET", "POST") or not isinstance(body, Mapping | None):
            raise TigerbushError(
                f"{self.catalogue} links to its next page by {str(method)[:20]!r} with a {type(body).__name__}; "
                "expected GET, or POST with a mapping."
            )
        self._address = urljoin(self._address, str(address))
        request = json.dumps([method, self._address, body], sort_keys=True)
        if request in self.requested or len(self.requested) >= MAX_PAGES:
            raise _repeated_page(self.catalogue)
        self.requested.add(request)
        response = request_with_retries(lambda: self._request(method, body), self._explain, self._tries)
        if not 200 <= response.status < 300:
            raise TigerbushError(
                f"{self.catalogue} refuses the search ({response.status}); check source.catalogue and "
                "source.collections, or try again later."
            )
        if len(response.content) > MAX_BYTES:
            raise TigerbushError(f"{self.catalogue} returns a page of more than {MAX_BYTES / 1e6:.0f} MB.")
        return response.content.decode()

    def _request(self, method: str, body: object) -> Response:
        response = self._web.request(method, self._address, json=body, max_bytes=MAX_BYTES)
        if response.status in _BUSY:
            raise BusyError(f"{self.catalogue} refuses the search ({response.status})", response.headers)
        return response

    def _explain(self, error: Exception) -> TigerbushError | RemoteError:
        if isinstance(error, RemoteError):
            return error
        if problem := tls_problem(error, self.catalogue, "REQUESTS_CA_BUNDLE"):
            return TigerbushError(f"source.catalogue: {problem}")
        return RemoteError(f"{self.catalogue} does not respond ({type(error).__name__})")


class _StacPages(StacApiIO):
    """The I/O of pystac_client: reads only web pages of the catalogue, never a file."""

    def __init__(self, pages: Pages) -> None:
        super().__init__(max_retries=None)
        self._pages = pages

    def read_text(self, source: object, *_: object, **options: object) -> str:
        if isinstance(source, str):
            return self.request(source, **options)
        # everything else in the link, such as headers, is ignored
        link = source.to_dict()
        body = link.get("body", {})
        if link.get("merge") and isinstance(body, Mapping):
            body = {**(options.get("parameters") or {}), **body}
        return self.request(link["href"], link.get("method"), parameters=body)

    def request(
        self, href: str, method: str | None = None, headers: object = None, parameters: object = None
    ) -> str:
        if method in (None, "GET"):
            return self._pages.read(href)
        return self._pages.read(href, method, parameters or {})

    def json_loads(self, txt: str, *_: object, **__: object) -> dict:
        return parse_json(txt)
