"""The benchmark runs; its results are for people to read, not for tests. Every row runs in `make prove`."""

import pytest

from bench.runs import write_tables
from runs import bench

pytestmark = pytest.mark.workflow


def test_rows_can_be_chosen():
    output = bench("--small", "--rows", "composite")
    assert "median of 6 products" in output
    assert "centrality" not in output
    assert "'speed' is not one of centrality, date" in bench("--rows", "speed", status=2)


@pytest.mark.parametrize(
    ("detail", "dates", "sites", "more"),
    [
        # 5 jobs for a date of a site, 5 for a site
        ("files", 5 * 3 * 8, 5 * 8, 4),
        # of two batches a job for a date, and three for their sites
        ("numbers", 3 * 2, 3 * 2, 4),
    ],
)
def test_the_jobs_of_many_sites(tmp_path, start_run, detail, dates, sites, more):
    """Two tiles with four sites each, three dates of three products."""
    run = start_run(tmp_path / "work", {})
    write_tables(run.folder, 2, 3, 3, 4, run={"detail": detail})
    planned = run.planned()
    assert planned["subset_product"] == planned["resample_product"] == 2 * 3 * 3
    assert planned.total() == 2 * 18 + dates + sites + more
