"""Rows of one run in both depths and by earlier code: CPU per date of a site, and the same results."""

import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import utm

from bench.runs import ROOT, configure
from bench.table import Row
from tigerbush.sentinel2.writer import Scene, write_product

# the last commit with a job for each site and product
BEFORE = "2bc9a49"
# tile, and easting and northing of the upper left corner of its products
TILES = {"33TVL": (465_180, 5_080_260), "33TWL": (540_000, 5_080_260)}
# pixels of a site of 0.018 degrees, with what is between two
SITE, APART = 200, 230


def write_inputs(folder: Path, sites: int, months: int, products_per_month: int) -> list[str]:
    """Write products of two tiles with realistic noise, and sites on both; return the names of the sites."""
    across = int(np.ceil(np.sqrt(sites / len(TILES))))
    side = 6 * ((across * APART + 40) // 6 + 1)
    random = np.random.default_rng(0)
    rows = []
    for number in range(sites):
        west, north = list(TILES.values())[number % len(TILES)]
        column, row = divmod(number // len(TILES), across)
        middle = west + 10 * (APART * column + 130), north - 10 * (APART * row + 130)
        latitude, longitude = map(float, utm.to_latlon(*middle, 33, "N"))
        rows.append((f"site{number:02}", round(longitude, 5), round(latitude, 5), 0.018))
    for tile, (west, north) in TILES.items():
        coarse = np.kron(random.normal(1500, 400, (side // 6, side // 6)), np.ones((6, 6)))
        for month in range(months):
            for day in range(1, products_per_month + 1):
                bands = {
                    band: np.clip(coarse * (1 + 0.2 * place) + random.normal(0, 60, coarse.shape), 1, 20_000)
                    for place, band in enumerate(("B2", "B3", "B4", "B8"))
                }
                scene = Scene(
                    {band: data.astype(np.uint16) for band, data in bands.items()},
                    west,
                    north,
                    32633,
                    side,
                    side,
                    clouds=[],
                )
                stamp = f"{2016 + month // 12}{month % 12 + 1:02}{9 * day:02}"
                name = f"S2A_MSIL1C_{stamp}T100000_N0204_R122_T{tile}_{stamp}T110000"
                write_product(folder / "products", name, scene)
    end = f"{2016 + months // 12}-{months % 12 + 1:02}-01"
    configure(
        folder, rows, period={"start": "2016-01-01", "end": end, "step": "1m"}, source={"path": "products"}
    )
    return [name for name, *_ in rows]


def checkout(commit: str, folder: Path) -> Path:
    """Unpack an earlier commit."""
    archive = subprocess.run(  # noqa: S603 - our own arguments
        ["/usr/bin/env", "git", "archive", commit], cwd=ROOT, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def run(code: Path, products: Path, folder: Path, detail: str | None) -> float:
    """Run the workflow of a checkout on products; return the CPU seconds of all its processes."""
    folder.mkdir()
    for name in ("products", "sites.tsv", "config.yaml"):
        (folder / name).symlink_to(products / name)
    (folder / "detail.yaml").write_text(f"run: {{detail: {detail}}}\n" if detail else "{}\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "snakemake", "--snakefile", str(code / "workflow" / "Snakefile"),
         "--configfile", "config.yaml", "detail.yaml", "--cores", "2", "--quiet", "all"],
        cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def results(folder: Path, sites: list[str]) -> dict[str, bytes]:
    """Return the summary and the analysis of each site."""
    names = ("results_summary.json", "analysis/analysis.json", "analysis/series.csv")
    return {
        f"{site}/{name}": (folder / "results" / site / name).read_bytes() for site in sites for name in names
    }


def depths(small: bool) -> Iterator[Row]:
    """Measure a run of 25 sites on two tiles, 24 months and three products a month."""
    number, months, per_month = (2, 2, 1) if small else (25, 24, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sites = write_inputs(folder / "inputs", number, months, per_month)
        seconds, found = {}, {}
        for way, detail in (("before", None), ("files", "files"), ("numbers", "numbers")):
            code = checkout(BEFORE, folder / "code") if way == "before" else ROOT
            seconds[way] = run(code, folder / "inputs", folder / way, detail) / (number * months)
            found[way] = results(folder / way, sites)
        for way, own in seconds.items():
            same = "byte for byte" if found[way] == found["before"] else "other results"
            remark = f"{seconds['before'] / own:.1f} x less than before; {same}"
            yield Row(f"a date of a site, {number} sites x {months} months: {way}", own, remark)
