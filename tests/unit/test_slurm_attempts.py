"""Why jobs failed in SLURM, what their next attempt requests, and which jobs will never start."""

from types import SimpleNamespace

import pytest
from snakemake.iocontainers import ResourceList

from snakemake_executor_plugin_slurm_batch.attempts import (
    Limits,
    ScaledJob,
    Scaling,
    parse_limits,
    parse_minutes,
    query_limits,
)
from snakemake_executor_plugin_slurm_batch.states import failure_reason
from snakemake_executor_plugin_slurm_batch.watch import Verdict, Watch

# slurmstepd of 22.05, with and without cgroups, and what shells and Python print
OVER = "slurmstepd: error: StepId=12.batch exceeded memory limit (425676800 > 262144000), being killed\n"
ENDS = [
    ("OUT_OF_MEMORY", "", "memory"),
    ("OUT_OF_ME+", "", "memory"),
    ("FAILED", OVER, "memory"),
    ("CANCELLED by 0", OVER, "memory"),
    ("FAILED", "slurmstepd: error: Detected 1 oom_kill event in StepId=12.batch. Some of the step tasks have been OOM Killed.", "memory"),
    ("FAILED", "subprocess.CalledProcessError: Command 'set -euo' died with <Signals.SIGKILL: 9>.", "memory"),
    ("FAILED", "Command 'python x.py' returned non-zero exit status 137.", "memory"),
    ("FAILED", "/bin/sh: line 1: 4711 Killed                  python x.py", "memory"),
    ("FAILED", "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 3.7 GiB", "memory"),
    ("TIMEOUT", "slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-29T12:00:00 DUE TO TIME LIMIT ***", "time"),
    ("TIMEOUT", "", "time"),
    ("TIMEOUT", OVER, "time"),
    ("FAILED", "java --no-oom-killer; 12 pages of out of memory map", "unknown"),
    *((word, "Killed\n", "external") for word in (
        "CANCELLED", "CANCELLED by 1001", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "LAUNCH_FAILED", "REVOKED", "RUNNING",
    )),
    ("FAILED", "TigerbushError: products/a.SAFE has no band B04.", "unknown"),
    ("FAILED", "137 of 140 steps (98%) done", "unknown"),
    ("A_STATE_OF_LATER_VERSIONS", "", "unknown"),
    ("", "", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "output", "expected"), ENDS)
def test_why_a_job_failed(state, output, expected):
    assert failure_reason(state, output) == expected


@pytest.mark.parametrize(
    ("reasons", "memory", "time"),
    [
        (["memory"], 2, 1),
        (["memory", "memory"], 3, 1),
        (["time", "time"], 1, 3),
        (["time", "memory"], 2, 2),
        (["external", "external", "external"], 1, 1),
        # unknown reason: the same again, and once more memory
        (["unknown"], 1, 1),
        (["unknown", "unknown"], 2, 1),
        (["unknown", "unknown", "unknown", "unknown"], 2, 1),
        (["external", "unknown", "time", "unknown"], 2, 2),
    ],
)
def test_the_next_attempt_requests_more_of_what_was_too_little(reasons, memory, time):
    scaling = Scaling()
    for reason in reasons:
        scaling = scaling.after(reason)
    assert (scaling.memory, scaling.time) == (memory, time)


def scaled_resources(scaling, limits, **resources):
    job = ScaledJob(SimpleNamespace(resources=ResourceList(fromdict=resources), threads=3), scaling, limits)
    assert job.threads == 3
    return dict(job.resources.items())


def test_no_attempt_requests_more_than_the_limit_or_less_than_declared():
    declared = {"mem_mb": 3000, "runtime": 50, "slurm_partition": "all"}
    assert scaled_resources(Scaling(2, 3), Limits(), **declared) == {
        **declared,
        "mem_mb": 6000,
        "runtime": 150,
    }
    assert scaled_resources(Scaling(2, 3), Limits(4000, 60), **declared) == {
        **declared,
        "mem_mb": 4000,
        "runtime": 60,
    }
    assert scaled_resources(Scaling(2, 3), Limits(2000, 40), **declared) == declared
    assert scaled_resources(Scaling(1, 2), Limits(), mem_mb=3000) == {"mem_mb": 3000}


@pytest.mark.parametrize(
    ("output", "default", "limits"),
    [
        ("all*|8000|infinite\n", True, Limits(8000, None)),
        # nodes of two kinds, and a partition that is not the default
        (
            "all*|7800|1-00:00:00\nall*|192000|1-00:00:00\nlong|384000|7-00:00:00\n",
            True,
            Limits(192000, 1440),
        ),
        ("long|7800|1:00:00\n", False, Limits(7800, 60)),
        ("a|8000|30:00\nb|4000|2-12\n", False, Limits(8000, 3600)),
        ("a|8000|30:00\nb|4000|infinite\n", False, Limits(8000, None)),
        ("a|4000+|n/a\n", False, Limits(4000, None)),
        ("", True, Limits()),
    ],
)
def test_limits_of_a_partition(output, default, limits):
    assert parse_limits(output, default) == limits


