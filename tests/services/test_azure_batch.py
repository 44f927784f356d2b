"""A whole run on a Batch pool of two nodes, with profiles/azure unchanged: real processes, Azurite, tokens."""

import json
import re
import socket
import time
from collections import Counter
from types import SimpleNamespace

import pytest
import yaml

from azure_proxy import SECRET
from azure_runs import CONTAINER, AzureRun, checkout, comparable, results_of
from azurite import KEY
from canaries import ENVIRONMENT, Processes, Search
from fabricate import ROOT, name_of, scene_of
from runs import BASE
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("azure-batch")]

PROFILE = ("--profile", "profiles/azure", "--seconds-between-status-checks", "1")


@pytest.fixture(scope="module")
def finished(azure_session, store, tmp_path_factory):
    """Three products, two dates, run once on the pool; and what the run left behind."""
    azure_session.reset()
    account = azure_session.account
    account.reset()
    # tokens so short-lived that every request needs a new one
    azure_session.token_seconds = 300
    folder = tmp_path_factory.mktemp("batch")
    checkout(folder)
    for seed, day in enumerate(("20170110", "20170120", "20170210")):
        write_product(folder / "products", name_of(day), scene_of(seed, clouds=[]))
    source = {"kind": "local", "path": "products", "access": "storage"}
    run = AzureRun(
        folder,
        BASE
        | {
            "source": source,
            "run": {"local_rules": ["plot_site", "analyse_site", "map_site", "report_site"]},
        },
        azure_session,
        store,
        "whole",
    )
    run.variables = run.variables | ENVIRONMENT
    with Processes(Search(ENVIRONMENT), rf"\S*python\S* -m snakemake .*az://{CONTAINER}/whole") as processes:
        process = run.start(*PROFILE)
        wait_for_tasks(account, process)
        second = run.finish(*PROFILE, status=1)
        output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return SimpleNamespace(
        run=run,
        process=process,
        second=second,
        output=output,
        processes=processes,
        tasks=list(account.finished),
        max_running=account.max_running,
        created=list(account.created),
        left={**account.pools, **account.jobs},
        requests=list(azure_session.requests),
        tokens=list(azure_session.tokens),
    )


def wait_for_tasks(account, process, seconds=120):
    """Wait until there is a task."""
    end = time.monotonic() + seconds
    while not any(account.tasks.values()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_second_process_of_the_name_is_refused(finished):
    """It has deleted nothing either: the other tests check the results of the first."""
    text = re.sub(
        r"started [-0-9]+ [:0-9]+ UTC, last heartbeat \d+ s ago",
        "started T, last heartbeat N s ago",
        finished.second,
    )
    assert (
        f"another run is using az://{CONTAINER}/whole (process {finished.process.pid} on {socket.gethostname()} in "
        f"{finished.run.folder}, started T, last heartbeat N s ago): wait until it ends, or interrupt it there.\n"
    ) in text
    assert "results/.run.json" not in finished.run.results()


def test_results_are_the_same_as_on_a_disk(finished, azure, store, tmp_path):
    checkout(tmp_path)
    (tmp_path / "products").symlink_to(finished.run.folder / "products")
    disk = AzureRun(tmp_path, finished.run.config, azure, store, "disk")
    disk.run_here()
    expected = comparable(results_of(tmp_path))
    assert len(expected) > 20
    assert comparable(finished.run.results()) == expected
    summary = json.loads(finished.run.results()["results/here/results_summary.json"])
    # the name of the run, from config/azure.yaml through the profile
    assert summary["metadata"]["config"]["run"]["name"] == "whole"


def test_a_task_per_product_and_per_date_on_two_nodes(finished):
    names = Counter(task.body["displayName"].split()[0] for task in finished.tasks)
    # all other rules are local, by themselves or by the configuration
    assert names == {"product": 3, "date": 2}
    assert finished.max_running == 2
    assert {task.node for task in finished.tasks} == {"tvm-0", "tvm-1"}
    assert all(task.exit_code == 0 for task in finished.tasks)
    end_times = {task.body["displayName"]: task.ended for task in finished.tasks}
    for task in finished.tasks:
        name = task.body["displayName"]
        inputs = [
            end
            for other, end in end_times.items()
            if name.startswith("date") and f"_{name.split('-')[0][-4:]}{name.split('-')[1]}" in other
        ]
        assert name.startswith("product") or inputs
        assert all(task.started >= end for end in inputs)


def test_the_pool_is_that_of_the_profile(finished):
    [pool] = finished.created
    properties = pool["properties"]
    machine = properties["deploymentConfiguration"]["virtualMachineConfiguration"]
    assert machine["imageReference"]["sku"] == "2404"
    assert machine["nodeAgentSkuId"] == "batch.node.ubuntu 24.04"
    [registry] = machine["containerConfiguration"]["containerRegistries"]
    assert set(registry) == {"registryServer", "identityReference"}
    assert len(pool["identity"]["userAssignedIdentities"]) == 1
    assert properties["targetNodeCommunicationMode"] == "Simplified"
    assert properties["scaleSettings"]["fixedScale"]["targetDedicatedNodes"] == 2
    for task in finished.tasks:
        assert len(task.body["id"]) <= 64
        assert "pip install" not in task.body["commandLine"]
        names = {setting["name"] for setting in task.body["environmentSettings"]}
        assert names == {"SNAKEMAKE_STORAGE_AZURE_ACCOUNT_NAME", "SNAKEMAKE_STORAGE_S3_REGION"}


def test_nothing_is_left_behind(finished, store):
    assert not finished.left
    assert not store.blobs(CONTAINER, "whole/snakemake-workflow-sources")


def test_no_secret_is_anywhere(finished):
    """Not in requests to Batch, files of tasks, results, logs or lists of processes."""
    [beginning] = {token.partition(".")[0] for token in finished.tokens}
    assert len(finished.tokens) > 10
    search = Search(ENVIRONMENT | {"AZURE_CLIENT_SECRET": SECRET, "account key": KEY, "token": beginning})
    assert search.secrets_in(finished.output) == set()
    assert search.secrets_in(json.dumps(finished.requests)) == set()
    assert search.secrets_in(json.dumps([task.body for task in finished.tasks])) == set()
    results = finished.run.results()
    assert {name: search.secrets_in(blob) for name, blob in results.items()} == {
        name: set() for name in results
    }
    assert search.files(finished.run.folder, *(task.folder for task in finished.tasks)) == {}
    # the processes of the tasks were seen, and have none
    assert len(finished.processes.seen) >= len(finished.tasks)
    assert (finished.processes.shown, finished.processes.inherited) == (set(), set())


def test_tasks_run_as_ordinary_users_with_a_time_limit(finished):
    limits = {}
    for task in finished.tasks:
        assert task.body["constraints"]["maxTaskRetryCount"] == 0
        limits.setdefault(task.body["displayName"].split()[0], set()).add(
            task.body["constraints"]["maxWallClockTime"]
        )
        assert task.body["userIdentity"] == {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}}
        assert task.body["containerSettings"] == {
            "imageName": "tigerbush.azurecr.io/tigerbush:0.1.0",
            "containerRunOptions": "--rm",
            "workingDirectory": "containerImageDefault",
        }
    # four times the 40 minutes of a product, and the 35 of a date
    assert limits == {"product": {"PT2H40M"}, "date": {"PT2H20M"}}


