"""Every row of the benchmark, at tiny sizes; the row `cluster` starts a SLURM cluster."""

import re

from runs import bench

STARTS = (
    "centrality of", "a date of", "median of", "3 bands of", "dry run of", "start of", "a run of", "checking a",
    "analysis of", "a window of 480",
)  # fmt: skip


def run() -> None:
    """Run all rows and check their output."""
    output = bench("--small")
    assert re.search(r"cores, Python 3\.\d+\.\d+, numpy [\d.]+, GDAL [\d.]+, snakemake 9", output)
    rows = re.findall(r"^(.*?)  +([\d.]+) (ms|s)\b(?: +(\d+) MB)?", output, re.MULTILINE)
    assert len(rows) >= 20
    assert all(float(number) > 0 for _, number, _, _ in rows)
    for start in STARTS:
        assert any(name.startswith(start) for name, *_ in rows), start
    # one for the chain of the product, one for that of the date
    assert int(re.search(r"(\d+) jobs submitted", output)[1]) == 2, output
    print(f"all {len(rows)} rows of the benchmark run")
