"""The state of jobs from what Snakemake and its logs say."""

import json
from types import SimpleNamespace

import pytest

from bundles import write_index
from fabricate import name_of
from test_retry import CONFIG
from tigerbush.cli.status.command import advice, classify, results_left_over, results_of_failures, run_state
from tigerbush.cli.status.records import Job, Run, failures, read_jobs, unfinished
from tigerbush.planning.tables import COLUMNS, table_row, write_table
from tigerbush.runs.queue_slurm import QueueJob, slurm_queue
from tigerbush.sensors import parse_name


def chain():
    """Two products, of which a date is made, of which a site is made."""
    return [
        Job("resample", set(), {"a.window"}, True),
        Job("resample", set(), {"b.window"}, False),
        Job("subset", {"a.window"}, {"a"}, True),
        Job("subset", {"b.window"}, {"b"}, True),
        Job("date", {"a", "b"}, {"date"}, True),
        Job("site", {"date"}, {"site"}, True),
    ]


def test_what_hangs_on_a_failed_job_cannot_run():
    states = classify(chain(), {"a.window"}, {"b"})
    assert states == ["failed", "done", "cannot run", "running", "cannot run", "cannot run"]


def test_of_a_failed_group_only_the_first_has_failed():
    states = classify(chain(), {"a.window", "a"}, set())
    assert states[:4] == ["failed", "done", "cannot run", "waiting"]


def test_an_error_of_a_job_that_is_done_since_is_none():
    assert classify(chain(), {"b.window"}, set()) == ["waiting", "done", *["waiting"] * 4]


def test_jobs_without_outputs_are_targets_not_jobs():
    lines = [
        {"rule": "all", "inputs": ["a.tif"], "outputs": [], "pending": True, "missing": False},
        {"rule": "one", "inputs": ["b", "c"], "outputs": ["a.tif"], "pending": True, "missing": True},
    ]
    text = "Building DAG of jobs...\n" + "".join(json.dumps(line) + "\n" for line in lines)
    assert read_jobs(text) == [Job("one", {"b", "c"}, {"a.tif"}, pending=True, missing=True)]


def test_a_failed_attempt_to_make_something_anew_is_told():
    """Snakemake has nothing to do where later results are there, though what they were made of is not."""
    jobs = [Job("date", {"a"}, {"date"}, pending=False, missing=True), Job("site", {"date"}, {"site"})]
    assert classify(jobs, {"date"}, set()) == ["failed", "done"]
    jobs[0].pending = False
    assert classify(jobs, set(), set()) == ["done", "done"]


ERROR = """[Wed Nov 25 13:00:58 2026]
Error in rule {rule}:
    message: None
    jobid: {job}
    input: in.tif
    output: {outputs}
    log: logs/{rule}.log (check log file(s) for error details)
"""


def test_only_the_last_attempt_of_a_job_counts():
    first = ERROR.format(rule="one", job=3, outputs="a.tif, a_mask.tif")
    assert failures(first) == {"a.tif": "logs/one.log", "a_mask.tif": "logs/one.log"}
    assert failures(first + "Trying to restart job 3.\n") == {}
    assert failures(first + "Trying to restart job 3.\n" + first) == failures(first)
    assert failures(first + "Finished jobid: 3 (Rule: one)\n") == {}
    assert failures(first + "Finished jobid: 33 (Rule: one)\n") == failures(first)


def test_a_group_is_restarted_as_a_whole():
    inner = "".join(
        f"        rule {rule}:\n            jobid: {job}\n            output: {rule}.tif\n"
        f"            log: logs/{rule}.log (check log file(s) for error details)\n"
        for rule, job in (("one", 1), ("two", 2))
    )
    group = f"Error in group product:\n    jobs:\n{inner}"
    assert set(failures(group)) == {"one.tif", "two.tif"}
    assert failures(group + "Trying to restart job 0b6ad8d1-66c1-5ab6-8b34-1ee8cd4d4fd5.\n") == {}


def test_markers_of_unfinished_files_are_names_in_base64(tmp_path):
    folder = tmp_path / ".snakemake" / "incomplete"
    (folder / "@cmVzdWx0cy9h").mkdir(parents=True)
    (folder / "@cmVzdWx0cy9h" / "LnRpZg==").touch()
    (folder / "no marker").touch()
    assert unfinished(tmp_path) == {"results/a.tif"}
    assert unfinished(tmp_path / "elsewhere") == set()


