"""Whole scenes with MPI: the same bytes as with one job per product, whatever happens to a product or a rank."""

import hashlib
import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from checkouts import write_other_version
from fabricate import ROOT, name_of, scene_of
from processes import comm, descendants_of, wait_until
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
    """Open MPI has to run as root and on fewer cores than ranks, as in containers and CI."""
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
    """Six products; in one of them a band is truncated."""
    folder = tmp_path_factory.mktemp("mpi")
    for seed, day in enumerate(DAYS):
        safe = write_product(folder, name_of(day), scene_of(seed, clouds=[]))
        if safe.name.startswith(BROKEN):
            band = next(safe.glob("GRANULE/*/IMG_DATA/*_B03.jp2"))
            band.write_bytes(band.read_bytes()[:500])
            # which states another size
            (safe / "manifest.safe").unlink()
    return folder


def configure_run(folder, products, ranks, cls=Run):
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
    run = configure_run(tmp_path_factory.mktemp("jobs"), products, None)
    run.snakemake("scenes", status=1)
    return scenes(run)


def test_four_ranks_write_what_six_jobs_write(products, by_jobs, tmp_path):
    """Ranks run the library of their checkout, whatever version is on PYTHONPATH."""
    run = configure_run(tmp_path / "work", products, 4)
    run.variables = {"PYTHONPATH": str(write_other_version(tmp_path / "other"))}
    output = run.snakemake("scenes", status=1)
    # the gate reports which product failed, and why; the others are complete
    assert f"{BROKEN} failed" in output and "not a complete JP2" in output
    assert scenes(run) == by_jobs and len(by_jobs) == len(DAYS)
    broken = read_tags(run.folder / "results" / "scenes" / f"{BROKEN}.tif")
    assert broken[STATUS] == "failed" and "B03" in broken[REASON]
    manifest = json.loads((run.folder / "results" / "scenes_mpi" / "manifest.json").read_text())
    assert {name: scene["status"] for name, scene in manifest["scenes"].items()} == {
        name_of(day): "failed" if name_of(day) == BROKEN else "ok" for day in DAYS
    }
    # only the gate is left
    assert run.planned("scenes") == {"scenes": 1, "check_scenes": 1}


def test_retry_makes_only_what_failed(products, tmp_path):
    copied = shutil.copytree(products, tmp_path / "products")
    run = configure_run(tmp_path / "work", copied, 2)
    run.snakemake("scenes", status=1)
    before = scenes(run)
    shutil.rmtree(copied / f"{BROKEN}.SAFE")
    write_product(copied, BROKEN, scene_of(2, clouds=[]))
    run.tigerbush("retry", "--configfile", "config.yaml", "--cores", "2")
    assert set(scenes(run).items()) - set(before.items()) == {(f"{BROKEN}.tif", scenes(run)[f"{BROKEN}.tif"])}
    # the ranks processed only this product
    assert "1 of 6 scenes to make" in (run.folder / "logs" / "resample_scenes.log").read_text()
    assert "Nothing to be done" in run.snakemake("scenes")


def test_a_replaced_product_is_the_only_one_made_again(products, tmp_path):
    copied = shutil.copytree(products, tmp_path / "products")
    replaced = name_of("20170105")
    # of the product with another band
    (copied / f"{replaced}.SAFE" / "manifest.safe").unlink()
    run = configure_run(tmp_path / "work", copied, 2)
    run.configure(run.config | {"scene": {"mpi": {"ranks": 2}, "mask": True}})
    run.snakemake("scenes", status=1)
    before = scenes(run)
    band = next((copied / f"{replaced}.SAFE").glob("GRANULE/*/IMG_DATA/*_B03.jp2"))
    other = write_product(tmp_path, replaced, scene_of(10, clouds=[]))
    # in place: the time of the product's folder stays
    shutil.copy(next(other.glob("GRANULE/*/IMG_DATA/*_B03.jp2")), band)
    run.tigerbush("discover", "--configfile", "config.yaml")
    run.snakemake("scenes", status=1)
    changed = {name for name, digest in scenes(run).items() if before[name] != digest}
    assert changed == {f"{replaced}.tif"}
    # with the one that failed; its mask has not
    messages = (run.folder / "logs" / "resample_scenes.log").read_text()
    assert "2 of 6 scenes to make" in messages and "1 of 6 masks to make" in messages
    assert run.planned("scenes") == {"scenes": 1, "check_scenes": 1}


