"""Object stores that answer oddly, and credentials that are none: one sentence each."""

import pytest

from tigerbush import patience
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.remote import Store
from web_servers import serving

KEY = "<Contents><Key>p/a.jp2</Key><Size>7</Size><ETag>x</ETag></Contents>"
GOES_ON = "{url} says that its listing goes on, but gives the same page again or none; try again later, or ask who runs it."
NO_STORE = (
    "{url} does not answer like an object store (perhaps with a page to log in); check source.endpoint_url."
)


def listing(inner):
    return f"<ListBucketResult>{inner}</ListBucketResult>"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(patience, "WAIT_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("content", "sentence", "requests"),
    [
        (listing(f"<IsTruncated>true</IsTruncated>{KEY}"), GOES_ON, 1),
        (listing(f"<IsTruncated>true</IsTruncated>{KEY}<NextContinuationToken>t</NextContinuationToken>"), GOES_ON, 2),
        ("<html><body>Log in</body></html>", NO_STORE, 1),
        ("", NO_STORE, 1),
    ],
)  # fmt: skip
def test_a_listing_that_is_none(content, sentence, requests):
    with serving(lambda _: (200, {}, content.encode())) as server:
        store = Store("bucket", endpoint_url=server.url, anonymous=True, timeout=5, tries=2)
        with pytest.raises(TigerbushError) as error:
            store.objects("p/")
    assert str(error.value) == "s3://bucket/p/: " + sentence.format(url=server.url)
    assert len(server.asked) == requests


def test_a_page_to_log_in_that_is_no_xml():
    page = 200, {}, b"<!DOCTYPE html><p>Log in<br>"
    with serving(lambda _: page) as server, pytest.raises(RemoteError) as error:
        Store("bucket", endpoint_url=server.url, anonymous=True, tries=2).objects("p/")
    assert str(error.value) == (
        f"s3://bucket/p/: {server.url} is overloaded, down or no object store (500 500)"
    )


def test_an_object_in_an_archive():
    content = b"<Error><Code>InvalidObjectState</Code></Error>"
    with serving(lambda _: (403, {}, content)) as server, pytest.raises(TigerbushError) as error:
        Store("bucket", endpoint_url=server.url, anonymous=True).read("p/a.jp2", 7)
    assert str(error.value) == (
        f"s3://bucket/p/a.jp2 lies in an archive of {server.url}; restore it there, then run ./tigerbush retry."
    )


def test_a_certificate_of_nobody(certificates):
    with serving(certificates=certificates) as server, pytest.raises(TigerbushError) as error:
        Store("bucket", endpoint_url=server.url, anonymous=True).objects("p/")
    assert str(error.value) == (
        f"s3://bucket/p/: the certificate of {server.url} is not trusted here; set AWS_CA_BUNDLE to your authority's."
    )


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "half"}, "Partial credentials found in explicit, missing: aws_secret_access_key"),
        ({"SNAKEMAKE_STORAGE_S3_SECRET_KEY": "half"}, "Partial credentials found in explicit, missing: aws_access_key_id"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
    ],
)  # fmt: skip
def test_credentials_that_cannot_be_used(monkeypatch, variables, what):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TigerbushError) as error:
        Store("bucket")
    assert str(error.value) == (
        f"AWS cannot be asked with the settings of the environment ({what}); set both AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or both SNAKEMAKE_STORAGE_S3_ACCESS_KEY and _SECRET_KEY, and check AWS_PROFILE."
    )
    assert "half" not in str(error.value)


def test_web_servers_need_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with serving(lambda _: (200, {}, b"ab")) as server:
        assert Store(catalogue=server.url).read(f"{server.url}/x.tif", 2) == b"ab"
