"""The part of a polygon within an image, against samples of the image, and at its edges."""

from math import ceil, floor

import numpy as np
import pytest
from rasterio.warp import transform

from tigerbush.grid import Grid
from tigerbush.scenes.outline import pixels_in_polygon
from tigerbush.scenes.scene import scene_region

# a tile of 100 km, so that straight lines in degrees are curves in metres
WIDE = Grid(399_960, 5_100_000, 2000, 50, 50)
# a small product, wider than high
SMALL = Grid(465_180, 5_080_260, 20, 63, 40)
EPSG = 32633


def degrees(grid, corners, epsg=EPSG):
    """Corners in pixels of a grid as closed ring of longitudes and latitudes."""
    columns, rows = np.array([*corners, corners[0]], float).T
    return list(
        zip(
            *transform(
                f"EPSG:{epsg}",
                "EPSG:4326",
                grid.x + columns * grid.resolution,
                grid.y - rows * grid.resolution,
            ),
            strict=True,
        )
    )


def wkt(ring):
    return f"POLYGON(({', '.join(f'{x:.9f} {y:.9f}' for x, y in ring)}))"


def region(grid, corners):
    """Column, row, width and height of the region of a polygon given in pixels; None for nothing."""
    part = scene_region(grid, EPSG, None, wkt(degrees(grid, corners)))
    return None if part is None else grid.pixels(part)


def winds(ring, x, y):
    """Whether points lie in a ring, by the angles under which its edges are seen."""
    ring = np.array(ring)
    angle = np.arctan2(ring[:, 1, None] - y, ring[:, 0, None] - x)
    turns = (np.diff(angle, axis=0) + np.pi) % (2 * np.pi) - np.pi
    return np.abs(turns.sum(axis=0)) > np.pi


def sampled(grid, ring, step):
    """The bounds of the points of the image within a ring: first and last column, first and last row."""
    columns = np.linspace(0.5, grid.width - 0.5, round((grid.width - 1) / step) + 1)
    rows = np.linspace(0.5, grid.height - 0.5, round((grid.height - 1) / step) + 1)
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    longitude, latitude = transform(
        f"EPSG:{EPSG}", "EPSG:4326", grid.x + x * grid.resolution, grid.y - y * grid.resolution
    )
    inside = winds(ring, np.array(longitude), np.array(latitude))
    if not inside.any():
        return None
    return x[inside].min(), x[inside].max(), y[inside].min(), y[inside].max()


