"""Regions as well-known text: valid polygons, and invalid text that is refused with a reason."""

import math

import pytest

from tigerbush.polygon import read_polygon

TRIANGLE = [(14.5, 45.8), (14.6, 45.8), (14.6, 45.9), (14.5, 45.8)]


@pytest.mark.parametrize(
    "text",
    [
        "POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8))",
        "POLYGON ((14.5 45.8,14.6 45.8,14.6 45.9,14.5 45.8))",
        " polygon ( ( 14.5  45.8 ,\t14.6 45.8, +14.60 45.9, 1.45e1 45.8 ) )\n",
    ],
)
def test_forms_of_a_polygon(text):
    assert read_polygon(text) == TRIANGLE


@pytest.mark.parametrize(
    "corners",
    [
        # clockwise, across the antimeridian, up to the ends of the earth, smaller than a pixel far from zero
        [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)],
        [(179, 0), (-179, 0), (-179, 1), (179, 1), (179, 0)],
        [(-180, -90), (180, -90), (180, 90), (-180, 90), (-180, -90)],
        [(179.99999, 45), (179.999991, 45), (179.999991, 45.000001), (179.99999, 45)],
        # not convex; with a corner twice
        [(0, 0), (4, 0), (2, 1), (4, 4), (0, 0)],
        [(0, 0), (1, 0), (1, 0), (1, 1), (0, 0)],
    ],
)
def test_corners_are_read_as_they_are(corners):
    assert read_polygon(wkt(corners)) == corners


def wkt(corners):
    return f"POLYGON(({', '.join(f'{x!r} {y!r}' for x, y in corners)}))"


SHAPE = "is not POLYGON((longitude latitude, ...)) with one ring"
OPEN = "is not closed: the last corner must equal the first"
FLAT = "encloses no area, or as much clockwise as anticlockwise"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", SHAPE),
        ("14.5 45.8 14.6 45.9", SHAPE),
        ("POINT(1 2)", SHAPE),
        ("POLYGON EMPTY", SHAPE),
        ("POLYGON((0 0, 1 0, 1 1, 0 0)", SHAPE),
        ("POLYGON(0 0, 1 0, 1 1, 0 0)", SHAPE),
        ("POLYGON((0 0, 1 0, 1 1, 0 0)) and more", SHAPE),
        ("POLYGON((0 0, 1 0, 1 1, 0 0)), POLYGON((0 0, 1 0, 1 1, 0 0))", SHAPE),
        ("POLYGON((0 0, 3 0, 3 3, 0 0), (1 0.5, 2 0.5, 2 1, 1 0.5))", SHAPE),
        ("POLYGON Z ((0 0 0, 1 0 0, 1 1 0, 0 0 0))", SHAPE),
        ("MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))", SHAPE),
        ("SRID=4326;POLYGON((0 0, 1 0, 1 1, 0 0))", SHAPE),
        ("POLYGON(())", "has a corner '' that is not two numbers, longitude and latitude"),
        ("POLYGON((0 0 5, 1 0 5, 1 1 5, 0 0 5))", "has a corner '0 0 5' that is not two numbers, longitude and latitude"),
        ("POLYGON((0 0, 1 0, 1 x, 0 0))", "has a corner '1 x' that is not two numbers, longitude and latitude"),
        ("POLYGON((0 0, 1 0, 1, 1, 0 0))", "has a corner '1' that is not two numbers, longitude and latitude"),
        ("POLYGON((0 0, 1 0, nan 1, 0 0))", "has a corner 'nan 1' that is not two numbers, longitude and latitude"),
        ("POLYGON((0 0, 1 0, 1 -inf, 0 0))", "has a corner '1 -inf' that is not two numbers, longitude and latitude"),
        ("POLYGON((0 0, 1_0 0, 1 1, 0 0))", "has a corner '1_0 0' that is not two numbers, longitude and latitude"),
        ("POLYGON((0 0, 1e400 0, 1 1, 0 0))", "has the longitude inf, which is not between -180 and 180 (longitude comes first)"),
        ("POLYGON((0 0, -180.1 0, 1 1, 0 0))", "has the longitude -180.1, which is not between -180 and 180 (longitude comes first)"),
        ("POLYGON((45.8 114.5, 45.9 114.5, 45.9 114.6, 45.8 114.5))", "has the latitude 114.5, which is not between -90 and 90 (longitude comes first)"),
        ("POLYGON((500000 5000000, 500100 5000000, 500100 5000100, 500000 5000000))", "has the longitude 500000, which is not between -180 and 180 (longitude comes first)"),
        ("POLYGON((0 0, 1 0, 1 1, 0 1))", OPEN),
        ("POLYGON((0 0, 1 0, 1 1, 0 0.0000001))", OPEN),
        ("POLYGON((0 0))", "has fewer than 3 different corners"),
        ("POLYGON((0 0, 1 1, 0 0, 1 1, 0 0))", "has fewer than 3 different corners"),
        ("POLYGON((0 0, 1 0, 2 0, 0 0))", FLAT),
        ("POLYGON((100.1 0.2, 100.2 0.4, 100.3 0.6, 100.1 0.2))", FLAT),
        ("POLYGON((0 0, 1 1, 1 0, 0 1, 0 0))", FLAT),
        ("POLYGON((0 0, 2 2, 2 0, 0 1, 0 0))", "crosses itself: list the corners in order around its edge"),
        ("POLYGON((0 0, 6 0, 6 4, 3 4, 4 -1, 2 4, 0 4, 0 0))", "crosses itself: list the corners in order around its edge"),
    ],
)  # fmt: skip
def test_invalid_polygons(text, reason):
    with pytest.raises(ValueError) as error:
        read_polygon(text)
    assert str(error.value) == reason


