"""Read from object stores and web servers, with the same retries and error messages for both.

Credentials come from the environment or the platform's identity, by the same rules as in Snakemake's storage plugin:
SNAKEMAKE_STORAGE_S3_ACCESS_KEY and _SECRET_KEY, else what boto3 finds, such as the identity of a virtual machine.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TypeVar
from urllib.parse import urlsplit

import boto3
import botocore
import requests
from botocore.client import BaseClient
from botocore.config import Config
from botocore.response import StreamingBody

from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.planning.addresses import is_address
from tigerbush.sources.retries import (
    CHUNK,
    TIMEOUT_SECONDS,
    TRIES,
    close_unless_abandoned,
    request_with_retries,
    with_time_limit,
)
from tigerbush.sources.store_errors import (
    check_credentials,
    endless_listing,
    not_a_store,
    object_changed,
    refuse_redirect,
    store_error,
    unusable_settings,
)
from tigerbush.sources.web import Hosts, Web, response_error

_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]*/([0-9]{1,18})")
_HOST = re.compile(r"[A-Za-z0-9:](?:[A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?")
_MD5 = re.compile(r"[0-9a-f]{32}")
# bytes read of a file of unknown size
MAX_BYTES = 2_000_000_000
# pages of one listing, with a thousand names each; and how many in a row may be empty
MAX_PAGES = 10_000
_MAX_EMPTY_PAGES = 100

Result = TypeVar("Result")


@dataclass(frozen=True)
class StoredObject:
    """A listed object: its key, its size in bytes, its ETag without quotes, and when it was stored."""

    key: str
    size: int
    etag: str
    time: str = field(default="", compare=False)


@dataclass(frozen=True)
class _Page:
    """A page of a listing, and the token of the next: None on the last page, empty when it is missing."""

    objects: list[StoredObject]
    folders: list[str]
    next_token: str | None


class Store:
    """A bucket of an object store; full addresses of objects and of files on web servers can be read as well.

    Parameters
    ----------
    bucket : str, optional
        Bucket of the keys that are not full addresses.
    endpoint_url : str, optional
        Address of the store; by default AWS.
    region : str, optional
    anonymous : bool
        Send no credentials.
    requester_pays : bool
    connections : int
        Maximum number of simultaneous connections.
    timeout : float
        Seconds without receiving anything.
    tries : int
        Attempts for each request.
    hosts : sequence of str
        Web servers (`host` or `host:port`) that may be contacted although they are not public, or without encryption.
    catalogue : str, optional
        Address of the catalogue, whose host may be contacted in the same way.
    """

    def __init__(
        self,
        bucket: str | None = None,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        anonymous: bool = False,
        requester_pays: bool = False,
        connections: int = 4,
        timeout: float = TIMEOUT_SECONDS,
        tries: int = TRIES,
        hosts: Sequence[str] = (),
        catalogue: str | None = None,
    ) -> None:
        self.bucket = bucket
        self.endpoint = endpoint_url or "AWS"
        self.connections = connections
        self.hosts = Hosts(catalogue, tuple(hosts))
        self._timeout = timeout
        self._tries = tries
        self._payer = {"RequestPayer": "requester"} if requester_pays else {}
        self._options = {
            "endpoint_url": endpoint_url,
            "region": region,
            "anonymous": anonymous,
            "connections": connections,
            "timeout": timeout,
        }
        if bucket:
            # unusable credentials are reported now, and not as the fault of a product
            _ = self._client
        self._web = self._open_web()

    def with_catalogue(self, catalogue: str) -> "Store":
        """Return a copy of the store that may also read from the host of a catalogue."""
        store = copy(self)
        store.hosts = replace(self.hosts, catalogue=catalogue)
        store._web = store._open_web()
        return store

    @cached_property
    def _client(self) -> BaseClient:
        _check_endpoint(self._options["endpoint_url"])
        try:
            return with_time_limit(lambda: _client(**self._options))
        except Exception as error:  # from botocore, or from programs and files that its configuration names
            raise TigerbushError(unusable_settings(error, self.endpoint)) from error

    def _open_web(self) -> Web:
        return Web(self.hosts, public=True, connections=self.connections, timeout=self._timeout)

    def folders(self, prefix: str) -> list[str]:
        """List the folders directly below a prefix, as full prefixes that end in `/`."""
        return [folder for page in self._pages(prefix, "/") for folder in page.folders]

    def objects(self, prefix: str) -> list[StoredObject]:
        """List all objects below a prefix."""
        return [stored for page in self._pages(prefix, "") for stored in page.objects]

    def first_object(self, prefix: str) -> StoredObject | None:
        """Return one object below a prefix, with a single request; None when there is none."""
        page = next(self._pages(prefix, "", MaxKeys=1))
        return next(iter(page.objects), None)

    def size_of(self, key: str) -> int:
        """Return the size of an object in bytes, by requesting its first byte; raises the same errors as `read`."""
        return self._with_retries(self.label(key), lambda: self._read(key, "", 1, "bytes=0-0")[2])

    def _pages(self, prefix: str, delimiter: str, **options: int) -> Iterator[_Page]:
        """Yield the pages of a listing; refuse one that repeats itself."""
        label, tokens, empty = f"s3://{self.bucket}/{prefix}", {}, 0
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            request = partial(self._page, label, prefix, delimiter, **options, **tokens)
            page = self._with_retries(label, request)
            yield page
            if page.next_token is None:
                return
            names = page.folders + [stored.key for stored in page.objects]
            # a store may skip over deleted names for some pages
            empty = 0 if names else empty + 1
            marks = {f"token {page.next_token}", *(f"name {name}" for name in names[-1:])}
            if not page.next_token or seen & marks or empty > _MAX_EMPTY_PAGES:
                break
            seen |= marks
            tokens = {"ContinuationToken": page.next_token}
        raise TigerbushError(endless_listing(label, self.endpoint))

    def _page(self, label: str, prefix: str, delimiter: str, **options: int | str) -> _Page:
        options |= {"Bucket": self.bucket, "Prefix": prefix, "Delimiter": delimiter, **self._payer}
        page = with_time_limit(lambda: self._client.list_objects_v2(**options))
        # XML that is not a listing, such as a login page
        if "IsTruncated" not in page:
            raise TigerbushError(not_a_store(label, self.endpoint))
        return _Page(
            [_object(entry) for entry in page.get("Contents") or ()],
            [folder["Prefix"] for folder in page.get("CommonPrefixes") or ()],
            page.get("NextContinuationToken", "") if page["IsTruncated"] else None,
        )

    def read(self, key: str, size: int | None = None, etag: str = "") -> bytes:
        """Read a whole object; it is accepted when its size agrees, and its checksum if the ETag is one.

        Parameters
        ----------
        key : str
            Key in the bucket, or a full address.
        size : int, optional
            Expected size in bytes.
        etag : str
            Expected ETag; empty when it is not known.

        Raises
        ------
        TigerbushError
            When the object does not exist, may not be read, or is not the one listed.
        RemoteError
            When all attempts failed with transient errors.
        """

        def read_whole() -> bytes:
            content, *_ = self._read(key, etag, MAX_BYTES if size is None else size)
            check_content(self.label(key), content, size, etag)
            return content

        return self._with_retries(self.label(key), read_whole)

    def pieces(self, key: str, etag: str) -> Iterator[bytes]:
        """Yield the content of an object in pieces, without retries and without checking it."""
        label = self._address(key)
        pieces = self._with_retries(label, lambda: self._get_object(label, etag)[0], 1)
        while piece := self._with_retries(label, lambda: next(pieces, None), 1):
            yield piece

    def read_range(self, key: str, start: int, length: int, size: int, etag: str = "") -> bytes:
        """Read `length` bytes from `start` of an object of `size` bytes; raises the same errors as `read`."""
        label = self.label(key)

        def read_part() -> bytes:
            content, first, total = self._read(key, etag, length, f"bytes={start}-{start + length - 1}")
            if total != size:
                raise TigerbushError(object_changed(label, f"has {total} bytes, not {size} as in the table"))
            if first != start:
                raise RemoteError(f"{label}: received bytes from {first}, requested from {start}")
            if len(content) != length:
                raise RemoteError(f"{label}: received {len(content)} of {length} bytes")
            return content

        return self._with_retries(label, read_part)

    def label(self, key: str) -> str:
        """Return the full address of a key."""
        return key if "://" in key else f"s3://{self.bucket}/{key}"

    def _address(self, key: str) -> str:
        if not is_address(key):
            raise TigerbushError(f"{key[:120]!r} is not the key of an object; run ./tigerbush discover.")
        return self.label(key)

    def _read(self, key: str, etag: str, max_bytes: int, part: str | None = None) -> tuple[bytes, int, int]:
        """Return the content from one request (at most `max_bytes` + 1), its position and the size of the object."""
        address = self._address(key)
        if address.startswith("s3://"):
            pieces, position, total = self._get_object(address, etag, part)
            content = []
            while sum(map(len, content)) <= max_bytes and (piece := next(pieces, None)):
                content.append(piece)
            pieces.close()
            return b"".join(content)[: max_bytes + 1], position, total
        # without compression for transport
        headers = {"Accept-Encoding": "identity"} | _headers(etag, part)
        response = self._web.request("GET", address, headers=headers, max_bytes=max_bytes)
        if response.status == requests.codes.precondition_failed:
            raise TigerbushError(object_changed(address))
        is_html = response.headers.get("Content-Type", "").startswith("text/html")
        if response.status not in {200, 206} or is_html:
            raise response_error(response, address)
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else len(response.content)
        return response.content, *_position(response.headers.get("Content-Range"), total)

    def _get_object(
        self, address: str, etag: str, part: str | None = None
    ) -> tuple[Iterator[bytes], int, int]:
        """Return the content of an object in pieces, its position in the object, and the object's size."""
        bucket, _, name = address.removeprefix("s3://").partition("/")
        options = {"Bucket": bucket, "Key": name, **self._payer}
        options |= {header.replace("-", ""): value for header, value in _headers(etag, part).items()}
        response = with_time_limit(lambda: self._client.get_object(**options))
        # a store may label metadata as HTML, but then returns the object's ETag
        response_etag = _etag(response.get("ETag", ""))
        is_html = response.get("ContentType", "").startswith("text/html")
        if is_html and (response_etag != etag if etag else not response_etag):
            raise TigerbushError(not_a_store(address, self.endpoint))
        position = _position(response.get("ContentRange"), response["ContentLength"])
        return _read_pieces(response["Body"]), *position

    def _with_retries(self, label: str, request: Callable[[], Result], tries: int | None = None) -> Result:
        """Call `request` with retries; `label` names the object in messages."""
        return request_with_retries(
            request, lambda error: store_error(error, label, self.endpoint), tries or self._tries
        )


