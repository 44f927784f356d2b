"""The reports: what they say, and that they need nothing from outside."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from test_site_analysis import QUICK, summary_of
from tigerbush.analysis import analyse_site, spatial_series
from tigerbush.analysis_figures import FIGURES, analysis_figures, sites_figure
from tigerbush.figures import encode_figure, first_middle_last
from tigerbush.findings import change, early_warning, findings, first_and_last, median_error, number
from tigerbush.report import site_report, sites_report
from tigerbush.series import read_series
from tigerbush.sites import compare
from tigerbush.spatial import METRICS
from tigerbush.summary import VEGETATION_COLLECTION

MAPS = {"ndvi": "NDVI"}
PICTURE = "data:image/png;base64,AAAA"
PICTURES = dict.fromkeys((*FIGURES, "truth", "map_ndvi", "animation_ndvi"), PICTURE)
EVIL = '<script src="https://example.org/x.js"></script>'


class Elements(HTMLParser):
    """The elements of a page, and whether they close in the order in which they open."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


PLACE = {
    "start_date": "2017-01-01", "end_date": "2022-01-01", "time_per_point": "1m",
    "longitude": 27.9, "latitude": -11.5, "region_size": 0.08,
}  # fmt: skip


def analysis_of(months, **changes):
    summary = summary_of(months)
    summary["metadata"] |= PLACE
    return analyse_site(read_series(summary, "it"), QUICK | changes)


@pytest.fixture(scope="module")
def long():
    found = analysis_of(60)
    values = dict.fromkeys(METRICS, 1.0)
    found["spatial"] = spatial_series(((day, values) for day in found["series"]["ndvi"]["dates"]), METRICS)
    return found


@pytest.fixture(scope="module")
def short():
    return analysis_of(30)


@pytest.fixture(scope="module")
def empty():
    summary = summary_of(12)
    summary["metadata"] |= PLACE
    vegetation = summary[VEGETATION_COLLECTION]
    vegetation["time-series-data"] = dict.fromkeys(vegetation["time-series-data"])
    return analyse_site(read_series(summary, "it"), QUICK)


def report_of(analysis, images=None, truth=None):
    return site_report(analysis, images or {}, PICTURES, MAPS, truth)


