"""Paging through a catalogue, and invalid pages; all in memory."""

import pytest
import requests

from catalogues_in_memory import (
    ODATA,
    REPEATED,
    URL,
    Stac,
    encoded,
    entry,
    item,
    listed,
    page,
    products,
)
from fabricate import name_of
from stores_in_memory import Servers, without_waiting
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.sources import pages
from tigerbush.sources.web import Response


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


def test_endless_pages_of_a_stac_api(monkeypatch):
    first, second = (name_of(f"2017020{i}", level="L2A") for i in (1, 2))
    turned = [{"token": str(i)} for i in range(300)]
    for answers, searches in (
        # the same request again; the same items by another request; nothing new among many
        ([page([item(first)], body=turned[0]), page([item(second)], body=turned[0])], 2),
        ([page([item(first), item(second)], body=turned[0]), page([item(second)], body=turned[1])], 2),
    ):
        servers = Stac(*answers)
        with pytest.raises(TigerbushError) as error:
            listed(monkeypatch, servers)
        assert str(error.value) == f"{URL} {REPEATED}"
        assert len(servers.searches) == searches
    # an invalid item may be repeated beside a new one
    servers = Stac(
        page([item(first), 5], body=turned[0]), page([5, 6], body=turned[1]), page([item(second), 6, [7]])
    )
    rows, _ = listed(monkeypatch, servers, first, second)
    assert products(rows) == [first, second]


def test_empty_pages_of_an_odata_catalogue(monkeypatch):
    """A few are accepted; a page that is not empty resets the count."""
    name = name_of("20170201", level="L2A")
    for sizes, asked in (([0] * 300, 101), ([0] * 100 + [1] + [0] * 100, 201)):
        documents = [
            {"value": [entry(name)] * size, "@odata.nextLink": f"{ODATA}/{i}"} for i, size in enumerate(sizes)
        ]
        del documents[-1]["@odata.nextLink"]
        servers = Servers({None: [encoded(document) for document in documents]})
        if asked == 101:
            with pytest.raises(TigerbushError) as error:
                listed(monkeypatch, servers, address=ODATA)
            assert str(error.value) == f"{ODATA} {REPEATED}"
        else:
            assert products(listed(monkeypatch, servers, name, address=ODATA)[0]) == [name]
        assert len(servers.asked) == asked


def test_the_number_of_pages_of_a_catalogue_is_limited(monkeypatch):
    monkeypatch.setattr(pages, "MAX_PAGES", 3)
    answers = [
        page([item(name_of(f"201702{i:02}", level="L2A"))], body={"token": str(i)}) for i in range(1, 9)
    ]
    servers = Stac(*answers)
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, servers, collections=["c"])
    assert (str(error.value), len(servers.searches)) == (f"{URL} {REPEATED}", 3)


def test_the_body_of_the_next_page(monkeypatch):
    """It replaces the previous body or is merged into it; a relative address is resolved against the previous page."""
    names = [name_of(f"2017020{i}", level="L2A") for i in range(1, 5)]
    answers = [
        page([item(names[0])], body={"token": "1"}, merge=True, href="search"),
        page([item(names[1])], body={"token": "2"}, href="./search?a=b"),
        page([item(names[2])], method="GET", href="https://stac.example/other"),
        page([item(names[3])]),
    ]
    servers = Stac(*answers[:2])
    servers.answers |= {
        f"{URL}/search?a=b": encoded(answers[2]),
        "https://stac.example/other": encoded(answers[3]),
    }
    rows, _ = listed(monkeypatch, servers, *names)
    assert products(rows) == names
    asked = [(method, url, options["json"]) for method, url, options in servers.asked[2:]]
    first = asked[0][2]
    assert asked == [
        ("POST", f"{URL}/search", first),
        ("POST", f"{URL}/search", first | {"token": "1"}),
        ("POST", f"{URL}/search?a=b", {"token": "2"}),
        ("GET", "https://stac.example/other", None),
    ]


