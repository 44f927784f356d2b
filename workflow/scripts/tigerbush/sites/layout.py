"""The division of a site into sub-images."""

from dataclasses import dataclass, replace

import utm

from tigerbush.grid import Grid
from tigerbush.pyveg import MODES, centres
from tigerbush.site import Site


@dataclass(frozen=True)
class SubImage:
    """A square part of a site.

    Attributes
    ----------
    rows, columns : slice
        Pixels of the site's grid.
    longitude, latitude : float
        Centre in degrees (WGS 84), rounded to 4 decimals as pyveg does.
    """

    rows: slice
    columns: slice
    longitude: float
    latitude: float


def sub_images(grid: Grid, epsg: int, size: int) -> list[SubImage]:
    """Divide a site into squares of `size` pixels in pyveg's order: columns outer, rows inner.

    Incomplete squares at the right and bottom are dropped.
    """
    parts = []
    for column in range(0, grid.width - size + 1, size):
        for row in range(0, grid.height - size + 1, size):
            latitude, longitude = utm.to_latlon(
                grid.x + (column + size / 2) * grid.resolution,
                grid.y - (row + size / 2) * grid.resolution,
                epsg % 100,
                northern=epsg < 32700,
                strict=False,  # a site may extend beyond its zone
            )
            parts.append(
                SubImage(
                    rows=slice(row, row + size),
                    columns=slice(column, column + size),
                    longitude=round(float(longitude), 4),
                    latitude=round(float(latitude), 4),
                )
            )
    return parts


def place_sub_images(grid: Grid, epsg: int, site: Site, mode: str) -> list[SubImage]:
    """Divide a site into its sub-images, with the centres that the summary lists.

    Parameters
    ----------
    grid : Grid
        Grid of the site's pixels.
    epsg : int
    site : Site
    mode : str
        One of `tigerbush.pyveg.MODES`.
    """
    parts = sub_images(grid, epsg, site.size)
    if not MODES[mode].centres_in_degrees:
        return parts
    places = centres(site.longitude, site.latitude, site.region_size, len(parts))
    return [
        replace(part, longitude=longitude, latitude=latitude)
        for part, (longitude, latitude) in zip(parts, places, strict=True)
    ]
