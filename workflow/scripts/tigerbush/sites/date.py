"""The images of one date, and the measures of its sub-images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tigerbush.images import read_png
from tigerbush.planning.zones import tile_squares, tiles_of
from tigerbush.raster import Raster, read_raster
from tigerbush.site import Site
from tigerbush.sites.layout import SubImage, place_sub_images
from tigerbush.sites.subimages import (
    Coverage,
    coverage,
    examine_sub_images,
    reasons_without_tile,
)


@dataclass(frozen=True)
class DateImages:
    """The images of a date and its sub-images.

    Attributes
    ----------
    ndvi : (h, w) float32 array
        NaN where masked.
    black_white : (h, w) uint8 array
    rgb : (h, w, 3) uint8 array
    covered : Coverage
    examined : list of (SubImage, float, str)
        Every sub-image, its fraction of lost pixels, and why it is not used (empty when it is).
    """

    ndvi: np.ndarray
    black_white: np.ndarray
    rgb: np.ndarray
    covered: Coverage
    examined: list[tuple[SubImage, float, str]]

    @property
    def parts(self) -> list[tuple[SubImage, float]]:
        """The sub-images that are used, with their fractions of lost pixels."""
        return [(part, fraction) for part, fraction, reason in self.examined if not reason]


def read_date(
    ndvi: Path,
    black_white: Path,
    rgb: Path,
    *,
    site: Site,
    max_masked_fraction: float,
    limit: int | None,
    mode: str,
    lost: Path | None = None,
    tiles: Mapping[str, str] = MappingProxyType({}),
) -> DateImages:
    """Read the images of a date and choose the sub-images that are used.

    Parameters
    ----------
    ndvi, black_white, rgb : Path
        ndvi.tif, bwndvi.png and rgb.png.
    site : Site
    max_masked_fraction, limit
        See `tigerbush.sites.subimages.examine_sub_images`.
    mode : str
        One of `tigerbush.pyveg.MODES`.
    lost : Path, optional
        lost.tif, for the reasons why sub-images are not used.
    tiles : mapping of tile to product, optional
        The tiles that cover the site at any date, each with one of its products.

    Raises
    ------
    TigerbushError
        When an image cannot be read.
    """
    return choose_sub_images(
        read_raster(ndvi),
        read_png(black_white),
        read_png(rgb),
        read_raster(lost).data[0] if lost else None,
        site=site,
        max_masked_fraction=max_masked_fraction,
        limit=limit,
        mode=mode,
        tiles=tiles,
    )


def choose_sub_images(
    ndvi: Raster,
    black_white: np.ndarray,
    rgb: np.ndarray,
    lost: np.ndarray | None,
    *,
    site: Site,
    max_masked_fraction: float,
    limit: int | None,
    mode: str,
    tiles: Mapping[str, str] = MappingProxyType({}),
) -> DateImages:
    """Choose the sub-images of a date that are used; the arguments are the contents of those of `read_date`."""
    parts = place_sub_images(ndvi.grid, ndvi.epsg, site, mode)
    covered = coverage(ndvi.data[0], rgb, mode)
    known = tiles_of({"tile": tile, "product": product} for tile, product in tiles.items())
    uncovered = reasons_without_tile(
        parts, ndvi.grid, ndvi.epsg, tile_squares(known, ndvi.epsg), max_masked_fraction
    )
    return DateImages(
        ndvi=ndvi.data[0],
        black_white=black_white,
        rgb=rgb,
        covered=covered,
        examined=examine_sub_images(
            parts, covered, max_masked_fraction, limit, lost, uncovered if tiles else ()
        ),
    )
