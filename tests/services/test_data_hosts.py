"""Hosts of data: requests to them follow the same rules as those to the catalogue, and messages name them."""

import socket

import pytest

from fabricate import name_of
from seaweedfs import free_port
from test_catalogue import listing
from test_hosts import SECRET
from test_hosts import elsewhere as elsewhere
from test_hosts import short_waits as short_waits
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.sites.stream import read_remote_window
from tigerbush.sources import web
from tigerbush.sources.store import Store
from tigerbush.sources.web import HostRefusedError
from web_servers import serving


def store(**options):
    return Store(anonymous=True, timeout=2, tries=2, **options)


def test_redirects_of_data_follow_the_same_rules(elsewhere):
    with serving(lambda _: (302, {"Location": f"{elsewhere.url}/secret.tif"}, b"")) as home:
        address = f"{home.url}/B02.tif"
        with pytest.raises(HostRefusedError) as error:
            store(catalogue=home.url).read_range(address, 0, 2, 2)
        assert elsewhere.requests == []
        elsewhere.answer = lambda _: (206, {"Content-Range": "bytes 0-1/2"}, b"ab")
        assert store(catalogue=home.url, hosts=[elsewhere.authority]).read_range(address, 0, 2, 2) == b"ab"
    assert str(error.value) == (
        f"{elsewhere.authority} is not contacted without encryption (http://); to permit it, set source.hosts: "
        f"['{elsewhere.authority}']."
    )
    [request] = elsewhere.requests
    assert (request.headers["range"], request.headers["accept-encoding"]) == ("bytes=0-1", "identity")


