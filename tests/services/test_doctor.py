"""./tigerbush doctor with a real server, configured correctly and wrongly; it never waits long or prints a secret."""

import re
import shutil
import socket
import threading
import time

import pytest
import yaml

from catalogues import serve
from fabricate import ROOT
from runs import BASE, Run
from seaweedfs import KEYED, KEYS, PUBLIC, free_port
from tigerbush.cli.doctor.command import redacted, run_checks
from tigerbush.cli.doctor.finding import Finding

pytestmark = pytest.mark.workflow
SECRET = "not-the-secret-of-anyone"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def filled(seaweedfs):
    for bucket in (PUBLIC, KEYED):
        seaweedfs.put(bucket, "doctor/2017/01/16/object.bin", b"0123456789abcdef0123456789")
    return seaweedfs


@pytest.fixture
def doctor(tmp_path, filled, monkeypatch):
    """Run the doctor on an object store; return the state, name and text of each line."""

    def run_doctor(*arguments, status=0, **source):
        keys = {
            "kind": "s3",
            "level": "L1C",
            "endpoint_url": filled.url,
            "bucket": KEYED,
            "prefixes": ["doctor/"],
        }
        run = Run(tmp_path / "work", BASE | {"source": keys | source})
        start = time.monotonic()
        output = run.tigerbush("doctor", "--configfile", "config.yaml", *arguments, status=status)
        # includes the start of Python, on a machine that may be busy
        assert time.monotonic() - start < 20
        assert SECRET not in output
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in output
        assert "Traceback" not in output
        return [tuple(re.split(r" {2,}", line, maxsplit=2)) for line in output.splitlines()]

    return run_doctor


def failed(lines):
    return {name: text for state, name, text in lines if state == "failed"}


def test_all_is_well(doctor, keys, filled):
    lines = doctor()
    assert not failed(lines)
    texts = {name: text for _, name, text in lines}
    assert list(texts) == [
        "configuration", "sites", "products", "disk", "rasterio", "endpoint", "clock", "bucket", "reading"
    ]  # fmt: skip
    assert texts["reading"] == f"16 bytes of s3://{KEYED}/doctor/2017/01/16/object.bin"
    assert re.fullmatch(rf"[+-][01] s from that of {filled.url}", texts["clock"])


def test_a_public_bucket_needs_no_keys(doctor):
    assert not failed(doctor(bucket=PUBLIC, anonymous=True))


def test_wrong_keys(doctor, keys, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    lines = doctor(status=1)
    assert (
        "does not accept the credentials (SignatureDoesNotMatch); renew the keys" in failed(lines)["bucket"]
    )


def test_no_keys(doctor):
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in failed(doctor(status=1))["bucket"]


def test_a_missing_bucket(doctor, keys):
    text = failed(doctor(bucket="absent", anonymous=True, status=1))["bucket"]
    assert "s3://absent/" in text
    assert "check" in text


def test_an_empty_prefix(doctor, keys):
    assert (
        "check source.bucket and source.prefixes" in failed(doctor(prefixes=["nothing/"], status=1))["bucket"]
    )


def test_an_endpoint_that_is_not_there(doctor, keys):
    url = f"http://127.0.0.1:{free_port()}"
    assert failed(doctor(endpoint_url=url, status=1)) == {
        "endpoint": f"{url} cannot be reached (ConnectionError); check source.endpoint_url"
    }


def test_a_server_that_accepts_connections_but_never_answers(doctor, keys):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        lines = doctor(endpoint_url=url, status=1)
    assert failed(lines)["endpoint"].startswith(f"{url} did not respond within 3 s")


def test_a_server_that_stalls_later(doctor, keys, proxy):
    proxy.fault("stall", "list-type=2")
    assert "did not answer, or not to the end" in failed(doctor(endpoint_url=proxy.url, status=1))["bucket"]


def test_a_catalogue(doctor, tmp_path):
    with serve(tmp_path) as catalogue:
        stac = {
            "kind": "stac",
            "catalogue": catalogue.url,
            "endpoint_url": None,
            "bucket": None,
            "prefixes": None,
        }
        assert "catalogue" in {name for _, name, _ in doctor(**stac)}
    assert "check source.catalogue" in failed(doctor(status=1, **stac))["catalogue"]


def test_a_bad_configuration(doctor):
    [line] = doctor("--config", "period={start: 1}", status=1)
    assert line[:2] == ("failed", "configuration")
    assert line[2].startswith("period.start: '1' does not match")


def test_profiles(doctor, tmp_path, monkeypatch):
    for name, content in {
        "slurm": {"executor": "slurm", "default-resources": ["slurm_partition=long"]},
        "azure": {"executor": "azure", "azure-account-url": "https://127.0.0.1:9"},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    local = {"kind": "local", "path": str(ROOT)}
    # a PATH with what ./tigerbush and Snakemake need, but without SLURM
    (tmp_path / "bin").mkdir()
    for program in ("bash", "dirname", "readlink"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path / "bin"))
        lines = failed(doctor("--profile", str(tmp_path / "slurm"), status=1, **local))
    assert lines["slurm"] == "scontrol is not on the PATH; run this on a login node of the cluster"
    lines = failed(doctor("--profile", str(tmp_path / "azure"), status=1, **local))
    assert "run 'az login', or set AZURE_TENANT_ID" in lines["azure identity"]
    [line] = doctor("--profile", "absent", status=1, **local)
    assert "--profile absent is not a folder with a config.yaml" in line[2]


def test_slurm_that_answers(doctor, tmp_path, monkeypatch):
    """With stand-ins of SLURM's commands that print a fixed output."""
    for name, output in {"scontrol": "Slurmctld(primary) at here is UP", "sinfo": "short\nlong"}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nprintf '{output}\n'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (tmp_path / "config.yaml").write_text("executor: slurm\ndefault-resources:\n- slurm_partition=longer\n")
    local = {"kind": "local", "path": str(ROOT)}
    lines = doctor("--profile", str(tmp_path), status=1, **local)
    assert ("ok", "slurm", "controller is up, partitions short, long") in lines
    assert failed(lines)["slurm"].startswith("the profile's slurm_partition longer is not one of them")


def test_a_check_that_hangs_or_breaks_does_not_hold_up_the_others():
    released = threading.Event()

    def hangs():
        yield Finding("hangs", True, "first")
        released.wait(30)

    def breaks():
        yield Finding("breaks", True, "first")
        raise RuntimeError("broken")

    start = time.monotonic()
    findings = run_checks(
        {"hangs": hangs, "breaks": breaks, "works": lambda: [Finding("works", True, "")]}, 0.5
    )
    released.set()
    assert time.monotonic() - start < 5
    assert [(finding.name, finding.ok) for finding in findings] == [
        ("hangs", True), ("hangs", False), ("breaks", True), ("breaks", False), ("works", True)
    ]  # fmt: skip
    assert findings[1].text == "no answer within 0.5 s; try again."
    assert findings[3].text == "RuntimeError: broken"


def test_no_secret_of_the_environment_is_printed(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AZURE_CONNECTION_STRING", "AccountKey=abcd")
    assert (
        redacted(f"a {SECRET}\nb AccountKey=abcd") == "a <AWS_SECRET_ACCESS_KEY> b <AZURE_CONNECTION_STRING>"
    )
