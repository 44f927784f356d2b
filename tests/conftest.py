"""Fixtures of all tests: real data, and small products that the tests write."""

import os
import signal

# workers use all cores already, and the matrices of tests are small; numpy reads it when it is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from fabricate import ROOT, name_of, scene_of
from tigerbush.sentinel2.writer import write_product

SHARED = ROOT.parent / "shared" / "data"
# groups of tests that run in one worker
LONGEST_FIRST = ("slurm", "sample", "run", "kept", "real", "s3", "stac", "azure-batch")


def pytest_configure():
    """Restore Ctrl-C: tests started in the background ignore it, and so would the runs that they interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def group_of(item):
    marker = item.get_closest_marker("xdist_group")
    return marker.args[0] if marker else None


def pytest_report_header():
    state = "found" if SHARED.is_dir() else "missing, tests marked data are skipped"
    return f"real data (../shared/data): {state}"


def pytest_collection_modifyitems(items):
    """Start the longest groups first, and skip tests without the real data, which only CI must have."""
    items.sort(key=lambda item: (*LONGEST_FIRST, group_of(item)).index(group_of(item)))
    if SHARED.is_dir() or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason="the real data in ../shared/data is missing"))


@pytest.fixture(scope="session")
def shared_data():
    assert SHARED.is_dir(), "../shared/data is missing; CI must have it"
    return SHARED


@pytest.fixture
def product(tmp_path):
    """A function that writes a product: `product(day, scene options...)` returns its folder."""

    def write(
        day="20170116", *, folder=tmp_path / "products", level="L1C", baseline="0204", scene=None, **options
    ):
        names = {key: options.pop(key) for key in ("orbit", "tile", "platform", "made") if key in options}
        name = name_of(day, level=level, baseline=baseline, **names)
        return write_product(folder, name, scene or scene_of(level=level, **options))

    return write
