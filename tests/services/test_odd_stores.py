"""Object stores with malformed responses, and unusable credentials: one sentence each."""

import itertools
import time

import pytest

from certificates import write_certificates
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.sources import retries
from tigerbush.sources.store import Store
from web_servers import serving

KEY = "<Contents><Key>p/a.jp2</Key><Size>7</Size><ETag>x</ETag></Contents>"
GOES_ON = "{url} announces more pages of the listing, but returns the same page again or none; try again later, or ask the operator of the server."
NO_STORE = (
    "{url} does not respond like an object store (perhaps with a login page); check source.endpoint_url."
)


NO_KEYS = (
    "AWS cannot be accessed with the settings of the environment ({reason}); set both AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or both SNAKEMAKE_STORAGE_S3_ACCESS_KEY and _SECRET_KEY, and check AWS_PROFILE."
)


def listing(inner):
    return f"<ListBucketResult>{inner}</ListBucketResult>"


def truncated(inner, token):
    return listing(
        f"<IsTruncated>true</IsTruncated>{inner}<NextContinuationToken>{token}</NextContinuationToken>"
    )


def store(server, **options):
    return Store("bucket", endpoint_url=server.url, anonymous=True, **{"timeout": 5, "tries": 2} | options)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("content", "sentence", "requests"),
    [
        (listing(f"<IsTruncated>true</IsTruncated>{KEY}"), GOES_ON, 1),
        (listing(f"<IsTruncated>true</IsTruncated>{KEY}<NextContinuationToken>t</NextContinuationToken>"), GOES_ON, 2),
        ("<html><body>Log in</body></html>", NO_STORE, 1),
        ("", NO_STORE, 1),
    ],
)  # fmt: skip
def test_a_malformed_listing(content, sentence, requests):
    with serving(lambda _: (200, {}, content.encode())) as server:
        store = Store("bucket", endpoint_url=server.url, anonymous=True, timeout=5, tries=2)
        with pytest.raises(TigerbushError) as error:
            store.objects("p/")
    assert str(error.value) == "s3://bucket/p/: " + sentence.format(url=server.url)
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    ("names", "requests"),
    [
        # the same page with another token each time, two pages in turn, and empty pages
        (itertools.repeat("p/a"), 2),
        (itertools.cycle(["p/a", "p/b"]), 3),
        (itertools.repeat(None), 101),
    ],
)
def test_an_endless_listing(names, requests):
    def answer(_):
        name, number = next(names), len(server.requests)
        content = f"<Contents><Key>{name}</Key><Size>7</Size></Contents>" if name else ""
        return 200, {}, truncated(content, number).encode()

    with serving(answer) as server, pytest.raises(TigerbushError) as error:
        store(server).objects("p/")
    assert str(error.value) == "s3://bucket/p/: " + GOES_ON.format(url=server.url)
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    "entry",
    [
        "<Key>p/a</Key><Size>many</Size>",
        f"<Key>p/a</Key><Size>{'9' * 5000}</Size>",
        "<Key>p/a</Key><Size>-1</Size>",
        "<Key>p/a</Key>",
        "<Size>1</Size>",
        "<Key>p/a</Key><Size>1</Size><LastModified>yesterday</LastModified>",
    ],
)
def test_a_listing_that_botocore_cannot_read(entry):
    content = listing(f"<IsTruncated>false</IsTruncated><Contents>{entry}</Contents>").encode()
    with serving(lambda _: (200, {}, content)) as server, pytest.raises(TigerbushError) as error:
        store(server).objects("p/")
    assert str(error.value) == "s3://bucket/p/: " + NO_STORE.format(url=server.url)


READS = {
    "list": lambda store: store.objects("p/a.jp2"),
    "read": lambda store: store.read("p/a.jp2", 7),
    "range": lambda store: store.read_range("p/a.jp2", 0, 7, 100),
    "size": lambda store: store.size_of("p/a.jp2"),
    "pull": lambda store: list(store.pieces("p/a.jp2", "")),
}


