"""`./tigerbush init`: answers in, a configuration that the workflow accepts out, or one sentence."""

import os
import pty
import shlex
import subprocess
from functools import partial

import pytest
import yaml

from fabricate import ROOT
from tigerbush.cli import init
from tigerbush.cli.__main__ import main
from tigerbush.cli.added_site import add_site
from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import read_sites

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


@pytest.fixture
def written(tmp_path, monkeypatch, capsys, no_check):
    """`written(changes)` writes a configuration, in a folder that is not the checkout; returns what is printed."""
    monkeypatch.chdir(tmp_path)

    def run(*words, **changes):
        assert main(["init", *flags(**changes), *words]) == 0
        return capsys.readouterr().out

    return run


def test_flags_alone_write_what_the_workflow_accepts_and_never_again(tmp_path):
    command = [
        ROOT / "tigerbush", "init", *flags(), "--output", tmp_path, "--directory", tmp_path / "run"
    ]  # fmt: skip
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
    (tmp_path / "my: data").mkdir()
    typed = [
        "somewhere",
        "27.94",
        "",
        "2016-01-01",
        "2020-02-30",
        "2020-01-01",
        "2w",
        "local",
        "no data",
        "my: data",
    ]
    ours, theirs = pty.openpty()
    os.write(ours, "".join(f"{line}\n" for line in typed).encode())
    done = subprocess.run(
        [ROOT / "tigerbush", "init", "--output", tmp_path, "--site", "dry-1", "--latitude", "11.58"],
        cwd=tmp_path, stdin=theirs, capture_output=True, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert b"'somewhere' is not a number from -180 to 180" in shown
    assert b"'2020-02-30' is not a day" in shown
    assert b"--path: 'no data' is not a folder; correct it." in shown
    config = yaml.safe_load((tmp_path / "dry-1.yaml").read_text())
    assert config["period"] == {"start": "2016-01-01", "end": "2020-01-01", "step": "2w"}
    assert config["source"] == {"kind": "local", "path": f"{tmp_path}/my: data"}
    assert (tmp_path / "dry-1_sites.tsv").read_text().endswith("dry-1\t27.94\t11.58\t0.08\n")


@pytest.mark.parametrize("source", init.SOURCES)
def test_each_source_is_that_of_its_ready_file(source, tmp_path, written):
    path = {"path": str(tmp_path)} if source == "local" else {}
    written("--output", str(tmp_path), source=source, **path)
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
        ({"path": "config"}, "--path is only for --source local"),
        ({"source": "local", "path": "a\nsites: b"}, "--path: 'a\\nsites: b' is not a folder; correct it."),
        ({"source": "local", "path": "no/such"}, "--path: 'no/such' is not a folder; correct it."),
        ({"source": "local", "path": "README.md"}, "--path: 'README.md' is not a folder; correct it."),
        (
            {"source": "local", "path": "~nobody-here/data"},
            "--path: '~nobody-here/data' is not a folder; correct it.",
        ),
        ({"directory": "a\nb"}, "--directory: "),
        ({"colour": "green"}, "init does not know '--colour'"),
    ],
)
def test_what_is_refused(refused, no_check, changes, sentence):
    assert sentence in refused(*flags(**changes))


def test_the_workflow_itself_has_the_last_word(refused):
    sentence = refused(*flags(site="scenes"))
    # of the file that would be written
    assert "/output/scenes_sites.tsv, line 2: site name 'scenes' is reserved" in sentence


def test_no_terminal_and_an_end_of_input_are_no_answers(monkeypatch):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115
    with pytest.raises(TigerbushError, match="--site is missing"):
        init._ask(init.QUESTIONS[0], {})
    assert init._ask(init.QUESTIONS[3], {}) == 0.08


