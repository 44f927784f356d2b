"""Where results are: a folder, an object store, Blob storage. Each lists what it has and reads one file of it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tigerbush.cli.credentials import refuse_credentials
from tigerbush.errors import TigerbushError
from tigerbush.remote import KEY, Store, is_checksum

_CONTAINER = r"[a-z0-9](?:-?[a-z0-9]){2,62}"
# a part of an address that leads nowhere else
_PREFIX = rf"(?:/(?P<prefix>{KEY.pattern}))?/?"


@dataclass(frozen=True)
class Item:
    """A file among results.

    Attributes
    ----------
    name : str
        Below the place.
    size : int
        Bytes.
    tag : str
        Changes when the file does.
    md5 : str
        Of the content, in hexadecimal digits; empty where the place keeps none.
    """

    name: str
    size: int
    tag: str
    md5: str = ""


class Place(Protocol):
    """A place with results."""

    def items(self) -> Iterator[Item]:
        """List the files."""

    def read(self, item: Item) -> bytes:
        """Return the content of a file as it was listed; another one is refused."""


class Folder:
    """The working directory of a run on a disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "results").is_dir():
            raise TigerbushError(f"{path} has no folder results; name the working directory of a run.")

    def items(self) -> Iterator[Item]:
        """List the files below `results`; hidden ones are half-written."""
        for path in sorted((self.path / "results").rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                status = path.stat()
                name = path.relative_to(self.path).as_posix()
                yield Item(name, status.st_size, str(status.st_mtime_ns))

    def read(self, item: Item) -> bytes:
        """Return the content of a file."""
        content = (self.path / item.name).read_bytes()
        return _same_size(item, content)


class Bucket:
    """A prefix of an S3 bucket; credentials are those of Snakemake's storage plugin or of boto3."""

    def __init__(self, bucket: str, prefix: str, endpoint_url: str | None, region: str | None) -> None:
        self.prefix = f"{prefix}/" if prefix else ""
        self.store = Store(bucket, endpoint_url=endpoint_url, region=region)

    def items(self) -> Iterator[Item]:
        """List the objects below the prefix."""
        for one in self.store.objects(self.prefix):
            # an upload in several parts has another kind of ETag
            md5 = one.etag if is_checksum(one.etag) else ""
            yield Item(one.key.removeprefix(self.prefix), one.size, one.etag, md5)

    def read(self, item: Item) -> bytes:
        """Return an object, if it is still the one that was listed."""
        return self.store.read(self.prefix + item.name, item.size, item.tag)


class Container:
    """A prefix of a Blob container.

    Access is the caller's identity, or AZURITE_CONNECTION_STRING, which the storage plugin takes, too.
    """

    def __init__(self, container: str, prefix: str, account: str | None) -> None:
        # slow to import, and only needed here
        from azure.identity import DefaultAzureCredential
        from azure.storage.blob import BlobServiceClient

        self.prefix = f"{prefix}/" if prefix else ""
        self.address = f"az://{container}"
        if text := os.environ.get("AZURITE_CONNECTION_STRING"):
            service = BlobServiceClient.from_connection_string(text)
        else:
            url = f"https://{account or _account()}.blob.core.windows.net"
            service = BlobServiceClient(url, credential=DefaultAzureCredential())
        self.client = service.get_container_client(container)

    def items(self) -> Iterator[Item]:
        """List the blobs below the prefix."""
        from azure.core.exceptions import AzureError

        try:
            for blob in self.client.list_blobs(name_starts_with=self.prefix or None):
                md5 = bytes(blob.content_settings.content_md5 or b"").hex()
                yield Item(blob.name.removeprefix(self.prefix), blob.size, blob.etag.strip('"'), md5)
        except AzureError as error:
            raise self._sentence(error) from None

    def read(self, item: Item) -> bytes:
        """Return a blob, if it is still the one that was listed."""
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError

        try:
            blob = self.client.download_blob(
                self.prefix + item.name, etag=f'"{item.tag}"', match_condition=MatchConditions.IfNotModified
            )
            return _same_size(item, blob.readall())
        except AzureError as error:
            raise self._sentence(error, item.name) from None

    def _sentence(self, error: Exception, name: str = "") -> TigerbushError:
        status = getattr(error, "status_code", None)
        advice = {
            404: "check the name of the container",
            403: "the caller needs the role Storage Blob Data Reader",
            412: "it changed meanwhile; start again, what is here is kept",
        }.get(status, "check --account and 'az login', or try again; what is here is kept")
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return TigerbushError(f"{self.address}/{self.prefix}{name}: {reason.rstrip('.')}; {advice}.")


def open_place(
    address: str, *, account: str | None = None, endpoint_url: str | None = None, region: str | None = None
) -> Place:
    """Open what an address names.

    Parameters
    ----------
    address : str
        az://container/run, s3://bucket/prefix, or a folder.
    account : str, optional
        Storage account of a container; else that of config/azure.yaml.
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
            f"{address!r} is no address of results; expected az://container/run or s3://bucket/run."
        )
    return Folder(Path(address))


def _same_size(item: Item, content: bytes) -> bytes:
    if len(content) != item.size:
        raise TigerbushError(f"{item.name} changed meanwhile; start again, what is here is kept.")
    return content


def _account() -> str:
    """Return the storage account that config/azure.yaml names."""
    from tigerbush_azure import AccountError, read_account

    try:
        return read_account().storage_account
    except AccountError as error:
        raise TigerbushError(f"{error} Or give --account.") from None
