"""Real snakemake runs on small configurations."""

import shutil

import pytest

from fabricate import ROOT
from runs import SUMMARIES, Run, break_product, write_run


@pytest.fixture
def run(tmp_path):
    """Three dates: two products in January, one in February, none in March."""
    return write_run(tmp_path / "work")


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("finished"))
    run.snakemake(SUMMARIES)
    return run


@pytest.fixture
def finished(finished_once, tmp_path):
    """A run whose summaries are finished."""
    return copy_run(finished_once, tmp_path)


@pytest.fixture(scope="session")
def failed_once(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("failed"))
    break_product(run, "20170210")
    run.snakemake(SUMMARIES, status=1)
    return run


@pytest.fixture
def failed(failed_once, tmp_path):
    """A run in which the product of February failed."""
    return copy_run(failed_once, tmp_path)


def copy_run(run, tmp_path):
    """Copy a run, to continue it; Snakemake compares the times of files, which are copied too."""
    shutil.copytree(run.folder, tmp_path / "work")
    return Run(tmp_path / "work", run.config)


@pytest.fixture(scope="session")
def start_run():
    return Run


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory):
    """Prepare a working directory that contains only the default configuration."""

    def prepare(changes=None):
        folder = tmp_path_factory.mktemp("work")
        shutil.copytree(ROOT / "config", folder / "config")
        return Run(folder, changes or {}, sites=())

    return prepare


@pytest.fixture(scope="session")
def sample_run(sample_folder):
    """The whole sample with its long records, as `make demo` runs it."""
    run = sample_folder()
    run.output = run.snakemake("--", "all", "records")
    return run
