"""Mode pyveg of the analysis, step by step: three standard deviations, LOESS, the mean, lines across gaps, differences."""

import zlib

import numpy as np
import pytest
import yaml
from statsmodels.nonparametric.smoothers_lowess import lowess

import planted
import slow
from fabricate import ROOT
from planted import assert_same, month
from tigerbush.analysis import warning as module
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site
from tigerbush.pyveg import differences, interpolated, smoothed

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {
    "mode": "pyveg",
    "surrogates": 99,
    "seed": 7,
}
PLACES = planted.indices()
DAYS = np.array([planted.ordinal(month(i)) for i in PLACES], dtype=float) - planted.ordinal(month(0))


@pytest.fixture(scope="module")
def summary():
    return planted.long_summary()


@pytest.fixture(scope="module")
def treated(summary):
    """The sub-images' NDVI as pyveg's analysis_preprocessing leaves them, and how many values were dropped."""
    table, dropped = planted.table_of(summary, "ndvi_mean"), []
    for part in table.T:
        finite = [i for i in range(57) if np.isfinite(part[i])]
        mean = sum(part[finite]) / len(finite)
        deviation = (sum((part[i] - mean) ** 2 for i in finite) / (len(finite) - 1)) ** 0.5
        kept = [i for i in finite if abs(part[i] - mean) <= 3 * deviation]
        dropped.append([PLACES[i] for i in finite if i not in kept])
        smooth = lowess(part[kept], DAYS[kept], frac=4 / len(finite), it=3, return_sorted=False)
        smooth = np.where(np.isfinite(smooth), smooth, part[kept])
        part[:] = np.nan
        part[kept] = smooth
    return table, dropped


def smoothed_of(summary):
    series = read_series(summary, "it")
    return smoothed(series.dates, series.vegetation)


def test_values_beyond_three_standard_deviations_go_and_the_others_are_smoothed(summary, treated):
    table, dropped = treated
    # the date without any observation; the other outliers are within three standard deviations of all dates
    assert dropped == [[planted.UNSEEN]] * 5
    days, vegetation = smoothed_of(summary)
    assert list(vegetation) == ["offset50", "ndvi", "ndvi_veg"]
    np.testing.assert_allclose(vegetation["ndvi"], table, rtol=1e-9)
    # at the nominal dates, not at those of the acquisitions
    np.testing.assert_array_equal(days, DAYS)
    assert np.isnan(vegetation["ndvi_veg"]).all()


def test_the_deviation_is_that_of_a_sample():
    """A value of 1 among ten of 0.05 and -0.05 is 2.97 deviations of a sample away (3.12 of all) and stays.

    With one more, of 0, it is 3.13 away, and goes.
    """

    def left(number):
        values = [0.05, -0.05, 0.05, -0.05, 1.0, 0.05, -0.05, 0.05, -0.05, 0.05, -0.05, 0.0][:number]
        vegetation = {
            month(i): [{"latitude": 1.0, "longitude": 2.0, "offset50": value}]
            for i, value in enumerate(values)
        }
        return np.isfinite(smoothed_of(planted.summary_of(vegetation, {}))[1]["offset50"][:, 0]).tolist()

    assert left(11) == [True] * 11
    assert left(12) == [True] * 4 + [False] + [True] * 7


def test_a_sub_image_of_three_dates_stays_as_it_is():
    vegetation = {
        month(i): [
            {"latitude": 1.0, "longitude": 2.0, "offset50": [5.0, 1.0, 9.0, 2.0, 8.0][i]},
            *([{"latitude": 1.0, "longitude": 3.0, "offset50": [5.0, 1.0, 9.0][i]}] if i < 3 else []),
            *([{"latitude": 1.0, "longitude": 4.0, "offset50": [5.0, 1.0, 9.0, 2.0][i]}] if i < 4 else []),
        ]
        for i in range(5)
    }
    _, smooth = smoothed_of(planted.summary_of(vegetation, {}))
    days = np.array([0.0, 31, 62, 92, 123])
    five = lowess([5.0, 1.0, 9.0, 2.0, 8.0], days, frac=0.8, it=3, return_sorted=False)
    four = lowess([5.0, 1.0, 9.0, 2.0], days[:4], frac=1.0, it=3, return_sorted=False)
    assert abs(five - [5.0, 1.0, 9.0, 2.0, 8.0]).max() > 1 and abs(four - [5.0, 1.0, 9.0, 2.0]).max() > 1
    smoothed = smooth["offset50"]
    np.testing.assert_allclose(smoothed[:, 0], five, rtol=1e-9)
    np.testing.assert_array_equal(smoothed[:, 1], [5, 1, 9, np.nan, np.nan])
    np.testing.assert_allclose(smoothed[:, 2], [*four, np.nan], rtol=1e-9)


def test_gaps_are_filled_by_lines_between_the_first_value_and_the_last():
    values = np.array([np.nan, 3.0, np.nan, 6.0, 2.0, np.nan])
    # the third period has no key; the gap after it is two periods long
    assert interpolated(values, np.array([0, 1, 3, 4, 6, 7])).tolist() == [3, 4, 5, 6, 4, 2]
    assert interpolated(values[3:5], np.array([4, 6])).tolist() == [6, 4, 2]
    # of these lines the first differences, at the periods that each leads to
    changes, places = differences(values, np.array([0, 1, 3, 4, 6, 7]))
    assert (changes.tolist(), places.tolist()) == ([1, 1, 1, -2, -2], [2, 3, 4, 5, 6])


