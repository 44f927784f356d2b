"""Measured series compared with the truth of a simulation, on constructed fields."""

import cv2
import matplotlib.dates
import numpy as np
import pytest
from scipy import ndimage

from tigerbush.grid import Grid
from tigerbush.sample.truth import compare_truth, truth_figure

# 150 columns and 200 rows, 14 cells of 20 m east and 7 south of the tile's corner (460 800, 1 460 520)
SITE = Grid(461_080, 1_460_380, 10, 150, 200)
WINDOW, CELLS = np.s_[14:214, 28:178], np.s_[7:107, 14:89]
NAMES = ["A", "B", "C"]


@pytest.fixture(scope="module")
def truth():
    """Three products with different plants; outside the site the ground differs."""
    rows, columns = np.mgrid[:126, :126]
    biomass = np.empty((3, 126, 126), np.float32)
    ndvi = np.empty((3, 252, 252), np.float32)
    for number, plants in enumerate(biomass):
        plants[:] = 30 * (rows % 3) + columns
        wave = np.cos(2 * np.pi * (columns / (6 - number) + rows / (9 + number)))
        plants[CELLS] = (9 - 2 * number + (5 - number) * wave + rows * columns % 5 / 10)[CELLS]
        fine = np.kron(plants, np.ones((2, 2)))
        ndvi[number] = 0.1 + 0.02 * fine - 0.01 * number + 0.004 * (np.indices(fine.shape).sum(axis=0) % 3)
    ndvi[2] = 0.15
    return {"product": np.array(NAMES), "biomass": biomass, "ndvi": np.clip(ndvi, -0.2, 0.9)}


def analysis():
    days = [f"2020-0{month}-16" for month in range(1, 6)]
    used = {days[0]: ["A"], days[1]: ["A", "B", "elsewhere"], days[2]: ["elsewhere"], days[3]: ["C"]}

    def series(key, start):
        return {"dates": days, key: [start, None, start + 2, start + 3, start + 4]}

    spatial = {
        "cover": 0.1,
        "cover_ndvi": 0.2,
        "wavelength": 100.0,
        "patch_count": 5.0,
        "patch_mean_area": 700.0,
        "morans_i": 0.5,
    }
    return {
        "metadata": {"products": {day: {"products": names} for day, names in used.items()}},
        "series": {"ndvi": series("mean", 0.5), "offset50": series("mean", -500.0)},
        "spatial": {name: series("values", start) for name, start in spatial.items()},
    }


@pytest.fixture(scope="module")
def compared(truth):
    return compare_truth(analysis(), truth, SITE)


def test_the_measured_series_are_those_of_the_analysis(compared):
    contents = analysis()
    assert {name: (series["label"], series["unit"]) for name, series in compared.items()} == {
        "ndvi": ("NDVI", "1"),
        "cover": ("share of pixels darker than their surroundings", "1"),
        "cover_ndvi": ("share of pixels with NDVI above the site's threshold", "1"),
        "wavelength": ("wavelength of the pattern", "m"),
        "patch_count": ("patches of vegetation", "1/km2"),
        "patch_mean_area": ("mean area of a patch", "m2"),
    }
    for name, series in compared.items():
        expected = contents["series"][name]["mean"] if name == "ndvi" else contents["spatial"][name]["values"]
        assert series["measured"] == expected
        assert series["dates"] == contents["series"]["ndvi"]["dates"]


def test_metrics_that_were_not_measured_are_not_compared(truth):
    fewer = analysis()
    del fewer["spatial"]["cover"], fewer["spatial"]["wavelength"]
    assert list(compare_truth(fewer, truth, SITE)) == ["ndvi", "cover_ndvi", "patch_count", "patch_mean_area"]


