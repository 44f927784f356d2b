"""Polygons in well-known text (WKT)."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

Corner = tuple[float, float]

_RING = re.compile(r"\s*POLYGON\s*\(\s*\(([^()]*)\)\s*\)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# smallest area as a share of the bounding box; less is a rounding error of corners on a line
MIN_AREA_SHARE = 1e-6
# pairs of edges over the same longitudes, a second of work; a coastline of 20,000 corners has far fewer
MAX_COMPARISONS = 1_000_000


def read_polygon(text: str) -> list[Corner]:
    """Return the corners of a WKT polygon.

    Parameters
    ----------
    text : str
        POLYGON((longitude latitude, ...)), one ring without holes, in degrees. A polygon across the antimeridian has
        longitudes of both signs.

    Returns
    -------
    list of (longitude, latitude)
        The last corner equals the first.

    Raises
    ------
    ValueError
        When the text is no such polygon; the message is the end of a sentence, without its subject.
    """
    match = _RING.fullmatch(text)
    if match is None:
        raise ValueError("is not POLYGON((longitude latitude, ...)) with one ring")
    corners = [_corner(corner) for corner in match[1].split(",")]
    if corners[0] != corners[-1]:
        raise ValueError("is not closed: the last corner must equal the first")
    if len(set(corners)) < 3:
        raise ValueError("has fewer than 3 different corners")
    if _area(corners) <= MIN_AREA_SHARE * _bounding_box_area(corners):
        raise ValueError("encloses no area, or as much clockwise as anticlockwise")
    if _crosses_itself(corners):
        raise ValueError("crosses itself: list the corners in order around its edge")
    return corners


def _corner(text: str) -> Corner:
    numbers = text.split()
    if len(numbers) != 2 or not all(map(_NUMBER.fullmatch, numbers)):
        raise ValueError(
            f"has a corner {text.strip()[:40]!r} that is not two numbers, longitude and latitude"
        )
    longitude, latitude = map(float, numbers)
    for name, value, limit in (("longitude", longitude, 180), ("latitude", latitude, 90)):
        if not abs(value) <= limit:
            raise ValueError(
                f"has the {name} {value:g}, which is not between -{limit} and {limit} (longitude comes first)"
            )
    return longitude, latitude


def _area(corners: Sequence[Corner]) -> float:
    """Return the area in square degrees, computed relative to the first corner so that no digits are lost."""
    x, y = corners[0]
    return (
        abs(math.fsum((ax - x) * (by - y) - (bx - x) * (ay - y) for (ax, ay), (bx, by) in pairwise(corners)))
        / 2
    )


def _bounding_box_area(corners: Sequence[Corner]) -> float:
    xs, ys = zip(*corners, strict=True)
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


def _crosses_itself(corners: Sequence[Corner]) -> bool:
    """Tell whether two edges cross between their ends; sorted from west to east, distant edges are never compared."""
    edges, compared = sorted(tuple(sorted(edge)) for edge in pairwise(corners)), 0
    for i, (start, end) in enumerate(edges):
        for j in range(i + 1, len(edges)):
            other = edges[j]
            if other[0][0] > end[0]:
                break
            compared += 1
            if compared > MAX_COMPARISONS:
                raise ValueError("has too many corners over the same longitudes: simplify it")
            if _separates(start, end, *other) and _separates(*other, start, end):
                return True
    return False


def _separates(start: Corner, end: Corner, first: Corner, second: Corner) -> bool:
    """Tell whether two points lie on different sides of a line."""
    return _side(start, end, first) * _side(start, end, second) < 0


def _side(start: Corner, end: Corner, point: Corner) -> float:
    (ax, ay), (bx, by), (x, y) = start, end, point
    return (bx - ax) * (y - ay) - (x - ax) * (by - ay)
