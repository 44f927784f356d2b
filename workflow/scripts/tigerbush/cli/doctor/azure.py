"""Checks of Azure: identity, Batch account, Blob container. Only the container is created, and only on request."""

import logging
from collections.abc import Iterator

import requests

from tigerbush.cli.doctor.finding import Finding

# of one request; several fit into the time limit of all checks
SECONDS = 3
ARM = "https://management.azure.com/.default"
BATCH = "https://batch.core.windows.net/.default"
BATCH_VERSION = "2024-02-01.19.0"
# begins the names of the pools that the executor creates
POOL_PREFIX = "tigerbush-"


def check_azure(profile: dict, create: bool = False) -> Iterator[Finding]:
    """Get tokens, list the pools of the Batch account and look for the container; the profile names both.

    Parameters
    ----------
    profile : dict
    create : bool
        Whether to create the container if it does not exist.
    """
    # slow to import, and only needed here
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    # its log messages are replaced by a finding
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    credential = DefaultAzureCredential(process_timeout=SECONDS)
    try:
        credential.get_token(ARM)
        token = credential.get_token(BATCH).token
    except AzureError as error:
        reason = str(error).split(".")[0]
        text = f"{reason}; run 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
        yield Finding("azure identity", False, text)
        return
    yield Finding("azure identity", True, "tokens were issued")
    if url := profile.get("azure-account-url"):
        yield from check_batch(url, token)
    prefix = str(profile.get("default-storage-prefix", ""))
    if prefix.startswith("az://"):
        name = prefix.removeprefix("az://").split("/")[0]
        yield check_container(str(profile.get("storage-azure-account-name")), name, credential, create)


def check_batch(url: str, token: str) -> Iterator[Finding]:
    """List the pools of the Batch account, and name those that earlier runs have left."""
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
        text = f"{url} refuses access ({answer.status_code}); assign the caller the role Contributor on that account"
        yield Finding("azure batch", False, text)
        return
    if not answer.ok:
        yield Finding("azure batch", False, f"{url} answers {answer.status_code}; try again")
        return
    yield Finding("azure batch", True, f"{url} is accessible")
    for pool in answer.json()["value"]:
        if pool["id"].startswith(POOL_PREFIX):
            text = f"{pool['id']} exists and may cost money; unless a run is using it, run 'az batch pool delete'"
            yield Finding("azure pool", True, text)


def check_container(account: str, name: str, credential: object, create: bool = False) -> Finding:
    """Check that the container of the run exists and can be read; create it on request."""
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
            return Finding("azure storage", True, f"container {name} of {account} was created")
    except AzureError as error:
        return Finding("azure storage", False, sentence(error, service, name))
    return Finding("azure storage", True, f"container {name} of {account} exists")
