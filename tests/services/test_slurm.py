"""The workflow on a real SLURM of two nodes: the same results as on one machine, and nothing is lost when things die."""

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
from processes import comm, marked, read_process, wait_until, with_children
from runs import BASE, SNAKEMAKE, SUMMARIES, Run
from slurm import slurm_cluster
from tigerbush.sentinel2.writer import write_product

# one cluster at a time on a host: one worker of xdist
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]

DAYS = ("20170105", "20170110", "20170210", "20170220")
# no file system to wait for, no more CPUs than a node of the test cluster has, and no queue to be polite to
HERE = ("--latency-wait", "5", "--cores", "2", "--slurm-batch-init-seconds-before-status-checks", "5")
LIVE = "RUNNING,SUSPENDED,PENDING"
# what Snakemake prints first
STARTED = "Building DAG of jobs"
EACH = ("--group-components", "product=1", "date=1")
# jobs of `urgent` take the place of others; `hour` lets no job wait that it would refuse
PARTITIONS = """PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
EnforcePartLimits=NO
PartitionName=urgent Nodes=ALL PriorityTier=10 State=UP
PartitionName=hour Nodes=ALL MaxTime=60 State=UP
"""


class SlurmRun(Run):
    """A working directory whose jobs go to the cluster."""

    profile = "slurm-squeue"
    more = ()

    def options(self, *arguments):
        return [
            "--snakefile", str(ROOT / "workflow" / "Snakefile"), "--configfile", "config.yaml",
            "--profile", str(ROOT / "profiles" / self.profile), *HERE, *arguments, *self.more,
        ]  # fmt: skip

    def on_cluster(self, *arguments, status=0):
        return self.forked(self.options(*arguments), status, warm_scripts=False)

    @contextlib.contextmanager
    def started(self, *arguments):
        """A run in the background; it is not left running."""
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


def fabricated(folder, cls=SlurmRun):
    for seed, day in enumerate(DAYS):
        write_product(folder / "products", name_of(day), scene_of(seed, clouds=[]))
    return cls(folder, BASE)


def results(run):
    """Checksums and times of what is in the folder of results, by name."""
    folder = run.folder / "results"
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".tsv" and not path.name.startswith(".")
    }


def contents(run):
    return {name: checksum for name, (checksum, _) in results(run).items()}


def summaries(found):
    later = ("/analysis/", "/fingerprints/analyse_site", "/fingerprints/plot_site")
    return {name: checksum for name, checksum in found.items() if not any(part in name for part in later)}


def finished(run):
    """The results of jobs that Snakemake has recorded as done, unlike those of interrupted ones."""
    time.sleep(0.1)
    return {name: both for name, both in results(run).items() if "window" not in name}


def status(run):
    return json.loads(run.tigerbush("status", "--json", "--configfile", "config.yaml", status=None))


def running(cluster, rule="subset_product"):
    """The jobs on nodes whose chain has a rule; by default those of products."""
    return {
        number: job
        for number, job in cluster.jobs("RUNNING").items()
        if job["node"] and rule in job["comment"]
    }


def held(cluster, run):
    """Suspend the jobs whose Snakemake runs, and return the suspended ones; suspended before, they may lose it."""
    logs = job_logs(run)
    for number in cluster.jobs("RUNNING"):
        if STARTED in logs.get(number, ""):
            cluster.run("scontrol", "suspend", number, check=False)
    return cluster.jobs("SUSPENDED")


def released(cluster):
    """Resume the suspended jobs; whether none is left."""
    for number in cluster.jobs("SUSPENDED"):
        cluster.run("scontrol", "resume", number, check=False)
    return not cluster.jobs("SUSPENDED")


def preempt(cluster, node, *options):
    """Have a job of another partition take a node, or a part of it, from those that run there."""
    options = ("--partition=urgent", f"--nodelist={node}", "--output=/dev/null", "--wrap=sleep 1", *options)
    cluster.run("sbatch", *options)


def ends(cluster, known):
    """States, time limits and comments of jobs that are not among the known, as squeue tells them."""
    rows = cluster.run("squeue", "--noheader", "--states=all", "--format=%i|%T|%l|%k").splitlines()
    return [row.split("|")[1:] for row in rows if row.split("|")[0] not in known]


def job_logs(run):
    """What the jobs of a run have printed so far, by id."""
    return {log.stem: log.read_text() for log in (run.folder / ".snakemake" / "slurm_logs").rglob("*.log")}


def stopped(cluster, nodes):
    """Stop what jobs run on nodes by a signal, which SLURM does not know of; return the numbers of these jobs."""
    jobs = set()
    for node in nodes:
        for pid in with_children(marked(f"TIGERBUSH_NODE={cluster.folder}/{node}")):
            number = re.search(rb"(?:^|\0)SLURM_JOB_ID=(\d+)", read_process(pid, "environ"))
            if number and comm(pid).startswith(("python", "snakemake")):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    jobs.add(number[1].decode())
    return jobs


