"""Requests to web servers: redirects, hosts, size limits and errors; without a server."""

import io
import socket
from types import SimpleNamespace

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.sources import web
from tigerbush.sources.web import HostRefusedError, Hosts, Web, plain_session, request_error, tls_problem

HOME = "https://stac.example/v1"
HOSTS = Hosts(HOME, ("data.example",))


class Wire:
    """Stands in for the adapters of both sessions; responds by address, and records requests."""

    def __init__(self, answers):
        self.answers, self.sent, self.opened = answers, [], []

    def adapter(self, kind):
        wire = self

        class Adapter(HTTPAdapter):
            def __init__(self, **options):
                wire.opened.append((kind, options))
                super().__init__(**options)

            def send(self, request, **options):
                wire.sent.append((kind, request, options))
                answer = wire.answers[request.url]
                if isinstance(answer, Exception):
                    raise answer
                status, headers, content = answer
                body = io.BytesIO(content)
                raw = HTTPResponse(body, headers, status, preload_content=False)
                return self.build_response(request, raw)

        return Adapter

    @property
    def asked(self):
        return [(kind, request.method, request.url) for kind, request, _ in self.sent]


@pytest.fixture
def wire(monkeypatch):
    made = Wire({})
    monkeypatch.setattr(web, "HTTPAdapter", made.adapter("known"))
    monkeypatch.setattr(web, "_PublicAdapter", made.adapter("public"))
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    return made


def to(address, status=302):
    return status, {"Location": address}, b"moved"


def test_known_and_public_hosts(wire):
    """Two sessions; a known host is contacted with the encryption of the catalogue."""
    asked = Web(HOSTS, public=True, connections=7, timeout=3)
    assert wire.opened == [(kind, {"pool_maxsize": 7, "pool_block": True}) for kind in ("known", "public")]
    wire.answers = {f"{HOME}/a": (200, {"X-Y": "z"}, b"0123456789"), "https://any.example/b": (404, {}, b"")}
    answer = asked.request("GET", "http://stac.example/v1/a", max_bytes=20, headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.content, answer.headers["x-y"], answer.host) == (
        200,
        b"0123456789",
        "z",
        "stac.example",
    )
    assert asked.request("GET", "https://any.example/b", max_bytes=3).status == 404
    assert wire.asked == [("known", "GET", f"{HOME}/a"), ("public", "GET", "https://any.example/b")]
    (_, request, options), _ = wire.sent
    assert (request.headers["Range"], options["timeout"], options["verify"]) == ("bytes=0-1", 3, True)
    wire.opened.clear()
    Web(HOSTS, public=False)
    assert wire.opened == [("known", {"pool_maxsize": 1, "pool_block": True})]


@pytest.mark.parametrize(
    ("most", "content"), [(0, b"0"), (3, b"0123"), (9, b"0123456789"), (10, b"0123456789")]
)
def test_the_limit_of_the_content(wire, most, content):
    """One byte more shows that the content is longer."""
    wire.answers = {HOME: (200, {}, b"0123456789")}
    assert Web(HOSTS, public=False).request("GET", HOME, max_bytes=most).content == content


def test_long_responses_are_read_in_chunks(wire, monkeypatch):
    monkeypatch.setattr(web, "CHUNK", 4)
    wire.answers = {HOME: (200, {}, b"0123456789" * 2)}
    asked = Web(HOSTS, public=False)
    assert [asked.request("GET", HOME, max_bytes=most).content for most in (6, 7, 8, 99)] == [
        b"0123456", b"01234567", b"012345678", b"0123456789" * 2,
    ]  # fmt: skip


def test_redirects_are_followed_step_by_step(wire):
    """Relative redirects are resolved; other hosts follow the same rule. 303 turns a POST into a GET."""
    wire.answers = {
        HOME: to("b?c=d", 307),
        "https://stac.example/b?c=d": to("https://data.example/e", 303),
        "https://data.example/e": to("https://any.example/f", 301),
        "https://any.example/f": (200, {}, b"there"),
    }
    answer = Web(HOSTS, public=True).request("POST", HOME, max_bytes=9, json={"a": 1})
    assert (answer.content, answer.host) == (b"there", "any.example")
    assert wire.asked == [
        ("known", "POST", HOME),
        ("known", "POST", "https://stac.example/b?c=d"),
        ("known", "GET", "https://data.example/e"),
        ("public", "GET", "https://any.example/f"),
    ]
    assert [request.body for _, request, _ in wire.sent] == [b'{"a": 1}', b'{"a": 1}', None, None]
    wire.answers[HOME] = to("http://any.example/f")
    with pytest.raises(HostRefusedError, match=r"^any\.example is not contacted without encryption"):
        Web(HOSTS, public=True).request("GET", HOME, max_bytes=9)


