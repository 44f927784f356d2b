"""The benchmark runs; what it measures is for people to read, never for a test."""

import re

import pytest

from fabricate import ROOT
from runs import bench

pytestmark = pytest.mark.workflow


def test_every_row_runs_at_tiny_sizes(monkeypatch):
    """But that of the cluster, whose turn is in `make prove`."""
    monkeypatch.syspath_prepend(str(ROOT))
    from bench.__main__ import ROWS

    output = bench("--small", "--rows", ",".join(name for name in ROWS if name != "cluster"))
    assert re.search(r"cores, Python 3\.\d+\.\d+, numpy [\d.]+, GDAL [\d.]+, snakemake 9", output)
    rows = re.findall(r"^(.*?)  +([\d.]+) (ms|s)\b(?: +(\d+) MB)?", output, re.MULTILINE)
    assert len(rows) >= 20
    assert all(float(number) > 0 for _, number, _, _ in rows)
    for start in (
        "centrality of",
        "a date of",
        "median of",
        "3 bands of",
        "dry run of",
        "start of",
        "a run of",
        "damage looked for in",
        "analysis of",
    ):
        assert any(name.startswith(start) for name, *_ in rows), start


def test_rows_can_be_chosen():
    output = bench("--small", "--rows", "composite")
    assert "median of 6 products" in output
    assert "centrality" not in output
    assert "'speed' is none of centrality, date" in bench("--rows", "speed", status=2)


def test_a_dry_run_has_as_many_jobs_as_the_benchmark_says(monkeypatch, tmp_path, start_run):
    monkeypatch.syspath_prepend(str(ROOT))
    from bench.runs import planned, tables

    run = start_run(tmp_path / "work", {})
    tables(run.folder, 2, 3, 3)
    assert run.planned().total() == planned(2, 3, 3)
