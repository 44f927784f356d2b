"""What the picture of a site shows."""

import numpy as np
import pytest

from tigerbush.figures import encode_figure, shown_dates, site_figure
from tigerbush.summary import VEGETATION_COLLECTION, WEATHER_COLLECTION


def summary_of(series, weather=None):
    return {
        VEGETATION_COLLECTION: {"time-series-data": series},
        WEATHER_COLLECTION: {"time-series-data": weather or dict.fromkeys(series)},
        "metadata": {
            "coords_id": "here",
            "latitude": -13.2,
            "longitude": 2.65,
            "start_date": "2020-01-01",
            "end_date": "2021-01-01",
        },
    }


def records(*values):
    return [{"ndvi_mean": value, "offset50": -100 * value} for value in values]


DAYS = [f"2020-{month:02d}-16" for month in range(1, 13)]


def test_first_and_last_dates_are_shown_and_fuller_ones_preferred():
    series = dict.fromkeys(DAYS, None)
    assert shown_dates(summary_of(series)) == []
    series |= {day: records(0.1) for day in DAYS[2:5]}
    assert shown_dates(summary_of(series)) == DAYS[2:5]
    series = {day: records(0.1, 0.2) for day in DAYS}
    series[DAYS[0]] = records(0.1)
    assert shown_dates(summary_of(series), 3) == [DAYS[1], DAYS[5], DAYS[10]]


def test_lines_are_means_and_gaps_are_gaps():
    series = dict.fromkeys(DAYS, None) | {DAYS[0]: records(0.2, 0.4), DAYS[2]: records(0.1)}
    rain = {day: {"total_precipitation": 0.025} if day != DAYS[1] else None for day in DAYS}
    figure = site_figure(summary_of(series, rain), {})
    ndvi, offset, depth = figure.subfigs[1].axes
    np.testing.assert_allclose(ndvi.lines[0].get_ydata()[:3], [0.3, np.nan, 0.1])
    np.testing.assert_allclose(offset.lines[0].get_ydata()[:3], [-30, np.nan, -10])
    heights = [bar.get_height() for bar in depth.patches[: len(DAYS)]]
    np.testing.assert_allclose(heights[:3], [25, np.nan, 25])
    # ten of the twelve dates are marked as gaps
    assert len(ndvi.patches) == 10
    assert figure.get_suptitle() == "here (13.2° S, 2.65° E), 2020-01-01 to 2021-01-01"


@pytest.mark.parametrize("days", [DAYS, DAYS[:1]])
def test_a_site_without_any_data_or_weather_is_drawn_all_the_same(days):
    first, again = (encode_figure(site_figure(summary_of(dict.fromkeys(days, None)), {})) for _ in range(2))
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first == again
