"""What status and plan say of a run, from what Snakemake has written down and prints; Snakemake itself is not started."""

import base64
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from fabricate import name_of
from test_retry import CONFIG, row_of
from tigerbush.cli.__main__ import main as tigerbush
from tigerbush.cli.__main__ import module_of
from tigerbush.cli.status import command as status
from tigerbush.cli.status import records
from tigerbush.cli.status.command import advice, classify, run_state
from tigerbush.cli.status.records import Job, Run, read_run, unfinished
from tigerbush.errors import TigerbushError
from tigerbush.placeholder import record_path
from tigerbush.planning.tables import COLUMNS, write_table
from tigerbush.runs.mark import Mark
from tigerbush.runs.queue_slurm import QueueJob

RUN_ID = "3f0e5d1c-1111-2222-3333-444444444444"
LOG = f"""Building DAG of jobs...
SLURM run ID: {RUN_ID}
Select jobs to execute...
[Sun Nov 29 12:00:00 2026]
Error in rule date:
    message: None
    jobid: 3
    input: a.tif
    output: results/here/2017-01-16/composite.tif (send to storage), results/here/2017-01-16/lineage.json
    log: logs/date.log (check log file(s) for error details)
"""
LOG_OF_ERROR = {
    f"results/here/2017-01-16/{name}": "logs/date.log" for name in ("composite.tif", "lineage.json")
}


@pytest.fixture
def folder(tmp_path):
    """The working folder of a run: two runs and a dry run, the newest of which counts for nothing."""
    logs = tmp_path / ".snakemake" / "log"
    logs.mkdir(parents=True)
    (logs / "2026-11-27T120000.000000.snakemake.log").write_text(
        "Select jobs to execute...\nSLURM run ID: old\n"
    )
    (logs / "2026-11-28T120000.000000.snakemake.log").write_bytes(LOG.encode() + b"\xff\n")
    (logs / "2026-11-29T120000.000000.snakemake.log").write_bytes(b"Nothing to be done \xff\n")
    return tmp_path


@pytest.fixture(autouse=True)
def no_processes(monkeypatch, tmp_path):
    """No process of this machine is one of a run: /proc is a folder of the test."""
    root = tmp_path / "proc"
    monkeypatch.setattr(records, "Path", lambda text: Path(str(text).replace("/proc", str(root))))
    return root


def test_what_a_run_has_left(folder):
    run = read_run(folder)
    log = folder / ".snakemake" / "log" / "2026-11-28T120000.000000.snakemake.log"
    assert run == Run(log, LOG_OF_ERROR, RUN_ID, locked=False, alive=False)
    locks = folder / ".snakemake" / "locks"
    locks.mkdir()
    (locks / "0.input.lock").touch()
    assert read_run(folder).locked
    assert read_run(folder / "elsewhere") == Run(None, {}, None, locked=False, alive=False)


@pytest.mark.parametrize(
    ("content", "newer", "known"),
    [
        ({"run": RUN_ID}, False, True),
        ({"run": "old"}, True, False),
        # of a run that could not begin: by the time
        ({}, True, True),
        ({}, False, False),
        (None, True, False),
    ],
)
def test_what_slurm_has_said(folder, content, newer, known):
    reasons = {"failed": {"out of memory": 2}, "refused_for_now": {"busy": 7}}
    path = folder / ".snakemake" / "slurm.json"
    path.write_text("{" if content is None else json.dumps(content | reasons))
    log = folder / ".snakemake" / "log" / "2026-11-28T120000.000000.snakemake.log"
    os.utime(path, (log.stat().st_mtime + (10 if newer else -10),) * 2)
    run = read_run(folder)
    assert (run.slurm_failed, run.slurm_refused) == (
        (reasons["failed"], reasons["refused_for_now"]) if known else ({}, {})
    )
    if content == {}:
        for log in folder.glob(".snakemake/log/*"):
            log.unlink()
        assert read_run(folder).slurm_failed == reasons["failed"]