def all_stopped(cluster, nodes):
    """Stop what runs on nodes, and tell whether that is something of each of their jobs."""
    there = {number for number, job in cluster.jobs("RUNNING").items() if job["node"] in nodes}
    return there and stopped(cluster, nodes) >= there


def continued(cluster):
    """Let what is stopped go on."""
    for node in cluster.nodes:
        for pid in with_children(marked(f"TIGERBUSH_NODE={cluster.folder}/{node}")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def cluster():
    with slurm_cluster(nodes=2, cpus=2, extra=PARTITIONS) as one:
        yield one


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The results of the same products on this machine alone."""
    run = fabricated(tmp_path_factory.mktemp("local"), Run)
    run.snakemake(SUMMARIES)
    return contents(run)


def test_the_main_process_is_killed_while_jobs_run(cluster, local, tmp_path):
    """Orphans finish in SLURM; the next run keeps what is done, and the results are those of one machine."""
    run = fabricated(tmp_path / "work")
    with run.started(SUMMARIES, *EACH) as process:
        # four jobs on four CPUs: both nodes are busy. Held, the jobs are still there when status has looked
        wait_until(
            lambda: {job["node"] for job in held(cluster, run).values()} == {"n1", "n2"},
            90,
            "no jobs to hold",
        )
        assert status(run)["run"] == "running"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    wait_until(lambda: held(cluster, run).keys() == cluster.jobs(LIVE).keys(), 60, "jobs go on")
    told = status(run)
    assert (told["run"], len(told["queue"])) == ("orphaned", len(cluster.jobs(LIVE)))
    wait_until(lambda: released(cluster), 30, "jobs cannot go on")
    assert "scancel --name " + next(iter(cluster.jobs().values()))["name"] in told["advice"]
    wait_until(lambda: not cluster.jobs(f"{LIVE},COMPLETING"), 120, "orphans do not end")
    # no step of a job started Snakemake again
    logs = job_logs(run)
    assert [log.count(STARTED) for log in logs.values()] == [1] * len(DAYS), logs
    told = status(run)
    assert told["run"] == "killed" and "--unlock" in told["advice"]
    before = finished(run)
    assert len([name for name in before if name.endswith("_mask.tif")]) == len(DAYS)
    assert "--unlock" in run.on_cluster(status=1)
    run.on_cluster("--unlock")
    run.on_cluster(SUMMARIES, *EACH)
    after = results(run)
    assert {name: after[name] for name in before} == before
    assert contents(run) == local
    # every product and date was a job of its own; the second run made no product again
    comments = [job["comment"] for job in cluster.jobs().values()]
    assert sum("subset_product" in one for one in comments) == len(DAYS)
    # only what was not asked for waits
    assert set(status(run)["sites"]["here"]) == {"done", "waiting"}


def test_an_interrupted_run_cancels_its_jobs_and_goes_on(cluster, local, tmp_path):
    """SIGINT: no job is left, no lock is left. What is cancelled or preempted in the next run is made again."""
    run = fabricated(tmp_path / "work")
    with run.started(SUMMARIES) as process:
        wait_until(lambda: running(cluster), 90, "no job runs")
        # four products on two CPUs ask for the time of two
        number = next(iter(running(cluster)))
        assert cluster.run("squeue", "--noheader", "--format=%l", f"--jobs={number}").strip() == "1:20:00"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(120) != 0
    wait_until(lambda: not cluster.jobs("RUNNING,PENDING,COMPLETING"), 30, "jobs are left")
    known = set(cluster.jobs())
    with run.started(SUMMARIES, *EACH) as process:
        wait_until(lambda: len(running(cluster)) == 4, 90, "no four jobs run")
        wait_until(lambda: all_stopped(cluster, cluster.nodes), 60, "not all jobs run")
        # in its first second SLURM calls a job CANCELLED, later CANCELLED by someone
        time.sleep(3)
        first = next(number for number, job in running(cluster).items() if job["node"] == "n1")
        cluster.run("scancel", first)
        preempt(cluster, "n2", "--exclusive", "--mem=0")
        wait_until(
            lambda: sum(state == "PREEMPTED" for state, *_ in ends(cluster, known)) == 2,
            30,
            "none is preempted",
        )
        continued(cluster)
        assert process.wait(240) == 0, run.printed()
    assert contents(run) == local
    products = [
        (state, limit) for state, limit, comment in ends(cluster, known) if "subset_product" in comment
    ]
    # each asks for the same again
    assert sorted(products) == [
        ("CANCELLED", "40:00"),
        *[("COMPLETED", "40:00")] * 4,
        *[("PREEMPTED", "40:00")] * 2,
    ]


def test_jobs_that_can_never_start_are_given_up(cluster, tmp_path):
    run = fabricated(tmp_path / "work")
    # an hour and a half in a partition of one hour; the last is held
    with run.started(
        SUMMARIES, *EACH, "--default-resources", "slurm_partition=hour", "--set-resources", "resample_product:runtime=90",
        "--slurm-batch-stuck-minutes", "0.1", "--slurm-batch-init-seconds-before-status-checks", "1",
    ) as process:  # fmt: skip
        wait_until(lambda: len(cluster.jobs("PENDING")) == 4, 90, "no jobs wait")
        waiting = sorted(cluster.jobs("PENDING"), key=int)
        cluster.run("scontrol", "hold", waiting[3])
        assert status(run)["queue"][0]["place"] in ("(PartitionTimeLimit)", "(JobHeldAdmin)")
        assert process.wait(120) == 1, run.printed()
    advice = {"PartitionTimeLimit": "lower group-components or runtime, or choose another partition"}
    printed = run.printed()
    for number in waiting[:3]:
        assert (
            f"SLURM cannot start the job {number}: PartitionTimeLimit; {advice['PartitionTimeLimit']}. It is cancelled when "
            "nothing has changed for 0.1 minutes."
        ) in printed
    assert (
        f"SLURM cannot start the job {waiting[3]}: JobHeldAdmin; scontrol release {waiting[3]} lets it go on."
        in printed
    )
    # no other attempt, and the reasons once more in the end
    assert cluster.jobs("PENDING") == {}
    assert "Trying to restart" not in printed
    last = f"3 job(s) failed in SLURM: SLURM could not start it for 0.1 minutes: PartitionTimeLimit; {advice['PartitionTimeLimit']}."
    assert last in printed
    assert status(run)["slurm"]["failed"][last.partition("SLURM: ")[2]] == 3


def test_refused_jobs_take_no_result_of_an_earlier_run_away(cluster, tmp_path):
    run = fabricated(tmp_path / "work")
    run.snakemake(SUMMARIES)
    before = results(run)
    run.configure(BASE | {"composite": {"mask_buffer": 1}})
    output = run.on_cluster(
        SUMMARIES, "--retries", "0", "--default-resources", "slurm_partition=nowhere", status=1
    )
    assert results(run) == before
    # what sbatch said, of groups, where it happens and in the end
    said = "SLURM does not take the job: invalid partition specified: nowhere; Batch job submission failed: Invalid partition name specified"
    assert said in output
    assert f"job(s) failed in SLURM: {said}" in output
    # nothing has passed for made with the parameters of today
    expected = {"resample_product": 4, "subset_product": 4, "composite_date": 2, "render_date": 2}
    assert expected.items() <= dict(run.planned(SUMMARIES)).items()


def odd_sbatch(folder):
    """A folder for the PATH with an sbatch that prints a banner around the number, and whose first answer is lost."""
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
    pair = []
    for name in ("cluster", "local"):
        shutil.copytree(ROOT / "config", tmp_path / name / "config")
        pair.append(SlurmRun(tmp_path / name, config, sites=()))
    pair[1].snakemake(SUMMARIES)
    shutil.copytree(pair[1].folder / "data", pair[0].folder / "data")
    known = set(cluster.jobs())
    # keys that nothing of it needs, and a site that greets at every command and is busy at the first
    pair[0].variables = ENVIRONMENT | {"PATH": f"{odd_sbatch(tmp_path)}:{os.environ['PATH']}"}
    search = Search(ENVIRONMENT)
    with Processes(search, rf"\S*python\S* -m snakemake .*{pair[0].folder}/") as processes:
        output = pair[0].on_cluster(SUMMARIES, *EACH, "--verbose", "--envvars", "AWS_SECRET_ACCESS_KEY")
    assert contents(pair[0]) == contents(pair[1])
    assert len(contents(pair[0])) > 20
    jobs = cluster.jobs()
    assert {jobs[number]["node"] for number in jobs.keys() - known} >= {"n1", "n2"}
    # of the job whose number was lost no copy is made
    [lost] = (number for number in jobs.keys() - known if jobs[number]["state"] != "COMPLETED")
    assert (lost, jobs[lost]["state"]) == (min(jobs.keys() - known, key=int), "CANCELLED")
    busy = "Batch job submission failed: Socket timed out on send/recv operation"
    assert output.count(f"SLURM takes no job for now ({busy}); asking again, after 10 s to 5 min.") == 1
    assert status(pair[0])["slurm"] == {"failed": {}, "refused_for_now": {busy: 1}}
    # they reach the jobs by the environment that SLURM keeps for each, and nothing else shows them
    assert processes.inherited == set(ENVIRONMENT)
    assert processes.shown == set()
    assert search.secrets_in(output) == set()
    assert search.files(pair[0].folder) == {}
    assert search.files(cluster.folder, but=["environment"]) == {}
    for number in jobs.keys() - known:
        told = cluster.run("scontrol", "write", "batch_script", number, "-")
        assert "-m snakemake" in told
        assert search.secrets_in(told + cluster.run("scontrol", "show", "job", number)) == set()
