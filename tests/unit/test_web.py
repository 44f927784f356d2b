"""Which hosts are known and which addresses are public."""

from urllib.parse import urlsplit

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.sources import web
from tigerbush.sources.web import HostRefusedError, Hosts, Web, is_public, public_addresses

HOME = "https://stac.example.org/v1"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (f"{HOME}/search?token=1", f"{HOME}/search?token=1"),
        ("https://stac.example.org:443/x", "https://stac.example.org:443/x"),
        ("https://STAC.example.org./x", "https://STAC.example.org./x"),
        ("http://stac.example.org/x?a=b", "https://stac.example.org/x?a=b"),
        ("http://stac.example.org:80/x", "https://stac.example.org/x"),
        ("http://stac.example.org:443/x", "https://stac.example.org/x"),
        ("https://stac.example.org:8443/x", None),
        ("http://stac.example.org:8080/x", None),
        ("https://example.org/x", None),
        ("https://stac.example.org.evil.example/x", None),
        ("https://evil-stac.example.org/x", None),
        ("https://evil.example/stac.example.org", None),
        ("https://one.example/x", "https://one.example/x"),
        ("http://one.example:8080/x", "http://one.example:8080/x"),
        ("https://two.example:8443/x", "https://two.example:8443/x"),
        ("https://two.example/x", None),
        ("http://three.example/x", "http://three.example/x"),
        ("https://three.example/x", None),
    ],
)
def test_known_hosts(url, asked):
    hosts = Hosts(HOME, ("One.example", "two.example:8443", "three.example:80"))
    known = hosts.resolve(urlsplit(url))
    assert (known and known.geturl()) == asked


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("http://127.0.0.1:8081/x", None),
        ("http://127.0.0.1/x", None),
        ("http://localhost:8080/x", None),
    ],
)
def test_a_catalogue_with_a_port(url, asked):
    known = Hosts("http://127.0.0.1:8080").resolve(urlsplit(url))
    assert (known and known.geturl()) == asked


def test_encryption_is_kept_on_a_port_of_its_own():
    known = Hosts("https://stac.example.org:8443/v1").resolve(urlsplit("http://stac.example.org:8443/v1/x"))
    assert known.geturl() == "https://stac.example.org:8443/v1/x"


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "2606:2800:220:1:248:1893:25c8:1946",
        "::ffff:93.184.216.34",
        "64:ff9b::93.184.216.34",
        "2002:5db8:d822::1",
    ],
)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # noqa: S104
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1",
        "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::1",
        "2001::1", "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1",
        "100::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "::1"],
)
def test_a_name_is_judged_by_its_addresses(host):
    with pytest.raises(HostRefusedError, match=rf"^{host} has the address [0-9.:]+, which is not public"):
        public_addresses(host, 443)


def test_a_single_private_address_is_refused(monkeypatch):
    entries = [(2, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_: entries[:1])
    assert public_addresses("data.example", 443) == ["93.184.216.34"]
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_: entries)
    with pytest.raises(HostRefusedError) as error:
        public_addresses("data.example", 443)
    assert str(error.value) == (
        "data.example has the address 10.0.0.1, which is not public, so it is not contacted; to permit it, set "
        "source.hosts: ['data.example']."
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://other.example/x", f"{HOME} links to another host, other.example, which is not contacted; if it belongs to the catalogue, allow it with source.hosts: ['other.example']."),
        ("https://other.example:1/x", f"{HOME} links to another host, other.example:1, which is not contacted; if it belongs to the catalogue, allow it with source.hosts: ['other.example:1']."),
        ("https://stac.example.org@other.example/x", "an address on other.example contains a user name or password; it is not contacted."),
        ("https://user:pass@stac.example.org/x", "an address on stac.example.org contains a user name or password; it is not contacted."),
        ("https://other.example\\@stac.example.org/x", f"{HOME} links to another host, other.example, which is not contacted; if it belongs to the catalogue, allow it with source.hosts: ['other.example']."),
        ("file:///etc/passwd", "'file:///etc/passwd' is not the address of a web server."),
        ("/etc/passwd", "'/etc/passwd' is not the address of a web server."),
        ("ftp://stac.example.org/x", "'ftp://stac.example.org/x' is not the address of a web server."),
        ("httpx://stac.example.org/x", "'httpx://stac.example.org/x' is not the address of a web server."),
        ("https://stac.example.org:99999/x", "'https://stac.example.org:99999/x' is not the address of a web server."),
        ("https://", "'https://' is not the address of a web server."),
        ("", "'' is not the address of a web server."),
    ],
)  # fmt: skip
def test_pages_are_requested_only_from_known_hosts(url, sentence):
    with pytest.raises(TigerbushError) as error:
        Web(Hosts(HOME), public=False).request("GET", url, max_bytes=1)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://data.example/x", "data.example is not contacted without encryption (http://); to permit it, set source.hosts: ['data.example']."),
        ("https://127.1/x", "127.1 has the address 127.0.0.1, which is not public, so it is not contacted; to permit it, set source.hosts: ['127.1']."),
        ("https://１２７.0.0.1/x", "'https://１２７.0.0.1/x' is not the address of a web server."),
        ("https://[::ffff:7f00:1]:8443/x", "::ffff:7f00:1 has the address ::ffff:127.0.0.1, which is not public, so it is not contacted; to permit it, set source.hosts: ['::ffff:7f00:1']."),
    ],
)  # fmt: skip
def test_data_are_requested_from_public_hosts_by_https(url, sentence):
    with pytest.raises(TigerbushError) as error:
        Web(Hosts(HOME), public=True).request("GET", url, max_bytes=1)
    assert str(error.value) == sentence
