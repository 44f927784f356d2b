"""Requests to an object store or web server, accepted responses, and retries; all in memory."""

import io

import pytest
import requests

from stores_in_memory import Bucket, Servers, md5, refusal, store_of, without_waiting
from tigerbush.errors import GoneError, RemoteError, TigerbushError
from tigerbush.planning.addresses import is_address
from tigerbush.sources import store as remote
from tigerbush.sources.store import StoredObject, check_content, is_checksum
from tigerbush.sources.web import Hosts, Response

CHANGED = "has changed since it was listed; run ./tigerbush discover, then ./tigerbush retry."
ENDLESS = (
    "s3://eodata/p/: AWS announces more pages of the listing, but returns the same page again or none; try again later, "
    "or ask the operator of the server."
)
NO_STORE = "AWS does not respond like an object store (perhaps with a login page); check source.endpoint_url."
HOST = "https://data.example"


@pytest.fixture
def waits(monkeypatch):
    return without_waiting(monkeypatch)


@pytest.fixture
def bucket(waits):
    return Bucket({"p/a": b"abcdef", "p/b/1": b"12345", "p/b/2": b"x", "p/c/1": b"", "q": b"elsewhere"})


@pytest.fixture
def store(monkeypatch, bucket):
    return store_of(monkeypatch, bucket)


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("a", True), ("a/B.c_d+e=f-g/0", True), ("a.b/..c/d..", True), (".a", True), ("...", True),
        ("", False), ("/a", False), ("a/", False), ("a//b", False), (".", False), ("..", False), ("a/./b", False), ("a/..", False),
        ("../a", False), ("a b", False), ("a\nb", False), ("a\n", False), ("ä", False), ("a?b", False), ("a%2e", False),
        ("a" * 1024, True), ("a" * 1025, False),
        ("s3://bucket/a", True), ("http://h/a", True), ("https://h.example:65535/a/b.tif", True),
        ("https://h:123456/a", False), ("https://h/", False), ("https://h", False), ("https://h/../a", False), ("https://-h/a", False),
        ("https://u@h/a", False), ("https://h/a?b=c", False), ("ftp://h/a", False), ("HTTPS://h/a", False),
        ("https://h/" + "a" * 1014, True), ("https://h/" + "a" * 1015, False),
    ],
)  # fmt: skip
def test_keys_and_addresses(key, good):
    assert is_address(key) is good


def test_a_listing_of_several_pages(store, bucket):
    assert store.objects("p/") == [
        StoredObject("p/a", 6, md5(b"abcdef")),
        StoredObject("p/b/1", 5, md5(b"12345")),
        StoredObject("p/b/2", 1, md5(b"x")),
        StoredObject("p/c/1", 0, md5(b"")),
    ]
    request = {"Bucket": "eodata", "Prefix": "p/", "Delimiter": ""}
    assert bucket.listed == [request, request | {"ContinuationToken": "2"}]
    bucket.listed.clear()
    bucket.page = 1
    assert store.folders("p/") == ["p/b/", "p/c/"]
    request |= {"Delimiter": "/"}
    assert bucket.listed == [request, *(request | {"ContinuationToken": str(i)} for i in (1, 2))]


def test_the_first_object_takes_one_request(monkeypatch, bucket):
    store = store_of(monkeypatch, bucket, requester_pays=True)
    assert store.first_object("p/b") == StoredObject("p/b/1", 5, md5(b"12345"))
    assert store.first_object("r") is None
    request = {"Bucket": "eodata", "Delimiter": "", "MaxKeys": 1, "RequestPayer": "requester"}
    assert bucket.listed == [request | {"Prefix": "p/b"}, request | {"Prefix": "r"}]


def page(names, token):
    contents = [{"Key": name, "Size": 1} for name in names]
    return {"IsTruncated": True, "Contents": contents, "NextContinuationToken": token}