def text_of(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.mark.parametrize("which", ["long", "short", "empty"])
def test_a_report_is_whole_and_needs_nothing_from_outside(which, request):
    grey = np.zeros((20, 30), np.uint8)
    html = report_of(request.getfixturevalue(which), {"2020-01-16": (np.dstack([grey] * 3), grey)})
    page = Elements(html)
    assert page.all("script") == []
    assert all(image["src"].startswith("data:") and len(image["alt"]) > 15 for image in page.all("img"))
    assert {link["href"] for link in page.all("link")} == {"data:,"}
    assert all(link["href"].startswith("https://doi.org/10.") for link in page.all("a"))
    assert "url(" not in html and "@import" not in html
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "None" not in text_of(html) and "nan" not in text_of(html).lower().split()


def test_a_short_series_is_refused_with_its_number_of_dates(short):
    text = text_of(report_of(short))
    assert "No early warning is given. 28 dates have data" in text
    assert "Not given." in text
    assert "Restoring rate by maximum likelihood" not in text


def test_a_long_series_shows_every_indicator_and_where_they_disagree(long):
    text = text_of(report_of(long))
    for indicators in long["early_warning"]["indicators"].values():
        for one in indicators.values():
            assert one["label"] in text
    assert "Restoring rate by maximum likelihood" in text
    assert "Indicators of NDVI point" in text
    assert "no proof of stability" in text
    assert "no merged score" in text
    seed, versions = long["seed"], long["software"]
    assert f"seed {seed}" in text and f"statsmodels {versions['statsmodels']}" in text


def test_what_comes_from_outside_is_escaped(short):
    evil = {"missing": {"2020-01-16": EVIL}, "failed_products": {EVIL: EVIL}}
    html = report_of(short | {"site": EVIL, "metadata": short["metadata"] | evil})
    assert Elements(html).all("script") == []
    assert html.count("&lt;script") >= 4


def test_the_verdict_follows_the_two_probabilities(long):
    variable, indicator = "ndvi", "ar1"
    for p, verdict in (
        ((0.01, 0.02), "That is a sign of slowing recovery, by this one indicator."),
        ((0.01, 0.3), "The two kinds of surrogates disagree"),
        ((0.5, 0.3), "no evidence of slowing recovery, and no evidence against it"),
    ):
        one = long["early_warning"]["indicators"][variable][indicator] | {
            "p": dict(zip(("ar1", "phase"), p, strict=True)), "tau": 0.4
        }  # fmt: skip
        warning = long["early_warning"] | {"indicators": {variable: {indicator: one}}, "disagreement": {}}
        told = early_warning({"early_warning": warning})
        assert verdict in told[0]
        assert "τ = 0.40 (p = " in told[0]
        assert told[-1].startswith("An autocorrelation that rises")


def test_changes_compare_the_first_and_the_last_year():
    dates = [f"20{year}-{month:02d}-15" for year in (20, 21, 22) for month in range(1, 13)]
    values = [0.4] * 12 + [0.9] * 12 + [0.2] * 12
    assert first_and_last(dates, values) == (pytest.approx((0.4, 0.2)), "year")
    assert first_and_last(dates[:9], values[:6] + [None] + [0.1] * 2) == (pytest.approx((0.4, 0.1)), "third")
    assert first_and_last(dates[:5], values[:5]) is None
    told = change("NDVI", {"dates": dates, "mean": values, "unit": "1"})
    assert told == "NDVI was 0.4 on average in the first year, 0.2 in the last: 50 % less."
    told = change("Offset50", {"dates": dates, "mean": [-1000 * value for value in values], "unit": "1"})
    assert told.endswith("−400 on average in the first year, −200 in the last: 50 % less in size.")
    told = change("It", {"dates": dates, "mean": [value - 0.3 for value in values], "unit": "m"})
    assert told.endswith("0.1 m on average in the first year, −0.1 m in the last: a change of −0.2 m.")


def test_numbers_are_written_for_readers():
    written = [number(value) for value in (None, 0.12345, -571.33, 12345.6, 0, 1.5e-5)]
    assert written == ["–", "0.123", "−571", "12\u202f346", "0", "1.5e−5"]
    assert median_error({"measured": [1, 2, None, 3], "truth": [2, 2, 1, None]}) == 0.25
    assert median_error({"measured": [None], "truth": [1]}) is None


def test_an_empty_site_is_told_as_such(empty):
    assert findings(empty)[0] == "0 of 12 dates have data."
    assert "No date has data." in text_of(report_of(empty))


@pytest.mark.parametrize("which", ["long", "short", "empty"])
def test_every_figure_is_drawn_and_the_same_again(which, request):
    analysis = request.getfixturevalue(which)
    figures = analysis_figures(analysis)
    assert list(figures) == list(FIGURES)
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        assert encode_figure(figures["series"], form).startswith(start)
    again = encode_figure(analysis_figures(analysis)["series"], "svg")
    assert again == encode_figure(figures["series"], "svg")
    assert (len(figures["indicators"].axes) > 8) == (which == "long")


def test_series_have_gaps_and_outliers_marked(long):
    one = dict.fromkeys(long["series"], None) | {"ndvi": long["series"]["ndvi"]}
    dates = one["ndvi"]["dates"]
    marked = {
        "mean": [None if i in (3, 4) else 0.5 for i in range(len(dates))],
        "outliers": [dates[7]],
        "gaps": [{"start": dates[3], "end": dates[4], "dates": 2}],
    }
    figure = FIGURES["series"](long | {"series": {"ndvi": one["ndvi"] | marked}})
    (axes,) = figure.axes
    assert np.isnan(axes.lines[0].get_ydata()[3:5]).all()
    assert len(axes.lines[1].get_xdata()) == 1
    assert len(axes.patches) == 1
    # from half a step before the first to half a step after the last, in whole days
    between = (np.datetime64(dates[4]) - np.datetime64(dates[3])).astype(int)
    assert axes.patches[0].get_width() == pytest.approx(between + long["days_per_step"], abs=1)


def test_the_report_over_sites_tells_tested_from_refused(long, short):
    analyses = [long, short | {"site": EVIL}]
    comparison = compare(analyses, "by", 0.05)
    html = sites_report(comparison, analyses, PICTURE)
    assert Elements(html).all("script") == []
    text = text_of(html)
    assert "Of 2 sites, 1 could be tested for early warning; 1 could not" in text
    assert "28 dates have data" in text.lower()
    assert "Benjamini-Yekutieli for 1 tests" in text
    assert len(sites_figure(comparison).axes) == 1
    assert sites_figure(compare([short], "by", 0.05)).axes == []


def test_the_first_the_middle_and_the_last_date_are_shown():
    days = [f"2020-{month:02d}-16" for month in range(1, 8)]

    def shown(*present):
        series = {day: [{}] if day in present else None for day in days}
        return first_middle_last({VEGETATION_COLLECTION: {"time-series-data": series}})

    assert shown() == []
    assert shown(days[2]) == [days[2]]
    assert shown(*days[1:3]) == days[1:3]
    assert shown(*days[1:6]) == [days[1], days[3], days[5]]