@pytest.mark.parametrize(
    ("words", "here", "alive"),
    [
        (["/bin/snakemake", "--cores", "1"], True, True),
        (["python", "-m", "snakemake/__main__.py"], True, True),
        (["/bin/snakemake"], False, False),
        (["/bin/other"], True, False),
        *((["/bin/snakemake", word], True, False) for word in ("--dry-run", "-n", "--summary", "--detailed-summary", "--mode", "--unlock")),
    ],
)  # fmt: skip
def test_the_process_of_a_run(folder, no_processes, words, here, alive):
    process = no_processes / "12"
    process.mkdir(parents=True)
    (no_processes / "13").mkdir()
    (process / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    (process / "cwd").symlink_to(folder if here else folder.parent)
    assert read_run(folder).alive is alive


@pytest.mark.parametrize(("age", "alive"), [(10, True), (700, False)])
def test_the_mark_of_a_run_elsewhere(folder, monkeypatch, age, alive):
    monkeypatch.setattr(records, "read_mark", lambda path: (Mark(token="x", machine="another"), age) if path == folder / "results" / ".run.json" else 1 / 0)  # noqa: S106 # fmt: skip
    assert read_run(folder).alive is alive


def test_names_of_unfinished_files(tmp_path):
    """Long ones are in parts, of which all but the last begin with @."""
    names = ["results/a.tif", "results/" + "b" * 300 + ".tif"]
    for name in names:
        text = base64.urlsafe_b64encode(name.encode()).decode()
        parts = [text[i : i + 100] for i in range(0, len(text), 100)]
        path = tmp_path.joinpath(".snakemake", "incomplete", *(f"@{part}" for part in parts[:-1]), parts[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / ".snakemake" / "incomplete" / "_w==").touch()
    assert unfinished(tmp_path) == set(names)


JOBS = [
    {"rule": "all", "inputs": ["results/here/s.json"], "outputs": [], "pending": True, "missing": False},
    {"rule": "site", "inputs": ["results/here/2017-01-16/composite.tif"], "outputs": ["results/here/s.json"], "pending": True, "missing": True},
    {"rule": "date", "inputs": ["a.tif"], "outputs": sorted(LOG_OF_ERROR), "pending": True, "missing": True},
    {"rule": "date", "inputs": ["b.tif"], "outputs": ["results/there/2017-01-16/composite.tif"], "pending": False, "missing": False},
    {"rule": "date", "inputs": ["c.tif"], "outputs": ["az://c/run/results/there/2017-02-16/composite.tif"], "pending": True, "missing": True},
    {"rule": "scene", "inputs": [], "outputs": ["results/scenes_mpi/manifest.json"], "pending": False, "missing": False},
    {"rule": "scene", "inputs": [], "outputs": ["results/scenes/P.tif"], "pending": True, "missing": True},
    *(
        {"rule": "other", "inputs": [], "outputs": [name], "pending": False, "missing": False}
        for name in ("results/downloads/P.zip", "results/analysis/x.json", "results/fingerprints/x", "results/x.json", "elsewhere/here/x/y")
    ),
]  # fmt: skip
SITES = {
    "here": {"failed": 1, "cannot run": 1}, "there": {"done": 1, "waiting": 1}, "scenes": {"done": 1, "waiting": 1}, "all": {"done": 5},
}  # fmt: skip
RULES = {
    "site": {"cannot run": 1}, "date": {"done": 1, "waiting": 1, "failed": 1}, "scene": {"done": 1, "waiting": 1}, "other": {"done": 5},
}  # fmt: skip


@pytest.fixture
def report(folder, monkeypatch, capsys):
    """`report(words, jobs, queue=...)` is the exit status of status and what it printed."""
    asked = []
    config = CONFIG | {"products": "table.tsv"}
    monkeypatch.setattr(status, "read_run_configuration", lambda options: config)

    def run(*words, jobs=JOBS, queue=None, profile=None):
        monkeypatch.setattr(status, "read_profile", lambda name: profile or {})
        text = "".join(f"{json.dumps(job)}\n" for job in jobs)
        monkeypatch.setattr(
            status, "read_snakemake", lambda *arguments: asked.append(arguments) or f"noise\n{text}"
        )

        def squeue(run_id):
            assert run_id == RUN_ID
            if isinstance(queue, Exception):
                raise queue
            return queue or []

        monkeypatch.setattr(status, "slurm_queue", squeue)
        options = SimpleNamespace(
            targets=["t"],
            json="--json" in words,
            directory=folder,
            profile="p",
            configfile=["c.yaml"],
            config=[],
        )
        return status.run(options, []), capsys.readouterr().out

    run.asked = asked
    return run


def test_the_whole_of_a_status(report, folder):
    write_table(folder / "table.tsv", [], COLUMNS)
    (folder / "logs").mkdir()
    (folder / "logs" / "date.log").write_text("first\n  RuntimeError: no\n error again\n")
    code, text = report("--json")
    assert (code, json.loads(text)) == (
        1,
        {
            "run": "ended", "discovered": True, "rules": RULES, "sites": SITES,
            "failed": [{"rule": "date", "log": "logs/date.log", "error": "RuntimeError: no"}],
            "failed_products": [], "kept_products": {}, "left_over": [], "gone_products": [], "skipped_items": 0, "queue": [], "slurm": {"failed": {}, "refused_for_now": {}}, "advice": None,
        },
    )  # fmt: skip
    assert report.asked == [(["t", "--directory", str(folder), "--configfile", "c.yaml"], status.PLAN)]
    assert list(json.loads(text)["rules"]["date"]) == ["done", "waiting", "failed"]
    # outputs in a storage that the profile names
    report("--json", profile={"default-storage-provider": "azure"})
    assert report.asked[1][0] == ["t", "--directory", str(folder), "--configfile", "c.yaml", "--profile", "p"]


# what stands in brackets is no style
SLURM_SAYS = {"failed": {"[red]out of memory": 2, "no job at all": 0}, "refused_for_now": {"[red]busy": 7}}


@pytest.fixture
def in_trouble(folder):
    """A run whose main process is gone, with products that have failed and one that was kept."""
    locks = folder / ".snakemake" / "locks"
    locks.mkdir()
    (locks / "a.lock").touch()
    (folder / "logs").mkdir()
    (folder / "logs" / "date.log").write_bytes(b"[red]an error[/red] \xff\n")
    (folder / ".snakemake" / "slurm.json").write_text(json.dumps({"run": RUN_ID, **SLURM_SAYS}))
    scenes = folder / "results" / "scenes"
    scenes.mkdir(parents=True)
    names = [name_of(day) for day in ("20170110", "20170111", "20170112")]
    write_table(folder / "table.tsv", map(row_of, names), COLUMNS)
    for name in names:
        (scenes / f"{name}.tif").touch()
    record_path(scenes / f"{name_of('20170110')}.tif").write_text('{"reason": "[red]it is gone."}')
    incomplete = folder / ".snakemake" / "incomplete"
    incomplete.mkdir()
    (incomplete / base64.urlsafe_b64encode(b"results/scenes/P.tif").decode()).touch()
    return folder


def test_a_status_with_everything_in_it(report, in_trouble):
    """As it is printed, and as JSON."""
    queue = [QueueJob("5", "RUNNING", "date", "[red]n1")]
    code, text = report(queue=queue)
    kept, failed = name_of("20170110"), name_of("20170111")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    assert (code, lines[0]) == (1, "run: orphaned")
    assert [line for line in lines if line.startswith(("rule", "date", "scene", "here", "all"))] == [
        "rule done running waiting failed cannot run", "date 1 1 1", "scene 1 1", "here 1 1", "scenes 1 1", "all 5",
    ]  # fmt: skip
    assert lines[-9:] == [
        "failed: date: [red]an error[/red] \ufffd",
        "logs/date.log",
        f"2 product(s) failed, the first is {failed}; ./tigerbush retry processes them again.",
        f"1 product(s) could not be read again, the first is {kept} ([red]it is gone); results of an earlier run are kept; "
        "./tigerbush retry processes them again.",
        "2 job(s) failed in SLURM: [red]out of memory",
        "no job at all",
        "SLURM refused a job 7 time(s), and submission was retried: [red]busy",
        "5: running, date, [red]n1",
        "the main process has died, but 1 of its jobs are still in SLURM: unlock only when `squeue --name "
        f"{RUN_ID}` is empty (or after `scancel --name {RUN_ID}`).",
    ]
    code, text = report("--json", queue=queue)
    printed = json.loads(text)
    assert printed["rules"]["scene"] == {"done": 1, "running": 1}
    assert (printed["failed_products"], printed["kept_products"]) == (
        [failed, name_of("20170112")],
        {kept: "[red]it is gone."},
    )
    assert printed["queue"] == [{"number": "5", "state": "RUNNING", "name": "date", "place": "[red]n1"}]
    assert printed["slurm"] == SLURM_SAYS
    # what was begun is not at work when no process is
    assert json.loads(report("--json")[1])["rules"]["scene"] == {"done": 1, "waiting": 1}
    printed = json.loads(report("--json", queue=TigerbushError("squeue is not here."))[1])
    assert (printed["run"], printed["advice"]) == ("killed", "squeue is not here.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["status"], {"targets": [], "json": False, "profile": None, "configfile": [], "config": [], "directory": Path()}),
        (["status", "a", "b", "--json", "--profile", "p"], {"targets": ["a", "b"], "json": True, "profile": "p"}),
        (["plan", "a", "--json", "--configfile", "x", "y", "--configfiles", "z"], {"targets": ["a"], "json": True, "configfile": ["x", "y", "z"]}),
        (["discover", "--config", "a=b", "c=d", "-d", "e"], {"config": ["a=b", "c=d"], "directory": Path("e")}),
        (["doctor", "--create"], {"create": True}), (["doctor"], {"create": False}), (["retry", "--directory", "e"], {"directory": Path("e")}),
    ],
)  # fmt: skip
def test_words_of_commands(monkeypatch, words, expected):
    given = []
    monkeypatch.setattr(module_of(words[0]), "run", lambda options, rest: given.append(vars(options)) or 5)
    assert tigerbush(words) == 5
    assert given[0] == given[0] | expected


def test_a_status_before_the_products_are_listed(report, in_trouble):
    """What is there was left by others."""
    (in_trouble / "table.tsv").unlink()
    _, text = report()
    assert text.splitlines()[1] == (
        "The products have not been listed with these settings; the jobs, and which products failed, will be known after "
        "./tigerbush discover."
    )
    printed = json.loads(report("--json")[1])
    assert (printed["failed_products"], printed["kept_products"]) == ([], {})


def test_a_status_without_trouble(report, folder):
    for log in folder.glob(".snakemake/log/*"):
        log.unlink()
    code, text = report("--json", jobs=JOBS[3:])
    assert (code, json.loads(text)["run"], json.loads(text)["failed"]) == (0, "never", [])


def test_the_first_line_of_a_log_that_tells_of_an_error(folder):
    for text, error in (
        ("a\n  b Error: c\n", "b Error: c"), ("\n  a  \nb\n", "a"), ("", "the log is empty: see the log of the queue"),
        ("an ERROR " + "x" * 400, "an ERROR " + "x" * 291),
    ):  # fmt: skip
        (folder / "a.log").write_text(text)
        assert status._failure(folder, "rule", "a.log") == {"rule": "rule", "log": "a.log", "error": error}


ONE = QueueJob("1", "RUNNING", "date", "n1")


@pytest.mark.parametrize(
    ("locked", "alive", "log", "queue", "state"),
    [
        (False, True, None, [], "running"), (True, True, "x", [ONE], "running"), (True, False, "x", [ONE], "orphaned"),
        (True, False, None, [], "killed"), (True, False, None, [QueueJob("1", "failed", "a", "b"), QueueJob("2", "succeeded", "a", "b")], "killed"),
        (False, False, "x", [], "ended"), (False, False, None, [ONE], "never"),
    ],
)  # fmt: skip
def test_one_word_for_a_run(locked, alive, log, queue, state):
    run = Run(log, {}, None, locked, alive)
    assert run_state(run, queue) == state
    advised = {
        "orphaned": "the main process has died, but its tasks are still in Batch: run snakemake with --unlock, then as usual; it terminates them, and deletes the pool at the end.",
        "killed": "the folder is locked, and no main process is running on this machine: if none is running elsewhere, run snakemake with --unlock, then as usual; finished results are kept.",
    }  # fmt: skip
    assert advice(run, queue, None) == advised.get(state)
    assert advice(run, queue, "trouble") == "trouble"


def test_what_a_profile_of_azure_asks(monkeypatch):
    monkeypatch.setattr(status, "azure_queue", lambda profile: [profile["executor"]])
    monkeypatch.setattr(status, "slurm_queue", lambda run_id: [run_id])
    azure, slurm = {"executor": "azure"}, {"executor": "slurm"}
    for alive, locked, run_id, profile, expected in (
        (True, False, None, azure, ["azure"]), (False, True, "r", azure, ["azure"]), (False, True, "r", slurm, ["r"]),
        (True, False, None, slurm, []), (False, False, "r", slurm, []), (False, False, "r", azure, []),
    ):  # fmt: skip
        assert status._queue(Run(None, {}, run_id, locked, alive), profile) == (expected, None)


def test_states_of_jobs_that_hang_on_each_other():
    """Of a chain of three the first has failed, and all behind it cannot run; what is done stays done."""
    jobs = [
        Job("a", set(), {"1"}, True),
        Job("b", {"1"}, {"2"}, True),
        Job("c", {"2", "x"}, {"3"}, True),
        Job("d", {"3"}, {"4"}, False),
    ]
    assert classify(jobs, {"1"}, set()) == ["failed", "cannot run", "cannot run", "done"]
    assert classify(jobs, {"2"}, {"2"}) == ["waiting", "running", "waiting", "done"]
    assert classify(jobs, {"2"}, set()) == ["waiting", "failed", "cannot run", "done"]
    assert classify(jobs, {"x", "4"}, {"4"}) == ["waiting", "waiting", "waiting", "done"]
    # of a group with two errors the second has only waited
    assert classify(jobs, {"1", "2"}, set())[:2] == ["failed", "cannot run"]
