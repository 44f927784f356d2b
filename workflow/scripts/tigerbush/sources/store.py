"""Object stores and web servers: one way to ask, to try again, and to say what went wrong.

Credentials come from the environment or the platform's identity, by the same rules as those of Snakemake's
storage plugin: SNAKEMAKE_STORAGE_S3_ACCESS_KEY and _SECRET_KEY, else what boto3 finds (AWS_ACCESS_KEY_ID
and AWS_SECRET_ACCESS_KEY, the identity of a virtual machine).
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
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
    closed,
    request_with_retries,
    with_time_limit,
)
from tigerbush.sources.store_errors import (
    changed,
    check_credentials,
    endless,
    explain,
    no_store,
    refuse_redirect,
    settings,
)
from tigerbush.sources.web import Hosts, Web, refusal

_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]*/([0-9]{1,18})")
_HOST = re.compile(r"[A-Za-z0-9:](?:[A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?")
_MD5 = re.compile(r"[0-9a-f]{32}")
# bytes of a file of unknown size
LARGEST = 2_000_000_000
# pages of one listing, of a thousand names; and how many in a row may hold nothing new
MOST_PAGES = 10_000
_EMPTY_PAGES = 100

Result = TypeVar("Result")


@dataclass(frozen=True)
class Object:
    """A listed object: its key, its size in bytes and its ETag without quotes."""

    key: str
    size: int
    etag: str


@dataclass(frozen=True)
class _Page:
    """A page of a listing, and the token that turns it: None on the last, empty where it is missing."""

    objects: list[Object]
    folders: list[str]
    following: str | None


class Store:
    """A bucket of an object store, and whatever whole addresses lead to.

    Parameters
    ----------
    bucket : str, optional
        Where keys that are no whole addresses lie.
    endpoint_url : str, optional
        Address of the store; without it AWS.
    region : str, optional
    anonymous : bool
        Send no credentials.
    requester_pays : bool
    connections : int
        At most so many at once.
    timeout : float
        Seconds without a word.
    tries : int
        Requests for one thing.
    hosts : sequence of str
        Web servers (`host` or `host:port`) that may be asked though they are not public, or without encryption.
    catalogue : str, optional
        Address of the catalogue, whose host may be asked likewise.
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
            # credentials that cannot be used are told now, and not as the fault of a product
            _ = self._client
        self._web = self._open_web()

    def beside(self, catalogue: str) -> "Store":
        """Return the same store, which may also read from the host of a catalogue."""
        other = copy(self)
        other.hosts = replace(self.hosts, home=catalogue)
        other._web = other._open_web()
        return other

    @cached_property
    def _client(self) -> BaseClient:
        _check_endpoint(self._options["endpoint_url"])
        try:
            return with_time_limit(lambda: _client(**self._options))
        except Exception as error:  # of botocore, of programs and files that its configuration names
            raise TigerbushError(settings(error, self.endpoint)) from error

    def _open_web(self) -> Web:
        return Web(self.hosts, public=True, connections=self.connections, timeout=self._timeout)

    def folders(self, prefix: str) -> list[str]:
        """List the folders right below a prefix, as whole prefixes that end in `/`."""
        return [folder for page in self._pages(prefix, "/") for folder in page.folders]

    def objects(self, prefix: str) -> list[Object]:
        """List all objects below a prefix."""
        return [one for page in self._pages(prefix, "") for one in page.objects]

    def first_object(self, prefix: str) -> Object | None:
        """Return one object below a prefix, with one request; None when there is none."""
        page = next(self._pages(prefix, "", MaxKeys=1))
        return next(iter(page.objects), None)

    def size_of(self, key: str) -> int:
        """Return the bytes of an object, by asking for the first; errors are those of `read`."""
        return self._patiently(self.label(key), lambda: self._read(key, "", 1, "bytes=0-0")[2])

    def _pages(self, prefix: str, delimiter: str, **options: int) -> Iterator[_Page]:
        """Yield the pages of a listing, as long as there is something new on them."""
        label, tokens, empty = f"s3://{self.bucket}/{prefix}", {}, 0
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            ask = partial(self._page, label, prefix, delimiter, **options, **tokens)
            page = self._patiently(label, ask)
            yield page
            if page.following is None:
                return
            names = page.folders + [one.key for one in page.objects]
            # a store may pass over deleted names for a while
            empty = 0 if names else empty + 1
            again = {f"token {page.following}", *(f"name {name}" for name in names[-1:])}
            if not page.following or seen & again or empty > _EMPTY_PAGES:
                break
            seen |= again
            tokens = {"ContinuationToken": page.following}
        raise TigerbushError(endless(label, self.endpoint))

    def _page(self, label: str, prefix: str, delimiter: str, **options: int | str) -> _Page:
        options |= {"Bucket": self.bucket, "Prefix": prefix, "Delimiter": delimiter, **self._payer}
        page = with_time_limit(lambda: self._client.list_objects_v2(**options))
        # what is XML but no listing, as a page to log in
        if "IsTruncated" not in page:
            raise TigerbushError(no_store(label, self.endpoint))
        return _Page(
            [_object(entry) for entry in page.get("Contents") or ()],
            [folder["Prefix"] for folder in page.get("CommonPrefixes") or ()],
            page.get("NextContinuationToken", "") if page["IsTruncated"] else None,
        )

    def read(self, key: str, size: int | None = None, etag: str = "") -> bytes:
        """Read a whole object; accepted when its size, and its checksum where the ETag is one, agree.

        Parameters
        ----------
        key : str
            In the bucket, or a whole address.
        size : int, optional
            Expected bytes.
        etag : str
            Expected ETag, empty when it is not known.

        Raises
        ------
        TigerbushError
            When it is not there, not allowed, or another one than was listed.
        RemoteError
            When all tries failed by trouble that may pass.
        """

        def whole() -> bytes:
            content, *_ = self._read(key, etag, LARGEST if size is None else size)
            check_content(self.label(key), content, size, etag)
            return content

        return self._patiently(self.label(key), whole)

    def pieces(self, key: str, etag: str) -> Iterator[bytes]:
        """Yield a whole object of the store piece by piece, with one try; nothing is compared."""
        label = self._address(key)
        pieces = self._patiently(label, lambda: self._ask(label, etag)[0], 1)
        while piece := self._patiently(label, lambda: next(pieces, None), 1):
            yield piece

    def read_range(self, key: str, start: int, length: int, size: int, etag: str = "") -> bytes:
        """Read `length` bytes from `start` of an object of `size` bytes; errors are those of `read`."""
        label = self.label(key)

        def part() -> bytes:
            content, first, total = self._read(key, etag, length, f"bytes={start}-{start + length - 1}")
            if total != size:
                raise TigerbushError(changed(label, f"has {total} bytes, the table says {size}"))
            if first != start:
                raise RemoteError(f"{label}: bytes from {first} came, from {start} were asked for")
            if len(content) != length:
                raise RemoteError(f"{label}: {len(content)} of {length} bytes came")
            return content

        return self._patiently(label, part)

    def label(self, key: str) -> str:
        """Return the whole address of a key."""
        return key if "://" in key else f"s3://{self.bucket}/{key}"

    def _address(self, key: str) -> str:
        if not is_address(key):
            raise TigerbushError(f"{key[:120]!r} is not the key of an object; run ./tigerbush discover.")
        return self.label(key)

    def _read(self, key: str, etag: str, most: int, part: str | None = None) -> tuple[bytes, int, int]:
        """Return what one request gives (`most` bytes and one at most), where it begins, and the size of the object."""
        address = self._address(key)
        if address.startswith("s3://"):
            pieces, begin, total = self._ask(address, etag, part)
            content = []
            while sum(map(len, content)) <= most and (piece := next(pieces, None)):
                content.append(piece)
            pieces.close()
            return b"".join(content)[: most + 1], begin, total
        # bytes as they are stored
        headers = {"Accept-Encoding": "identity"} | _headers(etag, part)
        answer = self._web.request("GET", address, headers=headers, most=most)
        if answer.status == requests.codes.precondition_failed:
            raise TigerbushError(changed(address, "is another one"))
        if answer.status not in {200, 206} or answer.headers.get("Content-Type", "").startswith("text/html"):
            raise refusal(answer, address)
        length = answer.headers.get("Content-Length", "")
        whole = int(length) if length.isdecimal() else len(answer.content)
        return answer.content, *_place(answer.headers.get("Content-Range"), whole)

    def _ask(self, address: str, etag: str, part: str | None = None) -> tuple[Iterator[bytes], int, int]:
        """Return an object of the store piece by piece, where in it they begin, and its size."""
        bucket, _, name = address.removeprefix("s3://").partition("/")
        options = {"Bucket": bucket, "Key": name, **self._payer}
        options |= {header.replace("-", ""): value for header, value in _headers(etag, part).items()}
        answer = with_time_limit(lambda: self._client.get_object(**options))
        # a store may take metadata for a page, but knows the object
        known = _etag(answer.get("ETag", ""))
        if answer.get("ContentType", "").startswith("text/html") and (known != etag if etag else not known):
            raise TigerbushError(no_store(address, self.endpoint))
        return _pieces(answer["Body"]), *_place(answer.get("ContentRange"), answer["ContentLength"])

    def _patiently(self, label: str, request: Callable[[], Result], tries: int | None = None) -> Result:
        """Return what a request gives; trouble that may pass is waited for, longer from time to time."""
        return request_with_retries(
            request, lambda error: explain(error, label, self.endpoint), tries or self._tries
        )