@pytest.mark.input(
    "Commands", "folders with spaces, quotes, `~` or variables",
    "`init` writes them as absolute paths, and quotes them in the commands that it prints",
)  # fmt: skip
def test_paths_are_quoted_and_absolute(written, tmp_path, monkeypatch):
    """Spaces, quotes and what a shell would replace; ~ and variables in answers are replaced as by a shell."""
    for name in ("it's data", "my $conf"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KIND", "it's")
    for number, path in enumerate(
        ("it's data", "~/it's data", "$HOME/$KIND data", "./my $conf/../it's data")
    ):
        name = f"s{number}"
        printed = written("--output", "my $conf", site=name, source="local", path=path)
        config = yaml.safe_load((tmp_path / "my $conf" / f"{name}.yaml").read_text())
        assert config["source"]["path"] == f"{tmp_path}/it's data"
        assert config["sites"] == f"{tmp_path}/my $conf/{name}_sites.tsv"
        options = f"--configfile 'my $conf/{name}.yaml' --directory runs/{name}"
        assert options in (tmp_path / "my $conf" / f"{name}.yaml").read_text()
        root = shlex.quote(str(ROOT))
        assert printed.splitlines() == [
            f"Written: my $conf/{name}_sites.tsv and my $conf/{name}.yaml; results will be in runs/{name}/results. "
            "Check, plan and run:",
            *(f"  {root}/tigerbush {command} {options}" for command in ("doctor", "discover", "plan")),
            f"  {root}/.venv/bin/snakemake --snakefile {root}/workflow/Snakefile --profile {root}/profiles/local {options}",
        ]


def test_in_the_checkout_commands_are_short(tmp_path, monkeypatch, capsys, no_check):
    monkeypatch.chdir(ROOT)
    words = ["--output", str(tmp_path), "--directory", str(tmp_path / "run")]
    assert main(["init", *flags(), *words]) == 0
    options = f"--configfile {tmp_path}/dry-1.yaml --directory {tmp_path}/run"
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"  ./tigerbush doctor {options}",
        f"  ./tigerbush discover {options}",
        f"  ./tigerbush plan {options}",
        f"  .venv/bin/snakemake --profile profiles/local {options}",
    ]


@pytest.mark.input(
    "Commands", "two configurations of `init`",
    "each has its own working directory, with its table of products and its results",
)  # fmt: skip
def test_two_configurations_share_no_working_directory(written, tmp_path, capsys):
    written(site="a")
    written(site="b")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b"]
    # the same name in another folder, once there are results
    (tmp_path / "runs" / "a" / "results").mkdir()
    assert main(["init", *flags(site="a"), "--output", "other"]) == 1
    assert capsys.readouterr().err == (
        "tigerbush: runs/a has results of another configuration; choose another --directory.\n"
    )
    assert not (tmp_path / "other").exists()
    written("--output", "other", "--directory", "runs/a2", site="a")
    assert (tmp_path / "runs" / "a2").is_dir()


def test_a_working_directory_that_cannot_be_created(tmp_path, monkeypatch, capsys, no_check):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    assert main(["init", *flags()]) == 1
    assert capsys.readouterr().err == (
        "tigerbush: runs/dry-1 cannot be created (Not a directory); choose another --directory.\n"
    )
    assert not (tmp_path / "config").exists()


def test_an_end_that_looks_like_the_last_day_is_warned_of(tmp_path, monkeypatch, capsys, no_check):
    monkeypatch.chdir(tmp_path)
    assert main(["init", *flags(end="2019-12-31")]) == 0
    assert capsys.readouterr().err == (
        "warning: period.end 2019-12-31 is not the last day but the day after it: the last period (2019-12-01 to "
        "2020-01-01) is incomplete and dropped; set period.end: 2020-01-01 to use it, or 2019-12-01 to leave it out.\n"
    )


PLACE = ["--longitude", "19.5", "--latitude", "13.2"]


