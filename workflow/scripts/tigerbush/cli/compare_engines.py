"""Compare the scenes that rasterio and ESA SNAP make of some products, pixel by pixel.

Bands, resolution and methods are those of `scene` in the configuration; `--config "scene={engine: gpt}"` selects SNAP's
command line. One line per band shows the number of identical pixels, the largest difference, and the position of the
first difference. The exit status is 1 if anything differs. For example:
./tigerbush compare-engines S2A_....SAFE --configfile config/local.yaml
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tigerbush.cli.configuration import add_run_arguments, read_configuration
from tigerbush.errors import TigerbushError
from tigerbush.planning.fingerprints import scene_parameters
from tigerbush.raster import STATUS, Raster, read_raster
from tigerbush.scenes.engines import run_engine
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits, check_engine
from tigerbush.sensors import suffixes

SECONDS = 120


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the products, and the resources of SNAP."""
    command.add_argument(
        "products", nargs="+", type=Path, metavar="PRODUCT", help=f"{suffixes()} folder or zip"
    )
    command.add_argument("--threads", type=int, default=2, help="threads of SNAP (default: 2)")
    command.add_argument("--mem-mb", type=int, default=6000, help="memory of SNAP in MB (default: 6000)")
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Run both engines on every product; print how well their bands agree."""
    if rest:
        raise TigerbushError(
            f"compare-engines does not know {' '.join(rest)!r}; see ./tigerbush compare-engines --help."
        )
    settings = SceneOptions(**scene_parameters(read_configuration(options)))
    engine = "gpt" if settings.engine == "gpt" else "snap"
    works, text = check_engine(engine, SECONDS)
    if not works:
        raise TigerbushError(f"scene.engine {engine}: {text}")
    print(f"rasterio and {engine} ({text}):")
    differ = False
    with tempfile.TemporaryDirectory(prefix="tigerbush-compare-") as folder:
        for product in options.products:
            scenes = []
            for name in ("rasterio", engine):
                target = Path(folder) / f"{name}.tif"
                run_engine(
                    product, target, replace(settings, engine=name), Limits(options.threads, options.mem_mb)
                )
                scenes.append(read_raster(target))
            for identical, line in compare(*scenes):
                differ |= not identical
                print(f"{product.name}: {line}", flush=True)
    return int(differ)


def compare(ours: Raster, snap: Raster) -> Iterator[tuple[bool, str]]:
    """Compare two scenes of one product: differences of the grid and the description first, then each band.

    Parameters
    ----------
    ours, snap : Raster
        Of engine rasterio, and of SNAP.

    Returns
    -------
    iterator of (identical, text)
    """
    for name in ("grid", "epsg", "bands", "nodata", "scale", "offset"):
        if getattr(ours, name) != getattr(snap, name):
            yield False, f"{name} differs: {getattr(ours, name)}, SNAP {getattr(snap, name)}"
            if name in {"grid", "bands"}:
                return
    status = ours.tags.get(STATUS)
    if status != "ok":
        yield True, f"status {status}, nothing to compare"
        return
    for band, our_dn, snap_dn in zip(ours.bands, ours.data, snap.data, strict=True):
        yield compare_band(band, our_dn, snap_dn)


def compare_band(band: str, ours: np.ndarray, snap: np.ndarray) -> tuple[bool, str]:
    """Compare two (h, w) arrays of DN; rows and columns are counted from 0."""
    difference = np.abs(ours.astype(np.int64) - snap.astype(np.int64))
    count = np.count_nonzero(difference)
    text = f"{band}: {difference.size - count} of {difference.size} pixels identical"
    if not count:
        return True, f"{text}, max difference 0"
    row, column = np.unravel_index(np.argmax(difference > 0), difference.shape)
    return False, (
        f"{text}, max difference {difference.max()}, first at row {row}, column {column} "
        f"({ours[row, column]}, SNAP {snap[row, column]})"
    )
