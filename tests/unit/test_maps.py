"""Maps of sub-images: numbers in their places, per date and as an animation."""

import cv2
import matplotlib
import numpy as np
import pytest

from tigerbush.figures import encode_figure
from tigerbush.grid import place_sub_images
from tigerbush.maps import Maps, animate_maps, map_metric, maps_figure, maps_raster
from tigerbush.raster import read_raster, write_raster
from tigerbush.resample import Grid
from tigerbush.series import read_series

# 3 x 2 sub-images of 5 pixels
GRID, EPSG, SIZE = Grid(461_080, 1_460_280, 10, 15, 10), 32631, 5
SITE = {"longitude": 2.65, "latitude": 13.2, "region_size": 0.0014, "size": SIZE}
DAYS = ["2020-01-16", "2020-02-15", "2020-03-16"]
GREY = (216, 216, 216)


@pytest.fixture(scope="module")
def maps():
    """Each number tells its row and column; the third sub-image is missing on the first date, all on the second."""
    parts = place_sub_images(GRID, EPSG, SITE, "default")
    records = [
        {
            "latitude": part.latitude,
            "longitude": part.longitude,
            "offset50": -100 * part.rows.start // SIZE - part.columns.start // SIZE,
            "ndvi_veg": 255,
        }
        for part in parts
    ]
    # of another site
    elsewhere = records[0] | {"latitude": 14.0, "offset50": -999}
    series = {DAYS[0]: records[:2] + records[3:], DAYS[1]: None, DAYS[2]: [elsewhere, *records]}
    summary = {"COPERNICUS/S2": {"type": "vegetation", "time-series-data": series}}
    return lambda metric: map_metric(read_series(summary, "it"), metric, parts, GRID, EPSG, SIZE)


def maps_of(values, dates):
    return Maps("offset50", dates, np.array(values, np.float32), Grid(GRID.x, GRID.y, 50, 3, 2), EPSG)


def test_numbers_are_where_their_sub_images_are(maps):
    found = maps("offset50")
    assert (found.metric, found.label, found.dates) == ("offset50", "network centrality (offset50)", DAYS)
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values[2], [[0, -1, -2], [-100, -101, -102]])
    np.testing.assert_array_equal(found.values[0], [[0, np.nan, -2], [-100, -101, -102]])
    assert np.isnan(found.values[1]).all()
    assert found.limits == (-102, 0)
    assert (found.grid, found.epsg) == (Grid(GRID.x, GRID.y, 50, 3, 2), EPSG)
    assert (maps("ndvi_veg").values[2] == 1).all()
    # the key is not there at all
    assert maps("ndvi").limits == (0, 1)


def test_the_raster_has_a_band_for_each_date_and_lies_on_the_site(maps, tmp_path):
    found = maps_raster(maps("offset50"))
    assert found.tags == {"TIGERBUSH_METRIC": "network centrality (offset50)"}
    assert np.isnan(found.nodata)
    write_raster(tmp_path / "map.tif", found)
    raster = read_raster(tmp_path / "map.tif")
    assert raster.bands == tuple(DAYS)
    assert raster.grid == Grid(GRID.x, GRID.y, 50, 3, 2)
    assert raster.epsg == EPSG
    np.testing.assert_array_equal(raster.data, maps("offset50").values)


