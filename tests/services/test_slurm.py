"""The workflow on a real SLURM cluster of two nodes: the same results as on one machine, and none lost to failures."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from canaries import ENVIRONMENT, Processes, Search
from fabricate import ROOT, name_of, scene_of
from processes import comm, processes_with, read_process, wait_until, with_descendants
from runs import BASE, SNAKEMAKE, SUMMARIES, Run
from slurm import slurm_cluster
from tigerbush.sentinel2.writer import write_product

# only one cluster can exist on a host: a single worker of xdist
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]

DAYS = ("20170105", "20170110", "20170210", "20170220")
# no slow file system, no more CPUs than a node of the test cluster has, and frequent status checks
TEST_OPTIONS = ("--latency-wait", "5", "--cores", "2", "--slurm-batch-init-seconds-before-status-checks", "5")
ACTIVE = "RUNNING,SUSPENDED,PENDING"
# the first line that Snakemake prints
STARTED = "Building DAG of jobs"
UNGROUPED = ("--group-components", "product=1", "date=1")
# jobs in `urgent` preempt others; jobs that exceed the time limit of `hour` are accepted, but never start
PARTITIONS = """PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
EnforcePartLimits=NO
PartitionName=urgent Nodes=ALL PriorityTier=10 State=UP
PartitionName=hour Nodes=ALL MaxTime=60 State=UP
"""


class SlurmRun(Run):
    """A working directory whose jobs run on the cluster."""

    profile = "slurm-squeue"
    more = ()

    def options(self, *arguments):
        return [
            "--snakefile", str(ROOT / "workflow" / "Snakefile"), "--configfile", "config.yaml",
            "--profile", str(ROOT / "profiles" / self.profile), *TEST_OPTIONS, *arguments, *self.more,
        ]  # fmt: skip

    def on_cluster(self, *arguments, status=0):
        return self.forked(self.options(*arguments), status, warm_scripts=False)

    @contextlib.contextmanager
    def started(self, *arguments):
        """Start a run in the background; it is killed at the end."""
        with (self.folder / "run.log").open("wb") as log:
            process = subprocess.Popen(
                [*SNAKEMAKE, *self.options(*arguments)], cwd=self.folder, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(60)

    def printed(self):
        return (self.folder / "run.log").read_text()


def fabricate_run(folder, cls=SlurmRun):
    for seed, day in enumerate(DAYS):
        write_product(folder / "products", name_of(day), scene_of(seed, clouds=[]))
    return cls(folder, BASE)


def results(run):
    """Return checksum and modification time of each file below results, by name; not records of files' times."""
    folder = run.folder / "results"
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix != ".tsv"
        and not path.name.startswith(".")
        and not path.name.endswith(".checked.json")
    }


def checksums(run):
    return {name: checksum for name, (checksum, _) in results(run).items()}


def without_analysis(files):
    analysis = ("/analysis/", "/fingerprints/analyse_site", "/fingerprints/plot_site")
    return {name: checksum for name, checksum in files.items() if not any(part in name for part in analysis)}


def finished(run):
    """Return the results of jobs that Snakemake has recorded as done, unlike those of interrupted jobs."""
    time.sleep(0.1)
    return {name: result for name, result in results(run).items() if "/resampled." not in name}


def status(run):
    return json.loads(run.tigerbush("status", "--json", "--configfile", "config.yaml", status=None))


def running_jobs(cluster, rule="subset_product"):
    """Return the running jobs whose group has a rule; by default those of products."""
    return {
        job_id: job
        for job_id, job in cluster.jobs("RUNNING").items()
        if job["node"] and rule in job["comment"]
    }


def suspend_started(cluster, run):
    """Suspend the jobs in which Snakemake has started, and return all suspended jobs; earlier, they may fail to start."""
    logs = job_logs(run)
    for job_id in cluster.jobs("RUNNING"):
        if STARTED in logs.get(job_id, ""):
            cluster.run("scontrol", "suspend", job_id, check=False)
    return cluster.jobs("SUSPENDED")


def resume_suspended(cluster):
    """Resume the suspended jobs; return whether none is left."""
    for job_id in cluster.jobs("SUSPENDED"):
        cluster.run("scontrol", "resume", job_id, check=False)
    return not cluster.jobs("SUSPENDED")


