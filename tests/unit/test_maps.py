"""Maps of sub-images: numbers in their places, per date and as an animation."""

from dataclasses import replace

import cv2
import matplotlib
import numpy as np
import pytest

from tigerbush.analysis.series import read_series
from tigerbush.grid import Grid
from tigerbush.raster import read_raster, write_raster
from tigerbush.report.maps import Maps, animate_maps, map_metric, maps_figure, maps_raster
from tigerbush.report.overview import encode_figure
from tigerbush.site import Site
from tigerbush.sites.layout import place_sub_images

# 3 x 2 sub-images of 5 pixels
GRID, EPSG, SIZE = Grid(461_080, 1_460_280, 10, 15, 10), 32631, 5
SITE = Site(2.65, 13.2, 0.0014, size=SIZE, resolution=10)
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
    mapped = maps("offset50")
    assert (mapped.metric, mapped.label, mapped.dates) == ("offset50", "network centrality (offset50)", DAYS)
    assert mapped.values.dtype == np.float32
    np.testing.assert_array_equal(mapped.values[2], [[0, -1, -2], [-100, -101, -102]])
    np.testing.assert_array_equal(mapped.values[0], [[0, np.nan, -2], [-100, -101, -102]])
    assert np.isnan(mapped.values[1]).all()
    assert mapped.limits == (-102, 0)
    assert (mapped.grid, mapped.epsg) == (Grid(GRID.x, GRID.y, 50, 3, 2), EPSG)
    assert (maps("ndvi_veg").values[2] == 1).all()
    # the key is not there at all
    assert maps("ndvi").limits == (0, 1)


def test_sub_images_of_one_place_have_their_own_cells():
    parts = [replace(part, latitude=13.2) for part in place_sub_images(GRID, EPSG, SITE, "default")]
    records = [
        {"latitude": 13.2, "longitude": part.longitude, "offset50": -part.rows.start - part.columns.start}
        for part in parts
    ]
    summary = {"COPERNICUS/S2": {"type": "vegetation", "time-series-data": {DAYS[0]: records}}}
    mapped = map_metric(read_series(summary, "it"), "offset50", parts, GRID, EPSG, SIZE)
    np.testing.assert_array_equal(mapped.values, [[[0, -5, -10], [-5, -10, -15]]])


def test_the_raster_has_a_band_for_each_date_and_lies_on_the_site(maps, tmp_path):
    maps_of_metric = maps_raster(maps("offset50"))
    assert maps_of_metric.tags == {"TIGERBUSH_METRIC": "network centrality (offset50)"}
    assert np.isnan(maps_of_metric.nodata)
    write_raster(tmp_path / "map.tif", maps_of_metric)
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
    assert {(text.get_ha(), text.get_fontsize()) for text in panel.texts} == {("center", 7)}
    assert {image.get_interpolation() for image in panel.images} == {"nearest"}
    assert bar.get_xlim() == (0, 53)
    assert bar.get_xlabel() == "network centrality (offset50); grey: no data"
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


LAYERS = [[[0, 1, 2], [3, 4, np.nan]], [[np.nan] * 3] * 2, [[5, 5, 5], [5, 5, 8]], [[5, 5, 5], [5, 5, 8]]]


@pytest.fixture(scope="module")
def animation():
    encoded = animate_maps(maps_of(LAYERS, [*DAYS, "2020-04-15"]))
    assert encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP"
    return cv2.imdecodeanimation(np.frombuffer(encoded, np.uint8))[1]


def frames_of(animation):
    return [frame[..., 2::-1] for frame in animation.frames]


def test_the_animation_has_a_frame_for_each_date(animation):
    """Nothing is lost, so that each pixel has the colour of its number, between 0 and 8 of all dates."""
    assert animation.durations.tolist() == [350] * 4
    assert animation.loop_count == 0
    for frame, layer in zip(frames_of(animation), LAYERS, strict=True):
        assert frame.shape == (500, 400, 3)
        # a third of 376 pixels is the side of a square, and 230 the middle of 380 below 40
        frames = [
            [tuple(frame[row, column].tolist()) for column in (75, 200, 325)] for row in (230 - 60, 230 + 60)
        ]
        assert frames == [
            [GREY if np.isnan(value) else colour_of(value / 8) for value in row] for row in layer
        ]


def test_each_frame_has_its_own_title_and_the_same_rest(animation):
    frames = frames_of(animation)
    # of two dates with the same numbers the title alone differs, right above the map
    rows, columns = np.nonzero((frames[2] != frames[3]).any(axis=2))
    assert set(rows) <= set(range(81, 104)) and set(columns) <= set(range(150, 250))
    # nothing of the dates before is left
    backwards = maps_of(LAYERS[::-1], ["2020-04-15", *DAYS[::-1]])
    _, other = cv2.imdecodeanimation(np.frombuffer(animate_maps(backwards), np.uint8))
    for frame, same in zip(frames, frames_of(other)[::-1], strict=True):
        np.testing.assert_array_equal(frame, same)


def test_the_map_and_its_colours_have_their_places(animation):
    (frame, *_) = frames_of(animation)
    # the map is 376 pixels wide from 12 on, and two thirds as high
    ends = [[frame[230 - 60, column].tolist() for column in (9, 15, 384, 391)]]
    assert ends == [[[255] * 3, list(colour_of(0)), list(colour_of(2 / 8)), [255] * 3]]
    ends = [frame[row, 75].tolist() for row in (102, 108, 352, 358)]
    assert ends == [[255] * 3, list(colour_of(0)), list(colour_of(3 / 8)), [255] * 3]
    # below it the colours, from 40 to 360, and from 435 to 450
    assert [frame[442, column].tolist() for column in (37, 43, 357, 363)] == [
        [255] * 3, pytest.approx(colour_of(0.01), abs=3), pytest.approx(colour_of(0.99), abs=3), [255] * 3
    ]  # fmt: skip
    assert [(frame[row, 150:170] == 255).all() for row in (432, 438, 447, 456)] == [True, False, False, True]


def colour_of(share):
    return tuple(int(part) for part in matplotlib.colormaps["viridis"](float(share), bytes=True)[:3])


def test_mode_pyveg_has_pyvegs_centres():
    square = Grid(GRID.x, GRID.y, 10, 10, 10)
    ours, pyvegs = (place_sub_images(square, EPSG, SITE, mode) for mode in ("default", "pyveg"))
    assert [part.rows for part in ours] == [part.rows for part in pyvegs]
    assert pyvegs[0].longitude == pytest.approx(2.65 - 0.0014 / 4, abs=1e-4)