def test_the_figure_has_eight_dates_in_a_row_on_one_scale():
    values = np.arange(9 * 6, dtype=float).reshape(9, 2, 3)
    values[4, 1, 1] = np.nan
    days = [f"2020-{month:02d}-16" for month in range(1, 9)] + ["2020-08-28"]
    figure = maps_figure(maps_of(values, days))
    panel, bar = figure.axes
    # a lane is 0.15 x (3 + 2) sub-images: 8 maps of 3 with 7 lanes, 2 of 2 with as many
    assert (panel.get_xlim(), panel.get_ylim()) == ((0, 29.25), (5.5, 0))
    tall = 7.2 * 5.5 / 29.25 + 0.7
    assert figure.get_size_inches().tolist() == pytest.approx([7.2, tall])
    assert np.ravel(panel.get_position(original=True)).tolist() == pytest.approx([0.01, 0.7 / tall, 0.99, 1])
    assert np.ravel(bar.get_position(original=True)).tolist() == pytest.approx(
        [0.1, 0.45 / tall, 0.9, 0.6 / tall]
    )
    lefts = [3.75 * column for column in (*range(8), 0)]
    tops = [0.75] * 8 + [3.5]
    assert [image.get_extent() for image in panel.images] == [
        [left, left + 3, top + 2, top] for left, top in zip(lefts, tops, strict=True)
    ]
    for image, layer in zip(panel.images, values, strict=True):
        np.testing.assert_array_equal(image.get_array().filled(np.nan), layer)
        assert image.get_clim() == (0, 53)
    # August has two dates
    assert [(text.get_text(), text.get_position()) for text in panel.texts] == [
        (day, pytest.approx((left + 1.5, top - 0.075)))
        for day, left, top in zip(days, lefts, tops, strict=True)
    ]
    assert bar.get_xlim() == (0, 53)
    assert bar.get_xlabel() == "network centrality (offset50); grey: no number"
    assert not panel.axison
    colours = panel.images[0].get_cmap()
    assert colours.name == "viridis" and colours.get_bad().tolist() == [0.85, 0.85, 0.85, 1]


@pytest.mark.parametrize("metric", ["offset50", "ndvi"])
def test_few_dates_share_the_width(maps, metric):
    figure = maps_figure(maps(metric))
    panel, _ = figure.axes
    assert [text.get_text() for text in panel.texts] == ["2020-01", "2020-02", "2020-03"]
    assert (panel.get_xlim(), panel.get_ylim()) == ((0, 3 * 3.75 - 0.75), (2.75, 0))
    assert len(panel.images) == 3
    assert encode_figure(figure).startswith(b"\x89PNG")


def test_the_animation_has_a_frame_for_each_date():
    layers = [[[0, 1, 2], [3, 4, np.nan]], [[np.nan] * 3] * 2, [[5, 5, 5], [5, 5, 8]], [[5, 5, 5], [5, 5, 8]]]
    found = maps_of(layers, [*DAYS, "2020-04-15"])
    encoded = animate_maps(found)
    assert encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP"
    _, animation = cv2.imdecodeanimation(np.frombuffer(encoded, np.uint8))
    assert animation.durations.tolist() == [350] * 4
    frames = [frame[..., 2::-1] for frame in animation.frames]
    assert {frame.shape for frame in frames} == {(500, 400, 3)}
    for frame, layer in zip(frames, layers, strict=True):
        # nothing is lost, so that each pixel has the colour of its number, between 0 and 8 of all dates
        pixels = middles(frame)
        expected = [[GREY if np.isnan(value) else colour_of(value / 8) for value in row] for row in layer]
        assert pixels == expected
    # of two dates with the same numbers the title alone differs, above the map
    rows = np.flatnonzero((frames[2] != frames[3]).any(axis=(1, 2)))
    assert len(rows) > 5 and rows.max() < 0.08 * 500 + 100
    assert animate_maps(found) == encoded


def colour_of(share):
    return tuple(int(part) for part in matplotlib.colormaps["viridis"](share, bytes=True)[:3])


def middles(frame):
    """The colours in the middle of each of 2 x 3 sub-images: squares in the middle of 376 x 380 pixels, right of 12, below 40."""
    side = 0.94 * 400 / 3
    middle = 500 * (1 - 0.16 - 0.76 / 2)
    return [
        [
            tuple(frame[int(middle + row * side), int(0.03 * 400 + (column + 0.5) * side)].tolist())
            for column in range(3)
        ]
        for row in (-0.5, 0.5)
    ]


def test_mode_pyveg_has_pyvegs_centres():
    square = Grid(GRID.x, GRID.y, 10, 10, 10)
    ours, pyvegs = (place_sub_images(square, EPSG, SITE, mode) for mode in ("default", "pyveg"))
    assert [part.rows for part in ours] == [part.rows for part in pyvegs]
    assert pyvegs[0].longitude == pytest.approx(2.65 - 0.0014 / 4, abs=1e-4)
