"""Measures of sub-images and the summaries, with pyveg's reading rules."""

import json
from datetime import date

import numpy as np
import pytest

from tigerbush.grid import Grid
from tigerbush.images import BARE, MASKED_GREY, VEGETATION
from tigerbush.pyveg import centres
from tigerbush.sites.layout import sub_images
from tigerbush.sites.subimages import (
    centrality_of_sub_images,
    coverage,
    examine_sub_images,
    ndvi_of_sub_images,
    unused_sub_images,
    usable_sub_images,
)
from tigerbush.summary.results import (
    VEGETATION_COLLECTION,
    WEATHER_COLLECTION,
    summarise_date,
    summarise_site,
)

PARTS = sub_images(Grid(465180, 5080260, 10, 40, 20), 32633, 20)
DAY = "2017-01-16"


def arrays():
    """Two sub-images: left half vegetation of NDVI 0.5, right all bare of NDVI 0."""
    ndvi = np.zeros((20, 40), np.float32)
    ndvi[:, :10] = 0.5
    black_white = np.full((20, 40), BARE, np.uint8)
    black_white[:, :10] = VEGETATION
    return ndvi, black_white


def used(ndvi, limit=None):
    """Coverage and usable sub-images, as the workflow chooses them."""
    covered = coverage(ndvi, np.zeros((*ndvi.shape, 3), np.uint8))
    return covered, usable_sub_images(PARTS, covered, 0.05, limit)


def grey(ndvi):
    return np.where(np.isnan(ndvi), MASKED_GREY, (ndvi + 1) / 2 * 255).astype(np.uint8)


def test_ndvi_of_sub_images():
    ndvi, black_white = arrays()
    ndvi[0, 0] = np.nan
    n_obs = np.full(ndvi.shape, 3.0)
    left, right = ndvi_of_sub_images(ndvi, grey(ndvi), black_white, n_obs, *used(ndvi), DAY)
    # 199 pixels of grey 191, 200 of grey 127
    assert left["ndvi"] == round((199 * 191 + 200 * 127) / 399, 4)
    assert left["ndvi_veg"] == 191.0
    assert left["ndvi_mean"] == pytest.approx(199 * 0.5 / 399, rel=1e-12)
    assert left["masked_fraction"] == 1 / 400
    assert left["n_obs"] == 3
    assert right["ndvi"] == 127.0
    assert "ndvi_veg" not in right
    assert (left["date"], left["latitude"], left["longitude"]) == (DAY, PARTS[0].latitude, PARTS[0].longitude)


@pytest.mark.parametrize(("masked", "kept"), [(19, 2), (20, 1)])
def test_a_sub_image_with_5_percent_masked_is_not_used(masked, kept):
    ndvi, black_white = arrays()
    ndvi[0, :masked] = np.nan
    assert len(ndvi_of_sub_images(ndvi, grey(ndvi), black_white, ndvi, *used(ndvi), DAY)) == kept
    assert len(centrality_of_sub_images(black_white, *used(ndvi), DAY)) == kept


def test_masked_pixels_are_not_ground():
    """A masked pixel is no node of the network: the same as bare ground cut out."""
    ndvi, black_white = arrays()
    hole = black_white.copy()
    hole[5, 30] = VEGETATION
    with_hole = centrality_of_sub_images(hole, *used(ndvi), DAY)
    ndvi[5, 30] = np.nan
    with_mask = centrality_of_sub_images(black_white, *used(ndvi), DAY)
    assert with_mask == with_hole


def test_all_vegetation_and_all_bare():
    ndvi, _ = arrays()
    veg = centrality_of_sub_images(np.full(ndvi.shape, VEGETATION, np.uint8), *used(ndvi), DAY)
    assert [record["feature_vec"] for record in veg] == [[0.0] * 20] * 2
    bare = centrality_of_sub_images(np.full(ndvi.shape, BARE, np.uint8), *used(ndvi), DAY)
    assert all(record["feature_vec"][0] == 0 and record["offset"] < 0 for record in bare)


def test_the_limit_counts_usable_sub_images():
    ndvi, _ = arrays()
    assert [part for part, _ in used(ndvi, 1)[1]] == PARTS[:1]
    ndvi[:, :20] = np.nan
    assert [part for part, _ in used(ndvi, 1)[1]] == PARTS[1:]


def test_why_sub_images_are_not_used():
    ndvi, _ = arrays()
    ndvi[:2, :20] = np.nan
    covered = coverage(ndvi, np.zeros((*ndvi.shape, 3), np.uint8))
    examined = examine_sub_images(PARTS * 2, covered, 0.05, 1)
    masked = "too few pixels: 0.1000 of its pixels lost (subimages.max_masked_fraction: 0.05)"
    assert [reason for _, _, reason in examined] == [masked, "", masked, "enough others (subimages.limit: 1)"]
    assert unused_sub_images(examined[:2], DAY) == [
        {
            "date": DAY,
            "latitude": PARTS[0].latitude,
            "longitude": PARTS[0].longitude,
            "masked_fraction": 0.1,
            "unused": masked,
        }
    ]