@pytest.mark.parametrize("how", [how for how in READS if how != "list"])
@pytest.mark.parametrize(
    ("headers", "content"),
    [({"Content-Type": "text/html"}, b"<p>Log in"), ({"Last-Modified": "yesterday"}, b"1234567")],
)
def test_a_response_that_is_no_object(how, headers, content):
    with serving(lambda _: (200, headers, content)) as server, pytest.raises(TigerbushError) as error:
        READS[how](store(server))
    assert str(error.value) == "s3://bucket/p/a.jp2: " + NO_STORE.format(url=server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "how", "headers"),
    [
        (301, "list", {}),
        (302, "list", {"Location": "/elsewhere"}),
        (302, "range", {"Location": "/elsewhere"}),
        (303, "range", {}),
        (307, "list", {"Location": "/elsewhere"}),
        (307, "range", {}),
        (308, "list", {"Location": "/elsewhere"}),
    ],
)
def test_a_store_that_redirects(status, how, headers):
    """Botocore itself would send 80 requests to find the bucket."""
    with serving(lambda _: (status, headers, b"")) as server, pytest.raises(TigerbushError) as error:
        READS[how](store(server))
    assert str(error.value) == (
        f"s3://bucket/p/a.jp2: {server.url} redirects elsewhere ({status}), which is not followed; check "
        "source.endpoint_url and source.region."
    )
    assert len(server.requests) <= 2


def test_a_bucket_in_another_region():
    answer = 301, {"x-amz-bucket-region": "eu-west-1"}, b"<Error><Code>PermanentRedirect</Code></Error>"
    with serving(lambda _: answer) as server, pytest.raises(TigerbushError) as error:
        store(server).objects("p/")
    assert str(error.value) == "s3://bucket/p/: the bucket is in another region; set source.region."


def test_another_range_than_was_requested():
    answer = 206, {"Content-Range": "bytes 50-56/100"}, b"1234567"
    with serving(lambda _: answer) as server, pytest.raises(RemoteError) as error:
        store(server).read_range("p/a.jp2", 0, 7, 100)
    assert str(error.value) == "s3://bucket/p/a.jp2: received bytes from 50, requested from 0"


@pytest.mark.parametrize("where", ["store", "web"])
def test_a_server_that_never_stops_sending(monkeypatch, where):
    """Byte by byte, so that no wait for the next byte is long."""

    def bytes_one_by_one():
        for _ in range(30):
            time.sleep(0.1)
            yield b"x"

    with serving(lambda _: (200, {"Content-Length": "1000"}, bytes_one_by_one())) as server:
        remote = store(server) if where == "store" else Store(catalogue=server.url, tries=2)
        monkeypatch.setattr(retries, "STEP_SECONDS", 0.5)
        start = time.monotonic()
        with pytest.raises(RemoteError) as error:
            remote.read("p/a.jp2" if where == "store" else f"{server.url}/p/a.jp2", 1000)
    assert time.monotonic() - start < 2.5
    label, name, reason = {
        "store": ("s3://bucket/p/a.jp2", server.url, "TimeoutError"),
        "web": (f"{server.url}/p/a.jp2", server.authority, "Timeout"),
    }[where]
    assert str(error.value) == f"{label}: {name} did not respond, or its response was cut off ({reason})"


def test_a_wait_is_reported(slept, caplog):
    answer = 503, {"Retry-After": "9999"}, b"<Error><Code>SlowDown</Code></Error>"
    with serving(lambda _: answer) as server, pytest.raises(RemoteError):
        store(server).objects("p/")
    assert slept == [60]
    assert caplog.messages == [
        f"s3://bucket/p/: {server.url} is overloaded or down (503 SlowDown); retrying in 60.0 s (attempt 2 of 2)"
    ]


def test_a_login_page_that_is_no_xml():
    page = 200, {}, b"<!DOCTYPE html><p>Log in<br>"
    with serving(lambda _: page) as server, pytest.raises(RemoteError) as error:
        Store("bucket", endpoint_url=server.url, anonymous=True, tries=2).objects("p/")
    assert str(error.value) == (
        f"s3://bucket/p/: {server.url} is overloaded, down or not an object store (500 500)"
    )


def test_an_object_in_archive_storage():
    content = b"<Error><Code>InvalidObjectState</Code></Error>"
    with serving(lambda _: (403, {}, content)) as server, pytest.raises(TigerbushError) as error:
        Store("bucket", endpoint_url=server.url, anonymous=True).read("p/a.jp2", 7)
    assert str(error.value) == (
        f"s3://bucket/p/a.jp2 is in archive storage of {server.url}; restore it there, then run ./tigerbush retry."
    )


