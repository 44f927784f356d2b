"""Jobs on a real SLURM start in a checkout in any folder, and run its own library."""

import pytest

from checkouts import copy_checkout, site_packages, with_environment, write_other_version
from fabricate import name_of, scene_of
from runs import BASE
from slurm import slurm_cluster
from test_slurm import TEST_OPTIONS, SlurmRun
from tigerbush.sentinel2.writer import write_product

# only one cluster can exist on a host: a single worker of xdist
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]


def test_jobs_of_a_checkout_in_a_folder_with_a_space(tmp_path):
    """And with other characters that shells interpret; another version is in its environment, and on PYTHONPATH."""
    checkout = copy_checkout(
        tmp_path / "my (own) projects' & co", "Makefile", "workflow", "config", "profiles", "plugins"
    )
    python = with_environment(checkout)
    write_other_version(site_packages(python.parents[1]))
    run = SlurmRun(tmp_path / "two words", BASE)
    run.variables = {"PYTHONPATH": str(write_other_version(tmp_path / "other"))}
    write_product(run.folder / "products", name_of("20170110"), scene_of(clouds=[]))
    with slurm_cluster(nodes=1, cpus=2) as cluster:
        run.call(
            [
                python, "-m", "snakemake", "--snakefile", checkout / "workflow" / "Snakefile",
                "--configfile", "config.yaml", "--profile", checkout / "profiles" / run.profile, *TEST_OPTIONS,
                "results/here/2017-01-16/ndvi.json",
            ]
        )  # fmt: skip
        states = {job["state"] for job in cluster.jobs().values()}
    assert states == {"COMPLETED"}
    assert (run.folder / "results" / "here" / "2017-01-16" / "ndvi.json").exists()