SHAPES = {
    "triangle over the north-west corner": [(-30, 20), (20, -40), (25, 30)],
    "triangle over the east edge": [(40, 10), (90, 25), (42, 44)],
    "diamond around the whole image": [(25, -40), (90, 25), (25, 90), (-40, 25)],
    "strip from edge to edge": [(-20, 5), (80, 30), (80, 45), (-20, 20)],
    # the intersection has two parts, and the corner of the image is in neither
    "angle around the south-east corner": [(70, 20), (70, 70), (20, 70), (40, 49), (60, 60), (49, 40)],
    "inside": [(10, 12), (30, 9), (27, 33)],
    "notched": [(5, 5), (60, 5), (60, 45), (5, 45), (5, 30), (55, 25), (5, 20)],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("backwards", [False, True])
def test_bounds_are_those_of_samples(shape, backwards):
    ring = degrees(WIDE, SHAPES[shape])
    columns, rows = pixels_in_polygon(ring[::-1] if backwards else ring, WIDE, EPSG)
    found = columns.min(), columns.max(), rows.min(), rows.max()
    assert found == pytest.approx(sampled(WIDE, ring, 0.125), abs=0.3)


def test_random_polygons():
    """SNAP differed from the bounding box of the corners in 17 of 240 such polygons."""
    random = np.random.default_rng(22)
    apart = 0
    for _ in range(60):
        centre, size = random.uniform(-20, 70, 2), random.uniform(5, 60)
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
        reach = random.uniform(0.4, 1, len(angles)) * size
        corners = [
            (centre[0] + r * np.cos(a), centre[1] + r * np.sin(a)) for r, a in zip(reach, angles, strict=True)
        ]
        ring = degrees(WIDE, corners)
        part, expected = pixels_in_polygon(ring, WIDE, EPSG), sampled(WIDE, ring, 0.25)
        if part is None or expected is None:
            assert expected is None
            assert part is None or np.ptp(part[0]) < 1 or np.ptp(part[1]) < 1
            apart += 1
            continue
        columns, rows = part
        found = columns.min(), columns.max(), rows.min(), rows.max()
        # the tip of an acute angle lies between samples
        assert np.max(np.abs(np.subtract(found, expected))) < 3
        assert np.median(np.abs(np.subtract(found, expected))) < 0.5
    assert 5 < apart < 40


def test_a_corner_outside_does_not_count():
    """The bounding box of the corners would reach from row 2 to row 37."""
    corners = [(50.3, 20), (80, 2), (80, 38)]
    # 12.2 of 29.7 columns on, where the centres of the last pixels are, the edges are 7.4 rows from row 20
    assert region(SMALL, corners) == (50, 12, 13, 16)


@pytest.mark.input(
    "Scenes",
    "`scene.geo_region` over the edge of a product",
    "the rectangle around the part within it, as in SNAP; less than half a pixel is outside",
)
@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ([(62.6, 5), (70, 5), (70, 9), (62.6, 9)], None),
        ([(62.4, 5.2), (70, 5.2), (70, 8.8), (62.4, 8.8)], (62, 5, 1, 4)),
        ([(-9, 5.2), (0.4, 5.2), (0.4, 8.8), (-9, 8.8)], None),
        ([(-9, 5.2), (0.6, 5.2), (0.6, 8.8), (-9, 8.8)], (0, 5, 1, 4)),
        ([(5.2, -9), (8.8, -9), (8.8, 0.4), (5.2, 0.4)], None),
        ([(5.2, -9), (8.8, -9), (8.8, 1.2), (5.2, 1.2)], (5, 0, 4, 2)),
        ([(5.2, 39.6), (8.8, 39.6), (8.8, 50), (5.2, 50)], None),
        ([(5.2, 38.9), (8.8, 38.9), (8.8, 50), (5.2, 50)], (5, 38, 4, 2)),
        # a pixel, part of a pixel, the image and its neighbours
        ([(20.1, 10.1), (20.9, 10.1), (20.9, 10.9), (20.1, 10.9)], (20, 10, 1, 1)),
        ([(20.45, 10.45), (20.55, 10.45), (20.55, 10.55)], (20, 10, 1, 1)),
        ([(-50, -50), (150, -50), (150, 150), (-50, 150)], (0, 0, 63, 40)),
        ([(70, 5), (90, 5), (90, 9), (70, 9)], None),
    ],
)
def test_half_a_pixel_at_the_edge_is_outside(corners, expected):
    assert region(SMALL, corners) == expected


@pytest.mark.parametrize("width", [1, 2, 7])
@pytest.mark.parametrize("height", [1, 3])
def test_images_of_few_pixels(width, height):
    grid = Grid(465_180, 5_080_260, 20, width, height)
    assert region(grid, [(-9, -9), (20, -9), (20, 20), (-9, 20)]) == (0, 0, width, height)
    assert region(grid, [(-9, -9), (-1, -9), (-1, -1), (-9, -1)]) is None


@pytest.mark.parametrize(("epsg", "x"), [(32660, 680_040), (32601, 199_980), (32760, 680_040)])
def test_an_image_across_the_antimeridian(epsg, x):
    grid = Grid(x, 5_100_000, 1000, 110, 90)
    ring = degrees(grid, [(20.5, 20.5), (90.5, 20.5), (90.5, 60.5), (20.5, 60.5)], epsg)
    longitudes = [longitude for longitude, _ in ring]
    assert min(longitudes) < -179 and max(longitudes) > 179
    columns, rows = pixels_in_polygon(ring, grid, epsg)
    bounds = columns.min(), columns.max(), rows.min(), rows.max()
    assert bounds == pytest.approx((20.5, 90.5, 20.5, 60.5), abs=1e-3)
    # a polygon on one side only
    for west, east in ((2.5, 10.5), (100.5, 107.5)):
        ring = degrees(grid, [(west, 20.5), (east, 20.5), (east, 60.5), (west, 60.5)], epsg)
        columns, _ = pixels_in_polygon(ring, grid, epsg)
        assert (columns.min(), columns.max()) == pytest.approx((west, east), abs=1e-3)


def test_the_whole_world():
    world = [(-180, -90), (180, -90), (180, 90), (-180, 90), (-180, -90)]
    columns, rows = pixels_in_polygon(world, SMALL, EPSG)
    assert (floor(columns.min()), ceil(columns.max()), floor(rows.min()), ceil(rows.max())) == (0, 63, 0, 40)
    # from 10 degrees east on, over the antimeridian, to 10 degrees west: 340 degrees the short way round are 20
    around = [(10, 40), (10, 50), (-10, 50), (-10, 40), (10, 40)]
    assert pixels_in_polygon(around, SMALL, EPSG) is None
