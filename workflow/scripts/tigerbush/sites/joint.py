"""Windows that lie close together are cut from a larger one, so that what they share is decoded once.

A decoder reads more than a window: the code blocks at its edges, and at coarser levels those of a wide surrounding. So
many windows of a tile take longer than the tile.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions
from tigerbush.readers import Product, open_product
from tigerbush.scenes.scene import finest_grid
from tigerbush.site import Site
from tigerbush.sites.product import site_window

# windows are read together within cells of this size, that of a tile of ESA's bands of 10 m
CELL_METRES = 10_240
# A window takes as long as the pixels of a tile that are as many as those of the window and of this much around it
# (make bench ROWS=windows).
SURROUNDING_METRES = 3600


def joint_products(
    path: Path, sites: Mapping[str, Site], buffer: int
) -> Iterator[tuple[str, "Product | JointProduct | Path"]]:
    """Yield each site with the product to read its window from, those that are read together one after the other.

    Parameters
    ----------
    path : Path
        A product. Where it cannot be opened, it is yielded itself: the error is that of each site.
    sites : mapping of str to Site
    buffer : int
        Width in pixels of the buffer around masked areas.
    """
    for whole, names in sites_together(lambda: open_product(path), sites, buffer):
        together = JointProduct(open_product(path), whole) if whole else path
        for name in names:
            yield name, together


def sites_together(
    open_one: Callable[[], Product], sites: Mapping[str, Site], buffer: int
) -> Iterator[tuple[Grid | None, list[str]]]:
    """Yield all sites in groups, each with the window from which those of its sites are cut, or None.

    Parameters
    ----------
    open_one : callable
        Opens the product. Where it fails, each site is read by itself: the error is its own.
    sites : mapping of str to Site
    buffer : int
        Width in pixels of the buffer around masked areas.
    """
    # a site alone shares nothing
    windows, corner = _windows_of(open_one, sites, buffer) if len(sites) > 1 else ({}, (0, 0))
    yield from joint_windows(windows, corner)
    if others := [name for name in sites if name not in windows]:
        yield None, others


def _windows_of(
    open_one: Callable[[], Product], sites: Mapping[str, Site], buffer: int
) -> tuple[dict[str, Grid], tuple[float, float]]:
    """Return the windows of the sites that a product reaches, and its corner; nothing of one that cannot be opened."""
    try:
        product = open_one()
        found = {name: site_window(product, site, buffer)[1] for name, site in sites.items()}
    except (TigerbushError, OSError):
        return {}, (0, 0)
    west, _, _, north = finest_grid(product).bounds
    return {name: window for name, window in found.items() if window is not None}, (west, north)


def joint_windows(
    windows: Mapping[str, Grid], corner: tuple[float, float]
) -> list[tuple[Grid | None, list[str]]]:
    """Return which windows are read together.

    Parameters
    ----------
    windows : mapping of site to Grid
        On one lattice for each resolution.
    corner : (easting, northing)
        Of the product, from which its tiles are counted.

    Returns
    -------
    list of (Grid, list of site)
        What is read, and the sites that are cut from it; None for sites whose windows are read one by one.
    """
    cells: dict[tuple[float, ...], list[str]] = {}
    for site, window in windows.items():
        column, row = (window.x - corner[0]) // CELL_METRES, (corner[1] - window.y) // CELL_METRES
        cells.setdefault((column, row, window.resolution), []).append(site)
    groups = []
    for sites in cells.values():
        whole = _around([windows[site] for site in sites])
        pays = len(sites) > 1 and _decoded(whole) < sum(_decoded(windows[site]) for site in sites)
        groups.append((whole if pays else None, sites))
    return groups


def _around(windows: list[Grid]) -> Grid:
    """Return the smallest window that contains others."""
    west, south, east, north = zip(*(window.bounds for window in windows), strict=True)
    size = windows[0].resolution
    width, height = (max(east) - min(west)) / size, (max(north) - min(south)) / size
    return Grid(min(west), max(north), size, round(width), round(height))


def _decoded(window: Grid) -> float:
    """Return about how many square metres are decoded for a window."""
    width, height = (size * window.resolution for size in window.shape)
    return (width + SURROUNDING_METRES) * (height + SURROUNDING_METRES)


class JointProduct:
    """A product of which a window is read once, and smaller ones are cut from it: like `tigerbush.readers.Product`.

    Where the larger one cannot be read, the smaller ones are read one by one: not all of them need be damaged.
    """

    def __init__(self, product: Product, window: Grid) -> None:
        self._product, self._window = product, window
        self._band = cache(self._read_band)
        self._mask = cache(self._read_mask)
        self._land = cache(self._read_land)

    def __getattr__(self, name: str) -> object:
        return getattr(self._product, name)

    def read_band(
        self, band: str, target: Grid, upsampling: str = "Nearest", downsampling: str = "First"
    ) -> np.ndarray:
        """Return the stored DN of a band on a window."""
        data = self._band(band, upsampling, downsampling)
        if data is None:
            return self._product.read_band(band, target, upsampling, downsampling)
        return self._cut(data, target)

    def read_mask(self, target: Grid, options: MaskOptions) -> tuple[np.ndarray, str | None]:
        """Return the cloud mask on a window, and its file; with a buffer it is read by itself, and ends at its edge."""
        whole = None if options.buffer else self._mask(options)
        if whole is None:
            return self._product.read_mask(target, options)
        return self._cut(whole[0], target), whole[1]

    def read_land(self, target: Grid) -> np.ndarray | None:
        """Return which pixels of a window are land; None without a classification."""
        land = self._land()
        return self._product.read_land(target) if land is None else self._cut(land, target)

    # each returns None where the larger window cannot be read

    def _read_band(self, band: str, upsampling: str, downsampling: str) -> np.ndarray | None:
        with suppress(TigerbushError):
            return self._product.read_band(band, self._window, upsampling, downsampling)

    def _read_mask(self, options: MaskOptions) -> tuple[np.ndarray, str | None] | None:
        with suppress(TigerbushError):
            return self._product.read_mask(self._window, options)

    def _read_land(self) -> np.ndarray | None:
        with suppress(TigerbushError):
            return self._product.read_land(self._window)

    def _cut(self, data: np.ndarray, target: Grid) -> np.ndarray:
        column, row, width, height = self._window.pixels(target)
        return data[row : row + height, column : column + width]
