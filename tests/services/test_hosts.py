"""What an answer can make tigerbush do: ask a known host again, and nothing else."""

import json

import pytest

from front import found
from test_catalogue import PLACE
from tigerbush.cli.doctor.source import answers
from tigerbush.errors import TigerbushError
from tigerbush.sources import retries
from tigerbush.sources.web import HostRefusedError
from web_servers import before, serving

EMPTY = json.dumps({"type": "FeatureCollection", "features": [], "links": []}).encode()
SECRET = "forged"  # noqa: S105 - of no one


@pytest.fixture
def elsewhere():
    with serving(lambda _: (200, {"Content-Type": "application/json"}, EMPTY)) as server:
        yield server


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)


def link(rel, href, **fields):
    """A change that puts a link into a document, in place of those of its kind."""

    def change(document):
        links = [one for one in document.get("links", []) if one.get("rel") != rel]
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
    def change(at, document):
        if at == path:
            link(rel, f"{elsewhere.url}/admin", **fields)(document)

    with before(three_days, change) as front, pytest.raises(TigerbushError) as error:
        found(three_days, front.url)
    assert str(error.value) == (
        f"{front.url} links to another host, {elsewhere.place}, which is not contacted; if it belongs to the catalogue, "
        f"allow it with source.hosts: ['{elsewhere.place}']."
    )
    assert elsewhere.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/", "/search"])
def test_a_redirect_to_another_host_is_not_followed(three_days, elsewhere, path, status):
    def change(at, _):
        return (status, {"Location": f"{elsewhere.url}/admin"}, b"") if at == path else None

    refused = pytest.raises(HostRefusedError, match=f"links to another host, {elsewhere.place}, which is not")
    with before(three_days, change) as front, refused:
        found(three_days, front.url)
    assert elsewhere.asked == []


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
def test_no_form_of_link_leads_to_another_host(three_days, href, tmp_path):
    def change(at, document):
        if at == "/":
            document["links"] = [
                one | {"href": href.format(place=front.place) if isinstance(href, str) else href}
                if one["rel"] == "data"
                else one
                for one in document["links"]
            ]

    with before(three_days, change) as front, pytest.raises(TigerbushError) as error:
        found(three_days, front.url)
    assert "\n" not in str(error.value)
    assert {asked.path for asked in front.asked} <= {"/", "/etc/passwd", "/x"}


def test_odata_pages_stay_on_their_host(three_days, elsewhere):
    def change(_, document):
        document["@odata.nextLink"] = f"{elsewhere.url}/admin"

    three_days.entries = [{"Name": "x", "ContentDate": {"Start": "2017-01-16"}}]
    refused = pytest.raises(HostRefusedError, match=f"links to another host, {elsewhere.place}, which is not")
    with before(three_days, change) as front, refused:
        found(three_days, f"{front.url}/odata/v1")
    assert elsewhere.asked == []


def test_an_allowed_host_gets_the_paging_body_and_no_header(three_days, elsewhere):
    """Neither headers of a link, nor cookies, nor what .netrc says."""

    def change(at, document):
        if at == "/search":
            fields = FORGED | {"merge": True, "body": {"token": "2"}, "headers": {"X-Of-Link": SECRET}}
            link("next", f"{elsewhere.url}/more", **fields)(document)

    with before(three_days, change) as front:
        days = found(three_days, front.url, hosts=[elsewhere.place])
    assert days == ["2017-01-10", "2017-01-16"]
    [asked] = elsewhere.asked
    body = json.loads(asked.body)
    assert (asked.method, asked.path, body["token"]) == ("POST", "/more", "2")
    assert body | {"token": 0} == json.loads(front.asked[-1].body) | {"token": 0}
    assert set(asked.headers) == {
        "host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "content-type"
    }  # fmt: skip


def test_credentials_and_cookies_are_never_sent(three_days, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login someone password {SECRET}\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    def change(at, document):
        for asset in ("blue", "green"):
            for item in document.get("features", []):
                item["assets"][asset] = {"href": f"{front.url}/files/{asset}.tif"}
        content = json.dumps(document).encode()
        return 200, {"Set-Cookie": f"session={SECRET}; Path=/"}, content

    (tmp_path / "blue.tif").write_bytes(b"x")
    (tmp_path / "green.tif").write_bytes(b"x")
    with before(three_days, change) as front:
        assert len(found(three_days, front.url)) == 3
        list(answers("catalogue", front.url, "source.catalogue"))
    # the catalogue's pages, the files, and the doctor
    assert len(front.asked) >= 3 + 6 + 1
    assert not any(SECRET in str(asked.headers) or "authorization" in asked.headers for asked in front.asked)
    assert not any("cookie" in asked.headers for asked in front.asked)


def test_a_redirect_on_the_same_host_keeps_the_body(three_days):
    def change(at, _):
        return (307, {"Location": "/search/"}, b"") if at == "/search" else None

    with before(three_days, change) as front:
        assert len(found(three_days, front.url)) == 3
    bodies = [asked.body for asked in front.asked if asked.method == "POST"]
    assert bodies[0] == bodies[1] != b""


def test_endless_redirects_and_pages_are_reported(three_days):
    numbers = iter(range(10**6))

    def turning(at, _):
        return (
            (302, {"Location": f"/{next(numbers)}"}, b"") if at == "/search" or at[1:].isdecimal() else None
        )

    def repeating(at, document):
        if at == "/collections":
            link("next", f"{front.url}/collections")(document)

    with before(three_days, turning) as front, pytest.raises(TigerbushError) as error:
        found(three_days, front.url)
    assert str(error.value) == f"{front.place} redirects more than 5 times; check the address."
    with before(three_days, repeating) as front, pytest.raises(TigerbushError) as error:
        found(three_days, front.url)
    assert str(error.value) == f"{front.url} returns the same page repeatedly; try again later."


def test_two_sites_at_one_place_are_two_searches(three_days):
    assert len(found(three_days, three_days.url, sites=[PLACE, PLACE])) == 3


def test_an_unencrypted_link_is_upgraded_to_https(three_days, certificates, monkeypatch):
    """As behind a proxy that ends TLS and does not tell the catalogue."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "ca.pem"))
    page = {"type": "FeatureCollection", "features": three_days.items[:1]}

    def answer(asked):
        plain = secure.url.replace("https:", "http:")
        links = [
            {"rel": rel, "href": f"{plain}/{rel}", "type": "application/geo+json"}
            for rel in ("search", "data")
        ]
        root = {"type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "x", "links": links}
        content = page | {"links": []} if asked.method == "POST" else root
        conforms = [f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "item-search")]
        return 200, {}, json.dumps(content | {"conformsTo": conforms}).encode()

    with serving(answer, certificates) as secure:
        days = found(three_days, secure.url, collections=["sentinel-2-l2a"])
    assert days == ["2017-01-10"]
    assert [(asked.method, asked.path) for asked in secure.asked] == [("GET", "/"), ("POST", "/search")]
