"""The plugin without Azure: names of resources, sizes of pools, error messages, and the installation of the image."""

import re
import subprocess
from types import SimpleNamespace

import pytest
import yaml
from azure.batch.models import BatchError, BatchErrorException, ErrorMessage
from azure.core.exceptions import ClientAuthenticationError

from fabricate import ROOT
from snakemake_executor_plugin_azure import ExecutorSettings
from snakemake_executor_plugin_azure.batch_errors import describe_error, http_status
from snakemake_executor_plugin_azure.pool import scale_settings
from tigerbush_azure import AccountError, read_account

IDENTITY = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/group/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/pool"
)
NAMES = {
    "subscription": "00000000-1111-2222-3333-444444444444",
    "resource_group": "group",
    "batch_account": "tigerbatch",
    "region": "westeurope",
    "storage_account": "tigerstore",
    "container": "runs",
    "identity": IDENTITY,
    "image": "tigerbush.azurecr.io/tigerbush:0.1.0",
    "run": "sahel-2016",
}


def write_account(folder, names):
    path = folder / "azure.yaml"
    path.write_text(yaml.safe_dump(names))
    return path


def test_the_names_of_an_account(tmp_path):
    account = read_account(write_account(tmp_path, NAMES))
    assert account.batch_url == "https://tigerbatch.westeurope.batch.azure.com"
    assert account.prefix == "az://runs/sahel-2016"
    assert account.registry == "tigerbush.azurecr.io"
    assert read_account(write_account(tmp_path, NAMES | {"image": "someone/tigerbush:1"})).registry is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"container": None}, "container is not set; expected the name of a Blob container"),
        ({"container": "a--b"}, "container 'a--b' is not the name of a Blob container"),
        ({"region": "West Europe"}, "region 'West Europe' is not a region such as westeurope"),
        ({"image": "tigerbush"}, "image 'tigerbush' is not a container image with a tag or digest"),
        ({"run": "../other"}, "run '../other' is not a name of up to 38 letters"),
        ({"account_key": "x"}, "'account_key' is not a known key; expected subscription"),
    ],
)
def test_a_wrong_name_ends_in_a_sentence(tmp_path, changes, sentence):
    with pytest.raises(AccountError, match=re.escape(sentence)) as raised:
        read_account(write_account(tmp_path, NAMES | changes))
    assert str(raised.value).count("\n") == 0


def test_a_missing_file_names_the_template(tmp_path):
    with pytest.raises(AccountError, match=r"copy config/azure\.template\.yaml to it"):
        read_account(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        *(
            (name, value, f"{name} is set but empty; set it to its value, or unset it and run 'az login'.")
            for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET") for value in ("", " ")
        ),
        ("AZURE_TENANT_ID", "my tenant", "AZURE_TENANT_ID is not a tenant ID; set it to what 'az account show --query tenantId' prints."),
    ],
)  # fmt: skip
def test_an_incomplete_login(tmp_path, monkeypatch, name, value, sentence):
    """Azure's library ends in a traceback, when Snakemake instantiates its plugins."""
    for other in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(other, "11111111-2222-3333-4444-555555555555")
    monkeypatch.setenv(name, value)
    with pytest.raises(AccountError) as raised:
        read_account(write_account(tmp_path, NAMES))
    assert str(raised.value) == sentence


@pytest.mark.parametrize(("spot", "dedicated", "low"), [(False, 3, 0), (True, 0, 3)])
def test_fixed_pools(spot, dedicated, low):
    scale = scale_settings(ExecutorSettings(pool_node_count=3, spot=spot)).fixed_scale
    assert (scale.target_dedicated_nodes, scale.target_low_priority_nodes) == (dedicated, low)


@pytest.mark.parametrize(
    ("spot", "target"), [(False, "$TargetDedicatedNodes"), (True, "$TargetLowPriorityNodes")]
)
def test_autoscale_starts_nodes_up_to_the_maximum(spot, target):
    scale = scale_settings(ExecutorSettings(pool_node_count=7, tasks_per_node=4, autoscale=True, spot=spot))
    assert scale.fixed_scale is None
    assert scale.auto_scale.evaluation_interval.total_seconds() == 300
    formula = scale.auto_scale.formula
    assert "known < 70 ? 1 :" in formula
    assert f"{target} = min(7, (tasks + 3) / 4);" in formula


def test_errors_are_described():
    error = BatchErrorException.__new__(BatchErrorException)
    error.error = BatchError(
        code="PoolQuotaReached", message=ErrorMessage(value="No more pools.\nRequestId:1\nTime:2")
    )
    error.response = SimpleNamespace(status_code=409)
    assert describe_error(error).startswith("PoolQuotaReached: No more pools. Request more quota")
    assert http_status(error) == 409
    entra = ClientAuthenticationError(
        "ChainedTokenCredential failed to retrieve a token.\nEnvironmentCredential: AADSTS7000215: Invalid secret.\nmore"
    )
    assert describe_error(entra).startswith("AADSTS7000215: Invalid secret. Run 'az login'")
    assert describe_error(TimeoutError("no answer")) == "TimeoutError: no answer."


def test_the_image_is_installed_from_the_lock(tmp_path):
    """The steps of the Dockerfile, on one package of the lock; wrong hashes are refused."""
    lock = (ROOT / "requirements.txt").read_text()
    entry = re.search(r"^pyyaml==(?:.+\\\n)+.+\n", lock, re.MULTILINE)[0]
    (tmp_path / "requirements.txt").write_text(entry)
    command = [ROOT / "container" / "install", tmp_path / "env", tmp_path / "requirements.txt"]
    subprocess.run(command, check=True, timeout=120)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-c", "import yaml"], check=True)
    assert subprocess.run([python, "-m", "pip"], capture_output=True, check=False).returncode
    (tmp_path / "requirements.txt").write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", entry))
    done = subprocess.run(
        [command[0], tmp_path / "other", command[2]], capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr


def test_the_image_holds_dependencies_only():
    text = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert copied == ["container/install requirements.txt"]
    assert re.search(r"^USER (?!root)\w+$", text, re.MULTILINE)
    assert all(re.search(r":\d+\.\d+\.\d+", line) for line in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
