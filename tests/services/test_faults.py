"""Downloads through a faulty network and from a store that refuses: the message, and what is left behind."""

import zipfile

import pytest

from fabricate import name_of
from seaweedfs import KEYED, KEYS, PUBLIC
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.planning.tables import FILE_COLUMNS, file_row
from tigerbush.sentinel2.names import role
from tigerbush.sentinel2.safe import open_product
from tigerbush.site import Site
from tigerbush.sites.product import resample_site
from tigerbush.sites.stream import stream_product
from tigerbush.sources import retries
from tigerbush.sources.download import fetch_product
from tigerbush.sources.store import Store

SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
NAME = name_of("20170110")
# transient faults, and the message when they persist
TRANSIENT = {
    "503": r"_B04\.jp2: http://.* is overloaded or down \(503 \w*\)",
    "429": r"_B04\.jp2: http://.* is overloaded or down \(429 \w*\)",
    "reset": r"_B04\.jp2: http://.* did not respond, or its response was cut off \(\w+\)",
    "truncate": r"_B04\.jp2: http://.* did not respond, or its response was cut off \(\w+\)",
    "stall": r"_B04\.jp2: http://.* did not respond, or its response was cut off \(ReadTimeoutError\)",
    "corrupt": r"_B04\.jp2: the data received do not match the store's checksum",
}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)


@pytest.fixture
def files(seaweedfs, three_products):
    """The rows of files.tsv for one product, which is in both buckets."""
    for bucket in (PUBLIC, KEYED):
        prefix = seaweedfs.put_product(bucket, three_products / f"{NAME}.SAFE", "faults/")
    objects = Store(PUBLIC, endpoint_url=seaweedfs.url, anonymous=True).objects(prefix)
    names = [(object_.key.removeprefix(prefix), object_) for object_ in objects]
    return [
        file_row(NAME, kind, name, object_.key, object_.size, object_.etag)
        for name, object_ in names
        if (kind := role(name))
    ]


def store(server, bucket=PUBLIC, **options):
    options = {"anonymous": bucket == PUBLIC, "timeout": 0.5} | options
    return Store(bucket, endpoint_url=server.url, **options)


def fetch(how, source, files, target):
    if how == "stream":
        stream_product(source, NAME, files, target, site=SITE)
    else:
        fetch_product(NAME, files, target, store=source)


def pixels(path):
    product = open_product(path)
    return product.read_band("B4", product.grids[10])


@pytest.mark.parametrize("how", ["stream", "whole"])
@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_fault_does_no_harm(proxy, files, tmp_path, how, fault):
    proxy.fault(fault, r"_B04\.jp2", times=3)
    fetch(how, store(proxy), files, tmp_path / f"{NAME}.zip")
    with zipfile.ZipFile(tmp_path / f"{NAME}.zip") as archive:
        assert archive.testzip() is None
        assert sum("_B04." in name for name in archive.namelist()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.zip"]


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_lasting_fault_ends_in_a_sentence_and_the_rest_is_kept(proxy, files, tmp_path, fault):
    proxy.fault(fault, r"_B04\.jp2")
    target = tmp_path / f"{NAME}.zip"
    with pytest.raises(RemoteError, match=TRANSIENT[fault]):
        fetch("stream", store(proxy), files, target)
    assert not target.exists()
    proxy.clear_faults()
    proxy.requests.clear()
    fetch("stream", store(proxy), files, target)
    # files that were fetched before are not fetched again
    assert {path.rpartition("_")[2] for _, path, _ in proxy.requests} == {"B04.jp2"}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_whole_download_that_fails_leaves_nothing(proxy, files, tmp_path):
    proxy.fault("503", r"_B04\.jp2")
    with pytest.raises(RemoteError, match=TRANSIENT["503"]):
        fetch("whole", store(proxy), files, tmp_path / f"{NAME}.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fault", "waits"), [("503", (0.01, 0.02, 0.04, 0.08)), ("429 with Retry-After", (7,) * 4)]
)
def test_waits_double_unless_the_server_states_one(proxy, files, tmp_path, slept, fault, waits):
    proxy.fault(fault, r"_B04\.jp2", times=4)
    fetch("whole", store(proxy), files, tmp_path / f"{NAME}.zip")
    assert slept == pytest.approx(waits, rel=0.26)


