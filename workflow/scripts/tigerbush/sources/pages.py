"""The pages of a catalogue: of a STAC API, or of the OData catalogue of CDSE.

Of a link only the address is used, and the body of a POST that turns the page.
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
from tigerbush.site import Place
from tigerbush.sources.query import Query
from tigerbush.sources.retries import request_with_retries
from tigerbush.sources.web import Answer, BusyError, Web, tls_trouble

PAGE = 100
# of one catalogue; a million items, and more bytes than a page of them has
MOST_PAGES = 10_000
MOST_BYTES = 200_000_000
# in a row
_EMPTY_PAGES = 100
# of an answer that may be another one soon
_BUSY = {429, 500, 502, 503, 504}


@contextmanager
def catalogue_sentences(catalogue: str) -> Iterator[None]:
    """Turn what a catalogue does wrong into sentences."""
    try:
        yield
    except TigerbushError:
        raise
    except RemoteError as error:
        raise TigerbushError(f"{error}; check source.catalogue, or try again later.") from error
    except Exception as error:  # pystac raises many kinds for documents that are none
        raise TigerbushError(
            f"source.catalogue {catalogue} does not answer like a STAC API or an OData catalogue "
            f"({type(error).__name__}: {str(error)[:200]}); check the address."
        ) from error


def stac_items(pages: "Pages", query: Query) -> Iterator[object]:
    """Search a STAC API, site by site; yield items, or whatever stands in their place.

    Raises
    ------
    TigerbushError
        When a page is refused, leads elsewhere or comes again.
    Exception
        When the catalogue does not answer or is none: see `catalogue_sentences`.
    """
    client = pystac_client.Client.open(pages.catalogue, stac_io=_StacPages(pages))
    collections = query.collections or _collections_of_level(client, pages, query)
    last = query.end - timedelta(days=1)
    for place in query.sites:
        pages.asked.clear()
        found = client.search(
            collections=list(collections),
            bbox=place.bounding_box,
            datetime=f"{query.start}/{last}",
            limit=PAGE,
        )
        yield from _new_on_each(pages.catalogue, (page["features"] for page in found.pages_as_dicts()), "id")


def _collections_of_level(client: pystac_client.Client, pages: "Pages", query: Query) -> list[str]:
    there = {collection.id for collection in client.get_collections()}
    known = [archive.levels[query.level].collections for archive in archives_of(query.level)]
    chosen = [name for names in known if (name := next(filter(there.__contains__, names), None))]
    if not chosen:
        raise TigerbushError(
            f"{pages.catalogue} has none of the collections {', '.join(chain(*known))}; name yours in "
            "source.collections."
        )
    return chosen


def odata_entries(pages: "Pages", query: Query) -> Iterator[object]:
    """Ask an OData catalogue, site by site; what is yielded and raised is as of `stac_items`."""
    for place in query.sites:
        for archive in archives_of(query.level):
            pages.asked.clear()
            asked = _odata_question(place, archive.levels[query.level].conditions, query)
            address = requests.Request("GET", f"{pages.catalogue}/Products", params=asked).prepare().url
            yield from _new_on_each(pages.catalogue, _odata_pages(pages, address), "Name")


def _odata_question(place: Place, conditions: Sequence[str], query: Query) -> dict[str, str]:
    west, south, east, north = place.bounding_box
    ring = f"{west} {south},{east} {south},{east} {north},{west} {north},{west} {south}"
    conditions = (
        *conditions,
        f"OData.CSC.Intersects(area=geography'SRID=4326;POLYGON(({ring}))')",
        f"ContentDate/Start ge {query.start}T00:00:00.000Z",
        f"ContentDate/Start lt {query.end}T00:00:00.000Z",
    )
    return {"$filter": " and ".join(conditions), "$orderby": "ContentDate/Start", "$top": str(PAGE)}


def _odata_pages(pages: "Pages", address: str | None) -> Iterator[Sequence]:
    while address:
        page = parse_json(pages.read(address))
        yield page["value"]
        address = page.get("@odata.nextLink")


def _new_on_each(catalogue: str, pages: Iterable[Sequence], key: str) -> Iterator[object]:
    """Pass on what pages hold; a page without anything new would go on for ever."""
    seen: set[str] = set()
    empty = 0
    for page in pages:
        if not isinstance(page, list):
            raise TigerbushError(f"{catalogue} gives a page that is no list of products; try again later.")
        names = [str(entry.get(key)) if isinstance(entry, Mapping) else repr(entry)[:200] for entry in page]
        new = [entry for entry, name in zip(page, names, strict=True) if name not in seen]
        empty = 0 if page else empty + 1
        if (page and not new) or empty > _EMPTY_PAGES:
            raise _again(catalogue)
        seen.update(names)
        yield from new


def _again(catalogue: str) -> TigerbushError:
    return TigerbushError(f"{catalogue} gives the same page again and again; try again later.")


class Pages:
    """The pages of one catalogue.

    Attributes
    ----------
    catalogue : str
        Its address.
    asked : set of str
        The requests of a search; none is made twice.
    """

    def __init__(self, web: Web, catalogue: str, tries: int) -> None:
        self._web, self.catalogue, self._tries = web, catalogue, tries
        self._at = f"{catalogue}/"
        self.asked: set[str] = set()

    def read(self, address: object, method: str = "GET", body: object = None) -> str:
        """Return a page; a relative address is taken from where the page before lies."""
        if method not in ("GET", "POST") or not isinstance(body, Mapping | None):
            raise TigerbushError(
                f"{self.catalogue} leads on by {str(method)[:20]!r} with a {type(body).__name__}; expected GET, or "
                "POST with a mapping."
            )
        self._at = urljoin(self._at, str(address))
        question = json.dumps([method, self._at, body], sort_keys=True)
        if question in self.asked or len(self.asked) >= MOST_PAGES:
            raise _again(self.catalogue)
        self.asked.add(question)
        answer = request_with_retries(lambda: self._ask(method, body), self._explain, self._tries)
        if not 200 <= answer.status < 300:
            raise TigerbushError(
                f"{self.catalogue} refuses the search ({answer.status}); check source.catalogue and "
                "source.collections, or try again later."
            )
        if len(answer.content) > MOST_BYTES:
            raise TigerbushError(f"{self.catalogue} gives a page of more than {MOST_BYTES / 1e6:.0f} MB.")
        return answer.content.decode()

    def _ask(self, method: str, body: object) -> Answer:
        answer = self._web.request(method, self._at, json=body, most=MOST_BYTES)
        if answer.status in _BUSY:
            raise BusyError(f"{self.catalogue} refuses the search ({answer.status})", answer.headers)
        return answer

    def _explain(self, error: Exception) -> TigerbushError | RemoteError:
        if isinstance(error, RemoteError):
            return error
        if trouble := tls_trouble(error, self.catalogue, "REQUESTS_CA_BUNDLE"):
            return TigerbushError(f"source.catalogue: {trouble}")
        return RemoteError(f"{self.catalogue} does not answer ({type(error).__name__})")


class _StacPages(StacApiIO):
    """What pystac_client reads with: web pages of the catalogue alone, never a file."""

    def __init__(self, pages: Pages) -> None:
        super().__init__(max_retries=None)
        self._pages = pages

    def read_text(self, source: object, *_: object, **options: object) -> str:
        if isinstance(source, str):
            return self.request(source, **options)
        # whatever else the link has, such as headers, is not used
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