def test_times_in_the_notation_of_slurm():
    texts = ("30:00", "1:00:00", "0:30", "90", "1-00:00:00", "2-12:30", "3-1", "infinite", "UNLIMITED", "")
    assert [parse_minutes(text) for text in texts] == [30, 60, 0, 90, 1440, 3630, 4380, None, None, None]


def test_without_sinfo_there_is_no_limit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert query_limits(" -p all") is None


# reasons of squeue(1) for PENDING jobs
NEVER = (
    "PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints", "JobHeldUser", "JobHeldAdmin", "InvalidAccount", "InvalidQOS",
    "AccountNotAllowed", "QOSNotAllowed", "DependencyNeverSatisfied", "launch_failed_requeued_held",
    "job_requeued_in_held_state", "QOSMaxCpuPerJobLimit", "QOSMaxWallDurationPerJobLimit", "AssocMaxWallDurationPerJobLimit",
    "QOSMinCpuNotSatisfied", "MaxMemPerLimit", "DeadLine", "JobHoldMaxRequeue",
)  # fmt: skip
LATER = (
    "None", "Priority", "Resources", "Dependency", "BeginTime", "Licenses", "AssocMaxJobsLimit", "AssocGrpCpuLimit",
    "QOSMaxJobsPerUserLimit", "QOSGrpNodeLimit", "QOSMaxCpuPerUserLimit", "QOSUsageThreshold", "ReqNodeNotAvail, UnavailableNodes:n1",
    "PartitionDown", "PartitionInactive", "Reservation", "JobArrayTaskLimit", "Cleaning", "AssocGrpMemRunMinutes",
)  # fmt: skip


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(clock):
    return Watch(10, clock)


@pytest.mark.parametrize("reason", NEVER)
def test_a_job_that_can_never_start_is_reported_at_once_and_given_up(watch, clock, reason):
    jobs = {"12": ("PENDING", reason)}
    warning = watch.check("12", jobs, None)
    assert warning.text.startswith(f"SLURM cannot start job 12: {reason}; ")
    assert warning.text.endswith("It will be cancelled if nothing changes within 10 minutes.")
    assert not warning.ended
    clock.time = 599
    assert watch.check("12", jobs, None) is None
    clock.time = 600
    given_up = watch.check("12", jobs, None)
    assert given_up.text.startswith(f"SLURM could not start the job within 10 minutes: {reason}; ")
    assert (given_up.ended, given_up.done) == (True, False)


@pytest.mark.parametrize("reason", LATER)
def test_a_job_that_only_waits_is_left_alone(watch, clock, reason):
    for clock.time in (0, 700, 100_000):
        assert watch.check("12", {"12": ("PENDING", reason)}, None) is None


@pytest.mark.parametrize("state", ["REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"])
def test_a_held_job_of_another_state(watch, clock, state):
    assert watch.check("12", {"12": (state, "None")}, None) == Verdict(
        f"SLURM cannot start job 12: {state}; to release it, run scontrol release 12. It will be cancelled if nothing "
        "changes within 10 minutes."
    )


def test_a_job_that_runs_gets_the_full_time_again(watch, clock):
    held, running = {"12": ("PENDING", "JobHeldUser")}, {"12": ("RUNNING", "None")}
    assert watch.check("12", held, None)
    clock.time = 500
    assert watch.check("12", running, None) is None
    clock.time = 700
    assert not watch.check("12", held, None).ended
    # the time of each job is its own
    assert not watch.check("13", {"13": ("PENDING", "JobHeldUser")}, None).ended
    clock.time = 1300
    assert watch.check("12", held, None).ended


def test_advice():
    def of(reason):
        return (
            Watch(10).check("12", {"12": ("PENDING", reason)}, None).text.split("; ")[1].partition(". It")[0]
        )

    assert of("PartitionTimeLimit") == "lower group-components or runtime, or choose another partition"
    assert (
        of("QOSMaxWallDurationPerJobLimit")
        == "lower group-components or runtime, or choose another partition"
    )
    assert of("JobHeldAdmin") == "to release it, run scontrol release 12"
    assert of("InvalidAccount") == "check slurm_account and qos in the profile"
    assert of("BadConstraints") == "check constraint, mem_mb, cores and slurm_partition in the profile"


def test_a_job_that_slurm_has_forgotten(watch, clock, tmp_path):
    """As after a controller was killed; a job whose own Snakemake has reported it as done is done."""
    done, half = tmp_path / "12.log", tmp_path / "13.log"
    done.write_text("Finished jobid: 1\n2 of 2 steps (100%) done\nComplete log(s): x\n")
    half.write_text("1 of 2 steps (50%) done\n")
    for job_id, log in (("12", done), ("13", half), ("14", tmp_path / "none.log"), ("15", None)):
        assert watch.check(job_id, {}, log) is None
    clock.time = 599
    assert watch.check("12", {}, done) is None
    clock.time = 601
    assert watch.check("12", {}, done) == Verdict(
        "SLURM no longer knows job 12; its output says that it is done.", ended=True, done=True
    )
    for job_id, log in (("13", half), ("14", tmp_path / "none.log"), ("15", None)):
        assert watch.check(job_id, {}, log) == Verdict(f"SLURM no longer knows job {job_id}.", ended=True)
