"""What is checked at Azure before the first job: login, account, container, permission to write; one message each."""

import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from azure.identity import ChainedTokenCredential, EnvironmentCredential, ManagedIdentityCredential
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)
from snakemake_interface_common.exceptions import WorkflowError

from azure_proxy import CLIENT
from azure_runs import CONTAINER, AzureRun, checkout
from azurite import ACCOUNT, KEY
from fabricate import name_of, scene_of
from runs import BASE
from snakemake_executor_plugin_azure import account
from snakemake_executor_plugin_azure.account import list_jobs, make_clients
from snakemake_executor_plugin_azure.batch_errors import LOGIN as BATCH_LOGIN
from snakemake_executor_plugin_azure.batch_errors import describe_error
from tigerbush.errors import TigerbushError
from tigerbush.runs import blob_errors as blob_errors
from tigerbush.runs.lease import BlobLease
from tigerbush.runs.mark import new_mark
from tigerbush.runs.takeover import Takeover
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("azure-batch")]

LOGIN = "Run 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (docs/azure.md)."
ROLE = "assign it the role Storage Blob Data Contributor there, which takes a few minutes to take effect (docs/azure.md)."
WHO = f"the application {CLIENT} (object id caller)"
WHERE = f"container {CONTAINER} of storage account {ACCOUNT}"


def refusal(check) -> str:
    """Return the message of a check that fails, within 20 s."""
    start = time.monotonic()
    with pytest.raises(TigerbushError) as raised:
        check()
    assert time.monotonic() - start < 20
    assert "\n" not in str(raised.value)
    return str(raised.value)


def acquire(lease: BlobLease) -> None:
    lease.acquire(new_mark("local", Path.cwd()), Takeover(lease.name, Path.cwd()), print)


@pytest.fixture
def lease(azure, monkeypatch):
    """Make the lease of a service principal's run in an account and a container."""
    for name, value in azure.caller_environment().items():
        monkeypatch.setenv(name, value)

    def make_lease(account=ACCOUNT, container=CONTAINER, credential=None):
        url = f"https://{account}.blob.core.windows.net"
        service = BlobServiceClient(url, credential=credential or EnvironmentCredential())
        return BlobLease(service, f"az://{container}/refused")

    return make_lease


def test_without_a_login(lease, monkeypatch):
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    chain = ChainedTokenCredential(ManagedIdentityCredential(), EnvironmentCredential())
    text = f"No access token for Blob storage: not logged in. {LOGIN}"
    assert refusal(lambda: acquire(lease(credential=chain))) == text
    assert refusal(lease(credential=chain).check_access) == text
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another-that-is-wrong")
    text = f"No access token for Blob storage: AADSTS7000215: Invalid client secret provided. {LOGIN}"
    assert refusal(lambda: acquire(lease())) == text


def test_an_identity_service_that_is_silent(lease, monkeypatch):
    monkeypatch.setattr(blob_errors, "LOGIN_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{silent.getsockname()[1]}")
        text = refusal(lambda: acquire(lease(credential=ManagedIdentityCredential())))
    assert text == f"No access token for Blob storage: no answer within 1 s. {LOGIN}"


@pytest.mark.parametrize("account", ["nobodystore", "nobody.invalid"])
def test_an_account_that_is_not_there(lease, account, monkeypatch):
    """Behind a proxy, and where this machine resolves the host itself."""
    if "." in account:
        monkeypatch.setenv("NO_PROXY", f"{account}.blob.core.windows.net")
    lock = lease(account)
    expected = (
        f"az://{CONTAINER}/refused cannot be used: there is no storage account {lock.service.account_name} (its host "
        f"{account}.blob.core.windows.net cannot be resolved): check storage_account in config/azure.yaml."
    )
    assert refusal(lock.check_access) == expected
    assert refusal(lambda: acquire(lock)) == expected


def test_a_container_that_is_not_there_is_never_created(lease, store):
    expected = (
        "az://mistyped/refused cannot be used: there is no container mistyped of storage account tigerstore: check "
        "container in config/azure.yaml, or create it with ./tigerbush doctor --profile profiles/azure --create."
    )
    lock = lease(container="mistyped")
    assert refusal(lock.check_access) == expected
    assert refusal(lambda: acquire(lock)) == expected
    assert not store.service.get_container_client("mistyped").exists()


