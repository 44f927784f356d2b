"""A catalogue's answers can make tigerbush send requests to known hosts, and to no others."""

import json

import pytest

from test_catalogue import PLACE, listed_days
from tigerbush.cli.doctor.source import check_server
from tigerbush.errors import TigerbushError
from tigerbush.sources import retries
from tigerbush.sources.web import HostRefusedError
from web_servers import rewriting_proxy, serving

EMPTY = json.dumps({"type": "FeatureCollection", "features": [], "links": []}).encode()
SECRET = "forged"  # noqa: S105 - made up


@pytest.fixture
def elsewhere():
    with serving(lambda _: (200, {"Content-Type": "application/json"}, EMPTY)) as server:
        yield server


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)


def link(rel, href, **fields):
    """Return a change that replaces the links of a relation in a document."""

    def change(document):
        links = [other for other in document.get("links", []) if other.get("rel") != rel]
        document["links"] = [*links, {"rel": rel, "href": href, **fields}]

    return change


FORGED = {"method": "POST", "headers": {"Authorization": SECRET}, "body": {"admin": "delete"}}


@pytest.mark.parametrize(
    ("path", "rel", "fields"),
    [
        ("/search", "next", {}),
        ("/search", "next", FORGED),
        ("/search", "next", FORGED | {"merge": True}),
        ("/", "search", {"type": "application/geo+json", **FORGED}),
        ("/", "data", FORGED),
        ("/collections", "next", FORGED),
    ],
)
def test_a_link_to_another_host_is_not_followed(three_days, elsewhere, path, rel, fields):
    def change(requested, document):
        if requested == path:
            link(rel, f"{elsewhere.url}/admin", **fields)(document)

    with rewriting_proxy(three_days, change) as server, pytest.raises(TigerbushError) as error:
        listed_days(three_days, server.url)
    assert str(error.value) == (
        f"{server.url} leads to another host, {elsewhere.authority}, which is not asked; if it belongs to the catalogue, "
        f"allow it by source.hosts: ['{elsewhere.authority}']."
    )
    assert elsewhere.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/", "/search"])
def test_a_redirect_to_another_host_is_not_followed(three_days, elsewhere, path, status):
    def change(requested, _):
        return (status, {"Location": f"{elsewhere.url}/admin"}, b"") if requested == path else None

    refused = pytest.raises(
        HostRefusedError, match=f"leads to another host, {elsewhere.authority}, which is not"
    )
    with rewriting_proxy(three_days, change) as server, refused:
        listed_days(three_days, server.url)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "href",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://{place}/x",
        "http://{place}@127.0.0.1:9/x",
        "http://127.0.0.1:9\\@{place}/x",
        "http://{place}.evil.example/x",
        "//127.0.0.1:9/x",
        "https://[::1",
        None,
        {"href": "x"},
        5,
    ],
)
def test_a_link_of_any_form_leads_to_no_other_host(three_days, href, tmp_path):
    def change(path, document):
        if path == "/":
            document["links"] = [
                old | {"href": href.format(place=server.authority) if isinstance(href, str) else href}
                if old["rel"] == "data"
                else old
                for old in document["links"]
            ]

    with rewriting_proxy(three_days, change) as server, pytest.raises(TigerbushError) as error:
        listed_days(three_days, server.url)
    assert "\n" not in str(error.value)
    assert {request.path for request in server.requests} <= {"/", "/etc/passwd", "/x"}


def test_odata_continues_on_its_own_host_only(three_days, elsewhere):
    def change(_, document):
        document["@odata.nextLink"] = f"{elsewhere.url}/admin"

    three_days.entries = [{"Name": "x", "ContentDate": {"Start": "2017-01-16"}}]
    refused = pytest.raises(
        HostRefusedError, match=f"leads to another host, {elsewhere.authority}, which is not"
    )
    with rewriting_proxy(three_days, change) as server, refused:
        listed_days(three_days, f"{server.url}/odata/v1")
    assert elsewhere.requests == []


