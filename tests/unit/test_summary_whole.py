"""The summaries of a date and of a site as wholes: dates with more failures than products, reasons in any order."""

import numpy as np
import pytest

from tigerbush.sites.layout import SubImage
from tigerbush.sites.subimages import (
    Coverage,
    centrality_of_sub_images,
    examine_sub_images,
    ndvi_of_sub_images,
)
from tigerbush.summary.results import merge_records, summarise_date, summarise_site
from tigerbush.version import __version__

GOOD, BAD, CLOUDY, NONE, DRY = "2017-01-16", "2017-02-15", "2017-03-16", "2017-04-16", "2017-05-16"
SOFTWARE = {"name": "tigerbush", "version": __version__}
UNITS = {
    "ndvi": "8-bit grey: NDVI = value * 2 / 255 - 1",
    "ndvi_veg": "8-bit grey: NDVI = value * 2 / 255 - 1",
    "ndvi_mean": "1",
    "ndvi_std": "1",
    "feature_vec": "Euler characteristic (vertices - edges)",
    "n_obs": "observations per pixel",
    "masked_fraction": "1",
    "latitude": "degree",
    "longitude": "degree",
    "total_precipitation": "m",
    "mean_2m_air_temperature": "K",
}
RAIN = {"total_precipitation": 0.1, "mean_2m_air_temperature": 280.0}
CONFIG = {"period": {"start": "2017-01-01", "end": "2017-06-01", "step": "30d"}, "run": {"name": "test"}}


def record(day, longitude=14.5, latitude=45.8, **values):
    return {"date": day, "latitude": latitude, "longitude": longitude} | values


GOOD_LINEAGE = {
    "products": ["A"],
    "unmasked": [],
    "left_out": {"Z": "z"},
    "failed": {"Y": "y", "X": "x", "B": "b"},
}
BAD_LINEAGE = {"products": [], "unmasked": [], "left_out": {"D": "d"}, "failed": {"M": "m", "C": "c"}}
DRY_LINEAGE = {"products": ["K", "L"], "unmasked": ["K"], "left_out": {}, "failed": {}}


@pytest.fixture(scope="module")
def dates():
    unused = record(GOOD, 14.6, masked_fraction=0.5, unused="masked fraction 0.5")
    return [
        summarise_date(
            GOOD, [record(GOOD, slope=1.0)], [unused, record(GOOD, ndvi=150.0)], GOOD_LINEAGE, RAIN
        ),
        summarise_date(BAD, [], [], BAD_LINEAGE, RAIN | {"total_precipitation": 0.2}),
        summarise_date(DRY, [record(DRY, slope=2.0)], [], DRY_LINEAGE),
    ]


def test_summaries_of_dates(dates):
    common = {"units": UNITS, "software": SOFTWARE}
    assert dates == [
        {
            "date": GOOD,
            "vegetation": [record(GOOD, slope=1.0, ndvi=150.0)],
            "missing": None,
            "unused": [record(GOOD, 14.6, masked_fraction=0.5, unused="masked fraction 0.5")],
            "weather": RAIN,
            "lineage": GOOD_LINEAGE,
        }
        | common,
        {
            "date": BAD,
            "vegetation": None,
            "missing": "no product left: 2 failed, 1 left out",
            "unused": [],
            "weather": RAIN | {"total_precipitation": 0.2},
            "lineage": BAD_LINEAGE,
        }
        | common,
        {
            "date": DRY,
            "vegetation": [record(DRY, slope=2.0)],
            "missing": None,
            "unused": [],
            "weather": None,
            "lineage": DRY_LINEAGE,
        }
        | common,
    ]
    assert [list(records) for records in dates] == [
        ["date", "vegetation", "missing", "unused", "weather", "lineage", "units", "software"]
    ] * 3


@pytest.mark.parametrize(
    ("lineage", "reason"),
    [
        (DRY_LINEAGE, "too few clear pixels in every sub-image of 2 products"),
        (GOOD_LINEAGE, "too few clear pixels in every sub-image of the only product"),
        (BAD_LINEAGE, "no product left: 2 failed, 1 left out"),
        (
            {"products": [], "failed": {}, "left_out": {"C": "no mask", "B": "elsewhere", "A": "no mask"}},
            "all 3 products left out: elsewhere; no mask",
        ),
    ],
)
def test_why_a_date_has_no_numbers(lineage, reason):
    unused = [record(GOOD, masked_fraction=1.0, unused="masked fraction 1")]
    summary = summarise_date(GOOD, [], unused, lineage)
    assert (summary["vegetation"], summary["missing"], summary["unused"]) == (None, reason, unused)