def test_a_coastline_with_many_corners():
    """Distant edges are not compared: 20,000 corners take a second, not an hour."""
    angles = [2 * math.pi * i / 20_000 for i in range(20_000)]
    corners = [(10 + math.cos(a), 40 + (1 + 0.1 * math.sin(50 * a)) * math.sin(a)) for a in angles]
    corners.append(corners[0])
    assert read_polygon(wkt(corners)) == corners
    # one corner is taken to the other side
    corners[5000] = (10.0, 38.0)
    with pytest.raises(ValueError, match="crosses itself"):
        read_polygon(wkt(corners))


def test_a_zigzag_over_the_same_longitudes_is_refused_quickly():
    """Each edge would be compared with every other one."""
    zigzag = [(10 + i % 2, i / 1000) for i in range(6000)]
    corners = [*zigzag, (5, 6), (5, 0), zigzag[0]]
    with pytest.raises(ValueError, match=r"^has too many corners over the same longitudes: simplify it$"):
        read_polygon("POLYGON((" + ", ".join(f"{x} {y}" for x, y in corners) + "))")


@pytest.mark.parametrize(
    ("text", "number"), [("5.", 5), (".5", 0.5), ("-0.5E+1", -5), ("+5e-1", 0.5), ("1e", None), (".", None), ("0x1", None), ("1e1.5", None)]
)  # fmt: skip
def test_forms_of_a_number(text, number):
    polygon = f"POLYGON(({text} 1, 9 1, 9 3, {text} 1))"
    if number is not None:
        assert read_polygon(polygon)[0] == (number, 1)
        return
    with pytest.raises(ValueError) as error:
        read_polygon(polygon)
    assert str(error.value) == f"has a corner '{text} 1' that is not two numbers, longitude and latitude"


@pytest.mark.parametrize(("height", "flat"), [(1.9e-6, True), (2.1e-6, False)])
def test_less_than_a_millionth_of_the_bounding_box_is_a_line(height, flat):
    """A triangle along the diagonal of 1 by 1 degrees, whose third corner is at some distance from its middle."""
    corners = [(10, 40), (11, 41), (10.5, 40.5 + height), (10, 40)]
    if not flat:
        assert read_polygon(wkt(corners)) == corners
        return
    with pytest.raises(ValueError) as error:
        read_polygon(wkt(corners))
    assert str(error.value) == FLAT


@pytest.mark.parametrize(
    "corners",
    [
        # edges that touch: a corner on another edge, two corners in one place, a way out and back
        [(0, 0), (4, 0), (4, 4), (2, 0), (0, 4), (0, 0)],
        [(0, 0), (2, 2), (4, 0), (4, 4), (2, 2), (0, 4), (0, 0)],
        [(0, 0), (4, 0), (6, 0), (4, 0), (4, 4), (0, 0)],
    ],
)
def test_edges_that_touch_do_not_cross(corners):
    assert read_polygon(wkt(corners)) == corners


@pytest.mark.parametrize("most", [4, 5])
def test_how_many_edges_are_compared(monkeypatch, most):
    """Of the six pairs of edges of a square, only that of the two vertical edges shares no longitude."""
    monkeypatch.setattr("tigerbush.polygon.MAX_COMPARISONS", most)
    corners = [(0, 0), (9, 0), (9, 5), (0, 5), (0, 0)]
    if most == 5:
        assert read_polygon(wkt(corners)) == corners
        return
    with pytest.raises(ValueError) as error:
        read_polygon(wkt(corners))
    assert str(error.value) == "has too many corners over the same longitudes: simplify it"