def test_an_allowed_host_gets_the_paging_body_and_no_header(three_days, elsewhere):
    """Neither headers of a link, nor cookies, nor credentials of .netrc."""

    def change(path, document):
        if path == "/search":
            fields = FORGED | {"merge": True, "body": {"token": "2"}, "headers": {"X-Of-Link": SECRET}}
            link("next", f"{elsewhere.url}/more", **fields)(document)

    with rewriting_proxy(three_days, change) as server:
        days = listed_days(three_days, server.url, hosts=[elsewhere.authority])
    assert days == ["2017-01-10", "2017-01-16"]
    [request] = elsewhere.requests
    body = json.loads(request.body)
    assert (request.method, request.path, body["token"]) == ("POST", "/more", "2")
    assert body | {"token": 0} == json.loads(server.requests[-1].body) | {"token": 0}
    assert set(request.headers) == {
        "host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "content-type"
    }  # fmt: skip


def test_credentials_and_cookies_are_never_sent(three_days, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login someone password {SECRET}\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    def change(path, document):
        for asset in ("blue", "green"):
            for item in document.get("features", []):
                item["assets"][asset] = {"href": f"{server.url}/files/{asset}.tif"}
        content = json.dumps(document).encode()
        return 200, {"Set-Cookie": f"session={SECRET}; Path=/"}, content

    (tmp_path / "blue.tif").write_bytes(b"x")
    (tmp_path / "green.tif").write_bytes(b"x")
    with rewriting_proxy(three_days, change) as server:
        assert len(listed_days(three_days, server.url)) == 3
        list(check_server("catalogue", server.url, "source.catalogue"))
    # the pages of the catalogue, the files, and the doctor
    assert len(server.requests) >= 3 + 6 + 1
    headers = [request.headers for request in server.requests]
    assert not any(SECRET in str(fields) or "authorization" in fields for fields in headers)
    assert not any("cookie" in fields for fields in headers)


def test_a_redirect_on_the_same_host_is_followed_with_the_body(three_days):
    def change(path, _):
        return (307, {"Location": "/search/"}, b"") if path == "/search" else None

    with rewriting_proxy(three_days, change) as server:
        assert len(listed_days(three_days, server.url)) == 3
    bodies = [request.body for request in server.requests if request.method == "POST"]
    assert bodies[0] == bodies[1] != b""


def test_endless_redirects_and_pages_are_one_sentence(three_days):
    numbers = iter(range(10**6))

    def redirecting(path, _):
        return (
            (302, {"Location": f"/{next(numbers)}"}, b"")
            if path == "/search" or path[1:].isdecimal()
            else None
        )

    def repeating(path, document):
        if path == "/collections":
            link("next", f"{server.url}/collections")(document)

    with rewriting_proxy(three_days, redirecting) as server, pytest.raises(TigerbushError) as error:
        listed_days(three_days, server.url)
    assert str(error.value) == f"{server.authority} redirects more than 5 times; check the address."
    with rewriting_proxy(three_days, repeating) as server, pytest.raises(TigerbushError) as error:
        listed_days(three_days, server.url)
    assert str(error.value) == f"{server.url} gives the same page again and again; try again later."


def test_two_sites_at_the_same_place_are_searched_twice(three_days):
    assert len(listed_days(three_days, three_days.url, sites=[PLACE, PLACE])) == 3


def test_a_link_without_encryption_is_followed_with_it(three_days, certificates, monkeypatch):
    """As behind a proxy that terminates TLS without the knowledge of the catalogue."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "ca.pem"))
    page = {"type": "FeatureCollection", "features": three_days.items[:1]}

    def answer(request):
        plain = secure.url.replace("https:", "http:")
        links = [
            {"rel": rel, "href": f"{plain}/{rel}", "type": "application/geo+json"}
            for rel in ("search", "data")
        ]
        root = {"type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "x", "links": links}
        content = page | {"links": []} if request.method == "POST" else root
        conforms = [f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "item-search")]
        return 200, {}, json.dumps(content | {"conformsTo": conforms}).encode()

    with serving(answer, certificates) as secure:
        days = listed_days(three_days, secure.url, collections=["sentinel-2-l2a"])
    assert days == ["2017-01-10"]
    assert [(request.method, request.path) for request in secure.requests] == [
        ("GET", "/"),
        ("POST", "/search"),
    ]