def preempt(cluster, node, *options):
    """Submit a job to another partition that preempts the jobs on a node, or some of them."""
    options = ("--partition=urgent", f"--nodelist={node}", "--output=/dev/null", "--wrap=sleep 1", *options)
    cluster.run("sbatch", *options)


def jobs_except(cluster, known):
    """Return states, time limits and comments, as squeue shows them, of the jobs that are not known yet."""
    rows = cluster.run("squeue", "--noheader", "--states=all", "--format=%i|%T|%l|%k").splitlines()
    return [row.split("|")[1:] for row in rows if row.split("|")[0] not in known]


def job_logs(run):
    """Return what the jobs of a run have printed so far, by ID."""
    return {log.stem: log.read_text() for log in (run.folder / ".snakemake" / "slurm_logs").rglob("*.log")}


def stop_processes(cluster, nodes):
    """Stop the processes of jobs on nodes by a signal, unnoticed by SLURM; return the IDs of these jobs."""
    jobs = set()
    for node in nodes:
        for pid in with_descendants(processes_with(f"TIGERBUSH_NODE={cluster.folder}/{node}")):
            match = re.search(rb"(?:^|\0)SLURM_JOB_ID=(\d+)", read_process(pid, "environ"))
            if match and comm(pid).startswith(("python", "snakemake")):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    jobs.add(match[1].decode())
    return jobs


def stop_all(cluster, nodes):
    """Stop the processes of jobs on nodes; return whether every job there has one."""
    on_nodes = {job_id for job_id, job in cluster.jobs("RUNNING").items() if job["node"] in nodes}
    return on_nodes and stop_processes(cluster, nodes) >= on_nodes