@pytest.mark.parametrize(
    ("certificate", "bundle", "sentence"),
    [
        ({}, None, "the certificate of {url} is not trusted on this machine; set AWS_CA_BUNDLE to your authority's CA bundle."),
        ({"last_day": -1}, "ca.pem", "the certificate of {url} has expired or is not yet valid; check the clock of this machine, or ask the operator of the server."),
        ({"hosts": ["elsewhere.example"]}, "ca.pem", "the certificate of {url} was issued for another name; check the address."),
        ({}, "absent.pem", "the file of trusted certificates cannot be read; correct AWS_CA_BUNDLE."),
        ({}, ".", "the file of trusted certificates cannot be read; correct AWS_CA_BUNDLE."),
        ({}, "note.txt", "the file of trusted certificates cannot be read; correct AWS_CA_BUNDLE."),
        (None, "ca.pem", "{url} does not speak TLS on that port; check http or https, and the port."),
    ],
)  # fmt: skip
def test_certificates(tmp_path, monkeypatch, certificate, bundle, sentence):
    write_certificates(tmp_path, **certificate or {})
    (tmp_path / "note.txt").write_text("no certificate")
    if bundle:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / bundle))
    with serving(certificates=tmp_path if certificate is not None else None) as server:
        server.url = server.url.replace("http:", "https:")
        with pytest.raises(TigerbushError) as error:
            store(server).objects("p/")
    assert str(error.value) == "s3://bucket/p/: " + sentence.format(url=server.url)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "half"}, "Partial credentials found in explicit, missing: aws_secret_access_key"),
        ({"SNAKEMAKE_STORAGE_S3_SECRET_KEY": "half"}, "Partial credentials found in explicit, missing: aws_access_key_id"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
        ({"AWS_ACCESS_KEY_ID": "half", "AWS_SECRET_ACCESS_KEY": "copied\n"}, "a key contains a space, a line break or another character that keys never have"),
        ({"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/absent"}, "/absent: No such file or directory"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://half.example/x"}, "ValueError in AWS_* variables, or in the files or programs that they name"),
    ],
)  # fmt: skip
def test_unusable_credentials(monkeypatch, variables, reason):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TigerbushError) as error:
        Store("bucket")
    assert str(error.value) == NO_KEYS.format(reason=reason)
    assert "half" not in str(error.value)


def test_web_servers_need_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with serving(lambda _: (200, {}, b"ab")) as server:
        assert Store(catalogue=server.url).read(f"{server.url}/x.tif", 2) == b"ab"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[default", "Unable to parse config file: {path}"),
        ("[default]\ncredential_process = false\n", "custom-process returned no credentials"),
        ("[default]\ncredential_process = /absent\n", "/absent: No such file or directory"),
        ("[default]\ncredential_process = echo secret\n", "JSONDecodeError in AWS_* variables, or in the files or programs that they name"),
        ("[default]\ncredential_process = echo [1]\n", "AttributeError in AWS_* variables, or in the files or programs that they name"),
        ("[default]\ncredential_process = sleep 2\n", "no credentials were received in time"),
        ("[default]\nrole_arn = a\nsource_profile = default\nsource_profile = b\n", "Unable to parse config file: {path}"),
        ("[default]\ns3 = nonsense\n", "AttributeError in AWS_* variables, or in the files or programs that they name"),
    ],
)  # fmt: skip
def test_an_unusable_aws_configuration(monkeypatch, tmp_path, content, reason):
    if "sleep" in content:
        monkeypatch.setattr(retries, "STEP_SECONDS", 0.5)
    (tmp_path / "config").write_text(content)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(TigerbushError) as error:
        Store("bucket")
    assert str(error.value) == NO_KEYS.format(reason=reason.format(path=tmp_path / "config"))


def test_an_expired_login(monkeypatch, tmp_path):
    (tmp_path / "config").write_text(
        "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
        "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://login.example\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(TigerbushError) as error:
        Store("bucket")
    assert str(error.value) == (
        "AWS cannot be accessed with the settings of the environment (Error loading SSO Token: Token for s does not "
        "exist); log in again (aws sso login), or set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )


def test_an_invalid_region_that_contains_a_key(monkeypatch):
    """As when a key was pasted into the wrong place."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA123")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(TigerbushError) as error:
        Store("bucket", region="EU AKIA123")
    assert str(error.value) == (
        "AWS cannot be accessed with the settings of the environment (Provided region_name 'EU ...' doesn't match a "
        "supported format); check source.region or --region."
    )


@pytest.mark.parametrize(
    "url", ["here", "http://", "http://[::1", "http://here:99999", "https://here?x=1", "ftp://here", "https://ü.example"]
)  # fmt: skip
def test_an_invalid_endpoint(url):
    with pytest.raises(TigerbushError) as error:
        Store("bucket", endpoint_url=url)
    assert str(error.value) == (
        f"{url!r} is not the address of an object store; expected http(s)://host, optionally with :port, as "
        "source.endpoint_url or --endpoint-url."
    )
