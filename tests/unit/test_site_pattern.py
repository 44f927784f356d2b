"""The pattern of a site over its dates: images written by hand, through the script, and fields made by hand."""

import json

import numpy as np
import pytest

import analyse_site as script
import planted
from planted import month
from test_site_analysis import QUICK
from tigerbush.analysis.cover import COVER_METRICS
from tigerbush.analysis.pattern import (
    DatePattern,
    measure_date,
    spatial_analysis,
    spatial_summary,
    spatial_warning,
)
from tigerbush.analysis.series import read_series
from tigerbush.grid import Grid
from tigerbush.images import encode_png
from tigerbush.patches import CLASSES
from tigerbush.raster import Raster, write_raster
from tigerbush.site import Site
from tigerbush.sites.layout import sub_images
from tigerbush.spatial import METRICS, Pattern

GRID, EPSG = Grid(x=500_000, y=1_200_000, resolution=10, width=100, height=100), 32631
PARTS = sub_images(GRID, EPSG, 50)
ROWS, COLUMNS = np.mgrid[:100, :100]


def image_of(seed, kind):
    """NDVI and its split: bands of 80 m, noise, or bands in all but the last sub-image."""
    random = np.random.default_rng(seed)
    bands = np.cos(2 * np.pi * COLUMNS / 8) * (1 + 0 * ROWS)
    if kind == "noise":
        bands = 0 * bands
    elif kind == "partly":
        bands[50:, 50:] = 0
    ndvi = 0.3 + 0.1 * bands + 0.01 * random.standard_normal(bands.shape)
    return ndvi.astype(np.float32), np.where(ndvi > 0.3, 0, 255).astype(np.uint8)


def record(part, value=0.3):
    return {"latitude": part.latitude, "longitude": part.longitude, "ndvi_mean": value, "offset50": -5.0}


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    """Five dates of products; the second has no sub-image that is used, the fifth one only."""
    folder = tmp_path_factory.mktemp("site")
    kinds = ["bands", "bands", "noise", "partly", "partly"]
    vegetation = {month(i): [record(part, 0.3 + i / 100) for part in PARTS] for i in range(5)}
    vegetation[month(1)] = None
    vegetation[month(4)] = vegetation[month(4)][1:2]
    (folder / "results_summary.json").write_text(json.dumps(planted.summary_of(vegetation, {})))
    for i, kind in enumerate(kinds):
        ndvi, split = image_of(i, kind)
        (folder / month(i)).mkdir()
        raster = Raster(
            data=ndvi[None], grid=GRID, epsg=EPSG, bands=("NDVI",), nodata=np.nan, units=("1",), tags={}
        )
        write_raster(folder / month(i) / "ndvi.tif", raster)
        (folder / month(i) / "bwndvi.png").write_bytes(encode_png(split))
    dates = [folder / month(i) for i in range(5)]
    script.main(
        folder / "results_summary.json",
        [day / "ndvi.tif" for day in dates],
        [day / "bwndvi.png" for day in dates],
        folder / "analysis.json",
        folder / "series.csv",
        folder / "series.parquet",
        folder / "dates.csv",
        settings=QUICK,
        site=Site(longitude=3.0, latitude=10.85, region_size=0.009, size=50, resolution=10),
        mode="default",
    )
    return json.loads((folder / "analysis.json").read_text())


USED = [month(i) for i in (0, 2, 3, 4)]


def test_no_date_but_those_in_use_has_numbers(analysis):
    assert list(analysis["spatial"]) == [*METRICS, *COVER_METRICS]
    assert all(series["dates"] == USED for series in analysis["spatial"].values())
    assert analysis["patch_sizes"]["dates"] == list(analysis["spatial_dates"]) == USED
    # the third is noise
    assert [value is None for value in analysis["spatial"]["cover"]["values"]] == [False, True, False, False]
    assert [sum(counts) == 0 for counts in analysis["patch_sizes"]["counts"]] == [False, True, False, False]
    assert None not in analysis["spatial"]["contrast"]["values"]


def test_each_date_says_why(analysis):
    bands = {"reason": None, "wavelength_reason": None, "class": "bands"}
    noise = {"reason": "contrast", "wavelength_reason": "contrast", "class": "none"}
    assert analysis["spatial_dates"] == dict(zip(USED, [bands, noise, bands, bands], strict=True))
    assert analysis["spatial"]["wavelength"]["values"] == [
        pytest.approx(80, rel=0.03), None, pytest.approx(80, rel=0.05), pytest.approx(80, rel=0.05)
    ]  # fmt: skip


def test_offset50_of_noise_is_listed(analysis):
    """Of the fourth date the last of four sub-images; of the fifth date only the second is used."""
    summary = analysis["spatial_summary"]
    places = [{"latitude": part.latitude, "longitude": part.longitude} for part in PARTS]
    assert summary["offset50_low_contrast"] == {month(2): places, month(3): places[3:]}
    assert summary["contrast"] == {
        "limit": 1.0,
        "median": np.median(analysis["spatial"]["contrast"]["values"]),
        "hidden": [month(2)],
    }


def test_the_summary_of_a_site_with_a_pattern(analysis):
    summary = {
        key: analysis["spatial_summary"][key]
        for key in ("pattern", "reason", "dates", "classified", "classes", "reasons")
    }
    assert summary == {
        "pattern": "bands", "reason": None, "dates": 4, "classified": 4, "classes": {"bands": 3, "none": 1},
        "reasons": {"contrast": 1},
    }  # fmt: skip
    assert analysis["spatial_summary"]["first"] is analysis["spatial_summary"]["last"] is None
    assert analysis["spatial_summary"]["wavelength"]["dates"] == 3