@pytest.mark.input(
    "Commands", "another site for a configuration",
    "`init --add` appends a row to its table; a site that is there already is refused",
)  # fmt: skip
def test_a_site_is_added_to_a_configuration(written, tmp_path, capsys):
    written(site="a")
    config = (tmp_path / "config" / "a.yaml").read_text()
    assert main(["init", "--add", "config/a.yaml", "--site", "b", *PLACE]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == (
        f"Added: b to {tmp_path}/config/a_sites.tsv. Check, list the products of the new site, plan and run:"
    )
    assert printed[1].endswith("/tigerbush doctor --configfile config/a.yaml --directory runs/a")
    assert len(printed) == 5
    assert (tmp_path / "config" / "a_sites.tsv").read_text() == (
        "site\tlongitude\tlatitude\tregion_size\na\t27.94\t-11.58\t0.08\nb\t19.5\t13.2\t0.08\n"
    )
    assert (tmp_path / "config" / "a.yaml").read_text() == config
    assert sorted(path.name for path in (tmp_path / "config").iterdir()) == ["a.yaml", "a_sites.tsv"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--site", "a", *PLACE], "site a is already in {}, line 2; choose another name, or edit that line."),
        (["--site", "scenes", *PLACE], "{}, line 3: site name 'scenes' is reserved, used twice or not made of letters, digits, - and _; choose another."),
        (["--site", "b", *PLACE, "--region-size", "0.001"], "{}, line 3: site b of 0.001 degrees is smaller than one sub-image of 500 m; make it at least 0.0045 or subimages.size smaller."),
        (["--site", "b", *PLACE, "--start", "2016-01-01"], "--start is not for --add; change it in config/a.yaml."),
        (["--site", "b", *PLACE, "--output", "x"], "--output is not for --add; change it in config/a.yaml."),
        (["--site", "b", "--longitude", "1"], "--latitude is missing (latitude of its centre, degrees north); add it."),
    ],
)  # fmt: skip
def test_a_site_that_is_not_added(written, tmp_path, capsys, monkeypatch, words, sentence):
    written(site="a")
    table = tmp_path / "config" / "a_sites.tsv"
    content = table.read_bytes()
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115
    assert main(["init", "--add", "config/a.yaml", *words]) == 1
    assert capsys.readouterr().err == f"tigerbush: {sentence.format(table)}\n"
    assert table.read_bytes() == content


def test_a_configuration_without_sites(written, tmp_path, capsys):
    written(site="a")
    config = tmp_path / "config" / "a.yaml"
    sites = next(line for line in config.read_text().splitlines() if line.startswith("sites:"))
    config.write_text(config.read_text().replace(sites, "sites: null") + "scene: {limit: 8}\n")
    capsys.readouterr()
    assert main(["init", "--add", "config/a.yaml", "--site", "b", *PLACE]) == 1
    assert capsys.readouterr().err == (
        "tigerbush: config/a.yaml has no table of sites to add to; set sites to one first.\n"
    )


def test_a_configuration_whose_table_is_gone(written, tmp_path, capsys):
    written(site="a")
    (tmp_path / "config" / "a_sites.tsv").unlink()
    assert main(["init", "--add", "config/a.yaml", "--site", "b", *PLACE]) == 1
    assert capsys.readouterr().err == (
        f"tigerbush: sites: {tmp_path}/config/a_sites.tsv does not exist; write this table, or correct sites.\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("site\tlongitude\tlatitude\tregion_size\n", "b\t19.5\t13.2\t0.08\n"),
        ("site\tlongitude\tlatitude\tregion_size\na\t1\t2\t0.1", "\nb\t19.5\t13.2\t0.08\n"),
        ("site\tlongitude\tlatitude\tregion_size\r\na\t1\t2\t0.1\r\n", "b\t19.5\t13.2\t0.08\r\n"),
        # columns in another order, more of them, and an accent elsewhere
        ("\ufefflatitude\tnote\tsite\tregion_size\tlongitude\n2\té\ta\t0.1\t1\n", "13.2\t\tb\t0.08\t19.5\n"),
    ],
)
def test_the_rest_of_a_table_stays_as_it_is(tmp_path, before, after):
    table, link = tmp_path / "sites.tsv", tmp_path / "link.tsv"
    table.write_bytes(before.encode())
    link.symlink_to("sites.tsv")
    site = {"site": "b", "longitude": 19.5, "latitude": 13.2, "region_size": 0.08}
    add_site(link, site, 500)
    assert table.read_bytes() == (before + after).encode()
    assert link.is_symlink()
    assert read_sites(table, 500)["b"] == site