def _headers(etag: str, part: str | None) -> dict[str, str]:
    return ({"If-Match": f'"{etag}"'} if etag else {}) | ({"Range": part} if part else {})


def _pieces(body: StreamingBody) -> Iterator[bytes]:
    with closed(body):
        while piece := with_time_limit(body.read, CHUNK):
            yield piece


def _object(entry: dict) -> Object:
    if entry["Size"] < 0:
        raise ValueError("size")
    return Object(entry["Key"], entry["Size"], _etag(entry.get("ETag", "")))


def check_content(label: str, content: bytes, size: int | None, etag: str) -> None:
    """Refuse content of another size or checksum than the table says.

    The ETag of an object that was uploaded in one part is its MD5; others (with `-`) are no checksum.

    Raises
    ------
    RemoteError
        Because another try may bring the right bytes.
    """
    if size is not None and len(content) != size:
        raise RemoteError(f"{label}: {len(content)} bytes came, {size} were expected")
    if is_checksum(etag) and hashlib.md5(content, usedforsecurity=False).hexdigest() != etag:
        raise RemoteError(f"{label}: what came differs from the checksum that the store gives")


def is_checksum(etag: str) -> bool:
    """Tell whether an ETag is the MD5 of the content."""
    return _MD5.fullmatch(etag) is not None


