"""The clients of a Batch account, and how pools and jobs of a run are named in it."""

import re
import threading
from datetime import UTC, datetime

from azure.batch import BatchServiceClient
from azure.mgmt.batch import BatchManagementClient
from snakemake_executor_plugin_azure_batch.util import AzureIdentityCredentialAdapter, CustomAzureCredential
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_azure.batch_errors import LOGIN, describe_error

SCOPES = ("https://batch.core.windows.net/.default", "https://management.azure.com/.default")
# within which Azure has to issue both tokens
TOKEN_SECONDS = 15
# to connect, and to wait for an answer; read requests are retried once. The library's own limits: 100 s, four attempts
REQUEST_SECONDS = (4, 20)


def make_clients(settings: object) -> tuple[BatchServiceClient, BatchManagementClient]:
    """Return the clients of the Batch account and of Azure Resource Manager.

    Parameters
    ----------
    settings : ExecutorSettings

    Raises
    ------
    WorkflowError
        When Azure issues no token, or not in time.
    """
    credential = CustomAzureCredential()
    _log_in(credential)
    batch = BatchServiceClient(AzureIdentityCredentialAdapter(credential, SCOPES[0]), settings.account_url)
    batch.config.connection.timeout = REQUEST_SECONDS
    batch.config.retry_policy.policy.total = 1
    return batch, BatchManagementClient(credential, settings.subscription_id)


def _log_in(credential: object) -> None:
    """Get the tokens in a thread, which is abandoned when there is no answer in time.

    As `tigerbush.runs.blob_errors` does for Blob storage; the plugin does not import the library.
    """
    errors: list[Exception] = []

    def request_tokens() -> None:
        try:
            for scope in SCOPES:
                credential.get_token(scope)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=request_tokens, daemon=True)
    thread.start()
    thread.join(TOKEN_SECONDS)
    if thread.is_alive():
        raise WorkflowError(f"No access token for Batch: no answer within {TOKEN_SECONDS:g} s. {LOGIN}")
    if errors:
        raise WorkflowError(f"No access token for Batch: {describe_error(errors[0])}")


def pool_name(prefix: str | None) -> str:
    """Return the name of a run's pool, derived from the storage prefix of its outputs."""
    run = re.sub(r"[^A-Za-z0-9_-]", "-", (prefix or "run").rstrip("/").rpartition("/")[2])[:38]
    return f"tigerbush-{run}"


def new_job_name(pool: str) -> str:
    """Return a name for the Batch job of a process that starts now."""
    return f"{pool}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


def list_jobs(batch: BatchServiceClient, pool: str) -> list[str]:
    """Return the names of the Batch jobs that processes of a run have created and not deleted."""
    return [job.id for job in batch.job.list() if re.fullmatch(re.escape(pool) + r"-\d{8}T\d{6}", job.id)]
