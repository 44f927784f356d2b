"""What a user reads when Azure fails, and that no pool, Batch job or archive is left behind."""

import json
import signal
import time

import pytest
from azure.storage.blob import BlobLeaseClient

from azure_proxy import LOST
from azure_runs import CONTAINER, NAMES
from azure_small_runs import LONG, OPTIONS, SNAKEFILE, small_run, wait_for_task
from azurite import ACCOUNT, KEY
from canaries import ENVIRONMENT, Search
from tigerbush.cli.status.queue_azure import azure_queue
from tigerbush.runs.mark import new_mark

pytestmark = pytest.mark.workflow

C = 'rule c:\n    output: "results/c.txt"\n    shell: "echo c > {output}"\n'
PROFILE = {"azure-account-url": f"https://{NAMES['batch_account']}.{NAMES['region']}.batch.azure.com"}


@pytest.fixture
def small(azure, store, tmp_path, request):
    name = request.node.name.removeprefix("test_").replace("_", "-")[:30]
    return small_run(azure, store, tmp_path, name)


@pytest.fixture
def caller(azure, monkeypatch):
    """This process logs in to Azure as a user's would."""
    for name, value in (
        azure.caller_environment() | {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}
    ).items():
        monkeypatch.setenv(name, value)


def test_a_task_fails(small):
    """Its standard error is shown, and earlier results are kept."""
    small.azure.account.exits = {"^b": "boom: the reason of the task"}
    output = small.finish(status=1)
    assert "boom: the reason of the task" in output
    assert "(exit code 1)" in output
    assert small.results()["results/a.txt"] == b"a\n"
    # a run of the same name continues
    small.azure.account.exits = {}
    output = small.finish()
    assert "rule a:" not in output
    assert small.results()["results/b.txt"] == b"a\n"


def test_nodes_are_lost_and_polls_fail(small):
    """None of these ends the run."""
    account = small.azure.account
    account.lose_node, account.unusable = "^a", 1
    for status in (429, 500, 401):
        small.azure.fault("GET", r"/pools/[^/]+/nodes$", status, "ServerBusy", times=1)
    small.azure.fault("GET", "/jobs/[^/]+/tasks$", 0, times=1)
    # added, but the response is lost; then not added
    small.azure.fault("POST", "/jobs/[^/]+/tasks$", LOST, times=1)
    small.azure.fault("POST", "/jobs/[^/]+/tasks$", 503, "ServerBusy", times=1)
    output = small.finish("--azure-pool-node-count", "3", "--azure-tasks-per-node", "2")
    assert [task.requeued for task in account.finished] == [1, 0]
    assert "Batch cannot be queried, trying again: ServerBusy" in output
    assert "A task could not be added, trying again: ServerBusy" in output
    assert output.count("Node tvm-0 is unusable: DiskFull: There is not enough disk space") == 1
    assert small.results()["results/b.txt"] == b"a\n"
    # each took one of the two slots of its node, and no more cores
    assert all(task.slots == 1 and "--cores 1 " in task.body["commandLine"] for task in account.finished)


def test_every_node_is_unusable(small):
    small.azure.account.unusable = 2
    output = small.finish(status=1)
    assert "The pool has no working node. Node tvm-0 is unusable: DiskFull" in output


def test_the_start_task_fails(small):
    small.azure.account.start_task_fails = 2
    output = small.finish(status=1)
    assert "The start task failed on node tvm-0: exit code 7." in output
    assert "stderr.txt: the start task ended badly" in output


def test_quota_of_cores(small):
    small.azure.account.quota = 1
    output = small.finish(status=1)
    assert "AccountCoreQuotaReached" in output
    assert "Request more quota in the portal" in output


def test_the_pool_is_refused(small):
    small.azure.fault("PUT", "/pools/", 409, "PoolQuotaReached")
    output = small.finish(status=1)
    assert "The pool cannot be created: PoolQuotaReached" in output
    assert "Request more quota" in output


