"""Maps of sub-images: numbers in their places, per date and as an animation."""

import cv2
import numpy as np
import pytest

from tigerbush.figures import encode_figure
from tigerbush.grid import place_sub_images
from tigerbush.images import read_png
from tigerbush.maps import animate_maps, map_metric, maps_figure, maps_raster
from tigerbush.raster import read_raster, write_raster
from tigerbush.resample import Grid
from tigerbush.series import read_series

# 3 x 2 sub-images of 5 pixels
GRID, EPSG, SIZE = Grid(461_080, 1_460_280, 10, 15, 10), 32631, 5
SITE = {"longitude": 2.65, "latitude": 13.2, "region_size": 0.0014, "size": SIZE}
DAYS = ["2020-01-16", "2020-02-15", "2020-03-16"]


@pytest.fixture
def parts():
    return place_sub_images(GRID, EPSG, SITE, "default")


@pytest.fixture
def maps(parts):
    """Each number tells its row and column; the third sub-image is missing on the first date, all on the second."""
    records = [
        {
            "latitude": part.latitude,
            "longitude": part.longitude,
            "offset50": -100 * part.rows.start // SIZE - part.columns.start // SIZE,
            "ndvi_veg": 255,
        }
        for part in parts
    ]
    series = {DAYS[0]: records[:2] + records[3:], DAYS[1]: None, DAYS[2]: records}
    summary = {"COPERNICUS/S2": {"type": "vegetation", "time-series-data": series}}
    return lambda metric: map_metric(read_series(summary, "it"), metric, parts, GRID, EPSG, SIZE)


def test_numbers_are_where_their_sub_images_are(maps):
    found = maps("offset50")
    assert found.dates == DAYS
    np.testing.assert_array_equal(found.values[2], [[0, -1, -2], [-100, -101, -102]])
    np.testing.assert_array_equal(found.values[0], [[0, np.nan, -2], [-100, -101, -102]])
    assert np.isnan(found.values[1]).all()
    assert found.limits == (-102, 0)
    assert (maps("ndvi_veg").values[2] == 1).all()
    # the key is not there at all
    assert maps("ndvi").limits == (0, 1)


def test_the_raster_has_a_band_for_each_date_and_lies_on_the_site(maps, tmp_path):
    write_raster(tmp_path / "map.tif", maps_raster(maps("offset50")))
    raster = read_raster(tmp_path / "map.tif")
    assert raster.bands == tuple(DAYS)
    assert raster.grid == Grid(GRID.x, GRID.y, 50, 3, 2)
    assert raster.epsg == EPSG
    np.testing.assert_array_equal(raster.data, maps("offset50").values)


def test_the_animation_has_a_frame_for_each_date(maps):
    encoded = animate_maps(maps("offset50"))
    assert encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP"
    _, animation = cv2.imdecodeanimation(np.frombuffer(encoded, np.uint8))
    assert len(animation.frames) == 3
    full, none = animation.frames[2], animation.frames[1]
    middle = full.shape[0] // 2, full.shape[1] // 2
    # grey where there is no number
    assert np.ptp(none[middle][:3].astype(int)) <= 1
    assert np.ptp(full[middle][:3].astype(int)) > 20
    assert animate_maps(maps("offset50")) == encoded


@pytest.mark.parametrize("metric", ["offset50", "ndvi"])
def test_the_figure_shows_every_date(maps, metric, tmp_path):
    figure = maps_figure(maps(metric))
    panel, bar = figure.axes
    assert [text.get_text() for text in panel.texts] == ["2020-01", "2020-02", "2020-03"]
    assert len(panel.images) == 3
    assert "grey: no number" in bar.get_xlabel()
    (tmp_path / "map.png").write_bytes(encode_figure(figure))
    assert read_png(tmp_path / "map.png").std() > 10


def test_mode_pyveg_has_pyvegs_centres():
    square = Grid(GRID.x, GRID.y, 10, 10, 10)
    ours, pyvegs = (place_sub_images(square, EPSG, SITE, mode) for mode in ("default", "pyveg"))
    assert [part.rows for part in ours] == [part.rows for part in pyvegs]
    assert pyvegs[0].longitude == pytest.approx(2.65 - 0.0014 / 4, abs=1e-4)