def test_a_lost_rank_loses_no_finished_scene(products, tmp_path):
    """A rank that is killed ends the whole job; the next run makes what is missing, and nothing else."""
    run = configure_run(tmp_path / "work", products, 2, SlurmRun)
    run.profile = "local"
    run.more = ("--retries", "0")
    parts = run.folder / "results" / "scenes_mpi"
    with run.started("scenes") as process:

        def ranks():
            return [pid for pid in descendants_of(process.pid) if "mpi4py" in command_line(pid)]

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
    remade = [path.stem for path, stamp in finished.items() if path.stat().st_mtime_ns != stamp]
    assert set(remade) <= {BROKEN}


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_four_ranks_on_two_nodes_of_slurm(products, by_jobs, tmp_path, monkeypatch):
    """All nodes are the same host: ranks on different nodes must not try to share memory."""
    monkeypatch.setenv("OMPI_MCA_btl", "tcp,self")
    run = configure_run(tmp_path / "work", products, 4, SlurmRun)
    # on the command line these replace those of the profile
    run.more = ("--set-resources", "resample_scenes:mpi=srun --mpi=pmix", "resample_scenes:nodes=2")
    with slurm_cluster(nodes=2, cpus=2) as cluster:
        output = run.on_cluster("scenes", status=1)
        jobs = list(cluster.jobs().values())
    assert f"{BROKEN} failed" in output
    assert [(job["comment"], job["node"]) for job in jobs] == [("rule_resample_scenes", "n[1-2]")]
    assert scenes(run) == by_jobs
    assert "6 of 6 scenes to make, by 4 ranks" in (run.folder / "logs" / "resample_scenes.log").read_text()


def test_two_ranks_on_a_node_of_slurm(products, by_jobs, tmp_path):
    run = configure_run(tmp_path / "work", products, 2, SlurmRun)
    with slurm_cluster(nodes=1, cpus=2) as cluster:
        output = run.on_cluster("scenes", status=1)
        jobs = [job["comment"] for job in cluster.jobs().values()]
    assert f"{BROKEN} failed" in output
    assert jobs == ["rule_resample_scenes"]
    assert scenes(run) == by_jobs


def test_ranks_of_a_module_with_a_prefix(products, by_jobs, tmp_path):
    """They read copies and write scenes below its folder."""
    run = configure_run(tmp_path / "work", products, 2)
    run.configure(run.config | {"source": {"path": str(products), "access": "storage"}})
    (run.folder / "Snakefile").write_text(
        'configfile: "config.yaml"\n\n\nmodule vegetation:\n'
        f'    snakefile: "{ROOT / "workflow" / "Snakefile"}"\n    config: config\n    prefix: "veg"\n\n\n'
        "use rule * from vegetation\n"
    )
    run.snakemake("veg/results/scenes_checked.txt", snakefile=run.folder / "Snakefile", status=1)
    made = (run.folder / "veg" / "results" / "scenes").glob("*.tif")
    made = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made}
    # which names the copy that failed, not the folder
    failed = f"{BROKEN}.tif"
    assert made.pop(failed) and made == {name: by_jobs[name] for name in by_jobs if name != failed}
    assert not (run.folder / "results").exists()


def test_damaged_scenes_of_ranks_are_made_again(products, tmp_path):
    """A scene, and the file of the rank that it is a link to; an older folder of ranks is left over."""
    run = configure_run(tmp_path / "work", products, 2)
    run.configure(run.config | {"scene": {"mpi": {"ranks": 2}, "limit": 2, "mask": True}})
    run.snakemake("scenes")
    before = scenes(run)
    folder = Path(json.loads((run.folder / "results" / "scenes_mpi" / "manifest.json").read_text())["folder"])
    product = name_of(DAYS[1])
    content = (run.folder / folder / f"{product}.tif").read_bytes()
    (run.folder / folder / f"{product}.tif").write_bytes(content[:-900])
    older = run.folder / folder.parent / "0123456789abcdef" / f"{product}.tif"
    older.parent.mkdir()
    older.write_bytes(content[:900])
    output = run.tigerbush("doctor", "--results", "--configfile", "config.yaml", status=1)
    lines = dict(re.findall(r"^failed  results +(\S+): .+; (.+)$", output, re.MULTILINE))
    again = "./tigerbush retry makes it again"
    assert lines == {
        f"{folder}/{product}.tif": again,
        f"results/scenes/{product}.tif": again,
        str(
            older.relative_to(run.folder)
        ): "this configuration does not make it: it is of another one, or left over",
    }
    run.tigerbush("retry", "--configfile", "config.yaml", "--cores", "2")
    assert scenes(run) == before
    shutil.rmtree(older.parent)
    run.tigerbush("doctor", "--results", "--configfile", "config.yaml")
