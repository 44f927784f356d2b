"""Storage of results: a folder, an object store, Blob storage. Each lists its files and reads one of them."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tigerbush.errors import MachineError, RemoteError, TigerbushError, machine_fault
from tigerbush.planning.addresses import KEY
from tigerbush.planning.credentials import refuse_credentials
from tigerbush.sources.retries import CHUNK, TIMEOUT_SECONDS, request_with_retries, with_time_limit
from tigerbush.sources.store import MOST_PAGES, Store, is_checksum
from tigerbush.sources.store_errors import endless
from tigerbush.sources.web import tls_trouble

# of one request to Blob storage: four at a time, which the SDK keeps twice, are well below 64 MB
_BLOCK = 2 * CHUNK
# answers of Blob storage after which retrying may help
_TRANSIENT = {408, 429, 500, 502, 503, 504}
_CONTAINER = r"[a-z0-9](?:-?[a-z0-9]){2,62}"
# the part of an address below the container; it leads nowhere else
_PREFIX = rf"(?:/(?P<prefix>{KEY.pattern}))?/?"


@dataclass(frozen=True)
class Item:
    """A file among results.

    Attributes
    ----------
    name : str
        Path in the storage.
    size : int
        Bytes.
    tag : str
        Changes when the file does.
    md5 : str
        Of the content, in hexadecimal digits; empty where the storage keeps none.
    left_out : str
        Why the file is left out, if it is.
    """

    name: str
    size: int
    tag: str
    md5: str = ""
    left_out: str = ""


class Storage(Protocol):
    """A storage of results."""

    def items(self) -> Iterator[Item]:
        """List the files."""

    def pieces(self, item: Item) -> Iterator[bytes]:
        """Yield the content of a file piece by piece, without retries, unless it has changed since it was listed."""


class Folder:
    """The working directory of a run on a disk; links below its folder `results` are not followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "results").is_dir():
            raise TigerbushError(f"{path} has no folder `results`; name the working directory of a run.")

    def items(self) -> Iterator[Item]:
        """List the files below `results`, without hidden ones, which are incomplete."""

        def unreadable(error: OSError) -> None:
            raise TigerbushError(f"{error.filename}: {error.strerror}; fix that and start again.") from error

        for folder, folders, files in os.walk(self.path / "results", onerror=unreadable):
            links = [name for name in folders if Path(folder, name).is_symlink()]
            # in alphabetical order
            folders.sort()
            for name in sorted(files + links):
                if not name.startswith("."):
                    yield self._item(Path(folder, name))

    def _item(self, path: Path) -> Item:
        name, status = path.relative_to(self.path).as_posix(), path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return Item(name, 0, "", left_out="because they are links or special files")
        return Item(name, status.st_size, str(status.st_mtime_ns))

    def pieces(self, item: Item) -> Iterator[bytes]:
        """Yield the content of a file, unless it has changed since it was listed."""
        path = self.path / item.name
        root = (self.path / "results").resolve()
        inside = path.resolve() == root / item.name.removeprefix("results/")
        try:
            if not inside or self._item(path) != item:
                raise TigerbushError(
                    f"{item.name} has changed meanwhile; start again, files already pulled are kept."
                )
            yield from read_pieces(path)
        except OSError as error:
            raise TigerbushError(f"{path}: {error.strerror}; fix that and start again.") from error


class Bucket:
    """A prefix of an S3 bucket, with the credentials of Snakemake's storage plugin or of boto3."""

    def __init__(self, bucket: str, prefix: str, endpoint_url: str | None, region: str | None) -> None:
        self.prefix = f"{prefix}/" if prefix else ""
        self.store = Store(bucket, endpoint_url=endpoint_url, region=region)

    def items(self) -> Iterator[Item]:
        """List the objects below the prefix."""
        for entry in self.store.objects(self.prefix):
            # the ETag of a multipart upload is not a checksum
            md5 = entry.etag if is_checksum(entry.etag) else ""
            yield Item(entry.key.removeprefix(self.prefix), entry.size, entry.etag, md5)

    def pieces(self, item: Item) -> Iterator[bytes]:
        """Yield an object piece by piece, unless it has changed since it was listed."""
        return self.store.pieces(self.prefix + item.name, item.tag)


