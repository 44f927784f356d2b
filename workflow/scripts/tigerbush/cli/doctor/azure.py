"""Checks of Azure: identity, Batch account, Blob container. Only the container is made, when that is asked for."""

import logging
from collections.abc import Iterator

import requests

from tigerbush.cli.doctor.finding import Finding

# of one request: several fit into the doctor's limit
SECONDS = 3
ARM = "https://management.azure.com/.default"
BATCH = "https://batch.core.windows.net/.default"
BATCH_VERSION = "2024-02-01.19.0"
# what the executor calls its pools
POOLS = "tigerbush-"


def azure(profile: dict, create: bool = False) -> Iterator[Finding]:
    """Get tokens, ask the Batch account for its pools and look for the container; the profile names both.

    Parameters
    ----------
    profile : dict
    create : bool
        Whether to make the container when it is not there.
    """
    # slow to import, and only needed here
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    # what it logs becomes one line of ours
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    credential = DefaultAzureCredential(process_timeout=SECONDS)
    try:
        credential.get_token(ARM)
        token = credential.get_token(BATCH).token
    except AzureError as error:
        first = str(error).split(".")[0]
        yield Finding("azure identity", False, f"{first}; run 'az login' or set AZURE_CLIENT_ID and its kind")
        return
    yield Finding("azure identity", True, "tokens were given")
    if url := profile.get("azure-account-url"):
        yield from batch(url, token)
    prefix = str(profile.get("default-storage-prefix", ""))
    if prefix.startswith("az://"):
        name = prefix.removeprefix("az://").split("/")[0]
        yield container(str(profile.get("storage-azure-account-name")), name, credential, create)


def batch(url: str, token: str) -> Iterator[Finding]:
    """List the pools of the Batch account, and name those that earlier runs left."""
    try:
        answer = requests.get(
            f"{url}/pools",
            params={"api-version": BATCH_VERSION, "$select": "id"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=SECONDS,
        )
    except requests.RequestException:
        text = f"{url} cannot be reached; check batch_account and region in config/azure.yaml"
        yield Finding("azure batch", False, text)
        return
    if answer.status_code in {401, 403}:
        text = (
            f"{url} refuses ({answer.status_code}); give the caller the role Contributor on the Batch account"
        )
        yield Finding("azure batch", False, text)
        return
    if not answer.ok:
        yield Finding("azure batch", False, f"{url} answers {answer.status_code}; try again")
        return
    yield Finding("azure batch", True, f"{url} can be used")
    for pool in answer.json()["value"]:
        if pool["id"].startswith(POOLS):
            text = f"{pool['id']} is there and may cost money; its run uses it, or 'az batch pool delete' ends it"
            yield Finding("azure pool", True, text)


def container(account: str, name: str, credential: object, create: bool = False) -> Finding:
    """See that the container of the run exists and may be read; make it when that is asked for."""
    from azure.core.exceptions import AzureError
    from azure.storage.blob import BlobServiceClient

    from tigerbush.runs.blob_errors import sentence

    options = {"connection_timeout": SECONDS, "read_timeout": SECONDS, "retry_total": 0}
    service = BlobServiceClient(f"https://{account}.blob.core.windows.net", credential=credential, **options)
    client = service.get_container_client(name)
    try:
        try:
            next(iter(client.list_blob_names(results_per_page=1)), None)
        except AzureError as error:
            if not create or getattr(error, "error_code", None) != "ContainerNotFound":
                raise
            client.create_container()
            return Finding("azure storage", True, f"container {name} of {account} was made")
    except AzureError as error:
        return Finding("azure storage", False, sentence(error, service, name))
    return Finding("azure storage", True, f"container {name} of {account} is there")
