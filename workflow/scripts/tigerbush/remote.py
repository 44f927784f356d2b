"""Object stores and web servers: one way to ask, to try again, and to say what went wrong.

Credentials come from the environment or the platform's identity, by the same rules as those of Snakemake's
storage plugin: SNAKEMAKE_STORAGE_S3_ACCESS_KEY and _SECRET_KEY, else what boto3 finds (AWS_ACCESS_KEY_ID
and AWS_SECRET_ACCESS_KEY, the identity of a virtual machine).
"""

import hashlib
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import boto3
import botocore
import requests
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.store_trouble import TROUBLE, changed, explain, no_store
from tigerbush.web import Hosts, Web, refusal

# Requests for one thing, and the wait after the first; it doubles from one to the next.
TRIES = 5
WAIT_SECONDS = 0.5
# the longest wait that a server may ask for (quotas are counted by the minute)
LONGEST_WAIT_SECONDS = 60
TIMEOUT_SECONDS = 20
# What stands in a table and reaches a server or a path: ASCII, no folder that leads upwards or nowhere.
KEY = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9_.=+-]+(?:/[A-Za-z0-9_.=+-]+)*")
ADDRESS = re.compile(r"(?:s3|https?)://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/(?P<key>.+)")
LONGEST_KEY = 1024
_MD5 = re.compile(r"[0-9a-f]{32}")
# bytes of a file of unknown size
LARGEST = 2_000_000_000

Result = TypeVar("Result")


@dataclass(frozen=True)
class Object:
    """A listed object: its key, its size in bytes and its ETag without quotes."""

    key: str
    size: int
    etag: str


