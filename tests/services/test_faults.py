"""What a broken network and a refusing store do to a download: the sentence, and what is left."""

import zipfile

import pytest

from fabricate import name_of
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.planning.tables import FILE_COLUMNS, file_row
from tigerbush.sentinel2.names import role
from tigerbush.sentinel2.safe import open_product
from tigerbush.site import Site
from tigerbush.sites.product import resample_site
from tigerbush.sites.stream import stream_product
from tigerbush.sources import retries
from tigerbush.sources.listing import fetch_product
from tigerbush.sources.store import Store
from weed import KEYED, KEYS, PUBLIC

SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
NAME = name_of("20170110")
# transient errors, and the sentence when they persist
PASSING = {
    "503": r"_B04\.jp2: http://.* is overloaded or down \(503 \w*\)",
    "429": r"_B04\.jp2: http://.* is overloaded or down \(429 \w*\)",
    "reset": r"_B04\.jp2: http://.* did not respond, or its response was cut off \(\w+\)",
    "truncate": r"_B04\.jp2: http://.* did not respond, or its response was cut off \(\w+\)",
    "stall": r"_B04\.jp2: http://.* did not respond, or its response was cut off \(ReadTimeoutError\)",
    "corrupt": r"_B04\.jp2: the data received do not match the store's checksum",
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)


@pytest.fixture
def files(weed, written):
    """The rows of files.tsv of one product in both buckets."""
    for bucket in (PUBLIC, KEYED):
        prefix = weed.put_product(bucket, written / f"{NAME}.SAFE", "faults/")
    objects = Store(PUBLIC, endpoint_url=weed.url, anonymous=True).objects(prefix)
    named = [(one.key.removeprefix(prefix), one) for one in objects]
    return [
        file_row(NAME, kind, name, one.key, one.size, one.etag) for name, one in named if (kind := role(name))
    ]


def store(server, bucket=PUBLIC, **options):
    options = {"anonymous": bucket == PUBLIC, "timeout": 0.5} | options
    return Store(bucket, endpoint_url=server.url, **options)


def fetch(how, one, files, target):
    if how == "stream":
        stream_product(one, NAME, files, target, site=SITE)
    else:
        fetch_product(NAME, files, target, store=one)


def pixels(path):
    product = open_product(path)
    return product.read_band("B4", product.grids[10])


@pytest.mark.parametrize("how", ["stream", "whole"])
@pytest.mark.parametrize("fault", PASSING)
def test_transient_errors_are_retried(proxy, files, tmp_path, how, fault):
    proxy.fault(fault, r"_B04\.jp2", times=3)
    fetch(how, store(proxy), files, tmp_path / f"{NAME}.zip")
    with zipfile.ZipFile(tmp_path / f"{NAME}.zip") as archive:
        assert archive.testzip() is None
        assert sum("_B04." in name for name in archive.namelist()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.zip"]


@pytest.mark.parametrize("fault", PASSING)
def test_permanent_errors_end_in_a_sentence_and_the_rest_is_kept(proxy, files, tmp_path, fault):
    proxy.fault(fault, r"_B04\.jp2")
    target = tmp_path / f"{NAME}.zip"
    with pytest.raises(RemoteError, match=PASSING[fault]):
        fetch("stream", store(proxy), files, target)
    assert not target.exists()
    proxy.mend()
    proxy.requests.clear()
    fetch("stream", store(proxy), files, target)
    # files fetched before are not fetched again
    assert {path.rpartition("_")[2] for _, path, _ in proxy.requests} == {"B04.jp2"}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_whole_download_that_fails_leaves_nothing(proxy, files, tmp_path):
    proxy.fault("503", r"_B04\.jp2")
    with pytest.raises(RemoteError, match=PASSING["503"]):
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
def test_a_store_that_refuses(weed, files, tmp_path, monkeypatch, how, options, keys, sentence):
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TigerbushError, match=sentence) as error:
        fetch(how, store(weed, **options), files, tmp_path / f"{NAME}.zip")
    assert "guessed" not in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / f"{NAME}.zip").exists()