def test_mode_pyveg_counts_black_pixels_and_takes_masked_ones_for_ground():
    ndvi, black_white = arrays()
    rgb = np.full((20, 40, 3), (10, 20, 30), np.uint8)
    rgb[:, 20:] = 50  # all grey
    covered = coverage(ndvi, rgb, "pyveg")
    assert [part for part, _ in usable_sub_images(PARTS, covered, 0.05)] == PARTS[:1]
    rgb[:, 20:, 0] = 51
    rgb[0, :19] = 0
    rgb[0, 20:40] = 0
    ndvi[3] = np.nan
    covered = coverage(ndvi, rgb, "pyveg")
    parts = usable_sub_images(PARTS, covered, 0.05)
    assert parts == [(PARTS[0], 19 / 400)]
    [record] = ndvi_of_sub_images(ndvi, grey(ndvi), black_white, ndvi, covered, parts, DAY)
    # the 20 masked pixels count as grey 127, here half of them vegetation
    assert record["ndvi"] == round((190 * 191 + 190 * 127 + 20 * 127) / 400, 4)
    assert record["ndvi_veg"] == round((190 * 191 + 10 * 127) / 200, 4)
    assert record["ndvi_mean"] == pytest.approx(0.25)


def test_mode_pyveg_divides_the_square_of_degrees():
    places = centres(27.95, 11.58, 0.08, 289)
    assert len(places) == 289
    # pyveg's names of 17 x 17 sub-images: columns outer, from the north
    step = 0.08 / 17
    assert places[0] == (round(27.91 + step / 2, 4), round(11.62 - step / 2, 4))
    assert places[18] == (round(27.91 + 1.5 * step, 4), round(11.62 - 1.5 * step, 4))


def lineage(**changes):
    return {"products": ["A"], "unmasked": [], "left_out": {}, "failed": {}} | changes


@pytest.fixture
def summary():
    place = {"latitude": 45.8, "longitude": 14.5, "date": DAY}
    centrality = [
        place
        | {"slope": 1.0, "offset": 20.0, "offset50": 10.0, "mean": 3.0, "std": 1.0, "feature_vec": [0.0] * 20}
    ]
    weather = {"total_precipitation": 0.1, "mean_2m_air_temperature": 280.0}
    dates = [
        summarise_date(DAY, centrality, [place | {"ndvi": 150.0}], lineage(), weather),
        summarise_date("2017-02-15", [], [], lineage(products=[], failed={"B": "B4 is missing"}), weather),
    ]
    return summarise_site(
        {"site": "here", "longitude": 14.5, "latitude": 45.8, "region_size": 0.01},
        dates,
        [DAY, "2017-02-15", "2017-03-16", "2017-04-16"],
        {"2017-03-16": {"C": "more than 50 % cloud"}},
        {"2017-03-16": weather},
        {"period": {"start": "2017-01-01", "end": "2017-05-01", "step": "1m"}, "run": {"name": "test"}},
        ["config.yaml", "mine.yaml"],
    )


def read_as_pyveg(summary):
    """pyveg's reader: rows per collection, everything but place, date and vector a number."""
    frames = {}
    for name, collection in summary.items():
        assert isinstance(collection, dict)
        if "time-series-data" not in collection:
            continue
        rows = []
        for day, point in collection["time-series-data"].items():
            date.fromisoformat(day)
            if point is None or point == {}:
                rows.append({"date": day})
            elif isinstance(next(iter(point)), dict):
                rows.extend(point)
            else:
                rows.append({**point, "date": day})
        for row in rows:
            assert all(
                isinstance(value, float | int) and np.isfinite(value)
                for key, value in row.items()
                if key not in {"date", "feature_vec"}
            )
        assert rows
        frames[name] = rows
    return frames


def test_pyveg_can_read_it(summary):
    frames = read_as_pyveg(json.loads(json.dumps(summary, allow_nan=False)))
    assert list(frames) == [WEATHER_COLLECTION, VEGETATION_COLLECTION]
    assert {summary[name]["type"] for name in frames} == {"weather", "vegetation"}
    assert [row["date"] for row in frames[WEATHER_COLLECTION]] == [
        DAY,
        "2017-02-15",
        "2017-03-16",
        "2017-04-16",
    ]
    assert frames[VEGETATION_COLLECTION][0]["ndvi"] == 150.0
    required = {
        "start_date",
        "end_date",
        "time_per_point",
        "longitude",
        "latitude",
        "collection",
        "num_data_points",
    }
    assert required | {"config_filename", "coords_id", "tag"} <= set(summary["metadata"])