def _headers(etag: str, part: str | None) -> dict[str, str]:
    return ({"If-Match": f'"{etag}"'} if etag else {}) | ({"Range": part} if part else {})


def _read_pieces(body: StreamingBody) -> Iterator[bytes]:
    with close_unless_abandoned(body):
        while piece := with_time_limit(body.read, CHUNK):
            yield piece


def _object(entry: dict) -> StoredObject:
    if entry["Size"] < 0:
        raise ValueError("size")
    time = str(entry.get("LastModified", ""))
    return StoredObject(entry["Key"], entry["Size"], _etag(entry.get("ETag", "")), time)


def check_content(label: str, content: bytes, size: int | None, etag: str) -> None:
    """Refuse content whose size or checksum is not that in the table.

    The ETag of an object that was uploaded in one part is its MD5; others (with `-`) are not checksums.

    Raises
    ------
    RemoteError
        Because a retry may bring the right bytes.
    """
    if size is not None and len(content) != size:
        raise RemoteError(f"{label}: received {len(content)} bytes, expected {size}")
    if is_checksum(etag) and hashlib.md5(content, usedforsecurity=False).hexdigest() != etag:
        raise RemoteError(f"{label}: the data received do not match the store's checksum")


def is_checksum(etag: str) -> bool:
    """Tell whether an ETag is the MD5 of the content."""
    return _MD5.fullmatch(etag) is not None