SUMMARY = {
    "ECMWF/ERA5/MONTHLY": {
        "type": "weather",
        "time-series-data": {
            GOOD: RAIN,
            BAD: RAIN | {"total_precipitation": 0.2},
            CLOUDY: RAIN | {"total_precipitation": 0.3},
            NONE: None,
            DRY: None,
        },
    },
    "COPERNICUS/S2": {
        "type": "vegetation",
        "time-series-data": {
            GOOD: [record(GOOD, slope=1.0, ndvi=150.0)],
            BAD: None,
            CLOUDY: None,
            NONE: None,
            DRY: [record(DRY, slope=2.0)],
        },
    },
    "metadata": {
        "start_date": "2017-01-01",
        "end_date": "2017-06-01",
        "time_per_point": "30d",
        "longitude": 14.55,
        "latitude": 45.85,
        "collection": "COPERNICUS/S2",
        # vegetation and weather: of the five only the first has both
        "num_data_points": 1,
        "config_filename": "config.yaml, mine.yaml",
        "coords_id": "here",
        "tag": "test",
        "region_size": 0.01,
        "software": SOFTWARE,
        "config": CONFIG,
        "units": UNITS,
        "products": {
            # what the composite says of a product takes precedence over what was known of it before
            GOOD: GOOD_LINEAGE | {"left_out": {"P": "cloudy", "Z": "z"}},
            BAD: BAD_LINEAGE,
            CLOUDY: {"products": [], "left_out": {"T": "late", "S": "cloudy", "R": "late"}},
            NONE: {"products": [], "left_out": {}},
            DRY: DRY_LINEAGE | {"left_out": {"Q": "quite cloudy"}},
        },
        "missing": {
            BAD: "no product left: 2 failed, 1 left out",
            CLOUDY: "all 3 products left out: cloudy; late",
            NONE: "no product in the period",
        },
        "failed_products": {"B": "b", "C": "c", "M": "m", "X": "x", "Y": "y"},
    },
}


def test_the_summary_of_a_site(dates):
    site = {"site": "here", "longitude": 14.55, "latitude": 45.85, "region_size": 0.01}
    periods = [GOOD, BAD, CLOUDY, NONE, DRY]
    left_out = {
        GOOD: {"P": "cloudy", "Z": "known before"},
        CLOUDY: {"T": "late", "S": "cloudy", "R": "late"},
        DRY: {"Q": "quite cloudy"},
    }
    # of a date that has a summary, that one counts
    weather = {CLOUDY: RAIN | {"total_precipitation": 0.3}, GOOD: {"total_precipitation": 9.0}, NONE: None}
    summary = summarise_site(
        site, dates[::-1], periods, left_out, weather, CONFIG, ["config.yaml", "mine.yaml"]
    )
    assert summary == SUMMARY
    assert [list(part["time-series-data"]) for part in list(summary.values())[:2]] == [periods] * 2
    # by date as they are given, in order of their names within one
    assert list(summary["metadata"]["failed_products"]) == ["C", "M", "B", "X", "Y"]


def test_without_any_weather_dates_of_the_vegetation_are_counted(dates):
    """With weather, as for pyveg, those that have both."""
    site = {"site": "here", "longitude": 14.55, "latitude": 45.85, "region_size": 0.01}
    dry = [date | {"weather": None} for date in dates]
    arguments = ([GOOD, BAD, CLOUDY, NONE, DRY], {CLOUDY: {"S": "cloudy"}})
    summary = summarise_site(site, dry, *arguments, {}, CONFIG, [])
    assert summary["metadata"]["num_data_points"] == 2
    assert summary["metadata"]["missing"][CLOUDY] == "the only product left out: cloudy"
    elsewhere = summarise_site(site, dry, *arguments, {NONE: RAIN}, CONFIG, [])
    assert elsewhere["metadata"]["num_data_points"] == 0


def test_records_of_one_place_and_date_are_merged():
    """Each of latitude, longitude and date tells places apart; a later record takes precedence over an earlier one."""
    first, other = record(GOOD, slope=1, ndvi=2), record(BAD, slope=3)
    further = [
        record(GOOD, 14.6, n=4),
        record(GOOD, latitude=45.9, n=5),
        record(BAD, n=6),
        record(GOOD, ndvi=7),
    ]
    assert merge_records([first, other], further) == [
        record(GOOD, slope=1, ndvi=7),
        record(BAD, slope=3, n=6),
        record(GOOD, 14.6, n=4),
        record(GOOD, latitude=45.9, n=5),
    ]
    assert first == record(GOOD, slope=1, ndvi=2)
    assert merge_records() == []


def test_sub_images_of_one_place_stay_apart():
    """Centres are rounded: the first of each list belong together, the second, and so on."""
    centrality = [record(GOOD, slope=slope) for slope in (1, 2, 3)]
    ndvi = [record(GOOD, ndvi=4), record(GOOD, 14.6, ndvi=0), record(GOOD, ndvi=5), record(GOOD, ndvi=6)]
    assert merge_records(centrality, ndvi) == [
        record(GOOD, slope=1, ndvi=4),
        record(GOOD, slope=2, ndvi=5),
        record(GOOD, slope=3, ndvi=6),
        record(GOOD, 14.6, ndvi=0),
    ]


# measures, on a site of 6 x 10 pixels of which a 3 x 7 part is measured
PART = SubImage(slice(2, 5), slice(1, 8), 14.5123, 45.8765)


