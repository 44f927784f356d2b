"""The windows of a site on the pixel lattice of its tiles."""

import math

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.site import METRES_PER_DEGREE, Site


def site_grid(site: Site, origin: tuple[float, float] | None = None) -> Grid:
    """Return the grid of a site's pixels.

    The window of `sub_images` x `sub_images` sub-images is centred on the site's point, to the nearest pixel of the
    lattice of `origin`.

    Parameters
    ----------
    site : Site
    origin : (x, y), optional
        Upper-left corner of the tile in metres; by default the lattice that all tiles of the zone share.

    Raises
    ------
    TigerbushError
        When not even one sub-image fits.
    """
    resolution = site.resolution
    if site.sub_images < 1:
        raise TigerbushError(
            f"region_size {site.region_size:g} is smaller than one sub-image of {site.size} x {resolution} m; make it "
            f"at least {site.size * resolution / METRES_PER_DEGREE:.4f} or subimages.size smaller."
        )
    easting, northing = site.easting_northing
    x0, y0 = origin or (0, 0 if site.epsg < 32700 else 10_000_000)
    side = site.sub_images * site.size
    half = side * resolution / 2
    x = x0 + round((easting - half - x0) / resolution) * resolution
    y = y0 - round((y0 - northing - half) / resolution) * resolution
    return Grid(x, y, resolution, side, side)


def read_window(site: Grid, scene: Grid, coarsest: int, buffer: int = 0) -> Grid | None:
    """Return the part of a scene's target grid that is read for a site, or None without overlap.

    The site's window is extended to whole pixels of the coarsest band plus two of them on each side, clamped to the
    scene, so that every resampling method has the neighbours it needs.

    Parameters
    ----------
    site, scene : Grid
    coarsest : int
        Resolution of the product's coarsest band, in metres.
    buffer : int
        Width in pixels of the buffer around masked areas, which may reach into the site from outside.
    """
    step = math.lcm(coarsest, int(scene.resolution))
    margin = 2 * coarsest + math.ceil(buffer * scene.resolution / step) * step

    def span(low: float, high: float, size: int) -> tuple[int, int]:
        start = math.floor(low / step) * step - margin
        stop = math.ceil(high / step) * step + margin
        return (
            max(round(start / scene.resolution), 0),
            min(round(stop / scene.resolution), size),
        )

    west, north = site.x - scene.x, scene.y - site.y
    width, height = site.width * site.resolution, site.height * site.resolution
    if (
        west + width <= 0
        or north + height <= 0
        or west >= scene.width * scene.resolution
        or north >= scene.height * scene.resolution
    ):
        return None
    left, right = span(west, west + width, scene.width)
    top, bottom = span(north, north + height, scene.height)
    return scene.crop(left, top, right - left, bottom - top)