def continue_processes(cluster):
    """Let stopped processes continue."""
    for node in cluster.nodes:
        for pid in with_descendants(processes_with(f"TIGERBUSH_NODE={cluster.folder}/{node}")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def cluster():
    with slurm_cluster(nodes=2, cpus=2, extra=PARTITIONS) as running_cluster:
        yield running_cluster


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The results of the same products on this machine."""
    run = fabricate_run(tmp_path_factory.mktemp("local"), Run)
    run.snakemake(SUMMARIES)
    return checksums(run)


def test_the_main_process_is_killed_while_jobs_run(cluster, local, tmp_path):
    """Orphaned jobs finish in SLURM; the next run keeps their results, which are the same as on one machine."""
    run = fabricate_run(tmp_path / "work")
    with run.started(SUMMARIES, *UNGROUPED) as process:
        # four jobs on four CPUs: both nodes are busy. Suspended jobs are still there after status has looked
        wait_until(
            lambda: {job["node"] for job in suspend_started(cluster, run).values()} == {"n1", "n2"},
            90,
            "no jobs to suspend",
        )
        assert status(run)["run"] == "running"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    wait_until(
        lambda: suspend_started(cluster, run).keys() == cluster.jobs(ACTIVE).keys(),
        60,
        "jobs are still running",
    )
    report = status(run)
    assert (report["run"], len(report["queue"])) == ("orphaned", len(cluster.jobs(ACTIVE)))
    wait_until(lambda: resume_suspended(cluster), 30, "jobs cannot be resumed")
    assert "scancel --name " + next(iter(cluster.jobs().values()))["name"] in report["advice"]
    wait_until(lambda: not cluster.jobs(f"{ACTIVE},COMPLETING"), 120, "orphaned jobs do not end")
    # no step of a job started Snakemake again
    logs = job_logs(run)
    assert [log.count(STARTED) for log in logs.values()] == [1] * len(DAYS), logs
    report = status(run)
    assert report["run"] == "killed" and "--unlock" in report["advice"]
    before = finished(run)
    assert len([name for name in before if name.endswith("/0.zip")]) == len(DAYS)
    assert "--unlock" in run.on_cluster(status=1)
    run.on_cluster("--unlock")
    run.on_cluster(SUMMARIES, *UNGROUPED)
    after = results(run)
    assert {name: after[name] for name in before} == before
    assert checksums(run) == local
    # every product and date was a job of its own; the second run made no product again
    comments = [job["comment"] for job in cluster.jobs().values()]
    assert sum("subset_product" in comment for comment in comments) == len(DAYS)
    # only results that were not requested are waiting
    assert set(status(run)["sites"]["here"]) == {"done", "waiting"}


def test_an_interrupted_run_cancels_its_jobs_and_goes_on(cluster, local, tmp_path):
    """SIGINT leaves neither jobs nor a lock. Jobs that are cancelled or preempted in the next run are repeated."""
    run = fabricate_run(tmp_path / "work")
    with run.started(SUMMARIES) as process:
        wait_until(lambda: running_jobs(cluster), 90, "no job runs")
        # four products on two CPUs request the time of two
        job_id = next(iter(running_jobs(cluster)))
        assert cluster.run("squeue", "--noheader", "--format=%l", f"--jobs={job_id}").strip() == "1:20:00"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(120) != 0
    wait_until(lambda: not cluster.jobs("RUNNING,PENDING,COMPLETING"), 30, "jobs are left")
    known = set(cluster.jobs())
    with run.started(SUMMARIES, *UNGROUPED) as process:
        wait_until(lambda: len(running_jobs(cluster)) == 4, 90, "no four jobs run")
        wait_until(lambda: stop_all(cluster, cluster.nodes), 60, "not all jobs run")
        # in its first second SLURM calls a job CANCELLED, later CANCELLED by someone
        time.sleep(3)
        first = next(job_id for job_id, job in running_jobs(cluster).items() if job["node"] == "n1")
        cluster.run("scancel", first)
        preempt(cluster, "n2", "--exclusive", "--mem=0")
        wait_until(
            lambda: sum(state == "PREEMPTED" for state, *_ in jobs_except(cluster, known)) == 2,
            30,
            "none is preempted",
        )
        continue_processes(cluster)
        assert process.wait(240) == 0, run.printed()
    assert checksums(run) == local
    products = [
        (state, limit) for state, limit, comment in jobs_except(cluster, known) if "subset_product" in comment
    ]
    # every retry requests the same
    assert sorted(products) == [
        ("CANCELLED", "40:00"),
        *[("COMPLETED", "40:00")] * 4,
        *[("PREEMPTED", "40:00")] * 2,
    ]


def test_jobs_that_can_never_start_are_given_up(cluster, tmp_path):
    run = fabricate_run(tmp_path / "work")
    # an hour and a half in a partition of one hour; the last job is held
    with run.started(
        SUMMARIES, *UNGROUPED, "--default-resources", "slurm_partition=hour", "--set-resources", "resample_product:runtime=90",
        "--slurm-batch-stuck-minutes", "0.1", "--slurm-batch-init-seconds-before-status-checks", "1",
    ) as process:  # fmt: skip
        wait_until(lambda: len(cluster.jobs("PENDING")) == 4, 90, "no jobs wait")
        waiting = sorted(cluster.jobs("PENDING"), key=int)
        cluster.run("scontrol", "hold", waiting[3])
        assert status(run)["queue"][0]["place"] in ("(PartitionTimeLimit)", "(JobHeldAdmin)")
        assert process.wait(120) == 1, run.printed()
    advice = {"PartitionTimeLimit": "lower group-components or runtime, or choose another partition"}
    printed = run.printed()
    for job_id in waiting[:3]:
        assert (
            f"SLURM cannot start job {job_id}: PartitionTimeLimit; {advice['PartitionTimeLimit']}. It will be cancelled if "
            "nothing changes within 0.1 minutes."
        ) in printed
    assert (
        f"SLURM cannot start job {waiting[3]}: JobHeldAdmin; to release it, run scontrol release {waiting[3]}."
        in printed
    )
    # no retries, and the reasons once more at the end
    assert cluster.jobs("PENDING") == {}
    assert "Trying to restart" not in printed
    last = f"3 job(s) failed in SLURM: SLURM could not start the job within 0.1 minutes: PartitionTimeLimit; {advice['PartitionTimeLimit']}."
    assert last in printed
    assert status(run)["slurm"]["failed"][last.partition("SLURM: ")[2]] == 3


def test_refused_jobs_take_no_result_of_an_earlier_run_away(cluster, tmp_path):
    run = fabricate_run(tmp_path / "work")
    run.snakemake(SUMMARIES)
    before = results(run)
    run.configure(BASE | {"composite": {"mask_buffer": 1}})
    output = run.on_cluster(
        SUMMARIES, "--retries", "0", "--default-resources", "slurm_partition=nowhere", status=1
    )
    assert results(run) == before
    # the error of sbatch, also for groups, at once and again at the end
    failure = "The job could not be submitted: invalid partition specified: nowhere; Batch job submission failed: Invalid partition name specified"
    assert failure in output
    assert f"job(s) failed in SLURM: {failure}" in output
    # jobs that never began have no logs
    last = output.rstrip().rpartition("\n")[2]
    assert re.fullmatch(
        r"\d+ jobs failed, the first is \w+ \(.+\): its log holds no error, so it was killed or never began\. "
        r"\./tigerbush status, with the options of this run, lists what failed; the next run continues where this one "
        r"ended\.",
        last,
    ), last
    # no result is recorded as made with the new parameters
    expected = {"resample_product": 4, "subset_product": 4, "composite_date": 2, "render_date": 2}
    assert expected.items() <= dict(run.planned(SUMMARIES)).items()


def odd_sbatch(folder):
    """Return a folder for PATH with an sbatch that prints a banner around the job ID and whose first answer is lost."""
    program = folder / "bin" / "sbatch"
    program.parent.mkdir()
    busy = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    program.write_text(
        f'#!/bin/sh\necho "Welcome: 2 nodes, 300 hours left"\n{shutil.which("sbatch")} "$@" || exit\n'
        f'if mkdir {folder}/asked 2>/dev/null; then echo "{busy}" >&2; exit 1; fi\necho "Bye: 12 jobs"\n'
    )
    program.chmod(0o755)
    return program.parent


def test_the_sample_gives_the_results_of_one_machine(cluster, tmp_path):
    config = {"period": {"start": "2020-01-01", "end": "2020-03-01"}}
    for name in ("cluster", "local"):
        shutil.copytree(ROOT / "config", tmp_path / name / "config")
    cluster_run, local_run = (SlurmRun(tmp_path / name, config, sites=()) for name in ("cluster", "local"))
    local_run.snakemake(SUMMARIES)
    shutil.copytree(local_run.folder / "data", cluster_run.folder / "data")
    known = set(cluster.jobs())
    # keys that no job needs, and an sbatch that prints a banner and fails at first
    cluster_run.variables = ENVIRONMENT | {"PATH": f"{odd_sbatch(tmp_path)}:{os.environ['PATH']}"}
    search = Search(ENVIRONMENT)
    with Processes(search, rf"\S*python\S* -m snakemake .*{cluster_run.folder}/") as processes:
        output = cluster_run.on_cluster(
            SUMMARIES, *UNGROUPED, "--verbose", "--envvars", "AWS_SECRET_ACCESS_KEY"
        )
    assert checksums(cluster_run) == checksums(local_run)
    assert len(checksums(cluster_run)) > 20
    jobs = cluster.jobs()
    assert {jobs[job_id]["node"] for job_id in jobs.keys() - known} >= {"n1", "n2"}
    # the job whose ID was lost is not run twice
    [lost] = (job_id for job_id in jobs.keys() - known if jobs[job_id]["state"] != "COMPLETED")
    assert (lost, jobs[lost]["state"]) == (min(jobs.keys() - known, key=int), "CANCELLED")
    busy = "Batch job submission failed: Socket timed out on send/recv operation"
    assert output.count(f"SLURM temporarily refuses jobs ({busy}); trying again after 10 s to 5 min.") == 1
    assert status(cluster_run)["slurm"] == {"failed": {}, "refused_for_now": {busy: 1}}
    # keys reach the jobs in the environment that SLURM keeps for each, and appear nowhere else
    assert processes.inherited == set(ENVIRONMENT)
    assert processes.shown == set()
    assert search.secrets_in(output) == set()
    assert search.files(cluster_run.folder) == {}
    assert search.files(cluster.folder, but=["environment"]) == {}
    for job_id in jobs.keys() - known:
        script = cluster.run("scontrol", "write", "batch_script", job_id, "-")
        assert "-m snakemake" in script
        assert search.secrets_in(script + cluster.run("scontrol", "show", "job", job_id)) == set()
