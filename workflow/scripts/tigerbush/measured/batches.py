"""What was measured of many sites in memory, kept in bundles of a date.

A bundle has of each site: `summary.json`, what `summarise_date` writes, without the weather; `measures.json`, the
pattern, the share of masked pixels and the grid; `classes.png`, the classes of NDVI from which cover is measured once
the site's threshold is known; and, of some dates, the images that reports show.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.cover import ndvi_of_classes
from tigerbush.analysis.pattern import read_pattern
from tigerbush.bundle import read_member
from tigerbush.grid import Grid
from tigerbush.measured.images import MeasuredImages

MEASURES, CLASSES = "measures.json", "classes.png"
RGB, BLACK_WHITE = "rgb.png", "bwndvi.png"


def read_measured(bundles: Mapping[str, Path], site: str) -> Iterator[MeasuredImages]:
    """Yield what was measured in the images of a site.

    Parameters
    ----------
    bundles : mapping of date to Path
    site : str
    """
    for day, bundle in bundles.items():
        measures = json.loads(read_member(bundle, site, MEASURES))
        pattern = measures["pattern"] and read_pattern(json.dumps(measures["pattern"]))
        yield MeasuredImages(day, measures["masked"], pattern, partial(_read_ndvi, bundle, site))


def _read_ndvi(bundle: Path, site: str) -> NDArray[np.float32]:
    content = np.frombuffer(read_member(bundle, site, CLASSES), np.uint8)
    return ndvi_of_classes(cv2.imdecode(content, cv2.IMREAD_UNCHANGED))


def read_grid(bundle: Path, site: str) -> tuple[Grid, int]:
    """Return the grid of the images of a site, and its EPSG code."""
    measures = json.loads(read_member(bundle, site, MEASURES))
    return Grid(**measures["grid"]), measures["epsg"]


def read_images(bundles: Mapping[str, Path], site: str) -> dict[str, dict[str, bytes]]:
    """Return the images of a site that were kept, as PNG by date and name."""
    kept = {}
    for day, bundle in bundles.items():
        with zipfile.ZipFile(bundle) as archive:
            names = {f"{site}/{name}": name for name in (RGB, BLACK_WHITE)}
            present = {
                names[member]: archive.read(member) for member in archive.namelist() if member in names
            }
        if present:
            kept[day] = present
    return kept