def test_the_job_is_refused(small):
    small.azure.fault("POST", "/jobs$", 403, "PermissionDenied")
    output = small.finish(status=1)
    assert "The Batch job cannot be created: PermissionDenied" in output
    assert "role Contributor" in output
    assert len(small.azure.account.created) == 1


def test_polls_fail_for_good(small):
    """A token that is no longer accepted is renewed at each poll; then the run ends and cleans up."""
    small.azure.fault("GET", r"/pools/[^/]+/nodes$", 401, "AuthenticationFailed")
    output = small.finish("--azure-poll-failures", "2", status=1)
    assert "Batch could not be queried 2 times in a row: AuthenticationFailed" in output
    assert "Run 'az login'" in output
    assert "start the run again to continue" in output


def test_variables_for_the_nodes_are_refused(small):
    """All except names and addresses, whatever they are called."""
    output = small.finish("--envvars", "AZURE_CLIENT_SECRET", "HTTPS_PROXY", status=1)
    assert "--envvars: AZURE_CLIENT_SECRET, HTTPS_PROXY would be readable by everyone with access" in output
    assert not small.azure.account.created


def test_keys_of_the_caller_stay_here(small, store):
    """Also with other rules than ours: keys of the environment, a profile and the command line."""
    profile = small.folder / "profiles" / "azure" / "config.yaml"
    profile.write_text(profile.read_text() + "storage-s3-secret-key: canary-of-the-profile\n")
    small.call(["git", "rm", "--quiet", "-f", "--cached", "profiles/azure/config.yaml"])
    connection = (
        f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint=https://127.0.0.1:{store.port}/{ACCOUNT};"
    )
    secrets = ENVIRONMENT | {"AZURITE_CONNECTION_STRING": connection}
    del secrets["SNAKEMAKE_STORAGE_S3_SECRET_KEY"]
    small.variables = small.variables | secrets
    small.finish("--storage-s3-access-key", "canary-of-the-command-line")
    assert small.results()["results/b.txt"] == b"a\n"
    options = {"profile": "canary-of-the-profile", "command line": "canary-of-the-command-line", "key": KEY}
    search = Search(secrets | options)
    for task in small.azure.account.finished:
        assert search.secrets_in(json.dumps(task.body)) == set()
        assert {setting["name"]: setting["value"] for setting in task.body["environmentSettings"]} == {
            "SNAKEMAKE_STORAGE_AZURE_ACCOUNT_NAME": ACCOUNT, "SNAKEMAKE_STORAGE_S3_REGION": "us-east-1"
        }  # fmt: skip
    assert search.files(*(task.folder for task in small.azure.account.finished)) == {}
    assert search.secrets_in(json.dumps(small.azure.requests)) == set()


def test_the_queue_shows_why_a_task_failed(small, caller):
    """While the run continues: its end deletes the Batch job, and shows the reasons itself."""
    (small.folder / "two.smk").write_text(
        SNAKEFILE.replace('"results/b.txt"', '"results/b.txt", "results/c.txt"', 1) + C
    )
    small.azure.account.exits = {"^c": "boom: the reason of the task"}
    process = small.start(*OPTIONS[:-1], "sleep=300")
    wait_for_task(small, process)
    profile = PROFILE | {"default-storage-prefix": f"az://x/{small.name}"}
    end = time.monotonic() + 60
    while (queue := {task.name: task for task in azure_queue(profile)})["c"].state != "failed":
        assert time.monotonic() < end
        time.sleep(0.2)
    assert queue["c"].place == "boom: the reason of the task"
    assert azure_queue(profile | {"default-storage-prefix": "az://x/another"}) == []
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    small.check_clean()


def test_the_job_is_gone(small):
    """The run holds its lease: no other run uses what is left of it."""
    account = small.azure.account
    process = small.start(*LONG)
    wait_for_task(small, process, "long")
    [job] = account.jobs
    account.handle_batch("DELETE", f"/jobs/{job}", None)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output.count("Error in rule") == 0
    assert (
        f"The Batch job {job} or its pool has been deleted from outside this run. This run holds the lease on its results, so "
        "no other run uses what is left of the two: it deletes that and ends. Finished results are kept; start the run again "
        "to continue.\n"
    ) in output
    small.check_clean()


