"""The script that analyses a site: what it measures in the images of dates, and the table of dates."""

import csv
import json
import runpy

import cv2
import numpy as np
import pytest
import yaml

from fabricate import ROOT
from tigerbush.grid import Grid
from tigerbush.raster import Raster, write_raster
from tigerbush.site import Site
from tigerbush.summary.results import VEGETATION_COLLECTION, WEATHER_COLLECTION

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {"mode": "default"}
MONTHS = [f"{2018 + i // 12}-{i % 12 + 1:02}-16" for i in range(36)]
# two dates have no products
DAYS = [day for i, day in enumerate(MONTHS) if i not in (3, 20)]
# of one sub-image
SITE = Site(longitude=3.00184, latitude=12.66234, region_size=0.0036, size=40, resolution=10)
PRODUCT = "S2A_MSIL2A_20180113T102021_N0300_R065_T31PDQ_20180113T120000"


def ndvi_of(number):
    """Stripes of 8 pixels, of which one more is bare from the second year on; the first date is masked by a tenth."""
    image = np.where(np.arange(40) % 8 < (4 if number < 12 else 3), 0.6, 0.1) * np.ones((40, 1))
    image += 0.01 * np.cos(np.pi * number / 6)
    if number == 0:
        image[:4] = np.nan
    return image.astype(np.float32)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    grid = Grid(500_000, 1_400_000, 10, 40, 40)
    ndvi, black_white = [], []
    for day in DAYS:
        (folder / day).mkdir()
        image = ndvi_of(MONTHS.index(day))
        ndvi.append(folder / day / "ndvi.tif")
        write_raster(
            ndvi[-1], Raster(data=image[None], grid=grid, epsg=32631, bands=("NDVI",), nodata=np.nan)
        )
        black_white.append(folder / day / "bwndvi.png")
        cv2.imwrite(
            str(black_white[-1]),
            np.where(image > 0.3, 0, np.where(np.isnan(image), 127, 255)).astype(np.uint8),
        )
    records = {
        day: [{"latitude": 1.0, "longitude": 2.0, "ndvi_mean": float(np.nanmean(ndvi_of(i)))}]
        if day in DAYS
        else None
        for i, day in enumerate(MONTHS)
    }
    summary = {
        WEATHER_COLLECTION: {"type": "weather", "time-series-data": dict.fromkeys(MONTHS)},
        VEGETATION_COLLECTION: {"type": "vegetation", "time-series-data": records},
        "metadata": {
            "coords_id": "stripes",
            "products": {
                day: {"products": [PRODUCT], "unmasked": [PRODUCT] * (day == DAYS[0])} for day in DAYS
            },
            "missing": {MONTHS[3]: "no product in the period"},
        },
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    main = runpy.run_path(str(ROOT / "workflow" / "scripts" / "analyse_site.py"))["main"]
    main(
        folder / "summary.json", ndvi, black_white, folder / "analysis.json", folder / "series.csv",
        folder / "series.parquet", folder / "dates.csv", settings=SETTINGS, site=SITE, mode="default",
    )  # fmt: skip
    return folder


def test_cover_patches_and_masked_pixels_of_each_date(analysed):
    analysis = json.loads((analysed / "analysis.json").read_text())
    assert analysis["completeness"]["masked"] == {DAYS[0]: pytest.approx(0.1)} | dict.fromkeys(DAYS[1:], 0.0)
    # classes of 0.005 between 0.11 and 0.59: the first edge above the darker class
    threshold = analysis["ndvi_threshold"]
    assert 0.105 < threshold["value"] < 0.59 and threshold["separability"] > 0.99 and threshold["why"] == []
    spatial = analysis["spatial"]
    assert spatial["cover_ndvi"]["dates"] == DAYS
    first_year = [day for day in DAYS if day < "2019"]
    expected = [0.5] * len(first_year) + [0.375] * (34 - len(first_year))
    assert spatial["cover_ndvi"]["values"] == pytest.approx(expected, rel=1e-12)
    # five stripes on 0.16 km2, of 160 pixels and then of 120
    assert spatial["patch_count_ndvi"]["values"][1:] == pytest.approx([5 / 0.16] * 33, rel=1e-12)
    assert spatial["patch_mean_area_ndvi"]["values"][1] == 16_000
    assert spatial["patch_mean_area_ndvi"]["values"][-1] == 12_000


def test_measures_of_the_pattern_have_changes(analysed):
    changes = json.loads((analysed / "analysis.json").read_text())["changes"]
    assert {"ndvi", "cover", "cover_ndvi", "wavelength", "morans_i"} <= changes.keys()
    assert not {"direction", "total_precipitation"} & changes.keys()
    cover = changes["cover_ndvi"]
    assert (cover["first"], cover["last"]) == pytest.approx((0.5, 0.375), rel=1e-12)
    assert cover["months"] == [1, 2, 3, *range(5, 13)]
    assert cover["relative"] == pytest.approx(-0.25, rel=1e-12)


def test_the_table_of_dates_is_beside_the_analysis(analysed):
    rows = list(csv.DictReader((analysed / "dates.csv").open(newline="")))
    assert [row["date"] for row in rows] == MONTHS
    assert (rows[0]["masked"], rows[0]["n_unmasked"], rows[0]["levels"]) == ("0.1", "1", "L2A 1")
    assert (rows[3]["missing"], rows[3]["n_products"], rows[3]["masked"]) == (
        "no product in the period",
        "0",
        "",
    )
    assert (rows[20]["missing"], rows[5]["masked"], rows[5]["products"]) == ("", "0.0", PRODUCT)


def test_a_record_without_images_has_no_pattern(analysed):
    main = runpy.run_path(str(ROOT / "workflow" / "scripts" / "analyse_site.py"))["main"]
    paths = [analysed / f"bare.{suffix}" for suffix in ("json", "csv", "parquet", "dates")]
    main(analysed / "summary.json", [], [], *paths, settings=SETTINGS, site=None, mode="default")
    bare, whole = (json.loads((analysed / name).read_text()) for name in ("bare.json", "analysis.json"))
    assert bare["spatial"] == bare["spatial_summary"] == bare["spatial_warning"] == {}
    assert "ndvi_threshold" not in bare and "masked" not in bare["completeness"]
    # all else is the same
    assert bare["changes"].items() <= whole["changes"].items()
    for key in ("series", "early_warning", "sub_images", "recovery"):
        assert bare[key] == whole[key]
    assert paths[1].read_bytes() == (analysed / "series.csv").read_bytes()
