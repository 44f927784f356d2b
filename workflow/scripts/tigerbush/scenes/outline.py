"""Where a polygon in degrees meets the outline of an image, as SNAP's Subset computes it."""

from collections.abc import Sequence

import numpy as np
from rasterio.warp import transform

from tigerbush.grid import Grid
from tigerbush.polygon import Corner

# SNAP divides the shorter side of an image by this for the distance of the nodes of its outline
_PARTS = 8


def pixels_in_polygon(
    corners: Sequence[Corner], grid: Grid, epsg: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the corners of the part of a polygon within an image, or None when they are apart.

    The outline of the image passes through the centres of its outermost pixels, not along their edges, and is straight
    in degrees between nodes, like the edges of the polygon.

    Parameters
    ----------
    corners : sequence of (longitude, latitude)
        The last equals the first. Where consecutive longitudes differ by more than 180 degrees, the polygon crosses the
        antimeridian.
    grid : Grid
    epsg : int
        EPSG code of the grid.

    Returns
    -------
    columns, rows : (n,) float arrays
        In pixels from the upper-left corner of the grid.

    Raises
    ------
    rasterio.errors.RasterioError
        When the grid cannot be expressed in degrees.
    """
    polygon, outline = np.array(corners, np.float64), _outline(grid, epsg)
    steps = np.abs(np.diff(polygon[:, 0]))
    if np.any((steps > 180) & (steps < 360)):
        polygon[:, 0] = np.unwrap(polygon[:, 0], period=360)
    # the same place, wherever the count of degrees begins
    turns = np.array([[-360, 0], [0, 0], [360, 0]])
    points = np.concatenate([_intersection(polygon + turn, outline) for turn in turns])
    if not len(points):
        return None
    easting, northing = np.array(transform("EPSG:4326", f"EPSG:{epsg}", *points.T))
    return (easting - grid.x) / grid.resolution, (grid.y - northing) / grid.resolution


def _outline(grid: Grid, epsg: int) -> np.ndarray:
    """Return the closed outline of a grid in degrees, (n, 2)."""
    step = max(min(grid.width, grid.height) // _PARTS, 1)
    columns, rows = (
        np.array([*range(0, size - 1, step), size - 1]) + 0.5 for size in (grid.width, grid.height)
    )
    top, right = [(x, rows[0]) for x in columns], [(columns[-1], y) for y in rows]
    bottom, left = [(x, rows[-1]) for x in columns[::-1]], [(columns[0], y) for y in rows[::-1]]
    x, y = np.array(top + right + bottom + left).T
    easting, northing = grid.x + x * grid.resolution, grid.y - y * grid.resolution
    longitude, latitude = transform(f"EPSG:{epsg}", "EPSG:4326", easting, northing)
    return np.column_stack([np.unwrap(longitude, period=360), latitude])


def _intersection(ring: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return points of the intersection of two closed rings, its corners among them, (n, 2)."""
    return np.concatenate([ring[_inside(ring, other)], other[_inside(other, ring)], _crossings(ring, other)])


def _inside(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Tell which points lie within a ring: a ray to the east crosses it an odd number of times."""
    (x, y), start, end = points.T[:, :, None], ring[:-1], ring[1:]
    passes = (start[:, 1] > y) != (end[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = start[:, 0] + (y - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
    return np.sum(passes & (crossing > x), axis=1) % 2 == 1


def _crossings(ring: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return where the edges of two rings cross, (n, 2)."""
    start, along = ring[:-1, None], np.diff(ring, axis=0)[:, None]
    gap, across = other[None, :-1] - start, np.diff(other, axis=0)[None]

    def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]

    with np.errstate(divide="ignore", invalid="ignore"):
        position, other_position = (cross(gap, edge) / cross(along, across) for edge in (across, along))
    meet = (position >= 0) & (position <= 1) & (other_position >= 0) & (other_position <= 1)
    return (start + np.where(meet, position, 0)[..., None] * along)[meet]
