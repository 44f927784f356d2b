"""The benchmark runs; its results are for people to read, not for tests. Every row runs in `make prove`."""

import pytest

from bench.runs import count_jobs, write_tables
from runs import bench

pytestmark = pytest.mark.workflow


def test_rows_can_be_chosen():
    output = bench("--small", "--rows", "composite")
    assert "median of 6 products" in output
    assert "centrality" not in output
    assert "'speed' is not one of centrality, date" in bench("--rows", "speed", status=2)


def test_a_dry_run_has_as_many_jobs_as_the_benchmark_counts(tmp_path, start_run):
    run = start_run(tmp_path / "work", {})
    write_tables(run.folder, 2, 3, 3)
    assert run.planned().total() == count_jobs(2, 3, 3)