@pytest.mark.parametrize(
    ("pages", "requests"),
    [
        ([page(["p/1"], "")], 1),
        ([{"IsTruncated": True, "Contents": None}], 1),
        ([page(["p/1"], "t"), page(["p/2"], "t")], 2),
        # the last name of a page comes again
        ([page(["p/0", "p/1"], "t"), page(["p/2"], "u"), page(["p/3", "p/1"], "v")], 3),
        ([page([], str(i)) for i in range(101)], 101),
    ],
)
def test_an_endless_listing(store, bucket, pages, requests):
    bucket.answers = pages
    bucket.objects.clear()
    with pytest.raises(TigerbushError) as error:
        store.objects("p/")
    assert str(error.value) == ENDLESS
    assert len(bucket.listed) == requests


def test_the_number_of_pages_of_a_listing_is_limited(store, bucket, monkeypatch):
    monkeypatch.setattr(remote, "MAX_PAGES", 3)
    bucket.answers = [page([f"p/{i}"], str(i)) for i in range(9)]
    with pytest.raises(TigerbushError) as error:
        store.objects("p/")
    assert (str(error.value), len(bucket.listed)) == (ENDLESS, 3)


def test_pages_of_deleted_names_are_skipped(store, bucket):
    """A name resets the count of empty pages; a name that is not the last of its page may be repeated."""
    empty, last = [page([], f"t{i}") for i in range(200)], page(["p/4"], "") | {"IsTruncated": False}
    bucket.answers = [*empty[:100], page(["p/1", "p/2"], "u"), *empty[100:], page(["p/1", "p/3"], "v"), last]
    names = [stored.key for stored in store.objects("p/")]
    assert names == ["p/1", "p/2", "p/1", "p/3", "p/4"]
    assert len(bucket.listed) == 203


@pytest.mark.parametrize(
    ("tag", "known"),
    [('"abc-2"', "abc-2"), ("abc", "abc"), ('"a b"', ""), ("", ""), ('"a"\n', ""), ("x" * 200, "x" * 200), ("x" * 201, "")],
)  # fmt: skip
def test_etags_of_a_listing(store, bucket, tag, known):
    bucket.answers = [{"Contents": [{"Key": "p/a", "Size": 0, "ETag": tag}]}]
    assert store.objects("p/") == [StoredObject("p/a", 0, known), StoredObject("p/b/2", 1, md5(b"x")), StoredObject("p/c/1", 0, md5(b""))]  # fmt: skip


def test_an_invalid_listing_is_not_retried(store, bucket, waits):
    bucket.list_objects_v2 = lambda **_: {"Contents": []}
    with pytest.raises(TigerbushError) as error:
        store.objects("p/")
    assert (str(error.value), waits) == (f"s3://eodata/p/: {NO_STORE}", [])


def test_a_listing_with_a_negative_size_is_invalid(store, bucket, waits):
    bucket.answers = [{"Contents": [{"Key": "p/a", "Size": -1}]}] * 3
    with pytest.raises(TigerbushError, match=r"^s3://eodata/p/: AWS does not respond like an object store"):
        store.objects("p/")


def test_reads_send_the_etag_and_the_payer(monkeypatch, bucket):
    store = store_of(monkeypatch, bucket, requester_pays=True)
    assert store.read("p/a", 6, md5(b"abcdef")) == b"abcdef"
    assert store.read("p/b/1") == b"12345"
    assert store.read("s3://other/p/b/2", 1) == b"x"
    assert store.read_range("p/a", 2, 3, 6, md5(b"abcdef")) == b"cde"
    assert store.read_range("p/a", 0, 6, 6) == b"abcdef"
    assert store.size_of("p/a") == 6
    request = {"Bucket": "eodata", "RequestPayer": "requester"}
    tag = {"IfMatch": f'"{md5(b"abcdef")}"'}
    assert bucket.read == [
        request | {"Key": "p/a"} | tag,
        request | {"Key": "p/b/1"},
        request | {"Bucket": "other", "Key": "p/b/2"},
        request | {"Key": "p/a", "Range": "bytes=2-4"} | tag,
        request | {"Key": "p/a", "Range": "bytes=0-5"},
        request | {"Key": "p/a", "Range": "bytes=0-0"},
    ]
    assert (store.label("p/a"), store.label("s3://other/a")) == ("s3://eodata/p/a", "s3://other/a")


