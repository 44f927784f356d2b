"""Real snakemake runs on small configurations."""

import shutil

import pytest

from fabricate import name_of, scene_of
from runs import BASE, DAYS, SUMMARIES, Run, break_product
from tigerbush.sentinel2.writer import write_product


@pytest.fixture
def run(tmp_path):
    """Three dates: two products in January, one in February, none in March."""
    return written(tmp_path / "work")


def written(folder):
    for seed, day in enumerate(DAYS):
        write_product(folder / "products", name_of(day), scene_of(seed, clouds=[]))
    return Run(folder, BASE)


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory):
    run = written(tmp_path_factory.mktemp("finished"))
    run.snakemake(SUMMARIES)
    return run


@pytest.fixture
def finished(finished_once, tmp_path):
    """A run whose summaries are made."""
    return copied(finished_once, tmp_path)


@pytest.fixture(scope="session")
def failed_once(tmp_path_factory):
    run = written(tmp_path_factory.mktemp("failed"))
    break_product(run, "20170210")
    run.snakemake(SUMMARIES, status=1)
    return run


@pytest.fixture
def failed(failed_once, tmp_path):
    """A run in which the product of February failed."""
    return copied(failed_once, tmp_path)


def copied(run, tmp_path):
    """A copy of a run to go on with; Snakemake compares times of files, which are copied too."""
    shutil.copytree(run.folder, tmp_path / "work")
    return Run(tmp_path / "work", run.config)


@pytest.fixture(scope="session")
def start_run():
    return Run