def test_the_job_and_the_lease_are_gone(small):
    """As when another run of the same name has taken over: nothing that it may use is deleted."""
    account = small.azure.account
    process = small.start(*LONG)
    wait_for_task(small, process, "long")
    [job], [pool] = account.jobs, account.pools
    blob = small.store.service.get_blob_client(CONTAINER, f"{small.name}/results/.run.json")
    BlobLeaseClient(blob).break_lease(0)
    other = BlobLeaseClient(blob)
    other.acquire(60)
    blob.upload_blob(new_mark("azure", small.folder).encode(), overwrite=True, lease=other)
    account.handle_batch("DELETE", f"/jobs/{job}", None)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    name = NAMES["batch_account"]
    assert output.count("Error in rule") == 0
    assert (
        f"The Batch job {job} or its pool is gone: another run of the same name has taken over, or somebody has deleted it. "
        "This run ends and deletes nothing; finished results are kept. Whatever no other run uses costs money until it is "
        f"deleted: az batch pool delete --pool-id {pool} --account-name {name}; az batch job delete --job-id {job} "
        f"--account-name {name}\n"
    ) in output
    assert list(account.pools) == [pool]
    assert len([key for key in small.results() if key.startswith("snakemake-workflow-sources")]) == 1
    assert not [request for request in small.azure.requests if request[0] == "DELETE"]


def test_sigterm_ends_it_like_ctrl_c(small):
    process = small.start(*LONG)
    wait_for_task(small, process, "long")
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    while small.azure.account.pools:
        assert time.monotonic() - start < 10
        time.sleep(0.1)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Terminating processes on user request" in output
    small.check_clean()


def test_no_capacity_for_a_while(small):
    """The nodes are requested again until Azure has some; reported once, with what may help."""
    small.azure.account.no_capacity = 2
    output = small.finish("--until", "a")
    assert small.azure.account.resized == 2 * [{"targetDedicatedNodes": 2, "targetLowPriorityNodes": 0}]
    assert (
        output.count(
            "The pool has fewer than its 2 nodes. AllocationTimedout: Desired number of dedicated nodes could not be allocated. "
            "They are requested again after a minute, then at intervals that double up to 10 minutes; without any working node "
            "the run ends after 6 hours (azure-capacity-hours). Another VM size or region, or fewer nodes, may help.\n"
        )
        == 1
    )
    assert small.results()["results/a.txt"] == b"a\n"


def test_a_kept_pool_with_an_old_error(small):
    """It has no nodes, and an error of an earlier run: nodes are requested at once."""
    small.azure.account.quota = 1
    small.finish("--azure-keep-pool", status=1, kept=1)
    small.azure.account.quota = 20
    output = small.finish("--until", "a")
    assert "AccountCoreQuotaReached" not in output
    assert len(small.azure.account.created) == len(small.azure.account.resized) == 1
    assert small.results()["results/a.txt"] == b"a\n"


def test_ctrl_c(small, caller):
    """It leaves nothing behind."""
    process = small.start(*OPTIONS[:-1], "sleep=300")
    wait_for_task(small, process)
    states = {
        task.name: task.state
        for task in azure_queue(PROFILE | {"default-storage-prefix": f"az://x/{small.name}"})
    }
    assert states == {"a": "succeeded", "b": "running"}
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Terminating processes on user request" in output
    small.check_clean()


def test_a_run_right_after_ctrl_c(small):
    """Batch takes a while to delete a job with a running task."""
    small.azure.account.deletion_seconds = 8
    process = small.start(*LONG)
    wait_for_task(small, process, "long")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert [job["state"] for job in small.azure.account.jobs.values()] == ["deleting"]
    small.azure.account.deletion_seconds = 0
    output = small.finish("--until", "a")
    assert (
        "1 task(s) of an earlier run are still running; waiting for their results, for up to 30 minutes"
        in output
    )
    assert small.results()["results/a.txt"] == b"a\n"
