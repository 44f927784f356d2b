"""The picture of a site, and that of sites: what is drawn is what the numbers say."""

from datetime import date

import cv2
import matplotlib.colors
import matplotlib.dates
import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tigerbush.report.figures import sites_figure
from tigerbush.report.overview import encode_figure, first_middle_last, place_of, shown_dates, site_figure
from tigerbush.summary.results import VEGETATION_COLLECTION, WEATHER_COLLECTION

GREEN, ORANGE, BLUE = "#009E73", "#D55E00", "#0072B2"
DAYS = [f"2020-{month:02d}-16" for month in range(1, 13)]


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


@pytest.mark.parametrize(
    ("numbers", "columns", "shown"),
    [
        # so many sub-images of each date; none and few dates are all shown
        ([0] * 12, 4, []),
        ([0, 0, 1, 2, 3, 4] + [0] * 6, 4, [2, 3, 4, 5]),
        # evenly spaced, without any neighbours while there are less than 2 columns + 1 dates
        ([1, 2, 3, 4, 5], 4, [0, 1, 3, 4]),
        ([3, 4, 9, 9, 5, 6, 7], 3, [1, 2, 6]),
        ([2, 2, 2, 2, 2, 9], 3, [0, 2, 5]),
        # of the first and of the last date one neighbour on the other side, in the middle (the sixth of eleven) two
        ([1, 2, 3, 1, 1, 1, 2, 1, 4, 1, 1, 0], 3, [1, 6, 9]),
        # never more than two on either side
        ([1, 1, 1, 9, 1, 1, 1, 1, 9, 1, 1, 2], 1, [0]),
        ([1, 1, 1, 9, 1, 1, 1, 1, 9, 1, 1, 2], 2, [0, 11]),
        ([1, 1, 2, 9, 1, 1, 1, 1, 9, 4, 1, 2], 2, [2, 9]),
    ],
)
def test_the_first_and_the_last_date_are_shown_and_fuller_ones_near_them_preferred(numbers, columns, shown):
    series = {day: records(*[0.1] * number) or None for day, number in zip(DAYS, numbers, strict=False)}
    assert shown_dates(summary_of(series), columns) == [DAYS[i] for i in shown]


def test_four_dates_are_shown_of_themselves():
    assert shown_dates(summary_of({day: records(0.1) for day in DAYS})) == [DAYS[i] for i in (0, 3, 6, 10)]


def test_the_first_the_middle_and_the_last_date():
    def shown(*present):
        return first_middle_last(summary_of({day: [{}] if day in present else None for day in DAYS}))

    assert shown() == []
    assert shown(DAYS[2]) == [DAYS[2]]
    assert shown(*DAYS[1:3]) == DAYS[1:3]
    assert shown(*DAYS[1:6]) == [DAYS[1], DAYS[3], DAYS[5]]
    assert shown(*DAYS[1:7]) == [DAYS[1], DAYS[4], DAYS[6]]


@pytest.mark.parametrize(
    ("north", "east", "text"),
    [(-13.2, 2.65, "13.2° S, 2.65° E"), (11.5, -27.9, "11.5° N, 27.9° W"), (0, 0, "0° N, 0° E")],
)
def test_where_a_site_is(north, east, text):
    assert place_of({"latitude": north, "longitude": east}) == text


@pytest.fixture(scope="module")
def figure():
    """Two of seven dates have sub-images, one of them without any NDVI."""
    series = dict.fromkeys(DAYS[:7], None) | {
        DAYS[0]: [*records(0.2, 0.4, 0.9), {"ndvi_mean": 0.7}],
        DAYS[2]: [{"offset50": -25}],
    }
    rain = {day: {"total_precipitation": 0.001 * i} for i, day in enumerate(DAYS[:7], 3)} | {
        DAYS[1]: None,
        DAYS[4]: {},
    }
    images = {
        DAYS[0]: (np.full((2, 3, 3), 40, np.uint8), np.full((2, 3), 50, np.uint8)),
        DAYS[2]: (np.full((2, 3, 3), 60, np.uint8), np.full((2, 3), 70, np.uint8)),
    }
    return site_figure(summary_of(series, rain), images)