def is_address(key: str) -> bool:
    """Tell whether a text is an object's key or a whole address, of plain characters, that leads nowhere else."""
    match = ADDRESS.fullmatch(key)
    return len(key) <= LONGEST_KEY and KEY.fullmatch(match["key"] if match else key) is not None


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
        Seconds without an answer.
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
        try:
            return _client(**self._options)
        except BotoCoreError as error:
            raise TigerbushError(
                f"{self.endpoint} cannot be asked with the settings of the environment ({_first_line(error)}); set "
                "both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or both SNAKEMAKE_STORAGE_S3_ACCESS_KEY and "
                "_SECRET_KEY, and check AWS_PROFILE."
            ) from error

    def _open_web(self) -> Web:
        return Web(self.hosts, public=True, connections=self.connections, timeout=self._timeout)

    def folders(self, prefix: str) -> list[str]:
        """List the folders right below a prefix, as whole prefixes that end in `/`."""
        return [
            folder["Prefix"]
            for page in self._pages(prefix, "/")
            for folder in page.get("CommonPrefixes") or ()
        ]

    def objects(self, prefix: str) -> list[Object]:
        """List all objects below a prefix."""
        return [_object(entry) for page in self._pages(prefix, "") for entry in page.get("Contents") or ()]

    def first_object(self, prefix: str) -> Object | None:
        """Return one object below a prefix, with one request; None when there is none."""
        page = next(self._pages(prefix, "", MaxKeys=1))
        return next(map(_object, page.get("Contents") or ()), None)

    def size_of(self, key: str) -> int:
        """Return the bytes of an object, by asking for the first; errors are those of `read`."""
        return self._patiently(self.label(key), lambda: self._get(key, "", {"Range": "bytes=0-0"}, 1)[1])

    def _pages(self, prefix: str, delimiter: str, **options: int) -> Iterator[dict]:
        label, token, seen = f"s3://{self.bucket}/{prefix}", {}, set()
        while True:
            page = self._patiently(
                label,
                lambda token=token: self._client.list_objects_v2(
                    Bucket=self.bucket, Prefix=prefix, Delimiter=delimiter, **options, **token, **self._payer
                ),
            )
            # what is XML but no listing, as a page to log in
            if "IsTruncated" not in page:
                raise TigerbushError(no_store(label, self.endpoint))
            yield page
            if not page["IsTruncated"]:
                return
            following = page.get("NextContinuationToken")
            if following is None or following in seen:
                raise TigerbushError(
                    f"{label}: {self.endpoint} says that its listing goes on, but gives the same page again or none; "
                    "try again later, or ask who runs it."
                )
            seen.add(following)
            token = {"ContinuationToken": following}

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
            content, _ = self._get(key, etag, {}, LARGEST if size is None else size)
            check_content(self.label(key), content, size, etag)
            return content

        return self._patiently(self.label(key), whole)

    def read_range(self, key: str, start: int, length: int, size: int, etag: str = "") -> bytes:
        """Read `length` bytes from `start` of an object of `size` bytes; errors are those of `read`."""
        label = self.label(key)

        def part() -> bytes:
            content, total = self._get(key, etag, {"Range": f"bytes={start}-{start + length - 1}"}, length)
            if total != size:
                raise TigerbushError(changed(label, f"has {total} bytes, the table says {size}"))
            if len(content) != length:
                raise RemoteError(f"{label}: {len(content)} of {length} bytes came")
            return content

        return self._patiently(label, part)

    def label(self, key: str) -> str:
        """Return the whole address of a key."""
        return key if "://" in key else f"s3://{self.bucket}/{key}"

    def _get(self, key: str, etag: str, headers: dict[str, str], most: int) -> tuple[bytes, int]:
        """Return what one request gives (of a web server `most` bytes and one at most), and the size of the object."""
        if not is_address(key):
            raise TigerbushError(f"{key[:120]!r} is not the key of an object; run ./tigerbush discover.")
        address = self.label(key)
        if etag:
            headers = {**headers, "If-Match": f'"{etag}"'}
        if address.startswith("s3://"):
            bucket, _, name = address.removeprefix("s3://").partition("/")
            options = {name.replace("-", ""): value for name, value in headers.items()}
            answer = self._client.get_object(Bucket=bucket, Key=name, **options, **self._payer)
            with answer["Body"] as body:
                return body.read(), _total(answer.get("ContentRange"), answer["ContentLength"])
        # bytes as they are stored
        answer = self._web.request(
            "GET", address, headers={**headers, "Accept-Encoding": "identity"}, most=most
        )
        if answer.status == requests.codes.precondition_failed:
            raise TigerbushError(changed(address, "is another one"))
        if answer.status not in {200, 206} or answer.headers.get("Content-Type", "").startswith("text/html"):
            raise refusal(answer, address)
        length = answer.headers.get("Content-Length", "")
        whole = int(length) if length.isdecimal() else len(answer.content)
        return answer.content, _total(answer.headers.get("Content-Range"), whole)

    def _patiently(self, label: str, request: Callable[[], Result]) -> Result:
        """Return what a request gives; trouble that may pass is waited for, longer from time to time."""
        for attempt in range(self._tries):
            try:
                return request()
            except TROUBLE as error:
                trouble = explain(error, label, self.endpoint)
                if isinstance(trouble, TigerbushError) or attempt + 1 == self._tries:
                    raise trouble from error
                time.sleep(_wait(error, attempt))
        raise AssertionError("not reached")


def _object(entry: dict) -> Object:
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
    return boto3.session.Session().client(
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


def _etag(text: str) -> str:
    """Return an ETag without quotes; what is none of plain characters is not known."""
    return text.strip('"') if re.fullmatch('"?[A-Za-z0-9-]{1,200}"?', text) else ""


def _total(content_range: str | None, length: int) -> int:
    """Return the size of an object from `bytes 0-9/100`."""
    total = (content_range or "").rpartition("/")[2]
    return int(total) if total.isdecimal() else length


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")[:200]


def _wait(error: Exception, attempt: int) -> float:
    """Return the seconds to wait: doubled each time, with a jitter so that jobs do not come back together."""
    # S311: no secret is made of it
    wait = WAIT_SECONDS * 2**attempt * (0.75 + random.random() / 2)  # noqa: S311
    headers = getattr(error, "headers", None) or {}
    if isinstance(error, ClientError):
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    asked = str(headers.get("retry-after", ""))
    return min(max(wait, int(asked)), LONGEST_WAIT_SECONDS) if asked.isdecimal() else wait
