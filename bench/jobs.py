"""Measure the duration of each job, for the model of `./tigerbush plan` (workflow/scripts/tigerbush/cli/plan/cost.py).

It runs the workflow on six synthetic products, for sites of 100 x 100 and 850 x 850 pixels, on one core, and fits
seconds against pixels. On a busy machine the figures are too high.
"""

import csv
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml

from tigerbush.sentinel2.writer import Scene, write_product

SIDE = 1110
DAYS = ("20170105", "20170110", "20170120", "20170210", "20170215", "20170225")
SNAKEFILE = Path(__file__).parents[1] / "workflow" / "Snakefile"
# megapixels of the sites, which share their centre with the products
SITES = {"small": 0.01, "big": 0.7225}
REGIONS = {"small": 0.0091, "big": 0.08}
CONFIG = {
    "sites": "sites.tsv",
    "period": {"start": "2017-01-01", "end": "2017-03-01", "step": "1m"},
    "source": {"path": "products"},
}


def write_inputs(folder: Path) -> None:
    """Write products with realistic noise, and the sites."""
    random = np.random.default_rng(0)
    for day in DAYS:
        bands = {}
        for band in ("B2", "B3", "B4", "B8"):
            coarse = random.normal(1500, 400, (SIDE // 30, SIDE // 30))
            fine = np.kron(coarse, np.ones((30, 30))) + random.normal(0, 12, (SIDE, SIDE))
            bands[band] = np.clip(fine, 1, 20000).astype(np.uint16)
        name = f"S2A_MSIL1C_{day}T100000_N0204_R122_T33TVL_{day}T110000"
        write_product(folder / "products", name, Scene(bands, 465180, 5080260, 32633, SIDE, SIDE, clouds=[]))
    rows = [("site", "longitude", "latitude", "region_size")]
    rows += [(site, 14.6232, 45.8253, size) for site, size in REGIONS.items()]
    (folder / "sites.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))


def seconds(folder: Path) -> dict[str, dict[str, float]]:
    """Return the median duration of jobs per rule and site, as Snakemake measured it."""
    durations = defaultdict(lambda: defaultdict(list))
    for path in sorted((folder / "benchmarks").glob("*/*/*.tsv")):
        with path.open(newline="") as file:
            [row] = csv.DictReader(file, delimiter="\t")
        durations[path.parts[-3]][path.parts[-2]].append(float(row["s"]))
    return {
        rule: {site: statistics.median(times) for site, times in sites.items()}
        for rule, sites in durations.items()
    }


def main() -> None:
    """Run, fit and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder)
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--cores", "1"]
        subprocess.run(  # noqa: S603 - our own arguments
            [*command, "--configfile", "config.yaml", "--quiet"], cwd=folder, check=True
        )
        print(f"{'rule':20}{'seconds':>10}{'per megapixel':>16}")
        for rule, sites in seconds(folder).items():
            slope = (sites["big"] - sites["small"]) / (SITES["big"] - SITES["small"])
            # a composite is of three products here
            slope /= 3 if rule == "composite_date" else 1
            print(f"{rule:20}{sites['small'] - slope * SITES['small']:10.2f}{slope:16.2f}")


if __name__ == "__main__":
    main()