@pytest.mark.parametrize(
    ("weather", "labels"),
    [
        (dict.fromkeys(DAYS[:3]), ["NDVI", "offset50"]),
        ({DAYS[0]: {"mean_2m_air_temperature": 300.0}, DAYS[1]: {}}, ["NDVI", "offset50"]),
        (
            {DAYS[0]: None, DAYS[1]: {"total_precipitation": 0.0}, DAYS[2]: None},
            ["NDVI", "offset50", "rain (mm)"],
        ),
    ],
)
def test_rain_has_a_panel_where_any_is_known(weather, labels):
    summary = summary_of({day: [{"ndvi_mean": 0.3}] for day in DAYS[:3]}, dict.fromkeys(DAYS[:3]) | weather)
    assert [axes.get_ylabel() for axes in site_figure(summary, {}).subfigs[1].axes] == labels


def test_lines_are_means_and_gaps_are_gaps(figure):
    assert figure.get_suptitle() == "here (13.2° S, 2.65° E), 2020-01-01 to 2021-01-01"
    ndvi, offset, rain = figure.subfigs[1].axes
    days = [date.fromisoformat(day) for day in DAYS[:7]]
    none = [np.nan] * 4
    for axes, values, colour, label in (
        # the mean of (0.2, 0.4, 0.9, 0.7) and of three, in the order of the dates
        (ndvi, [0.55, np.nan, np.nan, *none], GREEN, "NDVI"),
        (offset, [-50, np.nan, -25, *none], ORANGE, "offset50"),
    ):
        (line,) = axes.lines
        assert list(line.get_xdata(orig=True)) == days
        np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-12)
        assert (line.get_color(), line.get_marker(), axes.get_ylabel()) == (colour, ".", label)
        # half of 30.5 days, the median of their distances, on either side of each date without sub-images
        edges = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
        middles = matplotlib.dates.date2num([days[i] for i in (1, 3, 4, 5, 6)])
        np.testing.assert_allclose(edges, np.column_stack([middles - 15.25, middles + 15.25]), rtol=1e-12)
        assert {patch.get_facecolor() for patch in axes.patches} == {matplotlib.colors.to_rgba("0.85")}
    bars = rain.patches[:7]
    np.testing.assert_allclose([bar.get_height() for bar in bars], [3, np.nan, 5, 6, np.nan, 8, 9])
    np.testing.assert_allclose([bar.get_width() for bar in bars], 0.8 * 30.5)
    middles = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    np.testing.assert_allclose(middles, matplotlib.dates.date2num(days), rtol=1e-12)
    assert bars[0].get_facecolor() == matplotlib.colors.to_rgba(BLUE)
    assert {patch.get_zorder() for patch in ndvi.patches} == {0}
    assert {line.get_alpha() for axes in (ndvi, offset, rain) for line in axes.get_xgridlines()} == {0.3}
    assert rain.xaxis.get_major_locator().minticks == 4
    # the gaps, there as well
    assert len(rain.patches) == 7 + 5 and rain.get_ylabel() == "rain (mm)"
    assert all(rain.get_shared_x_axes().joined(rain, axes) for axes in (ndvi, offset))
    assert isinstance(rain.xaxis.get_major_formatter(), matplotlib.dates.ConciseDateFormatter)


def test_bands_are_a_standard_deviation_on_either_side(figure):
    ndvi, offset, _ = figure.subfigs[1].axes
    # of (0.2, 0.4, 0.9, 0.7), and of the first three times -100
    for axes, colour, mean, spread in (
        (ndvi, GREEN, 0.55, 0.0725**0.5),
        (offset, ORANGE, -50, (2600 / 3) ** 0.5),
    ):
        (band,) = axes.collections
        corners = np.concatenate([path.vertices for path in band.get_paths()])
        first = corners[corners[:, 0] == matplotlib.dates.date2num(date(2020, 1, 16))]
        np.testing.assert_allclose(
            [first[:, 1].min(), first[:, 1].max()], [mean - spread, mean + spread], rtol=1e-9
        )
        assert band.get_linewidth() == [0]
        assert band.get_facecolor()[0].tolist() == pytest.approx(matplotlib.colors.to_rgba(colour, 0.25))