def test_a_missing_bucket_is_reported_by_a_listing(weed, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "admin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "writes-too")
    with pytest.raises(TigerbushError, match=r"has no such bucket; check source\.bucket"):
        store(weed, bucket="missing").folders("x/")


def test_windows_record_whether_packets_could_be_checked(weed, files, tmp_path):
    fetch("stream", store(weed, timeout=5), files, tmp_path / f"{NAME}.zip")
    image, _ = resample_site(tmp_path / f"{NAME}.zip", SITE)
    assert image.tags["TIGERBUSH_CODESTREAM"] == "unchecked"


def test_no_server(weed, files, tmp_path):
    closed = Store(PUBLIC, endpoint_url="http://127.0.0.1:9", anonymous=True)
    with pytest.raises(
        RemoteError,
        match=r"http://127\.0\.0\.1:9 did not respond, or its response was cut off \(EndpointConnectionError\)",
    ):
        fetch("stream", closed, files, tmp_path / f"{NAME}.zip")


def test_a_missing_band(weed, files, tmp_path):
    """Whether discovery did not see it, or it went away afterwards."""
    without = [row for row in files if row["band"] != "B4"]
    with pytest.raises(TigerbushError, match=rf"^{NAME}\.SAFE: the file of band B4 is missing"):
        fetch("stream", store(weed, timeout=5), without, tmp_path / f"{NAME}.zip")
    gone = [row | {"key": row["key"] + "x"} if row["band"] == "B4" else row for row in files]
    with pytest.raises(
        TigerbushError,
        match=r"_B04\.jp2x does not exist \(any more\); check source\.bucket, run \./tigerbush discover",
    ):
        fetch("stream", store(weed, timeout=5), gone, tmp_path / f"{NAME}.zip")


def test_an_object_that_was_replaced(weed, files, tmp_path):
    """The table says which object is meant, by size and ETag; another one is never taken for it."""
    for changed in ({"etag": "0" * 32}, {"etag": "", "size": "5"}):
        rows = [row | changed if row["band"] == "B4" else row for row in files]
        with pytest.raises(
            (TigerbushError, RemoteError), match=r"has changed since it was listed|expected 5"
        ):
            fetch("stream", store(weed, timeout=5), rows, tmp_path / f"{NAME}.zip")


@pytest.mark.parametrize(
    "name", ["../../evil.jp2", "/etc/evil.jp2", "GRANULE/../../../evil_B04.jp2", "a\nb.xml"]
)
def test_a_table_that_was_tampered_with(weed, files, tmp_path, name):
    """Nothing is written outside the product's own folder."""
    assert set(files[0]) == set(FILE_COLUMNS)
    rows = [row | {"name": name} if row["role"] == "metadata" else row for row in files]
    for how in ("stream", "whole"):
        with pytest.raises(TigerbushError, match="is not the name of a file in a product"):
            fetch(how, store(weed, timeout=5), rows, tmp_path / "out" / f"{NAME}.zip")
    assert not list(tmp_path.rglob("*evil*"))
    rows = [row | {"key": "../" + row["key"]} for row in files]
    with pytest.raises(TigerbushError, match="is not the key of an object"):
        fetch("stream", store(weed, timeout=5), rows, tmp_path / f"{NAME}.zip")


def test_a_checksum_of_several_parts_is_replaced_by_decoding(proxy, files, tmp_path):
    """The ETag of a multi-part upload says nothing about the content: a damaged image must not decode."""
    rows = [row | {"etag": "", "size": row["size"]} for row in files]
    proxy.fault("truncate", r"_B04\.jp2", times=1)
    fetch("whole", store(proxy), rows, tmp_path / f"{NAME}.zip")
    assert pixels(tmp_path / f"{NAME}.zip").any()