class Container:
    """A prefix of a Blob container.

    Access is by the identity of the caller, or by AZURITE_CONNECTION_STRING, which the storage plugin uses, too.
    """

    def __init__(self, container: str, prefix: str, account: str | None) -> None:
        # slow to import, and only needed here
        from azure.identity import DefaultAzureCredential
        from azure.storage.blob import BlobServiceClient

        self.prefix = f"{prefix}/" if prefix else ""
        self.address = f"az://{container}"
        options = {
            # retries are made here, not by the SDK
            "retry_total": 0,
            "connection_timeout": TIMEOUT_SECONDS,
            "read_timeout": TIMEOUT_SECONDS,
            "max_single_get_size": _BLOCK,
            "max_chunk_get_size": _BLOCK,
        }
        try:
            if text := os.environ.get("AZURITE_CONNECTION_STRING"):
                service = BlobServiceClient.from_connection_string(text, **options)
            else:
                url = f"https://{account or _account()}.blob.core.windows.net"
                service = BlobServiceClient(url, credential=DefaultAzureCredential(), **options)
        except ValueError:
            # the reason may contain a key
            raise TigerbushError(
                "AZURITE_CONNECTION_STRING is not a connection string; correct or unset it."
            ) from None
        self.client = service.get_container_client(container)

    def items(self) -> Iterator[Item]:
        """List the blobs below the prefix."""
        token, seen = None, set()
        for _ in range(MOST_PAGES):
            page, token = request_with_retries(
                lambda token=token: with_time_limit(self._page, token), self._error
            )
            yield from page
            if not token:
                return
            if token in seen:
                break
            seen.add(token)
        raise TigerbushError(endless(f"{self.address}/{self.prefix}", "Blob storage"))

    def _page(self, token: str | None) -> tuple[list[Item], str | None]:
        pages = self.client.list_blobs(name_starts_with=self.prefix or None).by_page(token)
        items = []
        for blob in next(pages, ()):
            md5 = bytes(blob.content_settings.content_md5 or b"").hex()
            items.append(Item(blob.name.removeprefix(self.prefix), blob.size, blob.etag.strip('"'), md5))
        return items, pages.continuation_token

    def pieces(self, item: Item) -> Iterator[bytes]:
        """Yield a blob piece by piece, unless it has changed since it was listed."""
        from azure.core import MatchConditions

        condition = {"etag": f'"{item.tag}"', "match_condition": MatchConditions.IfNotModified}
        try:
            blob = with_time_limit(lambda: self.client.download_blob(self.prefix + item.name, **condition))
            pieces = blob.chunks()
            while piece := with_time_limit(lambda: next(pieces, None)):
                yield piece
        except Exception as error:  # of the SDK, its parsers and its transport
            raise self._error(error, item.name) from None

    def _error(self, error: Exception, name: str = "") -> TigerbushError | RemoteError | MachineError:
        from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError

        if fault := machine_fault(error):
            return MachineError(fault)
        where, status = f"{self.address}/{self.prefix}{name}", getattr(error, "status_code", None)
        if tls_error := tls_trouble(error, "Blob storage", "REQUESTS_CA_BUNDLE"):
            return TigerbushError(f"{where}: {tls_error}")
        # of a parser, whatever its type
        if not isinstance(error, (AzureError, OSError)):
            return TigerbushError(
                f"{where}: the answer is not from Blob storage (perhaps a login page); check --account and "
                "AZURITE_CONNECTION_STRING."
            )
        if getattr(error, "error_code", None) == "BlobArchived":
            return TigerbushError(f"{where} is in the archive tier; rehydrate it there, then start again.")
        advice = {
            404: "check the name of the container",
            403: "the caller needs the role Storage Blob Data Reader",
            412: "it has changed meanwhile; start again, files already pulled are kept",
        }.get(status, "check --account and 'az login', or try again; files already pulled are kept")
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        transient = (
            isinstance(error, (OSError, ServiceRequestError, ServiceResponseError)) or status in _TRANSIENT
        )
        return (RemoteError if transient else TigerbushError)(f"{where}: {reason}; {advice}.")


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield the content of a file piece by piece; links are not followed, and a pipe does not block."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(number, "rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def open_storage(
    address: str, *, account: str | None = None, endpoint_url: str | None = None, region: str | None = None
) -> Storage:
    """Open the storage that an address names.

    Parameters
    ----------
    address : str
        az://container/run, s3://bucket/prefix, or a folder.
    account : str, optional
        Storage account of a container; by default the one in config/azure.yaml.
    endpoint_url, region : str, optional
        Of an object store other than AWS.

    Raises
    ------
    TigerbushError
        When the address is none of these.
    """
    refuse_credentials(address, "the address of results")
    refuse_credentials(endpoint_url, "--endpoint-url")
    if match := re.fullmatch(rf"az://(?P<name>{_CONTAINER}){_PREFIX}", address):
        return Container(match["name"], match["prefix"] or "", account)
    if match := re.fullmatch(rf"s3://(?P<name>[a-z0-9][a-z0-9.-]{{1,62}}){_PREFIX}", address):
        return Bucket(match["name"], match["prefix"] or "", endpoint_url, region)
    if "://" in address:
        raise TigerbushError(
            f"{address!r} is not an address of results; expected az://container/run or s3://bucket/run."
        )
    return Folder(Path(address))


def _account() -> str:
    """Return the storage account that config/azure.yaml names."""
    from tigerbush_azure import AccountError, read_account

    try:
        return read_account().storage_account
    except AccountError as error:
        raise TigerbushError(f"{error} Or use --account.") from None
