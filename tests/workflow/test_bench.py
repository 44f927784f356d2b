"""The benchmark runs; what it measures is for people to read, never for a test. Every row runs in `make prove`."""

import pytest

from bench.runs import planned, tables
from runs import bench

pytestmark = pytest.mark.workflow


def test_rows_can_be_chosen():
    output = bench("--small", "--rows", "composite")
    assert "median of 6 products" in output
    assert "centrality" not in output
    assert "'speed' is none of centrality, date" in bench("--rows", "speed", status=2)


def test_a_dry_run_has_as_many_jobs_as_the_benchmark_says(tmp_path, start_run):
    run = start_run(tmp_path / "work", {})
    tables(run.folder, 2, 3, 3)
    assert run.planned().total() == planned(2, 3, 3)
