"""Real snakemake runs on small configurations."""

import pytest

from fabricate import name_of, scene_of
from runs import BASE, Run
from tigerbush.safe_writer import write_product


@pytest.fixture
def run(tmp_path):
    """Three dates: two products on 16 January (one cloudy by its mask), one in February, none in March."""
    folder = tmp_path / "work" / "products"
    for seed, day in enumerate(("20170110", "20170120", "20170210")):
        write_product(folder, name_of(day), scene_of(seed, clouds=[]))
    return Run(tmp_path / "work", BASE)


@pytest.fixture(scope="session")
def start_run():
    return Run