def test_a_private_host_is_not_even_connected_to(certificates, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as quiet:
        quiet.settimeout(0.2)
        for host in ("localhost", "127.0.0.1", "127.1", "2130706433"):
            address = f"https://{host}:{quiet.getsockname()[1]}/B02.tif"
            with pytest.raises(
                HostRefusedError, match=f"^{host} has the address 127.0.0.1, which is not pub"
            ):
                store().size_of(address)
        with pytest.raises(TimeoutError):
            quiet.accept()
    with serving(lambda _: (200, {}, b"ab"), certificates) as secure:
        assert store(hosts=[secure.authority]).read(f"{secure.url}/x.tif", 2) == b"ab"
        assert store(hosts=["localhost"]).read(f"{secure.url}/x.tif", 2) == b"ab"
        with pytest.raises(HostRefusedError):
            store(hosts=[f"localhost:{free_port()}"]).read(f"{secure.url}/x.tif", 2)


def test_the_address_that_was_checked_is_the_one_that_is_used(certificates, monkeypatch):
    """A name that resolves differently the second time (DNS rebinding) is not followed; TLS checks the name."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "ca.pem"))
    resolve, names = socket.getaddrinfo, []

    def rebinding(host, *arguments, **options):
        names.append(host)
        addresses = {"localhost": "127.0.0.1" if names.count("localhost") == 1 else "127.0.0.2"}
        return resolve(addresses.get(host, host), *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    # no address of this machine is public; one is treated as such
    monkeypatch.setattr(web, "is_public", lambda address: address == "127.0.0.1")
    with serving(lambda _: (200, {}, b"ab"), certificates) as secure:
        assert store().read(f"{secure.url}/x.tif", 2) == b"ab"
        assert names == ["localhost", "127.0.0.1"]
        with pytest.raises(HostRefusedError, match=r"^localhost has the address 127\.0\.0\.2, which is not"):
            store().read(f"{secure.url}/x.tif", 2)


def test_the_next_address_is_tried_when_one_does_not_respond(certificates, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "ca.pem"))
    monkeypatch.setattr(web, "public_addresses", lambda *_: ["127.0.0.2", "127.0.0.1"])
    with serving(lambda _: (200, {}, b"ab"), certificates) as secure:
        assert store().read(f"{secure.url}/x.tif", 2) == b"ab"


def test_a_proxy_of_the_environment_is_used_but_gives_no_access_to_private_hosts(monkeypatch, elsewhere):
    """It resolves names itself; names that resolve here have to be public nevertheless."""
    elsewhere.answer = lambda _: (502, {}, b"")
    monkeypatch.setenv("HTTPS_PROXY", f"http://someone:{SECRET}@{elsewhere.authority}")
    with pytest.raises(RemoteError) as error:
        store().size_of("https://data.invalid/B02.tif")
    assert str(error.value) == (
        "https://data.invalid/B02.tif: data.invalid did not respond, or its response was cut off (ProxyError)"
    )
    request = elsewhere.requests[0]
    assert (request.method, request.path) == ("CONNECT", "data.invalid:443")
    assert request.headers["proxy-authorization"].startswith("Basic ")
    elsewhere.requests.clear()
    for host in ("10.0.0.1", "169.254.169.254", "localhost", "0x7f.1"):
        with pytest.raises(HostRefusedError, match=f"^{host} has the address .*, which is not public"):
            store().size_of(f"https://{host}/B02.tif")
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "headers", "sentence"),
    [
        (503, {}, "{url}: {place} is overloaded or down (503)"),
        (429, {"Retry-After": "0"}, "{url}: {place} is overloaded or down (429)"),
        (401, {}, "{url}: {place} denies access (401), and no credentials are sent to web servers; choose a public collection in source.collections."),
        (404, {}, "{url} does not exist (any more); run ./tigerbush discover, then ./tigerbush retry."),
        (418, {}, "{url}: {place} refuses the request (418); check source.*."),
        (200, {"Content-Type": "text/html; charset=utf-8"}, "{url}: {place} returns a web page (perhaps a login page), not a file; choose a public collection in source.collections."),
    ],
)  # fmt: skip
def test_errors_of_a_data_host_name_it(elsewhere, status, headers, sentence):
    elsewhere.answer = lambda _: (status, headers, b"x")
    url = f"{elsewhere.url}/B02.tif"
    with pytest.raises((TigerbushError, RemoteError)) as error:
        store(hosts=[elsewhere.authority]).read(url, 1)
    assert str(error.value) == sentence.format(url=url, place=elsewhere.authority)
    assert isinstance(error.value, RemoteError) == (status in {503, 429})
    assert len(elsewhere.requests) == (2 if status in {503, 429} else 1)


def test_an_untrusted_certificate_is_reported_at_once(certificates):
    with serving(certificates=certificates) as secure, pytest.raises(TigerbushError) as error:
        store(hosts=[secure.authority]).size_of(f"{secure.url}/x.tif")
    assert str(error.value) == (
        f"{secure.url}/x.tif: the certificate of {secure.authority} is not trusted on this machine; set REQUESTS_CA_BUNDLE to your "
        "authority's CA bundle."
    )


def test_no_more_is_read_than_requested(elsewhere):
    elsewhere.answer = lambda _: (200, {}, b"x" * 1_000_000)
    remote, url = store(hosts=[elsewhere.authority]), f"{elsewhere.url}/x.tif"
    assert remote.size_of(url) == 1_000_000
    with pytest.raises(RemoteError, match=r"x\.tif: received 11 bytes, expected 10$"):
        remote.read(url, 10)


def test_a_remote_image_cannot_refer_to_other_files(elsewhere, tmp_path):
    """A description of other files (VRT) that GDAL would follow to a host that must not be asked."""
    content = (
        '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">/vsicurl/{elsewhere.url}/secret.tif</SourceFilename>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    ).encode()
    grid = Grid(0, 90, 10, 9, 9)
    with serving(lambda _: (200, {}, content)) as home:
        row = {"name": "B02.tif", "key": f"{home.url}/B02.tif", "size": str(len(content)), "etag": ""}
        with pytest.raises(TigerbushError, match=rf"^{home.url}/B02\.tif cannot be decoded"):
            read_remote_window(store(catalogue=home.url), row, grid, grid, 32631)
    assert elsewhere.requests == []


def test_an_unresponsive_data_host_fails_its_product(three_days, caplog):
    """It is asked once, the other products are found, and the row keeps the address for the next attempt."""
    closed = f"127.0.0.1:{free_port()}"
    for item in three_days.items[:2]:
        item["assets"] = {
            key: {"href": f"http://{closed}/{item['id']}/{key}.tif"} for key in ("blue", "green")
        }
    rows, files = listing(three_days, *three_days.items, hosts=[closed], bucket=None)
    assert len(rows) == 3
    keys = [row["key"] for row in files if row["role"] == "band"]
    assert [row["size"] for row in files if row["role"] == "band"] == ["0"] * 4
    messages = [record.getMessage() for record in caplog.records if closed in record.getMessage()]
    # two files are requested at the same time, later ones not at all
    assert 1 <= len(messages) <= 2
    assert (
        f"{closed} did not respond, or its response was cut off (NewConnectionError); products with files there will fail"
        in messages[0]
    )
    with pytest.raises(RemoteError) as error:
        store(hosts=[closed]).size_of(keys[0])
    assert (
        str(error.value)
        == f"{keys[0]}: {closed} did not respond, or its response was cut off (NewConnectionError)"
    )


def test_a_private_data_host_fails_its_product(three_days):
    item = three_days.items[0]
    item["assets"] = {"blue": {"href": "https://localhost/B02.tif"}}
    rows, files = listing(three_days, *three_days.items, bucket=None)
    assert len(rows) == 3
    [row] = [row for row in files if row["role"] == "band"]
    assert (row["product"], row["key"], row["size"]) == (
        name_of("20170110", level="L2A", baseline="0500"),
        "https://localhost/B02.tif",
        "0",
    )
