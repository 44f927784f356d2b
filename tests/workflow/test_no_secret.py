"""Secrets in the environment: a run shows them nowhere, and does not start when they are given on its command line."""

import pytest
import yaml

from canaries import ENVIRONMENT, Processes, Search
from fabricate import ROOT
from runs import BASE, SNAKEMAKE, SUMMARIES, Run, keep_days
from warm import warm_python

pytestmark = pytest.mark.workflow

CANARY = "a-canary-that-is-given-openly"
# a user's rule beside those of the workflow, for which Snakemake starts itself, and which reports how
MODULE = f"""
configfile: "config.yaml"
module vegetation:
    snakefile: "{ROOT}/workflow/Snakefile"
    config: config
use rule * from vegetation as vegetation_*
rule parents:
    input: "results/here/2017-01-16/ndvi.tif"
    output: "parents.txt"
    run:
        import os
        parents = [open(f"/proc/{{pid}}/cmdline").read() for pid in (os.getpid(), os.getppid())]
        open(output[0], "w").write("\\n".join(parents) + os.environ["AWS_SESSION_TOKEN"][::-1])
"""


def test_secrets_are_inherited_and_shown_nowhere(run):
    """Nor with --verbose, nor by a rule for which Snakemake starts itself."""
    keep_days(run, "20170110")
    (run.folder / "Snakefile").write_text(MODULE)
    search = Search(ENVIRONMENT)
    with Processes(search, rf"\S*python\S* {run.folder}/\.snakemake/scripts/") as processes:
        command = [*SNAKEMAKE, "--cores", "2", "--verbose", "parents", "--envvars", "AWS_SECRET_ACCESS_KEY"]
        output = run.call(command, variables=ENVIRONMENT)
    assert len(processes.seen) >= 3
    assert processes.inherited == set(ENVIRONMENT)
    assert processes.shown == set()
    assert search.secrets_in(output) == set()
    assert search.files(run.folder) == {}
    reported = (run.folder / "parents.txt").read_text()
    assert reported.endswith(ENVIRONMENT["AWS_SESSION_TOKEN"][::-1])
    assert reported.count("--mode\0subprocess") + reported.count("--mode subprocess") >= 1


def openly(run, *arguments, variables=None):
    """Start a run; return its output and the files it leaves, without the secret that it was given."""
    command = [*SNAKEMAKE, "--snakefile", str(ROOT / "workflow" / "Snakefile"), "--configfile", "config.yaml"]
    command = [*command, "--cores", "2", SUMMARIES, *arguments]
    output = run.call([run.python, *command[1:]], 1, variables or {})
    assert CANARY not in output
    assert "Traceback" not in output
    assert not (run.folder / "results").exists()
    assert Search({"openly": CANARY}).files(run.folder / ".snakemake") == {}
    return output


@pytest.fixture
def given(tmp_path):
    """A run without products, since none of these starts."""
    run = Run(tmp_path / "work", BASE)
    run.python = warm_python()
    return run


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--storage-s3-access-key", CANARY], "access-key"),
        (["--storage-s3-secret-key=" + CANARY], "secret-key"),
        # Snakemake accepts abbreviated options, and a tag before the value
        (["--storage-s3-tok", f"source::{CANARY}"], "token"),
    ],
)
def test_a_key_on_the_command_line(given, arguments, option):
    variable = f"SNAKEMAKE_STORAGE_S3_{option.replace('-', '_').upper()}"
    assert (
        f"--storage-s3-{option} was given on the command line or in a profile, where others can read it; set "
        f"{variable} in the environment instead, and replace the exposed secret.\n"
    ) in openly(given, *arguments)


def test_a_key_in_a_profile(given):
    (given.folder / "mine").mkdir()
    (given.folder / "mine" / "config.yaml").write_text(yaml.safe_dump({"storage-s3-secret-key": CANARY}))
    assert "\n--storage-s3-secret-key was given on the command line or in a profile" in openly(
        given, "--profile", "mine"
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (
            ["--storage-s3-token", CANARY],
            {"SNAKEMAKE_STORAGE_S3_TOKEN": CANARY},
            "--storage-s3-token was given on the command line or in a profile",
        ),
        (
            ["--wrapper-prefix", f"https://host/{CANARY}"],
            {"AWS_SECRET_ACCESS_KEY": CANARY},
            "the command line would show the value of AWS_SECRET_ACCESS_KEY to others; remove it, set",
        ),
        (
            ["--default-resources", f"slurm_extra='--export=A_KEY={CANARY}'"],
            {},
            "the resources of jobs would show the value of A_KEY to others; remove it, set A_KEY in the environment",
        ),
        (
            ["--configfile", "config.yaml", "named.yaml"],
            {"CDSE_PASSWORD": CANARY},
            "run.name would show the value of CDSE_PASSWORD to others; remove it, set CDSE_PASSWORD in the environment",
        ),
        (
            ["--profile", "mine"],
            {},
            "the resources of jobs would show the value of A_KEY to others; remove it, set A_KEY in the environment",
        ),
        (
            ["--default-storage-prefix", f"https://host/?sig={CANARY}"],
            {},
            "--default-storage-prefix contains a user, password, key or signature in a URL",
        ),
        (
            ["--config", f"source={{endpoint_url: 'https://user:{CANARY}@host'}}"],
            {},
            "source.endpoint_url contains a user, password, key or signature in a URL",
        ),
        (
            ["--storage-s3-endpoint-url", f"https://user:{CANARY}@host"],
            {},
            "--storage-s3-endpoint-url contains a user, password, key or signature in a URL",
        ),
        (
            [],
            {"AWS_ENDPOINT_URL_S3": f"https://user:{CANARY}@host"},
            "AWS_ENDPOINT_URL_S3 contains a user, password, key or signature in a URL",
        ),
        (
            [],
            {"SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": f"https://{CANARY}@host"},
            "--storage-s3-endpoint-url contains a user, password, key or signature in a URL",
        ),
    ],
)  # fmt: skip
def test_a_secret_given_openly(given, arguments, variables, sentence):
    (given.folder / "named.yaml").write_text(yaml.safe_dump({"run": {"name": CANARY}}))
    (given.folder / "mine").mkdir()
    (given.folder / "mine" / "config.yaml").write_text(
        yaml.safe_dump({"set-resources": [f"compute_ndvi:slurm_extra='--export=A_KEY={CANARY}'"]})
        + "default-resources: [mem_mb=500]\n"
    )
    assert f"\n{sentence}" in openly(given, *arguments, variables=variables)


def test_a_password_in_a_table(given):
    """In one written by hand; a table that discovery writes has none."""
    (given.folder / "sites.tsv").write_text(
        f"site\tlongitude\tlatitude\tregion_size\tsource\nhere\t14.5593\t45.8694\t0.0037\thttps://user:{CANARY}@host\n"
    )
    assert "\nsites.tsv, line 2: source contains a user, password, key or signature in a URL" in openly(given)
