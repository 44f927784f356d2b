"""./tigerbush doctor --profile profiles/azure: everything is checked, and nothing is created."""

import pytest
import yaml

from azure_proxy import SECRET
from azure_runs import CONTAINER, NAMES
from fabricate import ROOT
from runs import BASE, Run

pytestmark = pytest.mark.workflow


@pytest.fixture
def doctor(azure, store, tmp_path, monkeypatch):
    """Run the doctor with given values of config/azure.yaml; return its findings by name."""
    for name, value in (
        azure.caller_environment() | {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}
    ).items():
        monkeypatch.setenv(name, value)
    run = Run(tmp_path / "work", BASE | {"source": {"kind": "local", "path": str(ROOT)}})

    def run_doctor(*options, **names):
        path = tmp_path / "azure.yaml"
        path.write_text(yaml.safe_dump(NAMES | {"run": "checked"} | names))
        monkeypatch.setenv("TIGERBUSH_AZURE", str(path))
        profile = str(ROOT / "profiles" / "azure")
        output = run.tigerbush(
            "doctor", "--configfile", "config.yaml", "--profile", profile, *options, status=None
        )
        assert SECRET not in output
        assert not azure.account.created
        findings = {}
        for line in output.splitlines():
            state, name, text = line[:7].strip(), line[8:23].strip(), line[24:]
            findings[name] = (state, text)
        return findings

    return run_doctor


def test_all_is_well_and_an_old_pool_is_named(doctor, azure):
    azure.account.pools["tigerbush-old"] = None
    findings = doctor()
    assert findings["azure identity"] == ("ok", "tokens were issued")
    assert findings["azure batch"][0] == "ok"
    assert findings["azure storage"] == (
        "ok",
        f"container {CONTAINER} of {NAMES['storage_account']} exists",
    )
    assert findings["azure pool"][1].startswith("tigerbush-old exists and may cost money")


def test_what_is_wrong(doctor, azure, monkeypatch):
    azure.fault("GET", "/pools$", 403, "PermissionDenied")
    findings = doctor(container="absent")
    assert findings["azure storage"] == (
        "failed",
        "there is no container absent of storage account tigerstore: check container in config/azure.yaml, or "
        "create it with ./tigerbush doctor --profile profiles/azure --create.",
    )
    assert findings["azure batch"][0] == "failed"
    assert "role Contributor" in findings["azure batch"][1]
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another-that-is-wrong")
    assert doctor()["azure identity"][0] == "failed"
    assert (
        "region 'West Europe' is not a region such as westeurope"
        in doctor(region="West Europe")["configuration"][1]
    )


def test_the_container_is_created_on_request(doctor, store):
    findings = doctor("--create", container="fresh")
    assert findings["azure storage"] == ("ok", "container fresh of tigerstore was created")
    assert doctor("--create", container="fresh")["azure storage"] == (
        "ok",
        "container fresh of tigerstore exists",
    )
    assert store.service.get_container_client("fresh").exists()