def test_images_stand_above_each_other(figure):
    axes = figure.subfigs[0].axes
    assert [panel.get_title() for panel in axes] == [DAYS[0], DAYS[2], "", ""]
    assert [panel.get_ylabel() for panel in axes] == ["RGB", "", "bare ground (white)", ""]
    assert [int(panel.images[0].get_array().flat[0]) for panel in axes] == [40, 60, 50, 70]
    assert [panel.images[0].get_array().shape for panel in axes] == [(2, 3, 3)] * 2 + [(2, 3)] * 2
    assert {(panel.images[0].get_cmap().name, panel.images[0].get_clim()) for panel in axes[2:]} == {
        ("gray", (0, 255))
    }
    assert all(len(panel.get_xticks()) == len(panel.get_yticks()) == 0 for panel in axes)
    assert {panel.images[0].get_interpolation() for panel in axes} == {"nearest"}
    assert figure.get_size_inches().tolist() == [9, 9.5]
    assert isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)
    above, below = figure.subfigs
    assert above._subplotspec.get_gridspec().get_height_ratios() == (1, 1.1)
    assert below.axes[0].get_gridspec().get_height_ratios() == (3, 3, 2)


def test_one_date_has_its_images_too():
    images = {DAYS[3]: (np.full((2, 3, 3), 40, np.uint8), np.full((2, 3), 50, np.uint8))}
    above, _ = site_figure(summary_of({DAYS[3]: records(0.5)}), images).subfigs
    assert [(axes.get_title(), axes.get_ylabel()) for axes in above.axes] == [
        (DAYS[3], "RGB"),
        ("", "bare ground (white)"),
    ]


@pytest.mark.parametrize("days", [DAYS, DAYS[:1]])
def test_a_site_without_any_data_or_weather_is_drawn_all_the_same(days):
    figure = site_figure(summary_of(dict.fromkeys(days, None)), {})
    (text,) = figure.subfigs[0].texts
    assert (text.get_text(), text.get_position(), text.get_ha()) == ("no date has data", (0.5, 0.5), "center")
    gap = figure.subfigs[1].axes[0].patches[0]
    assert gap.get_width() == pytest.approx(31 if len(days) > 1 else 30)


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<?xml")])
def test_a_figure_is_the_same_again(form, start):
    rows = [{"site": "Ansongo", "p": 0.5, "sign_among_sites": True}]
    first, again = (encode_figure(sites_figure({"rows": rows}), form) for _ in range(2))
    assert first == again and first.startswith(start)
    if form == "png":
        assert cv2.imdecode(np.frombuffer(first, np.uint8), 1).shape == (126, 594, 3)  # 110 dots per inch
    else:
        # text stays text, without the time and the maker
        assert b">Ansongo<" in first and b"<dc:date>" not in first
    assert b"Matplotlib v" not in first


def test_sites_are_drawn_from_above_and_signs_are_round():
    rows = [
        {"site": "A", "p": 0.003, "sign_among_sites": True},
        {"site": "B", "p": None, "sign_among_sites": None},
        {"site": "C", "p": 0.25, "sign_among_sites": False},
    ]
    figure = sites_figure({"rows": rows})
    assert figure.get_size_inches().tolist() == pytest.approx([5.4, 0.5 + 2 * 0.2 + 0.2 + 0.25])
    (axes,) = figure.axes
    box = axes.get_position()
    assert (box.x0 * 5.4, box.x1 * 5.4) == pytest.approx((1.3, 5.15))
    *points, level = axes.lines
    assert [(*map(float, np.ravel(line.get_data())), line.get_marker(), line.get_color()) for line in points] == [
        (0.003, 0, "o", ORANGE), (0.25, 1, "s", BLUE)
    ]  # fmt: skip
    assert set(level.get_xdata()) == {0.05}
    assert axes.get_yticks().tolist() == [0, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A", "C"]
    # small ones lie to the right
    assert (axes.get_ylim(), axes.get_xlim(), axes.get_xscale()) == ((1.5, -0.5), (1, 0.0005), "log")
    assert axes.get_xlabel() == "p of the primary test; orange circles: a sign of slowing down"
    smaller = sites_figure({"rows": [*rows, {"site": "D", "p": 0.0004, "sign_among_sites": True}]})
    assert smaller.axes[0].get_xlim() == (1, 0.0002)
    many = [{"site": f"s{i}", "p": (i * 7 % 103 + 1) / 200, "sign_among_sites": False} for i in range(103)]
    (axes,) = sites_figure({"rows": many[:100]}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"s{i}" for i in range(100)]
    assert axes.get_title("left") == ""
    (axes,) = sites_figure({"rows": many}).axes
    drawn = [float(np.ravel(line.get_xdata())[0]) for line in axes.lines[:-1]]
    assert drawn == [i / 200 for i in range(1, 101)] and axes.get_title("left") == "the 100 smallest of 103"
    none = sites_figure({"rows": rows[1:2]})
    assert none.axes == [] and [text.get_text() for text in none.texts] == [
        "No site could be tested for early warning."
    ]