@pytest.mark.parametrize(
    ("locked", "alive", "queue", "state", "sentence"),
    [
        (True, True, 1, "running", None),
        (True, False, 1, "orphaned", "squeue --name run-7"),
        (True, False, 0, "killed", "--unlock"),
        (False, False, 0, "ended", None),
    ],
)
def test_the_state_of_a_run(tmp_path, locked, alive, queue, state, sentence):
    run = Run(tmp_path, {}, "run-7", locked, alive)
    jobs = [QueueJob("1", "RUNNING", "date", "n1")] * queue
    assert run_state(run, jobs) == state
    assert (sentence is None and advice(run, jobs, None) is None) or sentence in advice(run, jobs, None)


def test_jobs_in_slurm_are_those_that_may_still_write(tmp_path, monkeypatch):
    states = (
        "RUNNING",
        "REQUEUE_HOLD",
        "STOPPED",
        "A_NEW_WORD",
        "COMPLETED",
        "PREEMPTED",
        "CANCELLED",
        "NODE_FAIL",
    )
    lines = "".join(f"{i}|{state}|(held)|rule_date\\n" for i, state in enumerate(states))
    program = tmp_path / "squeue"
    program.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert slurm_queue("run-7") == [QueueJob(str(i), states[i], "date", "(held)") for i in range(4)]


@pytest.mark.input(
    "Commands", "failed products of sites, dates or sources that the configuration does not have any more",
    "`status` does not count them",
)  # fmt: skip
def test_what_other_configurations_have_left_is_not_counted(tmp_path):
    """A site that is not in the table any more, a date outside the period, a scene of another source."""
    wanted, early, other = (name_of(day) for day in ("20170110", "20160110", "20180110"))
    results = tmp_path / "results"
    for name in (wanted, early, other):
        for folder in ("windows", "downloads"):
            write_index(results / folder / name / "0.zip", here="failed", gone="failed", there="ok")
            for site in ("here", "gone"):
                (results / folder / name / f"{site}.unreadable.json").write_text('{"reason": "gone"}')
        for pattern in ("scenes/{}.tif", "downloads/{}.zip"):
            path = results / pattern.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            # damaged, so that it has failed
            path.write_bytes(b"")
            path.with_name(f"{name}.unreadable.json").write_text('{"reason": "gone"}')
    rows = [
        table_row(parse_name(name), url=f"in/{name}.SAFE", granule="", size_bytes=1, cloud_percent=0)
        for name in (wanted, early)
    ]
    write_table(results / "products.tsv", rows, COLUMNS)
    bundle = f"results/windows/{wanted}/0.zip"
    jobs = [
        Job("subset_product", set(), {bundle, f"results/windows/{early}/0.zip"}),
        Job("composite_date", {bundle}, {"results/here/2017-01-16/composite.tif"}),
        Job("all", {"x"}, set()),
    ]
    failed, kept = results_of_failures(tmp_path, CONFIG | {"products": "results/products.tsv"}, jobs)
    expected = [
        results / "downloads" / f"{early}.zip",
        results / "downloads" / wanted / "here",
        results / "downloads" / f"{wanted}.zip",
        results / "scenes" / f"{wanted}.tif",
        results / "windows" / wanted / "here",
    ]
    assert failed == expected
    assert kept == dict.fromkeys(expected, "gone")
    # a folder that is read in place has no copies
    source = CONFIG["source"] | {"access": "stream"}
    in_place = CONFIG | {"products": "results/products.tsv", "source": source}
    expected = [path for path in expected if path.suffix != ".zip"]
    assert results_of_failures(tmp_path, in_place, jobs) == (expected, dict.fromkeys(expected, "gone"))
    # nothing is wanted before the source has been listed
    assert results_of_failures(tmp_path, CONFIG | {"products": "results/other.tsv"}, []) == ([], {})


@pytest.mark.parametrize(("pending", "left"), [(True, []), (False, ["results/here/2017-01-16"])])
def test_nothing_is_left_over_while_the_products_are_to_be_listed(tmp_path, pending, left):
    """The dates that the configuration wants are not known before."""
    composite = tmp_path / "results" / "here" / "2017-01-16" / "composite.tif"
    composite.parent.mkdir(parents=True)
    composite.touch()
    jobs = [
        Job("discover_products", pending=pending),
        Job("summarise_site", outputs={"results/here/results_summary.json"}),
    ]
    options = SimpleNamespace(targets=[], directory=tmp_path)
    assert results_left_over(options, jobs) == left
