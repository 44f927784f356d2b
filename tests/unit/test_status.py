"""The state of jobs from what Snakemake and its logs say."""

import pytest

from tigerbush.cli.queue_slurm import QueueJob
from tigerbush.cli.records import Job, Run, failures, read_jobs, unfinished
from tigerbush.cli.status import advice, classify, run_state
from tigerbush.errors import TigerbushError

HEAD = "output_file\tdate\trule\tlog-file(s)\tinput-file(s)\tshellcmd\tstatus\tplan\n"
PRODUCT = "S2A_MSIL1C_20170110T100000_N0204_R122_T33TVL_20170110T110000"


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


def test_files_of_one_job_are_one_job():
    rows = [
        f"results/x/products/{PRODUCT}.tif\t-\tsubset_product\t-\tin.tif,mask.tif\t-\tmissing\tupdate pending",
        f"results/x/products/{PRODUCT}_mask.tif\t-\tsubset_product\t-\tin.tif,mask.tif\t-\tok\tno update",
        "results/x/2017-01-16/ndvi.tif\tnow\trender_date\tlog\tc.tif\t-\tok\tno update",
    ]
    jobs = read_jobs("Building DAG of jobs...\n" + HEAD + "\n".join(rows))
    assert [(job.rule, len(job.outputs), job.pending) for job in jobs] == [
        ("subset_product", 2, True),
        ("render_date", 1, False),
    ]
    assert jobs[0].inputs == {"in.tif", "mask.tif"}


def test_another_table_is_refused():
    with pytest.raises(TigerbushError, match="gave no table but 'nothing"):
        read_jobs("nothing\n")


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
    ("locked", "alive", "queue", "state", "told"),
    [
        (True, True, 1, "running", None),
        (True, False, 1, "orphaned", "squeue --name run-7"),
        (True, False, 0, "killed", "--unlock"),
        (False, False, 0, "ended", None),
    ],
)
def test_the_state_of_a_run(tmp_path, locked, alive, queue, state, told):
    one = Run(tmp_path, {}, "run-7", locked, alive)
    jobs = [QueueJob("1", "RUNNING", "date", "n1")] * queue
    assert run_state(one, jobs) == state
    assert (told is None and advice(one, jobs, None) is None) or told in advice(one, jobs, None)