def _client(
    endpoint_url: str | None, region: str | None, anonymous: bool, connections: int, timeout: float
) -> BaseClient:
    # a new session, because the default one keeps the credentials that it found first
    session = boto3.session.Session()
    client = session.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=region or "us-east-1",
        aws_access_key_id=os.environ.get("SNAKEMAKE_STORAGE_S3_ACCESS_KEY"),
        aws_secret_access_key=os.environ.get("SNAKEMAKE_STORAGE_S3_SECRET_KEY"),
        aws_session_token=os.environ.get("SNAKEMAKE_STORAGE_S3_TOKEN"),
        config=Config(
            signature_version=botocore.UNSIGNED if anonymous else None,
            connect_timeout=min(timeout, 10),
            read_timeout=timeout,
            max_pool_connections=connections,
            # retries are ours, not botocore's
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path" if endpoint_url else "auto"},
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register_first("needs-retry.s3.HeadBucket", refuse_redirect)
    credentials = None if anonymous else client._request_signer._credentials
    if credentials:
        # get_frozen_credentials asks the roles, files and programs of the configuration
        check_credentials(credentials.get_frozen_credentials())
    return client


def _etag(text: str) -> str:
    """Return an ETag without quotes, or an empty string when it has unexpected characters."""
    return text.strip('"') if re.fullmatch('"?[A-Za-z0-9-]{1,200}"?', text) else ""


def _position(content_range: str | None, length: int) -> tuple[int, int]:
    """Return the position of a response's first byte and the size of the object, from `bytes 0-9/100`."""
    match = _RANGE.fullmatch(content_range or "")
    return (int(match[1]), int(match[2])) if match else (0, length)


def _check_endpoint(url: str | None) -> None:
    """Refuse addresses for which botocore's own error would be obscure."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        valid = (
            parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
        )
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or "@" in parts.netloc:
        raise TigerbushError(
            f"{url.rpartition('@')[2][:120]!r} is not the address of an object store; expected http(s)://host, "
            "optionally with :port, as source.endpoint_url or --endpoint-url."
        )
