"""Figures of an analysis: what is drawn is what the fields say."""

from datetime import date

import matplotlib.colors
import matplotlib.dates
import numpy as np
import pytest

from tigerbush.report.figures import analysis_figures

GREEN, ORANGE, BLUE, PURPLE, SKY, BLACK = "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#56B4E9", "0.2"
DAYS = [f"2020-{month:02d}-10" for month in range(1, 7)]


def series_of(label, unit, mean, std=None, **others):
    return {
        "label": label,
        "unit": unit,
        "dates": DAYS,
        "mean": mean,
        "std": std or [None] * 6,
        "outliers": [],
        "gaps": [],
    } | others


def moving(label, tau, values, days):
    return {"label": label, "tau": tau, "values": values, "dates": days}


ANALYSIS = {
    "days_per_step": 30,
    "series": {
        "offset50": series_of("network centrality (offset50)", "1", [None] * 6),
        "ndvi": series_of(
            "NDVI", "1", [0.2, None, 0.35, 0.9, 0.5, 0.6], [0.01, None, 0.02, 0.03, 0.05, 0.07],
            outliers=[DAYS[3], DAYS[5]],
            gaps=[{"start": DAYS[1], "end": DAYS[1]}, {"start": DAYS[4], "end": DAYS[5]}],
        ),
        "ndvi_veg": series_of("NDVI of vegetation", "1", [0.7, 0.71, 0.72, 0.73, 0.74, None], [0.1] * 6),
        "total_precipitation": series_of("precipitation", "mm", [12, 0, None, 3, 45, 6]),
        "temperature": series_of("air temperature", "degC", [24, 25, 27, None, None, 22]),
        "other": series_of("another", "1/km2", [1, 2, 3, 4, 5, 7]),
    },
    "completeness": {
        "n_sub_images": [4, 3, 0, 2, 1, 5],
        "n_obs": [1.5, None, 2.5, 3, 1, 2],
        "products": dict(zip(DAYS, [2, 0, 1, 5, 3, 4], strict=True)),
    },
    "early_warning": {
        "refused": None,
        "primary": {"variable": "ndvi", "indicator": "ar1"},
        "steps": {"ndvi": [{"date": DAYS[2]}, {"date": DAYS[5]}], "offset50": [{"date": DAYS[1]}]},
        "indicators": {
            "offset50": {
                "ar1": moving("autocorrelation at lag 1", -0.456, [0.1, None, 0.3], DAYS[3:]),
                "rate_ou": moving("restoring rate by maximum likelihood, 1/day", None, [0.02, 0.03], DAYS[:2]),
            },
            "ndvi": {
                "ar1": moving("autocorrelation at lag 1", 0.789, [0.5, 0.6, 0.8], DAYS[1:4]),
                "skewness": moving("skewness", 0.123, [1, -1], DAYS[2:4]),
            },
        },
        "sensitivity": {
            "ndvi": {
                "ar1": {"windows": [0.25, 0.5], "bandwidths": [0.1, 0.2, 0.75], "tau": [[0.6, -0.61, 0.1], [0.2, None, 1]]},
                "rate_ou": {"windows": [0.25, 0.5, 0.75], "bandwidths": [0.3], "tau": [[0.5], [0.61]]},
                "lag2": {"windows": [0.25], "bandwidths": [0.1, 0.2], "tau": [[-0.05, 0.7]]},
            },
            "offset50": {},
        },
    },
    "weather": {
        "lagged_correlation": {
            "ndvi": {"lags": [0, 1, 2, 3], "correlation": [0.1, 0.5, None, -0.2]},
            "ndvi_veg": {"lags": [0, 1], "correlation": [0.3, 0.4]},
        }
    },
    "recovery": {
        "annual_cycle": {
            "ndvi": {"months": [1, 4, 12], "mean": [0.2, 0.5, 0.1]},
            "offset50": {"months": [2], "mean": [None]},
            "ndvi_veg": {"months": [3, 5], "mean": [0.7, None]},
            "nothing": {"months": [], "mean": None},
        }
    },
    "spatial": {
        "cover": {"label": "share of vegetation", "unit": "1", "dates": DAYS, "values": [0.5, None, 0.4, 0.3, 0.2, 0.1]},
        "direction": {"label": "direction", "unit": "degree", "dates": DAYS[:2], "values": [40, 50]},
        "none": {"label": "none", "unit": "m", "dates": DAYS, "values": [None] * 6},
        "patch_mean_area": {"label": "mean area of a patch", "unit": "m2", "dates": DAYS[:2], "values": [None, 300]},
    },
    # drawn in test_sub_images
    "sub_images": {"refused": "there are no maps here."},
    "patch_sizes": {
        "edges": [100, 200, 400, 800],
        "dates": DAYS,
        "counts": [[0, 0, 0, 0], [4, 0, 3, 0], [9, 9, 9, 9], [1, 2, 0, 5], [8, 8, 8, 8], [0, 0, 6, 0]],
    },
    "spatial_warning": {
        "indicators": {
            "morans_i": {
                "label": "Moran's I", "unit": "1", "dates": DAYS[:3], "values": [0.5, 0.6, 0.4],
                "nulls": {"permuted": {"z": [3, 1, 2], "p": [0.01, 0.3, 0.05]}},
            },
            "flow_length": {
                "label": "flow length", "unit": "m", "dates": DAYS[:3], "values": [10, None, 15],
                "nulls": {"permuted": {"z": [9, None, 9], "p": [0, None, 0]}, "red": {"z": [1, None, 3], "p": [0.4, None, 0.01]}},
            },
            "patch_area": {
                "label": "none", "unit": "m2", "dates": DAYS[:1], "values": [None], "nulls": {"permuted": {"z": [None], "p": [None]}},
            },
        }
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def figures():
    return analysis_figures(ANALYSIS)


def dated(days):
    return [date.fromisoformat(day) for day in days]


def numbers(values):
    return np.array(values, float)


def drawn(line):
    """Days or numbers of a line, and its values."""
    places, values = line.get_data(orig=True)
    return list(places), np.asarray(values, float)


def bars(axes):
    """Middles and heights of the bars of an axes, and their one width in days."""
    patches = axes.containers[0].patches
    width = {round(bar.get_width(), 9) for bar in patches}
    assert len(width) == 1
    middles = matplotlib.dates.num2date([bar.get_x() + bar.get_width() / 2 for bar in patches])
    return [day.date() for day in middles], [bar.get_height() for bar in patches], width.pop()


def gaps(axes):
    """First and last day of what is grey."""
    return [
        tuple(
            str(day.date())
            for day in matplotlib.dates.num2date([patch.get_x(), patch.get_x() + patch.get_width()])
        )
        for patch in axes.patches
        if patch.get_facecolor() == matplotlib.colors.to_rgba("0.85")
    ]


def titles(figure):
    return [axes.get_title("left") for axes in figure.axes]


def test_each_figure_has_its_name(figures):
    assert list(figures) == [
        "series", "completeness", "indicators", "sensitivity", "weather", "recovery", "spatial", "patches", "sub_images",
        "spatial_warning",
    ]  # fmt: skip
    assert {figure.get_figwidth() for figure in figures.values()} == {5.4}
    # matplotlib is left as it was
    assert matplotlib.rcParams["font.size"] == matplotlib.rcParamsDefault["font.size"]


@pytest.mark.parametrize(
    ("name", "height", "first"),
    [
        # inches: of the whole, and of the first panel left, bottom, width and height
        ("series", 0.35 + 5 * 1.05 + 4 * 0.32 + 0.25, (0.6, 5.83, 4.7, 1.05)),
        ("completeness", 0.35 + 3 * 0.65 + 2 * 0.32 + 0.25, (0.6, 2.29, 4.7, 0.65)),
        ("indicators", 0.35 + 3 * 0.85 + 2 * 0.4 + 0.45, (1.2, 2.85, 1.775, 0.85)),
        ("sensitivity", 0.55 + 2 * 0.9 + 0.62 + 0.85, (0.75, 2.07, 1.975, 0.9)),
        ("weather", 0.45 + 1.6 + 0.25, (0.6, 0.45, 4.7, 1.6)),
        ("recovery", 0.45 + 2 * 0.95 + 0.32 + 0.25, (0.6, 1.72, 4.7, 0.95)),
        ("spatial", 0.35 + 2 * 0.85 + 0.5 + 0.4, (0.6, 1.7, 2.075, 0.85)),
        ("patches", 0.5 + 1.7 + 0.25, (0.6, 0.5, 4.7, 1.7)),
    ],
)
def test_panels_have_their_size_whatever_their_number(figures, name, height, first):
    figure = figures[name]
    assert figure.get_size_inches().tolist() == [5.4, pytest.approx(height)]
    box = figure.axes[0].get_position()
    inches = (box.x0 * 5.4, box.y0 * height, box.width * 5.4, box.height * height)
    assert inches == pytest.approx(first, rel=1e-9)


def test_series_are_those_with_numbers(figures):
    assert titles(figures["series"]) == [
        "NDVI", "NDVI of vegetation", "precipitation (mm)", "air temperature (°C)", "another (1/km²)"
    ]  # fmt: skip
    ndvi, veg, rain, temperature, last = figures["series"].axes
    for axes, name, colour in (
        (ndvi, "ndvi", GREEN), (veg, "ndvi_veg", SKY), (temperature, "temperature", PURPLE), (last, "other", BLACK)
    ):  # fmt: skip
        days, values = drawn(axes.lines[0])
        assert days == dated(DAYS)
        np.testing.assert_array_equal(values, numbers(ANALYSIS["series"][name]["mean"]))
        assert (axes.lines[0].get_color(), axes.lines[0].get_marker()) == (colour, ".")
        assert axes.lines[0].get_linestyle() == "-"
    days, heights, width = bars(rain)
    assert days == dated(DAYS)
    np.testing.assert_array_equal(heights, [12, 0, np.nan, 3, 45, 6])
    assert width == 24
    assert rain.lines[:] == [] and rain.containers[0][0].get_facecolor() == matplotlib.colors.to_rgba(BLUE)


def test_bands_are_a_standard_deviation_on_either_side(figures):
    ndvi, *_ = figures["series"].axes
    (band,) = ndvi.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    [january] = [
        {round(y, 9) for x, y in corners if x == place} for place in ndvi.convert_xunits(dated(DAYS[:1]))
    ]
    april = {round(y, 9) for x, y in corners if x == ndvi.convert_xunits(date(2020, 4, 10))}
    assert (january, april) == ({0.19, 0.21}, {0.87, 0.93})
    assert not [x for x, _ in corners if x == ndvi.convert_xunits(date(2020, 2, 10))]
    assert band.get_facecolor().tolist() == [pytest.approx(matplotlib.colors.to_rgba(GREEN, 0.25))]


def test_outliers_have_rings_steps_are_dotted_and_gaps_are_grey(figures):
    ndvi, veg, *_ = figures["series"].axes
    assert len(ndvi.lines) == 2 + 2 and len(veg.lines) == 1
    rings = ndvi.lines[1]
    days, values = drawn(rings)
    assert days == dated([DAYS[3], DAYS[5]])
    assert values.tolist() == [0.9, 0.6]
    assert (rings.get_marker(), rings.get_linestyle(), rings.get_markerfacecolor()) == ("o", "None", "none")
    # a step lies half a step of 30 days before the first date after it
    steps = [set(line.get_xdata()) for line in ndvi.lines[2:]]
    assert steps == [set(dated([day])) for day in ("2020-02-24", "2020-05-26")]
    assert [line.get_linestyle() for line in ndvi.lines[2:]] == [":", ":"]
    # half a step of 30 days on either side
    assert gaps(ndvi) == [("2020-01-26", "2020-02-25"), ("2020-04-25", "2020-06-25")]
    assert gaps(veg) == []


def test_completeness(figures):
    assert titles(figures["completeness"]) == ["sub-images used", "observations per pixel", "products"]
    panels = [bars(axes) for axes in figures["completeness"].axes]
    assert [days for days, _, _ in panels] == [dated(DAYS)] * 3
    assert [heights for _, heights, _ in panels] == [
        [4, 3, 0, 2, 1, 5],
        [1.5, 0, 2.5, 3, 1, 2],
        [2, 0, 1, 5, 3, 4],
    ]
    assert [width for *_, width in panels] == [24, 24, 24]


def test_indicators_stand_in_rows_and_variables_in_columns(figures):
    panels = np.array(figures["indicators"].axes).reshape(3, 2)
    assert [[axes.axison for axes in row] for row in panels] == [[True, True], [True, False], [False, True]]
    assert [[axes.get_title("left") for axes in row] for row in panels] == [
        ["offset50\nτ = −0.46", "NDVI\nτ = 0.79"], ["", ""], ["", "τ = 0.12"]
    ]  # fmt: skip
    for (row, column), days, values, colour in (
        ((0, 0), DAYS[3:], [0.1, None, 0.3], ORANGE),
        ((0, 1), DAYS[1:4], [0.5, 0.6, 0.8], GREEN),
        ((1, 0), DAYS[:2], [0.02, 0.03], ORANGE),
        ((2, 1), DAYS[2:4], [1, -1], GREEN),
    ):
        (line,) = panels[row, column].lines
        assert drawn(line)[0] == dated(days)
        np.testing.assert_array_equal(drawn(line)[1], numbers(values))
        assert line.get_color() == colour
    # narrow, in as many lines as it takes
    assert [[text.get_text() for text in row[0].texts] for row in panels] == [
        ["autocorrelation\nat lag 1"], ["restoring rate\nby maximum\nlikelihood,\n1/day"], ["skewness"]
    ]  # fmt: skip


def test_sensitivity_is_of_the_variable_named_before(figures):
    figure = figures["sensitivity"]
    first, second, third, none, colours = figure.axes
    # a name without a label stays as it is
    assert [axes.get_title("left") for axes in (first, second, third)] == [
        "autocorrelation at lag 1",
        "rate_ou",
        "lag2",
    ]
    assert not none.axison and not none.images
    for axes, tau in (
        (first, [[0.6, -0.61, 0.1], [0.2, np.nan, 1]]),
        (second, [[0.5], [0.61]]),
        (third, [[-0.05, 0.7]]),
    ):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array().filled(np.nan), tau)
        assert image.get_clim() == (-1, 1) and image.get_cmap().name == "PuOr"
    words = [(text.get_position(), text.get_text(), text.get_color()) for text in first.texts]
    assert words == [
        ((0, 0), "0.60", "k"), ((1, 0), "−0.61", "w"), ((2, 0), "0.10", "k"),
        ((0, 1), "0.20", "k"), ((1, 1), "nan", "k"), ((2, 1), "1.00", "w"),
    ]  # fmt: skip
    ticks = [
        [[text.get_text() for text in axis.get_ticklabels()] for axis in (axes.yaxis, axes.xaxis)]
        for axes in figure.axes[:3]
    ]
    assert ticks == [
        [["0.25", "0.5"], ["0.1", "0.2", "0.75"]],
        [["0.25", "0.5"], ["0.3"]],
        [["0.25"], ["0.1", "0.2"]],
    ]
    assert [text.get_text() for text in figure.texts] == [
        "length of the window, share of the series", "bandwidth of the trend, share of the series", "Kendall's τ"
    ]  # fmt: skip
    assert colours.get_xlim() == (-1, 1)


def test_rain_and_seasons(figures):
    (axes,) = figures["weather"].axes
    *lines, zero = axes.lines
    assert [line.get_label() for line in lines] == ["NDVI", "NDVI of vegetation"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["NDVI", "NDVI of vegetation"]
    assert [line.get_color() for line in lines] == [GREEN, SKY]
    for line, lags, values in zip(
        lines, ([0, 1, 2, 3], [0, 1]), ([0.1, 0.5, None, -0.2], [0.3, 0.4]), strict=True
    ):
        assert drawn(line)[0] == lags
        np.testing.assert_array_equal(drawn(line)[1], numbers(values))
    assert set(zero.get_ydata()) == {0} and axes.get_ylim() == (-1, 1)
    assert axes.get_xlabel() == "lag behind the rain (dates)"
    assert axes.get_title("left") == "correlation with rain, detrended and deseasonalised"
    assert titles(figures["recovery"]) == [
        "NDVI, mean of each month",
        "NDVI of vegetation, mean of each month",
    ]
    for axes, months, values, colour in zip(
        figures["recovery"].axes,
        ([1, 4, 12], [3, 5]),
        ([0.2, 0.5, 0.1], [0.7, None]),
        (GREEN, SKY),
        strict=True,
    ):
        (line,) = axes.lines
        assert drawn(line)[0] == months and line.get_color() == colour
        np.testing.assert_array_equal(drawn(line)[1], numbers(values))
        assert axes.get_xticks().tolist() == list(range(1, 13))
    assert [axes.get_xlabel() for axes in figures["recovery"].axes] == ["", "month"]


def test_measures_of_the_pattern(figures):
    assert titles(figures["spatial"]) == [
        "share of vegetation",
        "direction (°)",
        "mean area of a patch (m²)",
        "",
    ]
    assert [axes.axison for axes in figures["spatial"].axes] == [True, True, True, False]
    for axes, name in zip(figures["spatial"].axes, ("cover", "direction", "patch_mean_area"), strict=False):
        (line,) = axes.lines
        assert drawn(line)[0] == dated(ANALYSIS["spatial"][name]["dates"])
        np.testing.assert_array_equal(drawn(line)[1], numbers(ANALYSIS["spatial"][name]["values"]))
        assert (line.get_color(), line.get_marker()) == (GREEN, ".")


def test_patches_of_at_least_an_area(figures):
    """Of five dates with patches the first, the third and the last; a class without larger ones is not drawn."""
    (axes,) = figures["patches"].axes
    assert [(line.get_label(), line.get_color(), line.get_marker()) for line in axes.lines] == [
        (DAYS[1], GREEN, "o"), (DAYS[3], BLUE, "s"), (DAYS[5], ORANGE, "^")
    ]  # fmt: skip
    assert [tuple(map(list, line.get_data())) for line in axes.lines] == [
        ([100, 200, 400], [7, 3, 3]),
        ([100, 200, 400, 800], [8, 7, 5, 5]),
        ([100, 200, 400], [6, 6, 6]),
    ]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "area (m²)"
    assert axes.get_title("left") == "patches of vegetation of at least this area"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [DAYS[1], DAYS[3], DAYS[5]]


def test_spatial_indicators_are_filled_where_random_fields_differ(figures):
    figure = figures["spatial_warning"]
    assert titles(figure) == ["Moran's I", "flow length (m)"]
    for axes, values, filled in zip(
        figure.axes,
        ([0.5, 0.6, 0.4], [10, np.nan, 15]),
        ([True, False, True], [False, False, True]),
        strict=True,
    ):
        (line,), (points,) = axes.lines, axes.collections
        assert drawn(line)[0] == dated(DAYS[:3])
        np.testing.assert_array_equal(drawn(line)[1], values)
        assert [tuple(colour) != (1, 1, 1, 1) for colour in points.get_facecolors()] == filled