@pytest.mark.parametrize("how", ["stream", "whole"])
@pytest.mark.parametrize(
    ("options", "keys", "sentence"),
    [
        ({"bucket": KEYED}, {}, "no credentials for .* were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"bucket": KEYED, "anonymous": True}, {}, r"denies access \(AccessDenied\); check the keys"),
        ({"bucket": KEYED}, KEYS | {"AWS_SECRET_ACCESS_KEY": "guessed"}, r"rejects the credentials \(SignatureDoesNotMatch\); renew the keys"),
        ({"bucket": KEYED}, KEYS | {"AWS_ACCESS_KEY_ID": "nobody"}, r"rejects the credentials \(InvalidAccessKeyId\); renew the keys"),
        ({"bucket": "missing"}, {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "writes-too"}, r"does not exist \(any more\); check source.bucket"),
    ],
)  # fmt: skip
def test_a_store_that_refuses(seaweedfs, files, tmp_path, monkeypatch, how, options, keys, sentence):
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TigerbushError, match=sentence) as error:
        fetch(how, store(seaweedfs, **options), files, tmp_path / f"{NAME}.zip")
    assert "guessed" not in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / f"{NAME}.zip").exists()


def test_a_missing_bucket_is_reported_by_a_listing(seaweedfs, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "admin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "writes-too")
    with pytest.raises(TigerbushError, match=r"has no such bucket; check source\.bucket"):
        store(seaweedfs, bucket="missing").folders("x/")


def test_the_windows_record_whether_packets_could_be_checked(seaweedfs, files, tmp_path):
    fetch("stream", store(seaweedfs, timeout=5), files, tmp_path / f"{NAME}.zip")
    image, _ = resample_site(tmp_path / f"{NAME}.zip", SITE)
    assert image.tags["TIGERBUSH_CODESTREAM"] == "unchecked"


def test_no_server(seaweedfs, files, tmp_path):
    closed = Store(PUBLIC, endpoint_url="http://127.0.0.1:9", anonymous=True)
    with pytest.raises(
        RemoteError,
        match=r"http://127\.0\.0\.1:9 did not respond, or its response was cut off \(EndpointConnectionError\)",
    ):
        fetch("stream", closed, files, tmp_path / f"{NAME}.zip")


def test_a_missing_band(seaweedfs, files, tmp_path):
    """Either discovery did not see it, or it was deleted afterwards."""
    without = [row for row in files if row["band"] != "B4"]
    with pytest.raises(TigerbushError, match=rf"^{NAME}\.SAFE: the file of band B4 is missing"):
        fetch("stream", store(seaweedfs, timeout=5), without, tmp_path / f"{NAME}.zip")
    deleted = [row | {"key": row["key"] + "x"} if row["band"] == "B4" else row for row in files]
    with pytest.raises(
        TigerbushError,
        match=r"_B04\.jp2x does not exist \(any more\); check source\.bucket, run \./tigerbush discover",
    ):
        fetch("stream", store(seaweedfs, timeout=5), deleted, tmp_path / f"{NAME}.zip")


def test_an_object_that_was_replaced(seaweedfs, files, tmp_path):
    """The table identifies the object by size and ETag; another one is never accepted in its place."""
    for changed in ({"etag": "0" * 32}, {"etag": "", "size": "5"}):
        rows = [row | changed if row["band"] == "B4" else row for row in files]
        with pytest.raises(
            (TigerbushError, RemoteError), match=r"has changed since it was listed|expected 5"
        ):
            fetch("stream", store(seaweedfs, timeout=5), rows, tmp_path / f"{NAME}.zip")


@pytest.mark.parametrize(
    "name", ["../../evil.jp2", "/etc/evil.jp2", "GRANULE/../../../evil_B04.jp2", "a\nb.xml"]
)
def test_a_table_that_was_tampered_with(seaweedfs, files, tmp_path, name):
    """Nothing is written outside the folder of the product."""
    assert set(files[0]) == set(FILE_COLUMNS)
    rows = [row | {"name": name} if row["role"] == "metadata" else row for row in files]
    for how in ("stream", "whole"):
        with pytest.raises(TigerbushError, match="is not the name of a file in a product"):
            fetch(how, store(seaweedfs, timeout=5), rows, tmp_path / "out" / f"{NAME}.zip")
    assert not list(tmp_path.rglob("*evil*"))
    rows = [row | {"key": "../" + row["key"]} for row in files]
    with pytest.raises(TigerbushError, match="is not the key of an object"):
        fetch("stream", store(seaweedfs, timeout=5), rows, tmp_path / f"{NAME}.zip")


def test_a_checksum_of_several_parts_is_replaced_by_decoding(proxy, files, tmp_path):
    """The ETag of a multi-part upload is no checksum of the content: a damaged image must not decode."""
    rows = [row | {"etag": "", "size": row["size"]} for row in files]
    proxy.fault("truncate", r"_B04\.jp2", times=1)
    fetch("whole", store(proxy), rows, tmp_path / f"{NAME}.zip")
    assert pixels(tmp_path / f"{NAME}.zip").any()
