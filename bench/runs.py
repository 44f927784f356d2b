"""Rows that run Snakemake: dry runs of thousands of jobs, and what a job costs besides its work."""

import itertools
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
# a site in each 100 km square of zone 33 from 10 degrees north on
SQUARES = [(row, column) for row in range(11, 40) for column in range(2, 7)]
# what Snakemake puts before each script
PREAMBLE = "import pickle; from snakemake.logging import logger; from snakemake.iocontainers import Snakemake"
LIBRARIES = ("numpy", "rasterio", "cv2", "botocore", "matplotlib", "networkx", "pandas", "scipy", "xarray")


def snakemake(folder: Path, *arguments: str) -> None:
    """Run Snakemake's command line in this process, in `folder`; what it prints goes to a file there."""
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


def tables(folder: Path, sites: int, months: int, a_month: int) -> None:
    """Write a configuration and the tables of its products: names only, no pixels."""
    places, rows = [], []
    for number, (row, column) in enumerate(SQUARES[:sites]):
        latitude, longitude = map(
            float, utm.to_latlon(100_000 * column + 155_000, 100_000 * row + 45_000, 33, "N")
        )
        tile = (
            f"33{utm.latitude_to_zone_letter(latitude)}{'STUVWXYZ'[column]}{'ABCDEFGHJKLMNPQRSTUV'[row % 20]}"
        )
        places.append((f"site{number:03}", round(longitude, 4), round(latitude, 4), 0.08))
        for month, day in itertools.product(range(months), range(1, a_month + 1)):
            stamp = f"{2016 + month // 12}{month % 12 + 1:02}{5 * day:02}"
            name = parse_name(f"S2A_MSIL1C_{stamp}T100000_N0204_R122_T{tile}_{stamp}T110000")
            size = {"granule": "g", "size_bytes": 1, "cloud_percent": 5}
            rows.append(table_row(name, url=f"data/{name.product}.SAFE", **size))
    end = f"{2016 + months // 12}-{months % 12 + 1:02}-01"
    period = {"start": "2016-01-01", "end": end, "step": "1m"}
    configure(folder, places, period=period, source={"kind": "local", "path": "data"})
    (folder / "results").mkdir()
    write_table(folder / "results" / "files.tsv", [], FILE_COLUMNS)
    write_table(folder / "results" / "products.tsv", rows, COLUMNS)


def planned(sites: int, dates: int, a_date: int) -> int:
    """Count the jobs of a first run: 2 a product, 5 a date, 5 a site, 2 over sites, the gate and the target."""
    return sites * (dates * (2 * a_date + 5) + 5) + 4


def dag(small: bool) -> Iterator[Row]:
    """Measure dry runs; 3 products a date."""
    for sites, months, target in [(1, 2, 15)] if small else [(12, 48, 15), (57, 48, 60)]:
        with tempfile.TemporaryDirectory() as name:
            tables(Path(name), sites, months, 3)
            usage = in_child(snakemake, Path(name), "--dry-run", "--quiet")
        count = planned(sites, months, 3)
        title = f"dry run of {count:,} jobs ({sites} sites, {months} dates, 3 products a date)"
        remark = f"{usage.seconds / count * 1000:.1f} ms a job, targets {target} s and 500 MB"
        yield Row(title, usage.seconds, remark, usage.peak)


def started(code: str, repeats: int) -> tuple[float, str]:
    """Return the median CPU time of a new Python that runs `code`, and which libraries it loads."""
    # one thread, as Snakemake starts a script
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = os.environ | threads | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    code += f"\nimport sys; print(*[name for name in {LIBRARIES} if name in sys.modules])"
    times = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times), done.stdout.strip()


def scripts(small: bool) -> Iterator[Row]:
    """Measure what every script needs to start."""
    paths, repeats = sorted((ROOT / "workflow" / "scripts").glob("*.py")), 5
    if small:
        paths, repeats = paths[:1], 1
    yield Row("start of Python", started("", repeats)[0])
    yield Row("  with what Snakemake puts before a script", started(PREAMBLE, repeats)[0])
    for path in paths:
        code = f"{PREAMBLE}\nimport runpy; runpy.run_path({str(path)!r})"
        yield Row(f"  start of {path.stem}", *started(code, repeats))


def small_products(folder: Path, months: int) -> None:
    """Write a configuration of the cheapest jobs: one product a date, 4 sub-images of 20 x 20 pixels."""
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
    """Measure a real run of the cheapest jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small_products(folder, 1 if small else 12)
        usage = in_child(snakemake, folder)
        count = int(re.search(r"(\d+) of \1 steps", (folder / "output.txt").read_text())[1])
    yield Row(
        f"a run of {count} small jobs on 2 cores",
        usage.seconds + usage.children,
        f"{usage.wall:.1f} s of time",
    )
    each = (usage.seconds + usage.children) / count
    yield Row("  each job", each, f"{usage.wall / count * 1000:.0f} ms of time")
    yield Row("  of which Snakemake itself, its start included", usage.seconds / count, peak=usage.peak)