def planted():
    random = np.random.default_rng(5)
    ndvi = random.uniform(-0.3, 0.9, (6, 10)).astype(np.float32)
    grey = random.integers(1, 255, (6, 10)).astype(np.uint8)
    split = random.choice(np.uint8([0, 255, 127]), (6, 10), p=[0.4, 0.4, 0.2])
    ground = random.random((6, 10)) < 0.8
    ndvi[3, 3:5], ground[3, 3:5] = np.nan, True
    return ndvi, grey, split, random.uniform(0, 5, (6, 10)), Coverage(~ground, ground, ground)


def test_numbers_of_a_sub_image_by_loops():
    ndvi, grey, split, n_obs, covered = planted()
    here = [(row, column) for row in range(2, 5) for column in range(1, 8)]
    on_ground = [place for place in here if covered.ground[place]]
    assert 12 < len(on_ground) < 21
    values = [float(ndvi[place]) for place in on_ground if not np.isnan(ndvi[place])]
    plants = [int(grey[place]) for place in on_ground if split[place] == 0]
    mean = sum(values) / len(values)
    [record] = ndvi_of_sub_images(ndvi, grey, split, n_obs, covered, [(PART, 0.125)], GOOD)
    assert record == {
        "date": GOOD,
        "latitude": 45.8765,
        "longitude": 14.5123,
        "ndvi": round(sum(int(grey[place]) for place in on_ground) / len(on_ground), 4),
        "n_obs": pytest.approx(sum(n_obs[place] for place in here) / 21, rel=1e-14),
        "masked_fraction": 0.125,
        "ndvi_mean": pytest.approx(mean, rel=1e-14),
        "ndvi_std": pytest.approx((sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5, rel=1e-14),
        "ndvi_veg": round(sum(plants) / len(plants), 4),
    }
    # the fifth decimal is not 0, so that it is seen to be dropped
    greys = [int(grey[place]) for place in on_ground]
    for greys_of_kind in (greys, plants):
        assert round(sum(greys_of_kind) / len(greys_of_kind), 4) != round(
            sum(greys_of_kind) / len(greys_of_kind), 5
        )


def test_a_sub_image_without_any_ndvi_has_no_mean_of_it():
    ndvi, grey, split, n_obs, covered = planted()
    [record] = ndvi_of_sub_images(
        np.full_like(ndvi, np.nan), grey, split, n_obs, covered, [(PART, 0.0)], GOOD
    )
    assert "ndvi_mean" not in record and "ndvi_std" not in record and "ndvi" in record


def test_the_network_is_of_bare_ground_alone():
    """Two bare pixels beside each other and one apart, in a corner; masked and lost ones are none."""
    split = np.full((6, 10), 127, np.uint8)
    ground = np.ones((6, 10), bool)
    split[2, 1:3] = split[4, 7] = split[3, 4] = split[0, 0] = 255
    ground[3, 4] = False
    covered = Coverage(~ground, ground, ground)
    [record] = centrality_of_sub_images(split, covered, [(PART, 0.0)], GOOD, quantiles=3)
    # of 3 pixels the first 0, 1 and 2: the pair, which has one edge
    assert record["feature_vec"] == [0, 1, 1]
    assert (record["date"], record["latitude"], record["longitude"]) == (GOOD, 45.8765, 14.5123)
    split[3, 3] = 255  # touches one of the pair at a corner only
    for neighbours, vector in ((4, [0, 1, 1, 2]), (8, [0, 1, 1, 1])):
        [record] = centrality_of_sub_images(split, covered, [(PART, 0.0)], GOOD, neighbours, 4)
        assert record["feature_vec"] == vector


def test_why_sub_images_are_not_used_at_the_limits():
    parts = [SubImage(slice(0, 4), slice(5 * i, 5 * i + 5), float(i), 0.0) for i in range(5)]
    lost, colour = np.zeros((4, 25), bool), np.zeros((4, 25), bool)
    colour[0, [0, 10, 15, 20]] = True  # not in the second
    lost[0, 10:12] = True  # 2 of 20 pixels of the third
    covered = Coverage(lost, ~lost, colour)

    def reasons(*options):
        return [(fraction, reason) for _, fraction, reason in examine_sub_images(parts, covered, *options)]

    masked = (0.1, "too few pixels: 0.1000 of its pixels lost (subimages.max_masked_fraction: 0.1)")
    grey = (0.0, "no coloured pixel (mode: pyveg)")
    assert reasons(0.1) == [(0.0, ""), grey, masked, (0.0, ""), (0.0, "")]
    assert reasons(0.100001) == [(0.0, ""), grey, (0.1, ""), (0.0, ""), (0.0, "")]
    enough = "enough others (subimages.limit: 2)"
    assert reasons(0.1, 2) == [(0.0, ""), grey, masked, (0.0, ""), (0.0, enough)]
    none = "enough others (subimages.limit: 0)"
    assert reasons(0.2, 0) == [(0.0, none), grey, (0.1, none), (0.0, none), (0.0, none)]