def body(content, **more):
    return {"Body": io.BytesIO(content), "ContentLength": len(content)} | more


def part(first, content, total):
    """The response to a request for a part."""
    return body(content, ContentRange=f"bytes {first}-{first + len(content) - 1}/{total}")


ERRORS = [
    ("read", ("p/a", 6), body(b"abcde"), "received 5 bytes, expected 6"),
    ("read", ("p/a", 6), body(b"abcdefghij"), "received 7 bytes, expected 6"),
    ("read", ("p/a", None, md5(b"abcdef")), body(b"abcdeF"), "the data received do not match the store's checksum"),
    ("read_range", ("p/a", 2, 3, 6), part(1, b"bcd", 6), "received bytes from 1, requested from 2"),
    ("read_range", ("p/a", 2, 3, 6), part(2, b"cd", 6), "received 2 of 3 bytes"),
    # the whole object, from a server that ignores ranges
    ("read_range", ("p/a", 2, 3, 6), body(b"abcdef", ContentRange=None), "received bytes from 0, requested from 2"),
    ("read_range", ("p/a", 0, 3, 6), body(b"abcdef", ContentRange=None), "received 4 of 3 bytes"),
    ("size_of", ("p/a",), refusal(503, "SlowDown"), "AWS is overloaded or down (503 SlowDown)"),
    ("objects", ("p/",), refusal(429), "AWS is overloaded or down (429 )"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments", "answer", "sentence"), ERRORS)
def test_transient_errors_are_retried(store, bucket, waits, caplog, method, arguments, answer, sentence):
    right = getattr(store, method)(*arguments)
    asked = bucket.listed if method == "objects" else bucket.read
    label = f"s3://eodata/{arguments[0]}"

    def again():
        body = answer["Body"] if isinstance(answer, dict) else io.BytesIO()
        for _ in range(3):
            yield answer | {"Body": io.BytesIO(body.getvalue())} if isinstance(answer, dict) else answer

    asked.clear()
    bucket.answers = list(again())[:2]
    assert getattr(store, method)(*arguments) == right
    assert asked[:3] == [asked[0]] * 3
    assert waits == [0.5, 1.0]
    assert caplog.messages == [
        f"{label}: {sentence}; retrying in {seconds} s (attempt {number} of 3)" for seconds, number in (("0.5", 2), ("1.0", 3))
    ]  # fmt: skip
    asked.clear()
    bucket.answers = list(again())
    with pytest.raises(RemoteError) as error:
        getattr(store, method)(*arguments)
    assert (str(error.value), len(asked)) == (f"{label}: {sentence}", 3)


@pytest.mark.parametrize(
    ("method", "arguments", "answer", "sentence"),
    [
        ("read", ("p/none",), None, "s3://eodata/p/none does not exist (any more); check source.bucket, run ./tigerbush discover, then ./tigerbush retry."),
        ("read", ("p/a", 6, "0" * 32), None, f"s3://eodata/p/a {CHANGED}"),
        ("read_range", ("p/a", 2, 3, 7), None, f"s3://eodata/p/a has 6 bytes, not 7 as in the table: it {CHANGED}"),
        ("read_range", ("p/a", 2, 3, 6), body(b"cdefg", ContentRange=None), f"s3://eodata/p/a has 5 bytes, not 6 as in the table: it {CHANGED}"),
        ("read", ("../a",), None, "'../a' is not the key of an object; run ./tigerbush discover."),
        ("size_of", ("a" * 2000,), None, f"'{'a' * 120}' is not the key of an object; run ./tigerbush discover."),
        # a page to log in: no ETag, or another one than that of the table
        ("read", ("p/a",), body(b"<html>", ContentType="text/html; charset=utf-8", ETag=""), f"s3://eodata/p/a: {NO_STORE}"),
        ("read", ("p/a", 6, md5(b"abcdef")), body(b"<html>", ContentType="text/html", ETag='"other"'), f"s3://eodata/p/a: {NO_STORE}"),
    ],
)  # fmt: skip
def test_permanent_errors_are_not_retried(store, bucket, waits, method, arguments, answer, sentence):
    bucket.answers = [answer]
    with pytest.raises(TigerbushError) as error:
        getattr(store, method)(*arguments)
    assert (str(error.value), waits) == (sentence, [])
    assert isinstance(error.value, GoneError) == (arguments[0] == "p/none" or arguments[-1] == "0" * 32)


@pytest.mark.parametrize("etag", ["", md5(b"abcdef")])
def test_an_object_labelled_as_html(store, bucket, etag):
    bucket.answers = [{"ContentType": "text/html"}]
    assert store.read("p/a", 6, etag) == b"abcdef"


def test_no_more_than_the_listed_size_is_read(store, bucket, monkeypatch):
    """In pieces of CHUNK bytes; the body is closed."""
    sizes = []

    class Body(io.BytesIO):
        def read(self, size):
            sizes.append(size)
            return super().read(size)

    assert store.read("p/a") == b"abcdef"
    bucket.answers = [{"Body": Body(b"abcdef")}]
    assert store.read("p/a") == b"abcdef"
    assert sizes == [1_048_576, 1_048_576]
    sizes.clear()
    monkeypatch.setattr(remote, "CHUNK", 4)
    long = Body(b"0123456789" * 3)
    bucket.answers = [{"Body": long}]
    with pytest.raises(RemoteError, match="received 9 bytes, expected 8"):
        store_of(monkeypatch, bucket, tries=1).read("p/a", 8)
    assert (sizes, long.closed) == ([4, 4, 4], True)
    sizes.clear()
    bucket.answers = [{"Body": Body(b"01234567")}]
    assert store.read("p/a", 8) == b"01234567"
    assert sizes == [4, 4, 4]
    monkeypatch.setattr(remote, "MAX_BYTES", 5)
    bucket.answers = [{"Body": Body(b"0123456789")}]
    assert store.read("p/a") == b"012345"


def test_pieces_of_an_object(store, bucket, monkeypatch, waits):
    monkeypatch.setattr(remote, "CHUNK", 4)
    assert list(store.pieces("p/a", md5(b"abcdef"))) == [b"abcd", b"ef"]
    assert bucket.read == [{"Bucket": "eodata", "Key": "p/a", "IfMatch": f'"{md5(b"abcdef")}"'}]
    bucket.answers = [refusal(503)]
    with pytest.raises(RemoteError, match=r"^s3://eodata/p/a: AWS is overloaded or down \(503 \)$"):
        list(store.pieces("p/a", ""))
    assert (len(bucket.read), waits) == (2, [])

    class Broken(io.BytesIO):
        def read(self, size):
            if self.tell():
                raise ConnectionResetError
            return super().read(size)

    bucket.answers = [{"Body": Broken(b"abcdef")}]
    pieces = store.pieces("p/a", "")
    assert next(pieces) == b"abcd"
    with pytest.raises(RemoteError, match=r"^s3://eodata/p/a: AWS did not respond"):
        next(pieces)
    assert waits == []


WHOLE = {"Accept-Encoding": "identity"}


def answer(content=b"abcdef", status=200, **headers):
    return Response(
        status, content, {name.replace("_", "-"): text for name, text in headers.items()}, "data.example"
    )


def test_files_of_web_servers(monkeypatch, bucket, waits):
    ranged = answer(b"cde", 206, Content_Range="bytes 2-4/6", Content_Length="3")
    servers = Servers(
        {
            f"{HOST}/a": [answer(), answer(), ranged, answer(b"a", 206, Content_Range="bytes 0-0/6", Content_Length="1")],
            f"{HOST}/whole": answer(b"ab", Content_Length="6"),
            f"{HOST}/odd": answer(b"abc", Content_Length="some"),
        }
    )  # fmt: skip
    store = store_of(monkeypatch, bucket, servers, hosts=["data.example"], catalogue="https://c.example", connections=7, timeout=3)  # fmt: skip
    assert servers.opened == [(Hosts("https://c.example", ("data.example",)), {"public": True, "connections": 7, "timeout": 3})]  # fmt: skip
    assert store.read(f"{HOST}/a", 6, md5(b"abcdef")) == b"abcdef"
    assert store.read(f"{HOST}/a") == b"abcdef"
    assert store.read_range(f"{HOST}/a", 2, 3, 6, "tag") == b"cde"
    assert [store.size_of(f"{HOST}/{name}") for name in ("a", "whole", "odd")] == [6, 6, 3]
    tag = {"If-Match": f'"{md5(b"abcdef")}"'}
    first = {"max_bytes": 1, "headers": WHOLE | {"Range": "bytes=0-0"}}
    assert servers.asked == [
        ("GET", f"{HOST}/a", {"max_bytes": 6, "headers": WHOLE | tag}),
        ("GET", f"{HOST}/a", {"max_bytes": 2_000_000_000, "headers": WHOLE}),
        (
            "GET",
            f"{HOST}/a",
            {"max_bytes": 3, "headers": WHOLE | {"If-Match": '"tag"', "Range": "bytes=2-4"}},
        ),
        *(("GET", f"{HOST}/{name}", first) for name in ("a", "whole", "odd")),
    ]
    assert (bucket.read, waits) == ([], [])


@pytest.mark.parametrize(
    ("given", "sentence", "tries"),
    [
        (answer(b"", 412), f"{HOST}/a {CHANGED}", 1),
        (answer(b"", 404), f"{HOST}/a does not exist (any more); run ./tigerbush discover, then ./tigerbush retry.", 1),
        (answer(b"", 410), f"{HOST}/a does not exist (any more); run ./tigerbush discover, then ./tigerbush retry.", 1),
        (answer(b"", 403), f"{HOST}/a: data.example denies access (403), and no credentials are sent to web servers; choose a public collection in source.collections.", 1),
        (answer(b"", 204), f"{HOST}/a: data.example refuses the request (204); check source.*.", 1),
        (answer(Content_Type="text/html; x"), f"{HOST}/a: data.example returns a web page (perhaps a login page), not a file; choose a public collection in source.collections.", 1),
        (answer(b"", 429), f"{HOST}/a: data.example is overloaded or down (429)", 3),
        (answer(b"", 500), f"{HOST}/a: data.example is overloaded or down (500)", 3),
        (requests.ConnectionError("no"), f"{HOST}/a: data.example did not respond, or its response was cut off (ConnectionError)", 3),
    ],
)  # fmt: skip
def test_responses_of_web_servers(monkeypatch, bucket, given, sentence, tries):
    servers = Servers({f"{HOST}/a": given})
    with pytest.raises((TigerbushError, RemoteError)) as error:
        store_of(monkeypatch, bucket, servers).read(f"{HOST}/a")
    assert (str(error.value), len(servers.asked)) == (sentence, tries)
    assert isinstance(error.value, RemoteError) == (tries == 3)


def test_valid_content(monkeypatch):
    good = md5(b"abc")
    for size, etag in ((3, good), (None, good), (3, ""), (3, "0" * 31), (3, "x" * 32), (3, f"{good}-2")):
        check_content("a", b"abc", size, etag)
    assert [is_checksum(etag) for etag in (good, good.upper(), good[:-1], f"{good}-1", "")] == [True, False, False, False, False]  # fmt: skip


def test_a_store_with_a_catalogue(monkeypatch, bucket):
    servers = Servers()
    store = store_of(monkeypatch, bucket, servers, hosts=("one.example",), catalogue="https://old.example")
    other = store.with_catalogue("https://new.example")
    assert (store.hosts, other.hosts) == (Hosts("https://old.example", ("one.example",)), Hosts("https://new.example", ("one.example",)))  # fmt: skip
    assert [hosts.catalogue for hosts, _ in servers.opened] == ["https://old.example", "https://new.example"]
    assert other.read("p/a") == b"abcdef"