def _client(
    endpoint_url: str | None, region: str | None, anonymous: bool, connections: int, timeout: float
) -> BaseClient:
    # a session of its own: the default one keeps the credentials that it found first
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
            # tries are counted here, not there
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path" if endpoint_url else "auto"},
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register_first("needs-retry.s3.HeadBucket", refuse_redirect)
    credentials = None if anonymous else client._request_signer._credentials
    if credentials:
        # what roles, files and programs of the configuration give is known now
        check_credentials(credentials.get_frozen_credentials())
    return client


def _etag(text: str) -> str:
    """Return an ETag without quotes; what is none of plain characters is not known."""
    return text.strip('"') if re.fullmatch('"?[A-Za-z0-9-]{1,200}"?', text) else ""


def _place(content_range: str | None, length: int) -> tuple[int, int]:
    """Return where an answer begins and the size of the object, from `bytes 0-9/100`."""
    match = _RANGE.fullmatch(content_range or "")
    return (int(match[1]), int(match[2])) if match else (0, length)


def _check_endpoint(url: str | None) -> None:
    """Refuse what botocore would make a riddle of."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or "@" in parts.netloc:
        raise TigerbushError(
            f"{url.rpartition('@')[2][:120]!r} is no address of an object store; expected http(s)://host, perhaps with "
            ":port, as source.endpoint_url or --endpoint-url."
        )