def test_a_second_run_creates_no_pool(finished, azure):
    assert "Nothing to be done" in finished.run.finish(*PROFILE)
    assert not azure.account.created


def test_status_reads_the_storage(finished):
    command = [
        str(ROOT / "tigerbush"),
        "status",
        "--json",
        "--configfile",
        "config.yaml",
        "--profile",
        "profiles/azure",
    ]
    report = json.loads(finished.run.call(command))
    assert report["run"] == "ended"
    assert set(report["sites"]["here"]) == {"done"}


def test_tables_that_would_not_reach_the_nodes(finished, azure, store, tmp_path):
    """Refused before anything is created."""
    checkout(tmp_path)
    run = AzureRun(tmp_path, finished.run.config, azure, store, "refused")
    text = run.finish(*PROFILE, "--config", "run={name: refused, local_rules: [summarise_date]}", status=1)
    assert (
        "run.local_rules and `groups` of the profile both name summarise_date; remove it from one of them."
        in text
    )
    assert not store.blobs(CONTAINER, "refused/")
    (tmp_path / "sites.tsv").rename(tmp_path / "untracked.tsv")
    text = run.finish(*PROFILE, "--config", "sites=untracked.tsv", status=1)
    assert "untracked.tsv would not be sent to the nodes, because git does not track it" in text
    (tmp_path / "untracked.tsv").rename(tmp_path / "sites.tsv")
    text = run.finish(*PROFILE, "--config", "source={access: stream}", status=1)
    assert "source.path products cannot be read from the nodes; set source.access: storage" in text
    (tmp_path / "config" / "azure.yaml").write_text(yaml.safe_dump({"run": "x"}))
    text = run.finish(*PROFILE, status=2)
    assert "config/azure.yaml: subscription is not set; expected the ID that 'az account show" in text
    assert not azure.account.created


def test_keys_that_nodes_would_need_or_read(finished, azure, store, tmp_path):
    """Refused before anything is created, however they were given."""
    checkout(tmp_path)
    run = AzureRun(tmp_path, finished.run.config, azure, store, "keys")
    run.variables = run.variables | ENVIRONMENT
    keyed = "source={kind: s3, level: L1C, bucket: keyed}"
    assert (
        "source.kind s3 needs keys, and nodes get none: everyone with access to the Batch account could read them. Set "
        "run.local_rules: [stream_product, download_product], or source.anonymous: true for a public bucket.\n"
    ) in run.finish(*PROFILE, "--config", keyed, status=1)
    text = run.finish(*PROFILE, "--azure-container-registry-pass", "a-canary", status=1)
    assert "\n--azure-container-registry-pass was given on the command line or in a profile" in text
    # also in the environment, which Snakemake prefers
    profile = tmp_path / "profiles" / "azure" / "config.yaml"
    before = profile.read_text()
    for line, name in (
        ("storage-s3-secret-key: a-canary", "storage-s3-secret-key"),
        (f"# {ENVIRONMENT['AWS_SESSION_TOKEN']}", "AWS_SESSION_TOKEN"),
    ):
        profile.write_text(f"{before}\n{line}\n")
        text = run.finish(*PROFILE, status=1)
        assert (
            f"\nprofiles/azure/config.yaml contains {name}, and is sent to the nodes in a blob that others"
            in text
        )
    # noticed only after the sources were uploaded, which are deleted again
    profile.write_text(before + 'precommand: "export B_TOKEN=a-canary"\n')
    assert "\nthe command line of each job would show the value of B_TOKEN to others" in run.finish(
        *PROFILE, status=1
    )
    assert store.blobs(CONTAINER, "keys/snakemake-workflow-sources") == {}
    assert not azure.account.created
    assert Search(ENVIRONMENT | {"option": "a-canary"}).files(tmp_path / ".snakemake") == {}


def test_the_template_names_every_value():
    names = yaml.safe_load((ROOT / "config" / "azure.template.yaml").read_text())
    assert set(names) == {
        "subscription", "resource_group", "batch_account", "region", "storage_account", "container", "identity",
        "image", "run",
    }  # fmt: skip
    assert not any(names.values())
