"""Results wherever outputs are: on a disk or in Blob storage, which is asked as little as may be.

Snakemake's plugin asks for the container before each blob, and lists what may be below a blob, which no result of this
workflow is a folder for: up to four requests where one tells. Every process of a run reads this.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from snakemake.logging import logger
from snakemake_interface_storage_plugins.io import Mtime

# the end of the name of a record: why a product could not be read again
RECORD = from_library("files").RECORD
# Where the outputs of a run are in a storage; None on a disk.
STORED = (workflow.storage_settings.default_storage_prefix or "").rstrip("/") or None


def in_blob_storage():
    return workflow.storage_settings.default_storage_provider == "azure"


if in_blob_storage():
    from azure.core.exceptions import AzureError
    from snakemake_storage_plugin_azure import StorageObject

    # The plugin tries for minutes what was refused, and names a Future in the end: RetryError[<Future at ...>].
    for name in ("mtime", "size", "retrieve_object", "remove"):

        @around(StorageObject, name)
        def ask_blob(original, blob):
            return explained(lambda: original.__wrapped__(blob), blob.container_name)

    @around(StorageObject, "exists")
    def blob_exists(original, blob):
        """One request; without its container a blob is not there either."""
        return explained(blob.blob_client().exists, blob.container_name)

    @around(StorageObject, "is_dir")
    def no_folder(original, blob):
        return False

    @around(StorageObject, "store_object")
    def upload_blob(original, blob):
        """Ask for no container, and make none: a mistyped one would be made without a word."""
        explained(lambda: blob.upload_blob_to_storage(blob.local_path(), blob.blob_path), blob.container_name)


def blob_service():
    return workflow.storage_registry.default_storage_provider.bsc


def explained(ask, place):
    """What Blob storage answers: what may pass is tried three times, what is refused is a sentence."""

    def told(error):
        return from_library("runs.blob_errors").sentence(error, blob_service(), place)

    def warn(error, seconds, number):
        logger.warning(f"Blob storage is asked again: {told(error)}")

    try:
        return from_library("sources.retries").call_with_retries(
            ask,
            tries=3,
            wait=lambda error, attempt: 3 * 2 ** (attempt - 1),
            is_transient=lambda error: from_library("runs.blob_errors").may_pass(error),
            on_retry=warn,
        )
    except AzureError as error:
        raise WorkflowError(told(error)) from None


@lru_cache(maxsize=1)
def stored():
    """What Blob storage holds of this run, by address, from one listing; None where outputs are elsewhere."""
    if not in_blob_storage():
        return None
    place, _, name = STORED.removeprefix("az://").partition("/")
    client = blob_service().get_container_client(place)
    return explained(
        lambda: {
            f"az://{place}/{blob.name}": blob
            for blob in client.list_blobs(name_starts_with=f"{name}/" if name else None)
        },
        place,
    )


def has_checksum(file, content):
    settings = stored()[file.storage_object.query].content_settings
    return bytes(settings.content_md5 or b"") == hashlib.md5(content.encode(), usedforsecurity=False).digest()


def address_in_results(file):
    """The path of a file of a run, wherever outputs are."""
    return file.storage_object.query.removeprefix(f"{STORED}/") if file.is_storage else str(file)


def read_result(path):
    """The text of a result, wherever outputs are; KeyError or FileNotFoundError when it is not there."""
    if not in_blob_storage():
        return Path(path).read_text()
    blob = stored()[f"{STORED}/{path}"]
    client = blob_client(blob.container, blob.name)
    return explained(lambda: client.download_blob(encoding="utf-8").readall(), blob.container)


def read_stored(file):
    return read_result(address_in_results(file))


def store_records(job):
    """Bring records of products that could not be read again (`tigerbush.placeholder`) to where outputs are stored."""
    if not in_blob_storage():
        return
    for file in (*job.input, *job.output):
        for record in Path(file).parent.glob(f"*{RECORD}") if file.is_storage else ():
            write_result(f"{Path(address_in_results(file)).parent}/{record.name}", record.read_text())
            record.unlink()


def write_result(path, content):
    """Write a result that is no output of a job, wherever outputs are."""
    if not in_blob_storage():
        write_text(Path(path), content)
    else:
        place, _, name = f"{STORED}/{path}".removeprefix("az://").partition("/")
        explained(lambda: blob_client(place, name).upload_blob(content, overwrite=True), place)


def blob_client(place, name):
    return blob_service().get_blob_client(place, name)


def write_text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(content)
    temporary.replace(path)


def fill_inventory(dag):
    """Spare some requests for each file in Blob storage: what is there, and since when, is in the listing."""
    prefix = f"{STORED}/"
    cache = workflow.iocache
    for job in dag.jobs:
        for file in (*job.input, *job.output, *job.log, *([job.benchmark] if job.benchmark else [])):
            if (
                file.is_storage
                and file.storage_object.query.startswith(prefix)
                and file not in cache.exists_in_storage
            ):
                blob = stored().get(file.storage_object.query)
                cache.exists_in_storage[file] = blob is not None
                if blob is not None:
                    cache.mtime[file] = Mtime(storage=blob.last_modified.timestamp())
                    cache.size[file] = blob.size