def test_the_number_of_redirects_is_limited(wire):
    wire.answers = {f"{HOME}/{i}": to(f"{HOME}/{i + 1}") for i in range(9)} | {f"{HOME}/5": (200, {}, b"x")}
    assert Web(HOSTS, public=False).request("GET", f"{HOME}/0", max_bytes=1).content == b"x"
    wire.answers[f"{HOME}/5"] = to(f"{HOME}/6")
    wire.sent.clear()
    with pytest.raises(TigerbushError) as error:
        Web(HOSTS, public=False).request("GET", f"{HOME}/0", max_bytes=1)
    assert str(error.value) == "stac.example redirects more than 5 times; check the address."
    assert len(wire.sent) == 6


def test_a_response_that_never_arrives_keeps_its_connection(wire, monkeypatch):
    asked = Web(HOSTS, public=True)

    def never(*_):
        raise TimeoutError

    monkeypatch.setattr(web, "with_time_limit", never)
    wire.opened.clear()
    with pytest.raises(requests.Timeout) as error:
        asked.request("GET", f"{HOME}/a", max_bytes=1)
    assert error.value.request.url == f"{HOME}/a"
    assert [kind for kind, _ in wire.opened] == ["known", "public"]
    assert (
        str(request_error(error.value, "label"))
        == "label: stac.example did not respond, or its response was cut off (Timeout)"
    )


def test_only_proxies_and_certificates_come_from_the_environment(wire, monkeypatch, tmp_path):
    """No .netrc, no cookies; the settings for a host are looked up once."""
    (tmp_path / ".netrc").write_text("machine stac.example login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/bundle")
    monkeypatch.setenv("https_proxy", "http://proxy.example:1")
    wire.answers = dict.fromkeys(
        [f"{HOME}/a", f"{HOME}/b", "https://data.example/c"], (200, {"Set-Cookie": "a=b"}, b"")
    )
    asked = Web(HOSTS, public=False)
    merge, places = requests.Session.merge_environment_settings, []
    monkeypatch.setattr(
        requests.Session,
        "merge_environment_settings",
        lambda self, url, *rest: places.append(url) or merge(self, url, *rest),
    )
    for url in wire.answers:
        asked.request("GET", url, max_bytes=1)
    assert places == [f"{HOME}/a", "https://data.example/c"]
    assert [options["verify"] for _, _, options in wire.sent] == ["/bundle"] * 3
    assert {options["proxies"]["https"] for _, _, options in wire.sent} == {"http://proxy.example:1"}
    assert all(not {"Authorization", "Cookie"} & set(request.headers) for _, request, _ in wire.sent)


def test_a_plain_session(wire):
    session = plain_session()
    assert type(session.get_adapter("https://x")) is HTTPAdapter
    own = web.HTTPAdapter()
    session = plain_session(own)
    assert session.get_adapter("https://x") is own
    assert session.get_adapter("http://x") is own


class Names:
    """Host names and their addresses."""

    def __init__(self, monkeypatch, **hosts):
        self.hosts, self.tried = hosts, []
        monkeypatch.setattr(web.socket, "getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr(
            HTTPSConnection, "_new_conn", lambda connection: self.connect(connection._dns_host)
        )

    def getaddrinfo(self, host, port, *rest):
        assert (port, rest[1]) == (443, socket.SOCK_STREAM)
        addresses = self.hosts[host.partition(".")[0]]
        if isinstance(addresses, Exception):
            raise addresses
        return [(2, 1, 6, "", (address, port)) for address in addresses]

    def connect(self, address):
        self.tried.append(address)
        if address.endswith(".1"):
            raise ConnectTimeoutError(None, "slow")
        if address.endswith(".2"):
            raise NewConnectionError(None, "refused")
        return "socket"