def test_a_role_is_missing(lease, azure, store, certificates):
    azure.blob_fault("PUT", "/refused/", 403, "AuthorizationPermissionMismatch")
    message = f"az://{CONTAINER}/refused cannot be used: {WHO} is not authorised in {WHERE}"
    expected = f"{message} (AuthorizationPermissionMismatch): {ROLE}"
    assert refusal(lambda: acquire(lease())) == expected
    # a dry run only reads
    lease().check_access()
    azure.blob_fault("GET", f"/{CONTAINER}", 403, "AuthorizationPermissionMismatch")
    assert refusal(lease().check_access) == expected
    # a signed URL names no identity
    token = generate_account_sas(
        ACCOUNT, KEY, ResourceTypes(service=True, container=True, object=True), AccountSasPermissions(read=True, list=True),
        datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    url = f"https://127.0.0.1:{store.port}/{ACCOUNT}"
    reader = BlobServiceClient(url, credential=token, connection_verify=str(certificates / "ca.pem"))
    assert refusal(lambda: acquire(BlobLease(reader, f"az://{CONTAINER}/refused"))) == (
        f"az://{CONTAINER}/refused cannot be used: the caller is not authorised in {WHERE} "
        f"(AuthorizationPermissionMismatch): {ROLE}"
    )


def test_a_network_that_is_not_allowed(lease, azure):
    azure.blob_fault("PUT", "/refused/", 403, "AuthorizationFailure")
    assert refusal(lambda: acquire(lease())) == (
        f"az://{CONTAINER}/refused cannot be used: the firewall of storage account {ACCOUNT} blocks this "
        "machine (AuthorizationFailure): allow its address in the portal (Networking), or start from a network that "
        "is allowed."
    )


def test_a_store_that_is_down(lease, azure):
    azure.blob_fault("PUT", "/refused/", 503, "ServerBusy")
    assert refusal(lambda: acquire(lease())) == (
        f"az://{CONTAINER}/refused cannot be used: unexpected answer from {WHERE} (503): ServerBusy; try again."
    )


def test_only_the_own_blob_is_requested(lease, store):
    """No permission on the account or the container is needed."""
    before = len(store.requests())
    lock = lease()
    mark = new_mark("local", Path.cwd())
    lock.acquire(mark, Takeover(lock.name, Path.cwd()), print)
    lock.release(mark)
    requests = store.requests()[before:]
    assert requests
    assert all(f"/{CONTAINER}/refused/results/.run.json" in request for request in requests), requests


def test_a_batch_account_that_is_not_there(azure, monkeypatch):
    for name, value in (azure.caller_environment() | {"NO_PROXY": "nobody.invalid"}).items():
        monkeypatch.setenv(name, value)
    settings = SimpleNamespace(account_url="https://nobody.invalid", subscription_id="s")
    batch, _ = make_clients(settings)
    start = time.monotonic()
    with pytest.raises(Exception) as raised:
        list_jobs(batch, "tigerbush-refused")
    assert time.monotonic() - start < 20
    assert describe_error(raised.value) == (
        "the host nobody.invalid cannot be resolved: check batch_account and region in config/azure.yaml, and the network."
    )
    # and no token for it
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    with pytest.raises(WorkflowError) as raised:
        make_clients(settings)
    assert str(raised.value) == f"No access token for Batch: not logged in. {BATCH_LOGIN}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(account, "TOKEN_SECONDS", 0.5)
        start = time.monotonic()
        with pytest.raises(WorkflowError) as raised:
            make_clients(settings)
        assert time.monotonic() - start < 10
    assert str(raised.value) == f"No access token for Batch: no answer within 0.5 s. {BATCH_LOGIN}"


@pytest.fixture
def run(azure, store, tmp_path):
    checkout(tmp_path)
    return AzureRun(
        tmp_path, BASE | {"source": {"kind": "local", "path": "products"}}, azure, store, "refused"
    )


def test_a_run_reports_it_before_it_plans(run, azure):
    """Once, within 20 s, and without a traceback; also a dry run."""
    run.variables = {name: value for name, value in run.variables.items() if name != "AZURE_CLIENT_SECRET"}
    expected = f"\nNo access token for Blob storage: not logged in. {LOGIN}\n"
    for arguments in ((), ("--dry-run",)):
        start = time.monotonic()
        text = run.run_here(*run.storage_options(), *arguments, status=1)
        assert time.monotonic() - start < 20
        assert text.count(expected) == 1
        assert "Traceback" not in text
    assert not azure.account.created


def test_a_refusal_later(run, azure, store):
    """Permissions or a container that are gone meanwhile are reported by the job, not retried and not created."""
    write_product(run.folder / "products", name_of("20170110"), scene_of(0, clouds=[]))
    azure.blob_fault("PUT", "/refused/results/products.tsv", 403, "AuthorizationPermissionMismatch")
    text = run.run_here("results/products.tsv", *run.storage_options(), status=1)
    print(text)
    assert f"{WHO} is not authorised in {WHERE} (AuthorizationPermissionMismatch): {ROLE}\n" in text
    assert "RetryError" not in text and "Future" not in text
    assert "Traceback" not in text
    azure.blob_faults.clear()
    azure.blob_fault("PUT", "/refused/results/products.tsv", 404, "ContainerNotFound")
    before = len(store.requests())
    text = run.run_here("results/products.tsv", *run.storage_options(), status=1)
    assert (
        "there is no container runs of storage account tigerstore: check container in config/azure.yaml"
        in text
    )
    assert not [
        request
        for request in store.requests()[before:]
        if "restype=container" in request and "comp" not in request
    ]