@pytest.fixture(scope="module")
def analysed(summary):
    """The analysis, and the surrogates of each variable's indicators."""
    given = []

    def trends(record, treatment, surrogates, *others, **options):
        given.append(surrogates)
        return original(record, treatment, surrogates, *others, **options)

    original = module.trends_of_indicators
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "trends_of_indicators", trends)
        return analyse_site(read_series(summary, "it"), SETTINGS), given


@pytest.fixture(scope="module")
def analysis(analysed):
    return analysed[0]


def test_the_series_are_the_treated_ones(summary, treated, analysis):
    table, _ = treated
    rows = [row[np.isfinite(row)] for row in table]
    assert_same(analysis["series"]["ndvi"]["mean"], [float(row.mean()) if len(row) else None for row in rows])
    assert_same(analysis["series"]["ndvi"]["std"], [float(row.std()) if len(row) else None for row in rows])
    assert analysis["series"]["ndvi"]["n"] == [len(row) for row in rows]
    # what was dropped is counted, for it is there
    assert analysis["completeness"]["with_data"] == 51
    assert analysis["completeness"]["n_sub_images"][49] == 5
    assert analysis["series"]["ndvi"]["gaps"] == [
        {"start": "2015-07-16", "end": "2015-08-16", "dates": 2},
        {"start": "2017-07-16", "end": "2017-08-16", "dates": 2},
        {"start": "2019-09-16", "end": "2019-09-16", "dates": 1},
        {"start": "2020-03-16", "end": "2020-04-16", "dates": 2},
    ]
    # rain is set against the vegetation as it is
    default = analyse_site(read_series(summary, "it"), SETTINGS | {"mode": "default", "minimum_dates": 99})
    assert (analysis["weather"], analysis["recovery"]) == (default["weather"], default["recovery"])
    assert analysis["early_warning"]["subsampling"] is None


def test_the_indicators_are_those_of_first_differences(treated, analysed):
    analysis, (_, surrogates) = analysed
    table, _ = treated
    mean = np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in table])
    finite = np.isfinite(mean)
    places = list(range(3, 56))
    values = np.diff(np.interp(range(2, 56), np.array(PLACES)[finite], mean[finite]))
    step = DAYS[-1] / 57
    names = (zlib.crc32(name.encode()) for name in ("planted", "ndvi", "phases"))
    days = [place * step for place in places]
    phases = slow.phase_surrogates(days, values, places, 0, 99, np.random.default_rng([7, *names]))
    expected = slow.trends(
        values, places, days, step, surrogates, phases,
        # of 53 differences, a half to even
        detrend=lambda series: series - series.mean(axis=1)[:, None], width=26,
    )  # fmt: skip
    warning = analysis["early_warning"]
    dates = [month(i) for i in (*range(28, 40), 39, *range(41, 56))]
    assert list(warning["indicators"]) == ["offset50", "ndvi"]
    for name, fields in expected.items():
        same = {"label": warning["indicators"]["ndvi"][name]["label"], "dates": dates, **fields}
        assert_same(warning["indicators"]["ndvi"][name], same, 1e-7, name)
    # what interpolation and differences have made is no process of the site
    for field in ("ornstein_uhlenbeck", "steps", "noise", "season"):
        assert warning[field] == {}
    assert (warning["sign"], warning["why"], warning["alternatives"]) == (None, ["mode_pyveg"], {})
    assert (warning["primary"]["p"], warning["power"], warning["rain"]) == (None, None, None)
    assert 0 < warning["family"]["p"] <= 1
    table = warning["sensitivity"]["ndvi"]["ar1"]
    assert table["windows"] == [0.25, 0.375, 0.5, 0.625, 0.75] and table["bandwidths"] == [0.3]
    # 13.25 and 19.875 and 26.5 and 33.125 and 39.75 differences
    centred = (values - values.mean())[None]
    tau = [
        slow.taus(slow.indicators(centred, places, days, width, step, ["ar1"]))["ar1"]
        for width in (13, 20, 26, 33, 40)
    ]
    assert_same(table["tau"], tau)


@pytest.mark.parametrize(("months", "refused"), [(11, True), (12, False)])
def test_twelve_dates_are_enough(months, refused):
    summary = planted.complete_summary(36)
    cut = planted.changed(
        summary, lambda vegetation: [vegetation.pop(day) for day in list(vegetation)[months:]]
    )
    cut["ECMWF/ERA5/MONTHLY"]["time-series-data"].clear()
    warning = analyse_site(read_series(cut, "it"), SETTINGS | {"surrogates": 9})["early_warning"]
    assert list(warning["indicators"]) == ([] if refused else ["ndvi"])
    sentence = "11 dates have data, and early warning needs more than 11 (analysis.minimum_dates): so short a series proves "
    sentence += "nothing either way."
    assert warning["refused"] == (sentence if refused else None)
