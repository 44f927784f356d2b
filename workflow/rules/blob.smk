"""Access to results on a disk or in Blob storage, with as few requests as possible.

Snakemake's plugin checks the container before each blob and lists what may be below it, although no result of this workflow
is a folder: up to four requests where one is enough. Every process of a run reads this file.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from snakemake.logging import logger
from snakemake_interface_storage_plugins.io import Mtime

# suffix of a record, the file that says why a product could not be read again
RECORD = from_library("files").RECORD
# default storage prefix of the run; None when results are on a disk
STORED = (workflow.storage_settings.default_storage_prefix or "").rstrip("/") or None


def in_blob_storage():
    return workflow.storage_settings.default_storage_provider == "azure"


if in_blob_storage():
    from azure.core.exceptions import AzureError
    from snakemake_storage_plugin_azure import StorageObject

    # The plugin retries refused requests for minutes and then names a Future only: RetryError[<Future at ...>].
    for name in ("mtime", "size", "retrieve_object", "remove"):

        @wrap_method(StorageObject, name)
        def request_blob(original, blob):
            return call_blob_storage(lambda: original.__wrapped__(blob), blob.container_name)

    @wrap_method(StorageObject, "exists")
    def blob_exists(original, blob):
        """Make one request; a blob does not exist without its container either."""
        return call_blob_storage(blob.blob_client().exists, blob.container_name)

    @wrap_method(StorageObject, "is_dir")
    def is_no_folder(original, blob):
        return False

    @wrap_method(StorageObject, "store_object")
    def upload_blob(original, blob):
        """Upload, but create no container, since a mistyped one would be created silently."""
        if blob.local_path().suffix == ".zip" and not blob.local_path().stat().st_size:
            # it stands for a bundle to which nothing was added
            return
        call_blob_storage(
            lambda: blob.upload_blob_to_storage(blob.local_path(), blob.blob_path), blob.container_name
        )


def blob_service():
    return workflow.storage_registry.default_storage_provider.bsc


def call_blob_storage(request, container_name):
    """Make a request to Blob storage: transient errors are retried, at most three attempts; others become a sentence."""

    def sentence_of(error):
        return from_library("runs.blob_errors").sentence(error, blob_service(), container_name)

    def warn(error, seconds, number):
        logger.warning(f"Retrying a request to Blob storage: {sentence_of(error)}")

    try:
        return from_library("sources.retries").call_with_retries(
            request,
            tries=3,
            wait=lambda error, attempt: 3 * 2 ** (attempt - 1),
            is_transient=lambda error: from_library("runs.blob_errors").is_transient(error),
            on_retry=warn,
        )
    except AzureError as error:
        raise WorkflowError(sentence_of(error)) from None


@lru_cache(maxsize=1)
def stored_blobs():
    """Return the blobs of this run by address, from one listing; None when results are not in Blob storage."""
    if not in_blob_storage():
        return None
    container_name, _, name = STORED.removeprefix("az://").partition("/")
    client = blob_service().get_container_client(container_name)
    return call_blob_storage(
        lambda: {
            f"az://{container_name}/{blob.name}": blob
            for blob in client.list_blobs(name_starts_with=f"{name}/" if name else None)
        },
        container_name,
    )


def has_checksum(file, content):
    blob = stored_blobs().get(file.storage_object.query)
    settings = blob and blob.content_settings
    return (
        settings
        and bytes(settings.content_md5 or b"")
        == hashlib.md5(content.encode(), usedforsecurity=False).digest()
    )


def address_in_results(file):
    """Return the path of an output relative to the working directory or the storage prefix."""
    return file.storage_object.query.removeprefix(f"{STORED}/") if file.is_storage else str(file)


def read_result(path):
    """Return the text of a result; KeyError or FileNotFoundError when it does not exist."""
    if not in_blob_storage():
        return Path(path).read_text()
    blob = stored_blobs()[f"{STORED}/{path}"]
    client = blob_client(blob.container, blob.name)
    return call_blob_storage(lambda: client.download_blob(encoding="utf-8").readall(), blob.container)


def read_blob(path):
    """Return the content of a result in Blob storage as it is now; an empty text if it does not exist."""
    from azure.core.exceptions import ResourceNotFoundError

    container_name, _, name = f"{STORED}/{path}".removeprefix("az://").partition("/")

    def read():
        try:
            return blob_client(container_name, name).download_blob(encoding="utf-8").readall()
        except ResourceNotFoundError:
            return ""

    return call_blob_storage(read, container_name)


def upload_records(job):
    """Upload the records of products that could not be read again (`tigerbush.placeholder`)."""
    if not in_blob_storage():
        return
    for file in (*job.input, *job.output):
        for record in Path(file).parent.glob(f"*{RECORD}") if file.is_storage else ():
            write_result(f"{Path(address_in_results(file)).parent}/{record.name}", record.read_text())
            record.unlink()


def write_result(path, content):
    """Write a result that is not an output of a job, to the disk or to Blob storage."""
    if not in_blob_storage():
        write_text(Path(path), content)
    else:
        container_name, _, name = f"{STORED}/{path}".removeprefix("az://").partition("/")
        client = blob_client(container_name, name)
        call_blob_storage(lambda: client.upload_blob(content, overwrite=True), container_name)


def blob_client(container_name, name):
    return blob_service().get_blob_client(container_name, name)


def write_text(path, content):
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(content)
    temporary.replace(path)


def fill_inventory(dag):
    """Fill Snakemake's cache from the listing of Blob storage, which saves several requests per file."""
    prefix = f"{STORED}/"
    cache = workflow.iocache
    for job in dag.jobs:
        for file in (*job.input, *job.output, *job.log, *([job.benchmark] if job.benchmark else [])):
            if (
                file.is_storage
                and file.storage_object.query.startswith(prefix)
                and file not in cache.exists_in_storage
            ):
                blob = stored_blobs().get(file.storage_object.query)
                cache.exists_in_storage[file] = blob is not None
                if blob is not None:
                    cache.mtime[file] = Mtime(storage=blob.last_modified.timestamp())
                    cache.size[file] = blob.size