def test_the_checked_address_is_the_one_contacted(monkeypatch):
    """Whatever the name resolves to a moment later; TLS compares the certificate with the name."""
    names = Names(
        monkeypatch,
        good=["9.9.9.1", "9.9.9.2", "9.9.9.9", "9.9.9.8"],
        slow=["9.9.9.2", "9.9.9.1"],
        private=["9.9.9.1", "10.0.0.1"],
        none=[],
        lost=socket.gaierror(),
        odd=UnicodeError(),
    )
    connection = web._PublicConnection("good.example", 443)
    assert connection._new_conn() == "socket"
    assert (names.tried, connection._dns_host) == (["9.9.9.1", "9.9.9.2", "9.9.9.9"], "good.example")
    for host, error, tried in (
        ("slow", ConnectTimeoutError, ["9.9.9.2", "9.9.9.1"]), ("private", HostRefusedError, []), ("none", NewConnectionError, []),
        ("lost", NameResolutionError, []), ("odd", NameResolutionError, []),
    ):  # fmt: skip
        names.tried.clear()
        connection = web._PublicConnection(f"{host}.example", 443)
        with pytest.raises(error):
            connection._new_conn()
        assert (names.tried, connection._dns_host) == (tried, f"{host}.example")


def test_public_hosts_behind_a_proxy_are_checked_where_they_can_be(monkeypatch):
    names = Names(
        monkeypatch, good=["9.9.9.9"], private=["10.0.0.1"], lost=socket.gaierror(), odd=UnicodeError()
    )
    sent = []
    monkeypatch.setattr(HTTPAdapter, "send", lambda self, request, **options: sent.append(request.url))
    adapter = web._PublicAdapter()
    assert adapter.poolmanager.pool_classes_by_scheme == {"https": web._PublicPool}
    assert web._PublicPool.ConnectionCls is web._PublicConnection
    proxies = {"https": "http://proxy.example:1"}
    for host in ("good", "lost", "odd"):
        adapter.send(SimpleNamespace(url=f"https://{host}.example:443/"), proxies=proxies)
    with pytest.raises(HostRefusedError):
        adapter.send(SimpleNamespace(url="https://private.example:443/"), proxies=proxies)
    # without one the connection looks itself
    adapter.send(SimpleNamespace(url="https://private.example:443/"), proxies={})
    assert [url.split(".")[0][8:] for url in sent] == ["good", "lost", "odd", "private"]
    assert names.tried == []


def test_a_host_that_does_not_respond():
    request = requests.Request("GET", "https://data.example:1/x").prepare()
    cause = SimpleNamespace(reason=KeyError())
    for error, sentence in (
        (
            requests.ConnectionError(cause, request=request),
            "data.example:1 did not respond, or its response was cut off (KeyError)",
        ),
        (
            requests.ConnectionError("x", request=request),
            "data.example:1 did not respond, or its response was cut off (ConnectionError)",
        ),
        (requests.ReadTimeout(), "label.example did not respond, or its response was cut off (ReadTimeout)"),
    ):
        converted = request_error(error, "https://label.example/y")
        assert (type(converted), str(converted)) == (RemoteError, f"https://label.example/y: {sentence}")
    converted = request_error(requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED", request=request), "l")
    assert (type(converted), str(converted)) == (
        TigerbushError,
        "l: the certificate of data.example:1 is not trusted on this machine; set REQUESTS_CA_BUNDLE to your authority's CA bundle.",
    )


class SSLError(Exception):
    """Recognised by its name, like those of requests and botocore."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError("Could not find a suitable TLS CA certificate bundle, invalid path"), "the file of trusted certificates cannot be read; correct V."),
        *(
            (SSLError(f"x {word} y"), "the file of trusted certificates cannot be read; correct V.")
            for word in ("NO_CERTIFICATE_OR_CRL_FOUND", "No such file or directory", "Is a directory", "Permission denied")
        ),
        (OSError("Permission denied"), None),
        (OSError("[SSL: WRONG_VERSION_NUMBER]"), "h does not speak TLS on that port; check http or https, and the port."),
        (SSLError("hostname mismatch"), "the certificate of h was issued for another name; check the address."),
        (SSLError("x doesn't match y"), "the certificate of h was issued for another name; check the address."),
        (OSError("mismatch"), None),
        (SSLError("CERTIFICATE_VERIFY_FAILED: certificate has expired"), "the certificate of h has expired or is not yet valid; check the clock of this machine, or ask the operator of the server."),
        (SSLError("CERTIFICATE_VERIFY_FAILED: certificate is not yet valid"), "the certificate of h has expired or is not yet valid; check the clock of this machine, or ask the operator of the server."),
        (SSLError("CERTIFICATE_VERIFY_FAILED: self-signed"), "the certificate of h is not trusted on this machine; set V to your authority's CA bundle."),
        (SSLError("expired"), None),
        (OSError("x"), None),
    ],
)  # fmt: skip
def test_certificates(error, sentence):
    assert tls_problem(error, "h", "V") == sentence
