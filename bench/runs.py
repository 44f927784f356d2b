"""Rows that run Snakemake: dry runs of thousands of jobs, and the overhead of a job."""

import itertools
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import utm
import yaml

from bench.table import Row, in_child
from tigerbush.planning.tables import COLUMNS, FILE_COLUMNS, SITE_COLUMNS, table_row, write_table
from tigerbush.sentinel2.names import parse_name
from tigerbush.sentinel2.writer import Scene, write_product

ROOT = Path(__file__).parents[1]
# a site in each 100 km square of zone 33, from 10 degrees north
SQUARES = [(row, column) for row in range(11, 40) for column in range(2, 7)]
# the preamble that Snakemake adds to each script
PREAMBLE = "import pickle; from snakemake.logging import logger; from snakemake.iocontainers import Snakemake"
LIBRARIES = ("numpy", "rasterio", "cv2", "botocore", "matplotlib", "networkx", "pandas", "scipy", "netCDF4")


def snakemake(folder: Path, *arguments: str) -> None:
    """Run Snakemake's command line in this process, in `folder`; its output goes to a file there."""
    from snakemake.cli import main

    os.chdir(folder)
    profile = ROOT / "profiles" / "default"
    sys.argv = [
        "snakemake",
        "--snakefile",
        str(ROOT / "workflow" / "Snakefile"),
        "--configfile",
        "config.yaml",
    ]
    sys.argv += ["--workflow-profile", str(profile), "--cores", "2", *arguments]
    with Path("output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise RuntimeError(Path("output.txt").read_text()) from None


def configure(folder: Path, sites: list[tuple], **config: object) -> None:
    """Write config.yaml and sites.tsv."""
    rows = [SITE_COLUMNS, *sites]
    (folder / "sites.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    config |= {"sites": "sites.tsv", "products": "results/products.tsv"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def write_tables(
    folder: Path, tiles: int, months: int, products_per_month: int, sites_per_tile: int = 1, **config: object
) -> None:
    """Write a configuration and the tables of its products, without the products themselves."""
    site_rows, rows = [], []
    side = math.isqrt(sites_per_tile - 1) + 1
    for row, column in SQUARES[:tiles]:
        for place in range(sites_per_tile):
            # from the middle of the square on, so that no site is at the edge of a tile
            east, north = (45_000 + 45_000 * step // side for step in divmod(place, side))
            latitude, longitude = map(
                float,
                utm.to_latlon(100_000 * column + 110_000 + east, 100_000 * row + north, 33, "N"),
            )
            region = 0.08 if sites_per_tile == 1 else 0.018
            site_rows.append((f"site{len(site_rows):05}", round(longitude, 4), round(latitude, 4), region))
        tile = (
            f"33{utm.latitude_to_zone_letter(latitude)}{'STUVWXYZ'[column]}{'ABCDEFGHJKLMNPQRSTUV'[row % 20]}"
        )
        for month, day in itertools.product(range(months), range(1, products_per_month + 1)):
            stamp = f"{2016 + month // 12}{month % 12 + 1:02}{5 * day:02}"
            name = parse_name(f"S2A_MSIL1C_{stamp}T100000_N0204_R122_T{tile}_{stamp}T110000")
            size = {"granule": "g", "size_bytes": 1, "cloud_percent": 5}
            rows.append(table_row(name, url=f"data/{name.product}.SAFE", **size))
    end = f"{2016 + months // 12}-{months % 12 + 1:02}-01"
    period = {"start": "2016-01-01", "end": end, "step": "1m"}
    configure(folder, site_rows, period=period, source={"kind": "local", "path": "data"}, **config)
    (folder / "results").mkdir()
    write_table(folder / "results" / "files.tsv", [], FILE_COLUMNS)
    write_table(folder / "results" / "products.tsv", rows, COLUMNS)


# tiles, dates, sites of a tile, depth; targets in ms and kB for a job
DRY_RUNS = [
    (12, 48, 1, "files", ""),
    (57, 48, 1, "files", ""),
    (10, 120, 10, "numbers", ", target under 15,000 jobs"),
    (100, 100, 100, "numbers", ", targets under 75,000 jobs, 1.5 ms and 25 kB a job"),
]


def dag(small: bool) -> Iterator[Row]:
    """Measure dry runs with 3 products per date."""
    for tiles, dates, per_tile, detail, target in [(1, 2, 2, "numbers", "")] if small else DRY_RUNS:
        with tempfile.TemporaryDirectory() as name:
            write_tables(Path(name), tiles, dates, 3, per_tile, run={"detail": detail})
            usage = in_child(snakemake, Path(name), "--dry-run", "--quiet", "rules")
            count = int(
                re.search(r"^total +([0-9]+)$", (Path(name) / "output.txt").read_text(), re.MULTILINE)[1]
            )
        title = f"dry run of {count:,} jobs ({detail}, {tiles * per_tile:,} sites, {dates} dates)"
        remark = f"{usage.seconds / count * 1000:.1f} ms and {usage.peak / count * 1000:.0f} kB a job"
        yield Row(title, usage.seconds, remark + target, usage.peak)


def start_python(code: str, repeats: int) -> tuple[float, str]:
    """Return the median CPU time of a new Python process that runs `code`, and the libraries that it loads."""
    # one thread, as Snakemake runs a script
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = os.environ | threads | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    code += f"\nimport sys; print(*[name for name in {LIBRARIES} if name in sys.modules])"
    times = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        completed = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times), completed.stdout.strip()


def scripts(small: bool) -> Iterator[Row]:
    """Measure the start of every script."""
    paths, repeats = sorted((ROOT / "workflow" / "scripts").glob("*.py")), 5
    if small:
        paths, repeats = paths[:1], 1
    yield Row("start of Python", start_python("", repeats)[0])
    yield Row("  with Snakemake's preamble", start_python(PREAMBLE, repeats)[0])
    for path in paths:
        code = f"{PREAMBLE}\nimport runpy; runpy.run_path({str(path)!r})"
        yield Row(f"  start of {path.stem}", *start_python(code, repeats))


def small_products(folder: Path, months: int) -> None:
    """Write products and configuration for the cheapest jobs: one product per date, 4 sub-images of 20 x 20 pixels."""
    random = np.random.default_rng(0)
    for month in range(1, months + 1):
        bands = {
            band: random.integers(200, 4000, (126, 126)).astype(np.uint16)
            for band in ("B2", "B3", "B4", "B8")
        }
        product = f"S2A_MSIL1C_2017{month:02}16T100000_N0204_R122_T33TVL_2017{month:02}16T110000"
        write_product(folder / "products", product, Scene(bands, 465180, 5080260, 32633, 126, 126, clouds=[]))
    end = f"{2017 + months // 12}-{months % 12 + 1:02}-01"
    period = {"start": "2017-01-01", "end": end, "step": "1m"}
    site = ("here", 14.5593, 45.8694, 0.0037)
    source = {"kind": "local", "path": "products"}
    configure(folder, [site], period=period, source=source, subimages={"size": 20})


def jobs(small: bool) -> Iterator[Row]:
    """Measure a run of the cheapest jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small_products(folder, 1 if small else 12)
        usage = in_child(snakemake, folder)
        count = int(re.search(r"(\d+) of \1 steps", (folder / "output.txt").read_text())[1])
    yield Row(
        f"a run of {count} small jobs on 2 cores",
        usage.seconds + usage.children,
        f"{usage.wall:.1f} s of wall time",
    )
    per_job = (usage.seconds + usage.children) / count
    yield Row("  per job", per_job, f"{usage.wall / count * 1000:.0f} ms of wall time")
    yield Row("  of which Snakemake itself, including its start", usage.seconds / count, peak=usage.peak)
