"""The Batch account: how it is asked, and what a run is called there."""

import re
import threading
from datetime import UTC, datetime

from azure.batch import BatchServiceClient
from azure.mgmt.batch import BatchManagementClient
from snakemake_executor_plugin_azure_batch.util import AzureIdentityCredentialAdapter, CustomAzureCredential
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_azure import batch_errors

SCOPES = ("https://batch.core.windows.net/.default", "https://management.azure.com/.default")
# until Azure has given both tokens
TOKEN_SECONDS = 15
# of one request: until it is reached, and until it answers; what only asks is tried twice. The library would wait for
# 100 s, and try four times
REQUEST_SECONDS = (4, 20)


def clients(settings: object) -> tuple[BatchServiceClient, BatchManagementClient]:
    """Return what asks the Batch account and Azure Resource Manager.

    Parameters
    ----------
    settings : ExecutorSettings

    Raises
    ------
    WorkflowError
        When Azure gives no token, or not in time.
    """
    credential = CustomAzureCredential()
    _log_in(credential)
    batch = BatchServiceClient(AzureIdentityCredentialAdapter(credential, SCOPES[0]), settings.account_url)
    batch.config.connection.timeout = REQUEST_SECONDS
    batch.config.retry_policy.policy.total = 1
    return batch, BatchManagementClient(credential, settings.subscription_id)


def _log_in(credential: object) -> None:
    """Get the tokens in a thread, which is left behind when there is no answer in time."""
    failed: list[Exception] = []

    def ask() -> None:
        try:
            for scope in SCOPES:
                credential.get_token(scope)
        except Exception as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(TOKEN_SECONDS)
    if asking.is_alive():
        raise WorkflowError(
            f"Azure gives no token for Batch: no answer within {TOKEN_SECONDS:g} s. {batch_errors.LOGIN}"
        )
    if failed:
        raise WorkflowError(f"Azure gives no token for Batch: {batch_errors.sentence(failed[0])}")


def pool_of(prefix: str | None) -> str:
    """Return the name of the pool of a run, from where its outputs are."""
    run = re.sub(r"[^A-Za-z0-9_-]", "-", (prefix or "run").rstrip("/").rpartition("/")[2])[:38]
    return f"tigerbush-{run}"


def job_of(pool: str) -> str:
    """Return a name for the job of a process that starts now."""
    return f"{pool}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


def jobs_of(batch: BatchServiceClient, pool: str) -> list[str]:
    """Return the jobs that processes of a run have made, and not deleted."""
    return [job.id for job in batch.job.list() if re.fullmatch(re.escape(pool) + r"-\d{8}T\d{6}", job.id)]