def test_four_dates_have_no_trend(analysis):
    warning = analysis["spatial_warning"]
    assert {json.dumps(indicator["trend"]) for indicator in warning["indicators"].values()} == {
        '{"tau": null, "p": null, "p_adjusted": null, "reason": "too_short"}'
    }
    assert warning["rising"] == warning["falling"] == []
    measured = [month(0), month(3), month(4)]
    assert {tuple(indicator["dates"]) for indicator in warning["indicators"].values()} == {tuple(measured)}
    assert warning["patch_fits"]["dates"] == measured and len(warning["patch_fits"]["best"]) == 3
    assert list(warning["indicators"]["flow_length"]["nulls"]) == ["permuted", "red"]


def date_of(i, name=None, reason=None, contrast=5.0, wavelength=None, indicators=None):
    metrics = dict.fromkeys(METRICS) | {"contrast": contrast, "wavelength": wavelength}
    pattern = Pattern(metrics, reason if reason == "contrast" else None, reason, name)
    return DatePattern(month(i), pattern, [0] * len(CLASSES), indicators, None, [])


def test_classes_are_counted_over_the_dates():
    named = [
        "gaps",
        "gaps",
        "labyrinths",
        "labyrinths",
        "spots",
        None,
        "labyrinths",
        "none",
        "spots",
        "spots",
    ]
    dates = [
        date_of(i, name, {None: "masked", "none": "no_peak"}.get(name), wavelength=50.0 + i if name not in (None, "none") else None)
        for i, name in enumerate(named)
    ]  # fmt: skip
    summary = spatial_summary(dates)
    assert (summary["pattern"], summary["reason"], summary["dates"], summary["classified"]) == (
        "spots",
        None,
        10,
        9,
    )
    assert summary["classes"] == {"gaps": 2, "labyrinths": 3, "none": 1, "spots": 3}
    assert summary["reasons"] == {"no_peak": 1}
    assert (summary["first"], summary["last"]) == ("gaps", "spots")
    # of 50, 51, 52, 53, 54, 56, 58 and 59
    assert summary["wavelength"] == {"dates": 8, "median": 53.5}


@pytest.mark.parametrize(
    ("reasons", "pattern", "reason"),
    [
        (["no_peak"] * 3 + ["contrast"] * 2 + [None], "none", "no_peak"),
        (["no_peak"] + ["contrast"] * 2 + [None] * 2, "none", "contrast"),
        # as many with as without is not more
        (["no_peak", "no_peak", None, None], "none", "no_peak"),
        (["no_peak", None, None], "spots", None),
        (["masked", "masked"], None, None),
        ([], None, None),
    ],
)
def test_a_site_without_a_pattern_is_named_so(reasons, pattern, reason):
    dates = [
        date_of(
            i, {None: "spots", "masked": None}.get(why, "none"), why, wavelength=60.0 if why is None else None
        )
        for i, why in enumerate(reasons)
    ]
    summary = spatial_summary(dates)
    assert (summary["pattern"], summary["reason"]) == (pattern, reason)


def rows_of(value):
    nulls = {null: {"z": 1.0, "p": 0.3} for null in ("permuted", "red")}
    names = ("coarse_variance", "coarse_skewness", "morans_i", "spectral_ratio", "flow_length", "patch_area")
    return {name: {"value": value[name]} | nulls for name in names}


def test_trends_are_adjusted_for_their_number():
    random = np.random.default_rng(1)
    vegetation = {month(i): [record(PARTS[0], 0.3 + i / 100)] for i in range(40)}
    series = read_series(planted.summary_of(vegetation, {}), "it")
    dates = []
    for i in range(40):
        noise = random.standard_normal(6)
        values = {
            "coarse_variance": 0.5 * i + noise[0], "coarse_skewness": noise[1], "morans_i": noise[2],
            "spectral_ratio": 3.0, "flow_length": noise[4] - 0.5 * i, "patch_area": np.nan if i == 7 else noise[5],
        }  # fmt: skip
        # two dates of no indicator
        dates.append(date_of(i, "spots", indicators=None if i in (3, 20) else rows_of(values)))
    warning = spatial_warning(dates, series, np.random.default_rng(2))
    trends = {name: indicator["trend"] for name, indicator in warning["indicators"].items()}
    assert {name: trend["reason"] for name, trend in trends.items()} == {
        "coarse_variance": None, "coarse_skewness": None, "morans_i": None, "spectral_ratio": "constant",
        "flow_length": None, "patch_area": "undefined",
    }  # fmt: skip
    assert (warning["rising"], warning["falling"]) == (["coarse_variance"], ["flow_length"])
    # of four tests
    assert trends["coarse_variance"]["p_adjusted"] >= 3 * trends["coarse_variance"]["p"]
    assert trends["coarse_variance"]["tau"] > 0.8 and trends["flow_length"]["tau"] < -0.8
    assert len(warning["indicators"]["morans_i"]["dates"]) == 38


def test_a_site_without_dates():
    series = read_series(planted.summary_of({month(0): None}, {}), "it")
    result = spatial_analysis([], series, 10, np.random.default_rng(1))
    assert all(row["values"] == [] for row in result["spatial"].values())
    assert result["spatial_summary"]["pattern"] is None and result["spatial_summary"]["dates"] == 0
    assert result["spatial_warning"]["rising"] == []


def test_masked_dates_have_no_indicators():
    ndvi, split = image_of(1, "bands")
    ndvi[:30], split[:30] = np.nan, 127
    parts = {(part.latitude, part.longitude, 0): (part.rows, part.columns) for part in PARTS[1::2]}
    date = measure_date(month(0), ndvi, split, 10.0, parts, np.random.default_rng(1))
    assert (date.pattern.wavelength_reason, date.indicators, date.fits, date.hidden) == (
        "masked",
        None,
        None,
        [],
    )
    assert sum(date.patches) > 0
