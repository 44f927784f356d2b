"""Catalogues with malformed or endless responses: one sentence each."""

import itertools
import json
import time

import pytest

from certificates import write_certificates
from test_catalogue import listing
from tigerbush.errors import TigerbushError
from tigerbush.sources import catalogue as discovery
from tigerbush.sources import retries
from web_servers import serving

AGAIN = "{url} returns the same page repeatedly; try again later."
NONE = "source.catalogue {url} does not respond like a STAC API or an OData catalogue ({why}); check the address."
NO_JSON = "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
ROOT = {"type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "x"}
CONFORMS = [f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "item-search")]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(discovery, "RETRIES", 1)


def stac(pages):
    """Answer as a STAC API whose pages have these items, each with a different link to the next page."""
    numbers = itertools.count()

    def answer(request):
        base = f"http://{request.headers['host']}"
        if request.path == "/":
            links = [
                {"rel": "search", "href": f"{base}/search", "type": "application/geo+json", "method": "POST"}
            ]
            document = ROOT | {"conformsTo": CONFORMS, "links": links}
        else:
            body = {"token": next(numbers)}
            following = {"rel": "next", "href": f"{base}/search", "method": "POST", "body": body}
            features = [{"id": name} for name in next(pages)]
            document = {"type": "FeatureCollection", "features": features, "links": [following]}
        return 200, {}, json.dumps(document).encode()

    return answer


def odata(pages):
    numbers = itertools.count()

    def answer(request):
        following = f"http://{request.headers['host']}/odata/v1/Products?page={next(numbers)}"
        document = {"value": [{"Name": name} for name in next(pages)], "@odata.nextLink": following}
        return 200, {}, json.dumps(document).encode()

    return answer


def sentence(server, path=""):
    with pytest.raises(TigerbushError) as error:
        listing(server, address=server.url + path, collections=["x"], bucket=None)
    return str(error.value)


@pytest.mark.parametrize(
    ("kind", "path", "pages", "requests"),
    [
        # the same page, two pages in turn, and empty pages, each with another link; an empty page ends a STAC search
        (stac, "", lambda: itertools.repeat(["a"]), 2),
        (stac, "", lambda: itertools.cycle([["a"], ["b"]]), 3),
        (odata, "/odata/v1", lambda: itertools.repeat(["a"]), 2),
        (odata, "/odata/v1", lambda: itertools.cycle([["a"], ["b"]]), 3),
        (odata, "/odata/v1", lambda: itertools.repeat([]), 101),
    ],
)
def test_endless_pages(kind, path, pages, requests):
    with serving(kind(pages())) as server:
        assert sentence(server, path) == AGAIN.format(url=server.url + path)
    assert sum(request.path != "/" for request in server.requests) == requests


def test_links_to_earlier_pages():
    """Every page is new, but the third link is the same as the first."""
    links = itertools.cycle(["a", "b"])
    names = itertools.count()

    def answer(request):
        following = f"http://{request.headers['host']}/odata/v1/{next(links)}"
        return 200, {}, json.dumps({"value": [{"Name": next(names)}], "@odata.nextLink": following}).encode()

    with serving(answer) as server:
        assert sentence(server, "/odata/v1") == AGAIN.format(url=f"{server.url}/odata/v1")
    assert len(server.requests) == 3


@pytest.mark.parametrize("path", ["", "/odata/v1"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<!DOCTYPE html><p>Log in", NO_JSON),
        (b"", NO_JSON),
        (
            b"\xff\xfe",
            "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ],
)
def test_a_login_page(path, content, why):
    with serving(lambda _: (200, {"Content-Type": "text/html"}, content)) as server:
        assert sentence(server, path) == NONE.format(url=server.url + path, why=why)


def test_a_catalogue_that_is_down(slept, caplog):
    with serving(lambda _: (503, {"Retry-After": "9999"}, b"")) as server:
        assert sentence(server) == (
            f"{server.url} refuses the search (503); check source.catalogue, or try again later."
        )
    assert slept == [60]
    assert caplog.messages == [f"{server.url} refuses the search (503); retrying in 60.0 s (attempt 2 of 2)"]


def slow_content():
    """Yield a response byte by byte, over three seconds."""
    for _ in range(30):
        time.sleep(0.1)
        yield b" "


def test_a_catalogue_that_never_stops_sending(monkeypatch):
    monkeypatch.setattr(retries, "STEP_SECONDS", 0.5)

    start = time.monotonic()
    with serving(lambda _: (200, {"Content-Length": "1000"}, slow_content())) as server:
        assert sentence(server) == (
            f"{server.url} does not respond (Timeout); check source.catalogue, or try again later."
        )
    assert time.monotonic() - start < 2.5


def test_a_retry_reaches_a_server_that_was_slow(monkeypatch):
    """The first attempt keeps its connection until the server has sent everything."""
    monkeypatch.setattr(retries, "STEP_SECONDS", 0.5)

    answers = iter([(200, {"Content-Length": "1000"}, slow_content())])
    page = (200, {"Content-Type": "text/html"}, b"")
    with serving(lambda _: next(answers, page)) as server:
        assert sentence(server) == NONE.format(url=server.url, why=NO_JSON)


@pytest.mark.parametrize(
    ("certificate", "bundle", "reason"),
    [
        ({}, None, "the certificate of {url} is not trusted on this machine; set REQUESTS_CA_BUNDLE to your authority's CA bundle."),
        ({"last_day": -1}, "ca.pem", "the certificate of {url} has expired or is not yet valid; check the clock of this machine, or ask the operator of the server."),
        ({"hosts": ["elsewhere.example"]}, "ca.pem", "the certificate of {url} was issued for another name; check the address."),
        ({}, "absent.pem", "the file of trusted certificates cannot be read; correct REQUESTS_CA_BUNDLE."),
    ],
)  # fmt: skip
def test_certificates(tmp_path, monkeypatch, certificate, bundle, reason):
    write_certificates(tmp_path, **certificate)
    if bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / bundle))
    with serving(certificates=tmp_path) as server:
        assert sentence(server) == "source.catalogue: " + reason.format(url=server.url)