BUSY = Response(503, b"", {"retry-after": "7"}, "stac.example")


@pytest.mark.parametrize(
    ("answer", "sentence", "waited"),
    [
        (Response(400, b"", {}, "h"), f"{URL} refuses the search (400); check source.catalogue and source.collections, or try again later.", []),
        (Response(300, b"", {}, "h"), f"{URL} refuses the search (300); check source.catalogue and source.collections, or try again later.", []),
        (Response(199, b"", {}, "h"), f"{URL} refuses the search (199); check source.catalogue and source.collections, or try again later.", []),
        (BUSY, f"{URL} refuses the search (503); check source.catalogue, or try again later.", [7, 7, 7, 7]),
        (Response(429, b"", {}, "h"), f"{URL} refuses the search (429); check source.catalogue, or try again later.", [0.5, 1.0, 2.0, 4.0]),
        ({"features": {"a": 1}, "links": []}, f"{URL} returns a page that is not a list of products; try again later.", []),
        (page([5], method="PUT"), f"{URL} links to its next page by 'PUT' with a dict; expected GET, or POST with a mapping.", []),
        (page([5], body=[1]), f"{URL} links to its next page by 'POST' with a list; expected GET, or POST with a mapping.", []),
        (page([5], body=[1], merge=True), f"{URL} links to its next page by 'POST' with a list; expected GET, or POST with a mapping.", []),
    ],
)  # fmt: skip
def test_invalid_pages(monkeypatch, waits, answer, sentence, waited):
    servers = Stac(page([item(name_of("20170201", level="L2A"))], body={"a": 1}), answer)
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, servers)
    assert (str(error.value), waits) == (sentence, waited)


@pytest.mark.parametrize("status", [200, 299])
def test_a_busy_catalogue_is_retried(monkeypatch, waits, status):
    name = name_of("20170201", level="L2A")
    servers = Stac(*[Response(code, b"", {}, "h") for code in (500, 502, 504)], Response(status, encoded(page([item(name)])), {}, "h"))  # fmt: skip
    rows, _ = listed(monkeypatch, servers, name)
    assert (products(rows), waits) == ([name], [0.5, 1.0, 2.0])


def test_the_size_of_a_page_is_limited(monkeypatch, waits):
    name = name_of("20170201", level="L2A")
    long = encoded(page([item(name)]))
    monkeypatch.setattr(pages, "MAX_BYTES", len(long) + 1000)
    rows, _ = listed(monkeypatch, Stac(Response(200, long + b" " * 1000, {}, "h")), name)
    assert products(rows) == [name]
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Stac(Response(200, long + b" " * 1001, {}, "h")))
    assert str(error.value) == f"{URL} returns a page of more than 0 MB."


def test_a_catalogue_that_does_not_respond(monkeypatch, waits):
    for failure, sentence in (
        (requests.ConnectionError("x"), f"{URL} does not respond (ConnectionError); check source.catalogue, or try again later."),
        (requests.exceptions.SSLError("certificate verify failed: CERTIFICATE_VERIFY_FAILED"),
         f"source.catalogue: the certificate of {URL} is not trusted on this machine; set REQUESTS_CA_BUNDLE to your authority's CA bundle."),
        (RemoteError("as it is"), "as it is; check source.catalogue, or try again later."),
        (TigerbushError("as it is."), "as it is."),
    ):  # fmt: skip
        with pytest.raises(TigerbushError) as error:
            listed(monkeypatch, Servers({URL: failure}))
        assert str(error.value) == sentence
    assert len(waits) == 2 * 4
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Servers({URL: b"<html>"}))
    assert str(error.value) == (
        f"source.catalogue {URL} does not respond like a STAC API or an OData catalogue (JSONDecodeError: Expecting value: "
        "line 1 column 1 (char 0)); check the address."
    )
