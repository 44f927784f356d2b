"""`./tigerbush init`: answers in, a configuration that the workflow accepts out, or one sentence."""

import os
import pty
import subprocess
from functools import partial

import pytest
import yaml

from fabricate import ROOT
from tigerbush.cli import init
from tigerbush.cli.__main__ import main
from tigerbush.errors import TigerbushError

ANSWERS = {
    "site": "dry-1", "longitude": "27.94", "latitude": "-11.58", "start": "2016-01-01", "end": "2020-01-01",
    "source": "cdse",
}  # fmt: skip


def flags(**changes):
    answers = {key: value for key, value in (ANSWERS | changes).items() if value is not None}
    return [word for key, value in answers.items() for word in (f"--{key.replace('_', '-')}", str(value))]


@pytest.fixture
def no_check(monkeypatch):
    """Leave out the seconds in which snakemake reads the files; the tests without it run the whole."""
    monkeypatch.setattr(init, "read_snakemake", lambda arguments: "")


@pytest.fixture
def refused(refused_command, monkeypatch):
    monkeypatch.chdir(ROOT)
    return partial(refused_command, "init")


def test_flags_alone_write_what_the_workflow_accepts_and_never_again(tmp_path):
    command = [ROOT / "tigerbush", "init", *flags(), "--output", tmp_path]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    assert f"--configfile {tmp_path}/dry-1.yaml" in done.stdout
    assert (tmp_path / "dry-1_sites.tsv").read_text() == (
        "site\tlongitude\tlatitude\tregion_size\ndry-1\t27.94\t-11.58\t0.08\n"
    )
    written = (tmp_path / "dry-1.yaml").read_text()
    ready = yaml.safe_load((ROOT / "config" / "cdse.yaml").read_text())
    assert yaml.safe_load(written) == {
        "sites": f"{tmp_path}/dry-1_sites.tsv",
        "period": {"start": "2016-01-01", "end": "2020-01-01", "step": "1m"},
        "source": ready["source"],
    }
    again = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert again.returncode == 1
    assert "dry-1_sites.tsv exists and is not overwritten" in again.stderr
    assert (tmp_path / "dry-1.yaml").read_text() == written


def test_a_configuration_alone_is_not_overwritten_either(tmp_path, monkeypatch, capsys, no_check):
    monkeypatch.chdir(ROOT)
    (tmp_path / "dry-1.yaml").write_text("mine\n")
    assert main(["init", "--output", str(tmp_path), *flags()]) == 1
    assert "dry-1.yaml exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["dry-1.yaml"]
    assert (tmp_path / "dry-1.yaml").read_text() == "mine\n"


def test_what_is_missing_is_asked_for_until_it_is_right(tmp_path):
    """On a terminal, as a person types."""
    typed = ["somewhere", "27.94", "", "2016-01-01", "2020-02-30", "2020-01-01", "2w", "local", "my: data"]
    ours, theirs = pty.openpty()
    os.write(ours, "".join(f"{line}\n" for line in typed).encode())
    done = subprocess.run(
        [ROOT / "tigerbush", "init", "--output", tmp_path, "--site", "dry-1", "--latitude", "11.58"],
        cwd=ROOT, stdin=theirs, capture_output=True, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert b"'somewhere' is not a number from -180 to 180" in shown
    assert b"'2020-02-30' is not a day" in shown
    config = yaml.safe_load((tmp_path / "dry-1.yaml").read_text())
    assert config["period"] == {"start": "2016-01-01", "end": "2020-01-01", "step": "2w"}
    assert config["source"] == {"kind": "local", "path": "my: data"}
    assert (tmp_path / "dry-1_sites.tsv").read_text().endswith("dry-1\t27.94\t11.58\t0.08\n")


@pytest.mark.parametrize("source", init.SOURCES)
def test_each_source_is_that_of_its_ready_file(source, tmp_path, monkeypatch, no_check):
    monkeypatch.chdir(ROOT)
    path = {"path": "/data/s2"} if source == "local" else {}
    assert main(["init", "--output", str(tmp_path), *flags(source=source, **path)]) == 0
    ready = yaml.safe_load((ROOT / "config" / f"{source}.yaml").read_text())["source"]
    assert yaml.safe_load((tmp_path / "dry-1.yaml").read_text())["source"] == ready | path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"latitude": None}, "--latitude is missing"),
        ({"latitude": "89"}, "--latitude: '89' is not a number from -80 to 84"),
        ({"longitude": "nan"}, "--longitude: 'nan' is not a number"),
        ({"site": "../up"}, "--site: '../up' is not a name of letters"),
        ({"start": "2021-01-01"}, "--end 2020-01-01 must be after --start 2021-01-01"),
        ({"start": "2016-1-1"}, "--start: '2016-1-1' is not a day"),
        ({"step": "month"}, "--step: 'month' is not a step"),
        ({"source": "gee"}, "--source: 'gee' is not one of local, cdse"),
        ({"source": "local"}, "--path is missing"),
        ({"path": "x"}, "--path is only for --source local"),
        ({"source": "local", "path": "a\nsites: b"}, "--path: "),
        ({"colour": "green"}, "init does not know '--colour'"),
    ],
)
def test_what_is_refused(refused, no_check, changes, sentence):
    assert sentence in refused(*flags(**changes))


def test_the_workflow_itself_has_the_last_word(refused):
    assert "site name 'scenes' is reserved" in refused(*flags(site="scenes"))


def test_no_terminal_and_an_end_of_input_are_no_answers(monkeypatch):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115
    with pytest.raises(TigerbushError, match="--site is missing"):
        init._ask(init.QUESTIONS[0], {})
    assert init._ask(init.QUESTIONS[3], {}) == 0.08