def peak_of_rings(field):
    """Wavelength from the Fourier transform of the detrended, tapered field, in rings of one cycle per shorter side."""
    rows, columns = np.indices(field.shape)
    terms = np.column_stack([np.ones(field.size), rows.ravel(), columns.ravel()])
    plane = terms @ np.linalg.lstsq(terms, field.ravel(), rcond=None)[0]
    taper = np.outer(*(np.hanning(size + 2)[1:-1] for size in field.shape))
    power = np.abs(np.fft.fft2((field - plane.reshape(field.shape)) * taper)) ** 2
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, field.shape), indexing="ij"))
    side = min(field.shape)
    ring = np.rint(frequency * side).astype(int)
    mean = np.array([power[ring == number].mean() for number in range(side // 2 + 1)])
    best = 4 + mean[4:].argmax()
    near = slice(best - 1, best + 2)
    return side * 20 / np.average(np.arange(side)[near], weights=mean[near])


def patches_of(ndvi):
    """Sizes of the patches in the window of the whole tile's black/white image, by OpenCV."""
    grey = ((ndvi.astype(np.float64) + 1) / 2 * 255).astype(np.uint8)
    equal = cv2.createCLAHE(2.0, (11, 11)).apply(grey)
    split = cv2.adaptiveThreshold(equal, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 51, -5)
    plants = (cv2.medianBlur(split, 3)[WINDOW] == 0).astype(np.uint8)
    return np.bincount(ndimage.label(plants)[0].ravel())[1:]


@pytest.mark.parametrize(("date", "used"), [(0, [0]), (1, [0, 1])])
def test_the_truth_of_a_date_is_the_mean_of_its_products(compared, truth, date, used):
    biomass, ndvi = truth["biomass"][used].mean(axis=0), truth["ndvi"][used].mean(axis=0)
    true_values = {name: series["truth"][date] for name, series in compared.items()}
    fine = cv2.resize(biomass.astype(float), (252, 252), interpolation=cv2.INTER_LINEAR)
    sizes = patches_of(ndvi)
    assert len(sizes) > 20
    assert true_values == {
        "ndvi": pytest.approx(float(ndvi[WINDOW].astype(float).mean()), rel=1e-6),  # of float32
        # of 30 000 pixels
        "cover": pytest.approx(sizes.sum() / 30_000, rel=1e-12),
        "cover_ndvi": pytest.approx((1 - np.exp(-0.12 * fine))[WINDOW].mean(), rel=1e-12),
        "wavelength": pytest.approx(peak_of_rings(biomass[CELLS].astype(float)), rel=1e-6),
        "patch_count": pytest.approx(len(sizes) / 3.0, rel=1e-12),  # 1.5 km by 2 km
        "patch_mean_area": pytest.approx(sizes.mean() * 100, rel=1e-12),
    }


def test_dates_without_a_product_of_the_sample_and_ground_without_plants_have_no_truth(compared):
    missing = {name: [value is None for value in series["truth"]] for name, series in compared.items()}
    bare = missing.pop("patch_mean_area")
    assert bare == [False, False, True, True, True]
    assert len(missing) == 5
    assert all(flags == [False, False, True, False, True] for flags in missing.values())
    assert compared["patch_count"]["truth"][3] == 0


def test_the_figure_has_lines_for_the_truth_and_points_for_measured_values(compared):
    figure = truth_figure(compared)
    drawn = [axes for axes in figure.axes if axes.lines]
    assert len(drawn) == 6
    for axes, series in zip(drawn, compared.values(), strict=True):
        true, measured = axes.lines
        assert (true.get_label(), true.get_linestyle(), true.get_marker()) == ("truth", "-", "None")
        assert (measured.get_label(), measured.get_linestyle(), measured.get_marker()) == (
            "measured",
            "None",
            ".",
        )
        assert true.get_color() != measured.get_color()
        for line, values in ((true, series["truth"]), (measured, series["measured"])):
            np.testing.assert_array_equal(line.get_ydata(), np.array(values, float))
            days = matplotlib.dates.date2num(np.array(series["dates"], "datetime64[D]"))
            np.testing.assert_array_equal(line.get_xdata(orig=False), days)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["truth", "measured"]
