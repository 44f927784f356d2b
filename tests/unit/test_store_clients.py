"""Settings and credentials for an object store, valid and invalid ones."""

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.sources import store as remote
from tigerbush.sources.store import Store


class Session:
    """A boto3 session that records the settings of clients."""

    def __init__(self, keys=None):
        self.keys, self.registered = keys, []
        self.meta = self.events = self._request_signer = self

    @property
    def _credentials(self):
        return self.keys and self

    def get_frozen_credentials(self):
        return self.keys

    def register_first(self, event, handler):
        self.registered.append((event, handler))

    def client(self, name, **options):
        self.name, self.options = name, options
        return self


KEYS = {
    "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "access",
    "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "secret",
    "SNAKEMAKE_STORAGE_S3_TOKEN": "token",
}


def test_settings_of_a_client(monkeypatch):
    session = Session(("access", "secret", None))
    monkeypatch.setattr(remote.boto3.session, "Session", lambda: session)
    monkeypatch.setattr(remote.os, "environ", KEYS)
    Store("b", endpoint_url="https://s3.example:9000", region="here", connections=7, timeout=5)
    config = session.options.pop("config")
    assert (session.name, session.options) == (
        "s3",
        {
            "endpoint_url": "https://s3.example:9000", "region_name": "here",
            "aws_access_key_id": "access", "aws_secret_access_key": "secret", "aws_session_token": "token",
        },
    )  # fmt: skip
    assert (config.signature_version, config.connect_timeout, config.read_timeout) == (None, 5, 5)
    assert (config.max_pool_connections, config.retries) == (7, {"total_max_attempts": 1})
    assert (config.s3, config.response_checksum_validation) == ({"addressing_style": "path"}, "when_required")
    assert session.registered == [("needs-retry.s3.HeadBucket", remote.refuse_redirect)]
    monkeypatch.setattr(remote.os, "environ", {})
    Store("b", anonymous=True, timeout=11)
    config = session.options.pop("config")
    assert session.options == dict.fromkeys(session.options) | {"region_name": "us-east-1"}
    assert (config.signature_version, config.connect_timeout, config.read_timeout) == (
        remote.botocore.UNSIGNED,
        10,
        11,
    )
    assert config.s3 == {"addressing_style": "auto"}


def test_keys_that_are_invalid_in_a_header(monkeypatch):
    monkeypatch.setattr(remote.boto3.session, "Session", lambda: Session(("access", "sec\nret", None)))
    with pytest.raises(TigerbushError) as error:
        Store("b", endpoint_url="https://s3.example")
    assert str(error.value) == (
        "https://s3.example cannot be accessed with the settings of the environment (a key contains a space, a line break or "
        "another character that keys never have); set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or both "
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY and _SECRET_KEY, and check AWS_PROFILE."
    )
    # keys are not checked when none are sent, and no client is created without a bucket
    Store("b", anonymous=True)
    assert Store().connections == 4


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3.example", None), ("ftp://s3.example", None), ("https://", None), ("https://s3.example:0", None),
        ("https://s3.example:99999", None), ("https://s3.example/?a=b", None), ("https://s3.example/#a", None),
        ("https://s3_.example_", None), ("https://user:secret@s3.example", "s3.example"),
        ("https://" + "a" * 254, "https://" + "a" * 112), ("https://s3 .example", None),
    ],
)  # fmt: skip
def test_invalid_addresses_of_stores(monkeypatch, url, shown):
    monkeypatch.setattr(remote, "_client", lambda **_: None)
    with pytest.raises(TigerbushError) as error:
        Store("b", endpoint_url=url)
    assert str(error.value) == (
        f"{shown or url!r} is not the address of an object store; expected http(s)://host, optionally with :port, as "
        "source.endpoint_url or --endpoint-url."
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.example",
        "http://h",
        "https://s3.example:9000/path",
        "http://[::1]:80",
        "https://" + "a" * 253,
    ],
)
def test_addresses_of_stores(monkeypatch, url):
    monkeypatch.setattr(remote, "_client", lambda **_: None)
    assert Store("b", endpoint_url=url).endpoint == url
