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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import boto3
import botocore
import urllib3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from tigerbush.errors import RemoteError, TigerbushError

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
_KEYS_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "TokenRefreshRequired",
}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_PASSING = {"RequestTimeout", "SlowDown", "TooManyRequests", "Throttling", "ThrottlingException"}

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
    ) -> None:
        self.bucket = bucket
        self.endpoint = endpoint_url or "AWS"
        self.connections = connections
        self._timeout = timeout
        self._tries = tries
        self._payer = {"RequestPayer": "requester"} if requester_pays else {}
        self._client = _client(endpoint_url, region, anonymous, connections, timeout)
        self._http = urllib3.PoolManager(maxsize=connections, block=True, retries=False)

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
        return self._patiently(self.label(key), lambda: self._get(key, "", {"Range": "bytes=0-0"})[1])

    def _pages(self, prefix: str, delimiter: str, **options: int) -> Iterator[dict]:
        token = {}
        while True:
            page = self._patiently(
                f"s3://{self.bucket}/{prefix}",
                lambda token=token: self._client.list_objects_v2(
                    Bucket=self.bucket, Prefix=prefix, Delimiter=delimiter, **options, **token, **self._payer
                ),
            )
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

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
            content, _ = self._get(key, etag, {})
            check_content(self.label(key), content, size, etag)
            return content

        return self._patiently(self.label(key), whole)

    def read_range(self, key: str, start: int, length: int, size: int, etag: str = "") -> bytes:
        """Read `length` bytes from `start` of an object of `size` bytes; errors are those of `read`."""
        label = self.label(key)

        def part() -> bytes:
            content, total = self._get(key, etag, {"Range": f"bytes={start}-{start + length - 1}"})
            if total != size:
                raise TigerbushError(_changed(label, f"has {total} bytes, the table says {size}"))
            if len(content) != length:
                raise RemoteError(f"{label}: {len(content)} of {length} bytes came")
            return content

        return self._patiently(label, part)

    def label(self, key: str) -> str:
        """Return the whole address of a key."""
        return key if "://" in key else f"s3://{self.bucket}/{key}"

    def _get(self, key: str, etag: str, headers: dict[str, str]) -> tuple[bytes, int]:
        """Return what one request gives, and the size of the whole object."""
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
        answer = self._http.request("GET", address, headers=headers, timeout=self._timeout)
        if answer.status not in {200, 206}:
            raise ClientError(
                {
                    "Error": {"Code": str(answer.status)},
                    "ResponseMetadata": {"HTTPStatusCode": answer.status, "HTTPHeaders": answer.headers},
                },
                "GET",
            )
        return answer.data, _total(answer.headers.get("Content-Range"), len(answer.data))

    def _patiently(self, label: str, request: Callable[[], Result]) -> Result:
        """Return what a request gives; trouble that may pass is waited for, longer from time to time."""
        for attempt in range(self._tries):
            try:
                return request()
            except (BotoCoreError, ClientError, urllib3.exceptions.HTTPError, RemoteError) as error:
                trouble = self._explain(error, label)
                if isinstance(trouble, TigerbushError) or attempt + 1 == self._tries:
                    raise trouble from error
                time.sleep(_wait(error, attempt))
        raise AssertionError("not reached")

    def _explain(self, error: Exception, label: str) -> TigerbushError | RemoteError:
        """Return the sentence for the user; its class says whether another try may help."""
        if isinstance(error, RemoteError):
            return error
        if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
            return TigerbushError(
                f"{label}: there are no credentials for {self.endpoint}; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY in the environment, or source.anonymous: true for a public bucket."
            )
        if isinstance(error, ParamValidationError):
            return TigerbushError(f"{label} is no address of an object; check source.bucket.")
        if not isinstance(error, ClientError):
            return RemoteError(
                f"{label}: {self.endpoint} did not answer, or not to the end ({type(error).__name__})"
            )
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        # not the server's message, which may repeat the key
        code = re.sub(r"[^A-Za-z0-9]", "", str(error.response.get("Error", {}).get("Code", "")))[:60]
        if status == 429 or status >= 500 or code in _PASSING:
            return RemoteError(f"{label}: {self.endpoint} is overloaded or down ({status} {code})")
        return TigerbushError(self._refusal(label, status, code))

    def _refusal(self, label: str, status: int, code: str) -> str:
        if code == "NoSuchBucket":
            return (
                f"{label}: {self.endpoint} has no such bucket; check source.bucket and source.endpoint_url."
            )
        if code == "RequestTimeTooSkewed":
            return f"{label}: the clock of this machine differs from that of {self.endpoint}; set it."
        if code in _KEYS_REFUSED:
            return (
                f"{label}: {self.endpoint} does not accept the credentials ({code}); renew the keys in the "
                "environment, then run ./tigerbush retry."
            )
        if code in _ELSEWHERE or status in {301, 307}:
            return f"{label}: the bucket lies in another region; set source.region."
        if status in {401, 403}:
            return (
                f"{label}: {self.endpoint} allows no access ({code}); check the keys in the environment, "
                "source.bucket, source.anonymous and source.requester_pays, then run ./tigerbush retry."
            )
        if status == 404:
            return (
                f"{label} is not there (any more); check source.bucket, run ./tigerbush discover, then "
                "./tigerbush retry."
            )
        if status == 412:
            return _changed(label, "is another one")
        return f"{label}: {self.endpoint} refuses the request ({status} {code}); check source.*."


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


def _wait(error: Exception, attempt: int) -> float:
    """Return the seconds to wait: doubled each time, with a jitter so that jobs do not come back together."""
    # S311: no secret is made of it
    wait = WAIT_SECONDS * 2**attempt * (0.75 + random.random() / 2)  # noqa: S311
    response = getattr(error, "response", None) or {}
    asked = str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", ""))
    return min(max(wait, int(asked)), LONGEST_WAIT_SECONDS) if asked.isdecimal() else wait


def _changed(label: str, what: str) -> str:
    return (
        f"{label} {what}: it has changed since it was listed; take the product's line out of the table of "
        "products, run ./tigerbush discover, then ./tigerbush retry."
    )
