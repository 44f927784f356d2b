"""Trends of indicators in each sub-image, and their map."""

import numpy as np
import pytest
import yaml

import planted
from fabricate import ROOT
from planted import month
from tigerbush.analysis.early_warning import Record, Treatment, trends_of_indicators
from tigerbush.analysis.indicators import INDICATORS
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import without_nan
from tigerbush.analysis.subimages import sub_image_trends
from tigerbush.report.sub_images import draw_sub_images

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {"mode": "default"}
NAMES = [name for name in INDICATORS if name != "rate_ou"]
PLACES = [(1.0, 2.0), (1.0, 2.5), (1.5, 2.0), (1.5, 2.5)]


@pytest.fixture(scope="module")
def series():
    """Of 50 months: all values, all but the 15th, those of 36 months, and one number."""
    random = np.random.default_rng(4)
    values = random.normal(0.3, 0.05, (50, 4))
    values[:, 3] = 0.25
    known = np.ones((50, 4), bool)
    known[15, 1] = known[36:, 2] = False
    vegetation = {
        month(i): [
            {"latitude": latitude, "longitude": longitude, "ndvi_mean": float(values[i, k])}
            for k, (latitude, longitude) in enumerate(PLACES)
            if known[i, k]
        ]
        for i in range(50)
    }
    return read_series(planted.summary_of(vegetation, {}), "it")


@pytest.fixture(scope="module")
def trends(series):
    return without_nan(sub_image_trends(series, SETTINGS))


def test_each_sub_image_has_the_trends_of_its_own_record(series, trends):
    assert (trends["variable"], trends["refused"], trends["n"]) == ("ndvi", None, [50, 49, 36, 50])
    assert list(zip(trends["latitude"], trends["longitude"], strict=True)) == PLACES
    assert list(trends["tau"]) == NAMES
    for k in (0, 1):
        column = series.vegetation["ndvi"][:, k]
        present = np.isfinite(column)
        record = Record(
            column[present], series.days[present], series.positions[present], series.days_per_step
        )
        drawn = np.zeros((1, len(record.values)))
        expected, _ = trends_of_indicators(
            record, Treatment(), drawn, np.random.default_rng(1), NAMES, phase=False
        )
        assert [trends["tau"][name][k] for name in NAMES] == pytest.approx(
            [expected[name]["tau"] for name in NAMES], rel=1e-9
        )
    # too few values, and none that varies
    assert all(taus[2:] == [None, None] for taus in trends["tau"].values())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minimum_dates": 50}, "50 dates have data, and early warning needs more than 50"),
        ({"mode": "pyveg"}, "mode pyveg analyses the mean of the sub-images alone."),
    ],
)
def test_a_site_that_is_refused_has_no_trends(series, changes, reason):
    refused = without_nan(sub_image_trends(series, SETTINGS | changes))
    assert refused["refused"].startswith(reason) and refused["tau"] == {}
    [text] = draw_sub_images({"sub_images": refused}).texts
    assert text.get_text().startswith(f"Not computed. {reason}")


def test_a_variable_that_is_not_there(series):
    other = SETTINGS | {"primary": {"variable": "msavi", "indicator": "ar1"}}
    trends = without_nan(sub_image_trends(series, other))
    assert (trends["n"], trends["tau"]) == ([], {name: [] for name in NAMES})
    [text] = draw_sub_images({"sub_images": trends}).texts
    assert text.get_text() == "Not computed. no sub-image has data."


def test_the_map_has_each_number_where_its_sub_image_lies(trends):
    *panels, legend = draw_sub_images({"sub_images": trends}).axes
    assert [axes.get_title() for axes in panels[:2]] == ["autocorrelation at lag 1", "variance"]
    assert len(panels) == len(NAMES)
    for axes, name in zip(panels, NAMES, strict=True):
        grey, coloured = axes.collections
        where = [[longitude, latitude] for latitude, longitude in PLACES]
        assert grey.get_offsets().tolist() == where
        # those without a number are left grey
        assert coloured.get_offsets().tolist() == [*where[:2], [None, None], [None, None]]
        assert coloured.get_clim() == (-1, 1)
        taus = [np.nan if tau is None else tau for tau in trends["tau"][name]]
        np.testing.assert_allclose(coloured.get_array().filled(np.nan), taus, rtol=1e-12)
    assert legend.get_xlabel() == "Kendall's τ; grey: too few values"
