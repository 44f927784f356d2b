"""Scenes by MPI: the same bytes as job by job, whatever happens to a product or a rank."""

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from fabricate import name_of, scene_of
from processes import children_of, comm, wait_until
from runs import Run
from skipping import skip_unless_ci
from slurm import slurm_cluster
from test_slurm import SlurmRun
from tigerbush.raster import REASON, STATUS, read_tags
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]

DAYS = ("20170105", "20170110", "20170120", "20170210", "20170220", "20170310")
BROKEN = name_of("20170120")


@pytest.fixture(autouse=True)
def launcher(monkeypatch):
    """Containers and CI run tests as root, on fewer cores than ranks."""
    if shutil.which("mpirun") is None:
        skip_unless_ci("these tests need mpirun (Debian: openmpi-bin)")
    for name in (
        "OMPI_ALLOW_RUN_AS_ROOT",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
        "OMPI_MCA_rmaps_base_oversubscribe",
        "OMPI_MCA_mpi_yield_when_idle",
    ):
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Six products, of one a band is cut short."""
    folder = tmp_path_factory.mktemp("mpi")
    for seed, day in enumerate(DAYS):
        safe = write_product(folder, name_of(day), scene_of(seed, clouds=[]))
        if safe.name.startswith(BROKEN):
            band = next(safe.glob("GRANULE/*/IMG_DATA/*_B03.jp2"))
            band.write_bytes(band.read_bytes()[:500])
    return folder


def configured(folder, products, ranks, cls=Run):
    config = {
        "sites": "sites.tsv",
        "period": {"start": "2017-01-01", "end": "2017-04-01", "step": "1m"},
        "source": {"path": str(products)},
        "subimages": {"size": 20},
        "scene": {"mpi": {"ranks": ranks}},
    }
    return cls(folder, config)


def scenes(run):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (run.folder / "results" / "scenes").glob("*.tif")
    }


@pytest.fixture(scope="module")
def by_jobs(products, tmp_path_factory):
    run = configured(tmp_path_factory.mktemp("jobs"), products, None)
    run.snakemake("scenes", status=1)
    return scenes(run)


def test_four_ranks_write_what_six_jobs_write(products, by_jobs, tmp_path):
    run = configured(tmp_path / "work", products, 4)
    output = run.snakemake("scenes", status=1)
    # the gate says which product failed, and why; the others are there
    assert f"{BROKEN} failed" in output and "not a complete JP2" in output
    assert scenes(run) == by_jobs and len(by_jobs) == len(DAYS)
    broken = read_tags(run.folder / "results" / "scenes" / f"{BROKEN}.tif")
    assert broken[STATUS] == "failed" and "B03" in broken[REASON]
    manifest = json.loads((run.folder / "results" / "scenes_mpi" / "manifest.json").read_text())
    assert {name: one["status"] for name, one in manifest["scenes"].items()} == {
        name_of(day): "failed" if name_of(day) == BROKEN else "ok" for day in DAYS
    }
    # only the gate is left to do
    assert run.planned("scenes") == {"scenes": 1, "check_scenes": 1}


def test_retry_makes_only_what_failed(products, tmp_path):
    mine = shutil.copytree(products, tmp_path / "products")
    run = configured(tmp_path / "work", mine, 2)
    run.snakemake("scenes", status=1)
    before = scenes(run)
    shutil.rmtree(mine / f"{BROKEN}.SAFE")
    write_product(mine, BROKEN, scene_of(2, clouds=[]))
    run.tigerbush("retry", "--configfile", "config.yaml", "--cores", "2")
    assert set(scenes(run).items()) - set(before.items()) == {(f"{BROKEN}.tif", scenes(run)[f"{BROKEN}.tif"])}
    # the ranks were asked for one product only
    assert "1 of 6 scenes to make" in (run.folder / "logs" / "resample_scenes.log").read_text()
    assert "Nothing to be done" in run.snakemake("scenes")


def test_a_lost_rank_loses_no_finished_scene(products, tmp_path):
    """The rank that is killed ends the whole job; the next run makes what is missing, and nothing else."""
    run = configured(tmp_path / "work", products, 2, SlurmRun)
    run.profile = "local"
    run.more = ("--retries", "0")
    parts = run.folder / "results" / "scenes_mpi"
    with run.started("scenes") as process:

        def ranks():
            return [pid for pid in children_of(process.pid) if "mpi4py" in command_line(pid)]

        wait_until(lambda: list(parts.glob("*/S2*.tif")), 90, "no scene is written")
        pids = [pid for pid in ranks() if comm(pid) != "mpirun"]
        os.kill(pids[-1], signal.SIGKILL)
        assert process.wait(90) == 1
    finished = {
        path: path.stat().st_mtime_ns for path in parts.glob("*/S2*.tif") if STATUS in read_tags(path)
    }
    assert finished
    run.snakemake("scenes", status=1)
    assert not list(parts.glob("*/.*.tif"))
    again = [path.stem for path, stamp in finished.items() if path.stat().st_mtime_ns != stamp]
    assert set(again) <= {BROKEN}


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_four_ranks_on_two_nodes_of_slurm(products, by_jobs, tmp_path, monkeypatch):
    """The simulated nodes are one host: ranks of different nodes must not try to share memory."""
    monkeypatch.setenv("OMPI_MCA_btl", "tcp,self")
    run = configured(tmp_path / "work", products, 4, SlurmRun)
    # on the command line they stand in for those of the profile
    run.more = ("--set-resources", "resample_scenes:mpi=srun --mpi=pmix", "resample_scenes:nodes=2")
    with slurm_cluster(nodes=2, cpus=2) as cluster:
        output = run.on_cluster("scenes", status=1)
        jobs = list(cluster.jobs().values())
    assert f"{BROKEN} failed" in output
    assert [(job["comment"], job["node"]) for job in jobs] == [("rule_resample_scenes", "n[1-2]")]
    assert scenes(run) == by_jobs
    assert "6 of 6 scenes to make, by 4 ranks" in (run.folder / "logs" / "resample_scenes.log").read_text()


def test_two_ranks_on_a_node_of_slurm(products, by_jobs, tmp_path):
    run = configured(tmp_path / "work", products, 2, SlurmRun)
    with slurm_cluster(nodes=1, cpus=2) as cluster:
        output = run.on_cluster("scenes", status=1)
        jobs = [job["comment"] for job in cluster.jobs().values()]
    assert f"{BROKEN} failed" in output
    assert jobs == ["rule_resample_scenes"]
    assert scenes(run) == by_jobs
