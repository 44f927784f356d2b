"""What nodes would miss, and engines that are not here, each refused in its sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.planning.nodes import check_engine, check_nodes, refuse_fetching_on_nodes

KEYS = (
    "{} needs keys, and nodes get none: everyone with access to the Batch account could read them. Set run.local_rules: "
    "[stream_product, download_product], or source.anonymous: true for a public bucket."
)


def refused(check, *arguments, **options):
    with pytest.raises(TigerbushError) as error:
        check(*arguments, **options)
    return str(error.value)


@pytest.mark.parametrize("local_rules", [[], ["stream_product"], ["download_product", "resample_product"]])
def test_a_rule_that_would_need_a_key(local_rules):
    assert refused(refuse_fetching_on_nodes, "it", {"anonymous": False}, local_rules) == KEYS.format("it")
    refuse_fetching_on_nodes("it", {"anonymous": True}, local_rules)
    refuse_fetching_on_nodes("it", {"anonymous": False}, [*local_rules, "download_product", "stream_product"])


def config(kind="stac", access="stream", anonymous=False, sites="sites.tsv"):
    return {
        "source": {"kind": kind, "access": access, "path": "here", "anonymous": anonymous},
        "sites": sites,
        "run": {"local_rules": []},
    }


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    """A repository that has sites.tsv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites.tsv").touch()
    for words in (["init", "--quiet"], ["add", "sites.tsv"]):
        subprocess.run(["git", *words], check=True)


@pytest.mark.usefixtures("tracked")
def test_what_nodes_find():
    check_nodes(config())
    check_nodes(config("local", access="storage"))
    check_nodes(config("s3", anonymous=True))


@pytest.mark.usefixtures("tracked")
def test_what_nodes_would_miss():
    assert refused(check_nodes, config("s3")) == KEYS.format("source.kind s3")
    assert refused(check_nodes, config("local")) == (
        "source.path here cannot be read from the nodes; set source.access: storage, which copies products to the "
        "storage first."
    )
    assert refused(check_nodes, config(sites="--others.tsv")) == (
        "sites: --others.tsv would not be sent to the nodes, because git does not track it; run 'git add --force "
        "--others.tsv' in the repository where the workflow starts."
    )
    # though git tracks it
    path = Path("sites.tsv").absolute()
    assert refused(check_nodes, config(sites=str(path))) == (
        f"sites: the nodes have no {path}; write the path from the folder in which the workflow starts."
    )


@pytest.fixture
def worker(tmp_path):
    """A program that takes the place of SNAP's, and says what it is given."""

    def write(code):
        (tmp_path / "worker.py").write_text(f"import sys\n{code}\n")
        return tmp_path / "worker.py"

    return write


HERE = {"on_nodes": False, "in_conda": False}


def test_an_engine_that_starts(worker):
    check_engine("rasterio", worker("sys.exit(1)"), on_nodes=True, in_conda=True)
    check_engine("gpt", worker("assert sys.argv[1:] == ['check', 'gpt']"), **HERE)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("print('first'); sys.exit('last of stderr')", "first"),
        ("sys.exit('one\\ntwo\\n')", "two"),
        ("sys.exit(1)", "no message"),
    ],
)
def test_an_engine_that_does_not_start(worker, code, sentence):
    assert refused(check_engine, "snap", worker(code), **HERE) == f"scene.engine snap: {sentence}"


def test_no_engine_on_nodes(worker):
    assert refused(check_engine, "gpt", worker("pass"), on_nodes=True, in_conda=False) == (
        "scene.engine gpt: the nodes do not share the disk of this machine and have no SNAP; set scene.engine: "
        "rasterio."
    )


def test_snap_in_an_environment_of_conda(worker, monkeypatch, tmp_path):
    options = {"on_nodes": False, "in_conda": True}
    fails = worker("sys.exit('not asked')")
    for home in (None, "", str(tmp_path / "gone"), sys.executable):
        monkeypatch.delenv("SNAP_HOME", raising=False)
        if home is not None:
            monkeypatch.setenv("SNAP_HOME", home)
        assert refused(check_engine, "snap", fails, **options) == (
            "scene.engine snap: the environment created by conda needs SNAP; set SNAP_HOME to its folder."
        )
        check_engine("gpt", fails, **options)
    monkeypatch.setenv("SNAP_HOME", str(tmp_path))
    check_engine("snap", fails, **options)
