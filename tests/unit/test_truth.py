"""The truth of the simulation beside what was measured: of the right products, dates and pixels."""

from datetime import date

import numpy as np
import pytest
from scipy import ndimage

from tigerbush.analysis_figures import BLACK
from tigerbush.resample import Grid
from tigerbush.spatial import dominant_wave
from tigerbush.truth import compare_truth, truth_figure

DAYS = ["2020-01-16", "2020-02-15", "2020-03-16", "2020-04-15"]
# the site: 120 x 100 pixels of 10 m, 60 m east and 40 m south of the tile's corner (460800, 1460520)
SITE = Grid(460_860, 1_460_480, 10, 120, 100)
ROWS, COLUMNS = slice(4, 104), slice(6, 126)
# 2 x 2 pixels are a cell of 20 m
CELLS = np.s_[2:52, 3:63]
# upper left corner, height and width of patches: three of the site, one that its edge cuts, two beyond
PATCHES = [
    (20, 20, 8, 8),
    (40, 70, 6, 12),
    (80, 30, 10, 10),
    (60, 120, 8, 10),
    (150, 40, 8, 8),
    (30, 180, 12, 8),
]


def biomass_of(wavelength, mean):
    """Bands of a wavelength in cells on the site, of another one beyond, and a slope that is nowhere the same."""
    rows, columns = np.mgrid[:126, :126].astype(float)
    cells = mean * (1 + 0.5 * np.cos(2 * np.pi * columns / 17)) + rows / 100
    cells[CELLS] = (mean * (1 + 0.8 * np.cos(2 * np.pi * columns / wavelength)) + rows / 50)[CELLS]
    return cells


def index_of(value, patches=PATCHES):
    index = np.full((252, 252), -0.25)
    for row, column, height, width in patches:
        index[row : row + height, column : column + width] = value
    return index


@pytest.fixture(scope="module")
def truth():
    return {
        "product": np.array(["P0", "P1", "P2", "P3"]),
        "biomass": np.stack([biomass_of(9, 7), biomass_of(8, 3), biomass_of(8, 6), biomass_of(5, 2)]).astype(
            np.float32
        ),
        "ndvi": np.stack([index_of(0.9), index_of(0.2), index_of(1.0), index_of(-0.25, [])]).astype(
            np.float32
        ),
    }


@pytest.fixture(scope="module")
def compared(truth):
    """The second date has two products that are known and one that is not; of the third none is known."""
    products = {DAYS[1]: ["P2", "none", "P1"], DAYS[2]: ["none"], DAYS[3]: ["P3"], DAYS[0]: []}
    analysis = {
        "metadata": {"products": {day: {"products": names} for day, names in products.items()}},
        "series": {"ndvi": {"dates": DAYS[1:], "mean": [0.1, 0.2, 0.3]}, "cover": {"mean": "of no matter"}},
        "spatial": {
            "cover": {"dates": DAYS[1:3], "values": [0.4, 0.5]},
            "wavelength": {"dates": DAYS[:2], "values": [150, None]},
            "patch_count": {"dates": DAYS[1:], "values": [1, 2, 3]},
            "patch_mean_area": {"dates": DAYS[1:], "values": [4, 5, 6]},
        },
    }
    return compare_truth(analysis, truth, SITE)


def test_what_was_measured_keeps_its_dates_names_and_units(compared):
    assert {
        name: tuple(one[key] for key in ("label", "unit", "dates", "measured"))
        for name, one in compared.items()
    } == {
        "ndvi": ("NDVI", "1", DAYS[1:], [0.1, 0.2, 0.3]),
        "cover": ("share of vegetation", "1", DAYS[1:3], [0.4, 0.5]),
        "wavelength": ("wavelength of the pattern", "m", DAYS[:2], [150, None]),
        "patch_count": ("patches of vegetation", "1/km2", DAYS[1:], [1, 2, 3]),
        "patch_mean_area": ("mean area of a patch", "m2", DAYS[1:], [4, 5, 6]),
    }


def test_truth_is_the_mean_of_the_products_of_a_date(compared, truth):
    one, other, none = (compared[name]["truth"] for name in ("ndvi", "cover", "wavelength"))
    mean = truth["ndvi"][[2, 1]].astype(float).mean(axis=0)[ROWS, COLUMNS].mean()
    assert one == [pytest.approx(mean, rel=1e-6), None, pytest.approx(-0.25, rel=1e-6)]
    plants = truth["biomass"][1:3].astype(float).mean(axis=0)
    # the middle of a pixel of 10 m, in cells
    fine = ndimage.map_coordinates(plants, np.mgrid[:252, :252] / 2 - 0.25, order=1, mode="nearest")
    assert other == [pytest.approx((1 - np.exp(-0.12 * fine[ROWS, COLUMNS])).mean(), rel=1e-6), None]
    assert none[0] is None
    # 8 cells of 20 m; rings of whole cycles on 50 cells are 2 to 3 % wide of it
    assert none[1] == pytest.approx(160, rel=0.03)
    assert none[1] == pytest.approx(dominant_wave(plants[CELLS], 20)["wavelength"], rel=1e-5)


def test_patches_are_those_of_the_site_on_its_area(compared):
    """A square loses its four corners in the median of 3 x 3; of the one at the edge 6 of 10 columns lie on the site."""
    areas = [8 * 8 - 4, 6 * 12 - 4, 10 * 10 - 4, 8 * 6 - 2]
    assert compared["patch_count"]["truth"] == [pytest.approx(4 / (1000 * 1200) * 1e6), None, 0]
    assert compared["patch_mean_area"]["truth"] == [pytest.approx(sum(areas) / 4 * 100), None, None]


def test_measures_that_were_not_made_are_not_compared(truth):
    analysis = {
        "metadata": {"products": {}},
        "series": {"ndvi": {"dates": DAYS[:1], "mean": [0.5]}},
        "spatial": {},
    }
    assert compare_truth(analysis, truth, SITE) == {
        "ndvi": {"label": "NDVI", "unit": "1", "dates": DAYS[:1], "measured": [0.5], "truth": [None]}
    }


def test_the_truth_is_a_line_and_measures_are_points(compared):
    shown = {name: compared[name] for name in ("ndvi", "wavelength", "patch_mean_area")}
    figure = truth_figure(shown)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["NDVI", "wavelength of the pattern (m)", "mean area of a patch (m²)", ""]
    for axes, one in zip(figure.axes, shown.values(), strict=False):
        truth, measured = axes.lines
        for line, key in ((truth, "truth"), (measured, "measured")):
            assert list(line.get_xdata(orig=True)) == [date.fromisoformat(day) for day in one["dates"]]
            np.testing.assert_array_equal(line.get_ydata(), np.array(one[key], float))
            assert line.get_label() == key
        assert (truth.get_linestyle(), truth.get_marker(), truth.get_color()) == ("-", "None", BLACK)
        assert (measured.get_linestyle(), measured.get_marker(), measured.get_color()) == (
            "None",
            ".",
            "#0072B2",
        )
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["truth", "measured"]
