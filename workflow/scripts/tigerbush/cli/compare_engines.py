"""Make the scenes of some products with arrays and with ESA SNAP, and compare them pixel by pixel.

Bands, resolution and methods are those of `scene` in the configuration; `--config "scene={engine: gpt}"` chooses SNAP's
command. One line per band: the pixels that agree, the greatest difference, and the first place of one. The exit status
is 1 when anything differs. For example: ./tigerbush compare-engines S2A_....SAFE --configfile config/local.yaml
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tigerbush.cli.configuration import add_run_arguments, read_configuration
from tigerbush.errors import TigerbushError
from tigerbush.raster import STATUS, Raster, read_raster
from tigerbush.scenes.engines import run_engine
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits, check_engine
from tigerbush.sensors import suffixes

SECONDS = 120


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the products and what SNAP may take."""
    command.add_argument(
        "products", nargs="+", type=Path, metavar="PRODUCT", help=f"{suffixes()} folder or zip"
    )
    command.add_argument("--threads", type=int, default=2, help="of SNAP (default: 2)")
    command.add_argument("--mem-mb", type=int, default=6000, help="memory of SNAP in MB (default: 6000)")
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Run both engines on every product; print how their bands agree."""
    if rest:
        raise TigerbushError(f"compare-engines does not know {' '.join(rest)!r}; see --help.")
    scene = read_configuration(options)["scene"]
    asked = SceneOptions(**{key: value for key, value in scene.items() if key != "mpi"})
    engine = "gpt" if asked.engine == "gpt" else "snap"
    fine, text = check_engine(engine, SECONDS)
    if not fine:
        raise TigerbushError(f"scene.engine {engine}: {text}")
    print(f"rasterio and {engine} ({text}):")
    differ = False
    with tempfile.TemporaryDirectory(prefix="tigerbush-compare-") as folder:
        for product in options.products:
            made = []
            for name in ("rasterio", engine):
                target = Path(folder) / f"{name}.tif"
                run_engine(
                    product, target, replace(asked, engine=name), Limits(options.threads, options.mem_mb)
                )
                made.append(read_raster(target))
            for agree, line in compare(*made):
                differ |= not agree
                print(f"{product.name}: {line}", flush=True)
    return int(differ)


def compare(ours: Raster, snaps: Raster) -> Iterator[tuple[bool, str]]:
    """Compare two scenes of one product; one finding for grid and description, one for each band.

    Parameters
    ----------
    ours, snaps : Raster
        By arrays, and by SNAP.

    Returns
    -------
    iterator of (agree, text)
    """
    for what in ("grid", "epsg", "bands", "nodata", "scale", "offset"):
        if getattr(ours, what) != getattr(snaps, what):
            yield False, f"{what} differs: {getattr(ours, what)}, SNAP {getattr(snaps, what)}"
            if what in {"grid", "bands"}:
                return
    status = ours.tags.get(STATUS)
    if status != "ok":
        yield True, f"status {status}, nothing to compare"
        return
    for band, ours_dn, snaps_dn in zip(ours.bands, ours.data, snaps.data, strict=True):
        yield compare_band(band, ours_dn, snaps_dn)


def compare_band(band: str, ours: np.ndarray, snaps: np.ndarray) -> tuple[bool, str]:
    """Compare two (h, w) arrays of DN; rows and columns count from 0."""
    difference = np.abs(ours.astype(np.int64) - snaps.astype(np.int64))
    count = np.count_nonzero(difference)
    text = f"{band}: {difference.size - count} of {difference.size} pixels identical"
    if not count:
        return True, f"{text}, max difference 0"
    row, column = np.unravel_index(np.argmax(difference > 0), difference.shape)
    return False, (
        f"{text}, max difference {difference.max()}, first at row {row}, column {column} "
        f"({ours[row, column]}, SNAP {snaps[row, column]})"
    )
