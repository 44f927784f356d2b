"""The sentence that a failed run ends with."""

import pytest

from tigerbush.runs.failures import FailedJob, failure_sentence, final_error

TRACEBACK = (
    'ERROR: this is a bug in tigerbush or a problem with the machine:\nTraceback (most recent call last):\n  File "x", '
    "line 1, in y\nValueError: no such thing\n"
)
ADVICE = "./tigerbush status, with the options of this run, lists what failed; the next run continues where this one ended."


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("INFO: reading\nERROR: it is wrong.\n", "it is wrong."),
        (
            "ERROR: a failed: first.\nERROR: b failed: second.\nERROR: 2 product(s) failed\n",
            "2 product(s) failed.",
        ),
        (TRACEBACK, "ValueError: no such thing."),
        ("ERROR: \x1b[31mred\x1b[0m\n", "[31mred[0m."),
        ("ERROR: " + "x" * 400, "x" * 300 + "."),
        ("INFO: reading\n", None),
        ("ERROR: \n", None),
        ("", None),
    ],
)
def test_the_error_that_ended_a_job(tmp_path, text, error):
    (tmp_path / "log").write_text(text)
    assert final_error(tmp_path / "log") == error


def test_a_log_that_cannot_be_read(tmp_path):
    (tmp_path / "log").write_bytes(b"ERROR: \xff is wrong")
    assert final_error(tmp_path / "log") == "\ufffd is wrong."
    assert [final_error(path) for path in (None, tmp_path, tmp_path / "none")] == [None] * 3


def failed_jobs(folder, *texts):
    """Jobs that failed one after another; None stands for no log."""
    jobs = []
    for i, text in enumerate(texts):
        log = folder / f"{i}.log"
        if text is not None:
            log.write_text(text)
        jobs.append(FailedJob("composite_date", {"site": "here", "date": f"2017-0{i + 1}-16"}, log))
    return jobs


def test_one_job(tmp_path):
    [job] = failed_jobs(tmp_path, "ERROR: no space left.\n")
    assert failure_sentence([job]) == (
        f"composite_date (site here, date 2017-01-16) failed: no space left. Its log is {tmp_path}/0.log. {ADVICE}"
    )
    check = FailedJob("check_products", {}, job.log)
    assert failure_sentence([check]).startswith("check_products failed: no space left. Its log is ")


def test_of_several_jobs_the_first_with_an_error_is_named(tmp_path):
    """Jobs of a group fail together, and those that never began have nothing in their logs."""
    jobs = failed_jobs(tmp_path, None, "INFO: a\n", "ERROR: first.\n", "ERROR: second.\n", "")
    assert failure_sentence(jobs) == (
        "5 jobs failed, the first is composite_date (site here, date 2017-03-16): first. Its log is "
        f"{tmp_path}/2.log. {ADVICE}"
    )


def test_jobs_that_were_killed(tmp_path):
    assert failure_sentence(failed_jobs(tmp_path, None, "INFO: reading\n")) == (
        "2 jobs failed, the first is composite_date (site here, date 2017-01-16): its log holds no error, so it was "
        f"killed or never began. {ADVICE}"
    )
