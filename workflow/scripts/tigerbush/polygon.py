"""A polygon on the earth as well-known text (WKT)."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

Corner = tuple[float, float]

_RING = re.compile(r"\s*POLYGON\s*\(\s*\(([^()]*)\)\s*\)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# of the bounding box: less is the rounding of corners on a line
LEAST_SHARE = 1e-6
# of edges over the same longitudes: a second of work, which a coast of 20,000 corners is far from
MOST_COMPARED = 1_000_000


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
        The last corner is the first one again.

    Raises
    ------
    ValueError
        When it is none: what is wrong, as the end of a sentence.
    """
    match = _RING.fullmatch(text)
    if match is None:
        raise ValueError("is not POLYGON((longitude latitude, ...)) with one ring")
    corners = [_corner(words) for words in match[1].split(",")]
    if corners[0] != corners[-1]:
        raise ValueError("is not closed: the last corner must be the first one again")
    if len(set(corners)) < 3:
        raise ValueError("has fewer than 3 different corners")
    if _area(corners) <= LEAST_SHARE * _box(corners):
        raise ValueError("encloses no area, or as much clockwise as anticlockwise")
    if _crosses_itself(corners):
        raise ValueError("crosses itself: list the corners in their order around it")
    return corners


def _corner(text: str) -> Corner:
    words = text.split()
    if len(words) != 2 or not all(map(_NUMBER.fullmatch, words)):
        raise ValueError(
            f"has a corner {text.strip()[:40]!r} that is not two numbers, longitude and latitude"
        )
    longitude, latitude = map(float, words)
    for name, value, limit in (("longitude", longitude, 180), ("latitude", latitude, 90)):
        if not abs(value) <= limit:
            raise ValueError(
                f"has the {name} {value:g}, which is not from -{limit} to {limit} (longitude is first)"
            )
    return longitude, latitude


def _area(corners: Sequence[Corner]) -> float:
    """Square degrees; seen from the first corner, so that far from zero no digits are lost."""
    x, y = corners[0]
    return (
        abs(math.fsum((ax - x) * (by - y) - (bx - x) * (ay - y) for (ax, ay), (bx, by) in pairwise(corners)))
        / 2
    )


def _box(corners: Sequence[Corner]) -> float:
    xs, ys = zip(*corners, strict=True)
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


def _crosses_itself(corners: Sequence[Corner]) -> bool:
    """Whether two edges cross between their ends; from west to east, so that far ones are never compared."""
    edges, compared = sorted(tuple(sorted(edge)) for edge in pairwise(corners)), 0
    for i, (start, end) in enumerate(edges):
        for j in range(i + 1, len(edges)):
            other = edges[j]
            if other[0][0] > end[0]:
                break
            compared += 1
            if compared > MOST_COMPARED:
                raise ValueError("has too many corners over the same longitudes: draw it coarser")
            if _apart(start, end, *other) and _apart(*other, start, end):
                return True
    return False


def _apart(start: Corner, end: Corner, one: Corner, other: Corner) -> bool:
    """Whether two places lie on different sides of a line."""
    return _side(start, end, one) * _side(start, end, other) < 0


def _side(start: Corner, end: Corner, place: Corner) -> float:
    (ax, ay), (bx, by), (x, y) = start, end, place
    return (bx - ax) * (y - ay) - (x - ax) * (by - ay)
