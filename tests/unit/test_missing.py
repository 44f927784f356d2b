"""missing.tsv: one row per absence."""

import pytest

from fabricate import name_of
from tigerbush.sentinel2.names import band_in
from tigerbush.summary.missing import missing_rows
from tigerbush.summary.results import summarise_date, summarise_site

A, B, C = (name_of(day) for day in ("20170111", "20170112", "20170113"))
DAY, EMPTY, CLOUDY = "2017-01-16", "2017-02-15", "2017-03-16"
SITE = {"site": "here", "longitude": 14.5, "latitude": 45.8, "region_size": 0.01}
CONFIG = {"period": {"start": "2017-01-01", "end": "2017-04-01", "step": "1m"}, "run": {"name": "test"}}


def record(longitude, **fields):
    return {"date": DAY, "latitude": 45.8, "longitude": longitude} | fields


def test_each_absence_has_one_row():
    lineage = {
        "products": ["A", "B"],
        "unmasked": ["B"],
        "left_out": {"D": "no cloud mask"},
        "failed": {C: "p.SAFE: the file of band B4\tis missing"},
    }
    ndvi = [record(14.5, ndvi=150.0), record(14.51, masked_fraction=0.5, unused="masked fraction 0.5")]
    dates = [summarise_date(DAY, [record(14.5, slope=1.0)], ndvi, lineage)]
    summary = summarise_site(SITE, dates, [DAY, EMPTY, CLOUDY], {CLOUDY: {"E": "cloudy"}}, {}, CONFIG, [])
    assert [tuple(row.values()) for row in missing_rows(summary, dates)] == [
        ("here", DAY, C, "B4", "", "p.SAFE: the file of band B4 is missing"),
        ("here", DAY, "D", "", "", "no cloud mask"),
        ("here", DAY, "B", "mask", "", "no cloud mask; the product is used unmasked"),
        ("here", DAY, "", "", "14.5100_45.8000", "masked fraction 0.5"),
        ("here", EMPTY, "", "", "", "no product in the period"),
        ("here", CLOUDY, "", "", "", "the only product left out: cloudy"),
        ("here", CLOUDY, "E", "", "", "cloudy"),
    ]
    # what is not used is not measured either
    assert len(summary["COPERNICUS/S2"]["time-series-data"][DAY]) == 1


def test_sub_images_of_a_date_without_any_product_are_not_listed_one_by_one():
    lineage = {"products": [], "unmasked": [], "left_out": {}, "failed": {C: "damaged"}}
    unused = [record(14.5, masked_fraction=1.0, unused="masked fraction 1")]
    dates = [summarise_date(DAY, [], unused, lineage)]
    rows = missing_rows(summarise_site(SITE, dates, [DAY], {}, {}, CONFIG, []), dates)
    assert [(row["product"], row["sub_image"]) for row in rows] == [("", ""), (C, "")]


def test_products_of_a_date_are_listed_by_their_names():
    lineage = {
        "products": ["P", "N", "O"],
        "unmasked": ["P", "N"],
        "left_out": {"L": "l", "K": "k"},
        "failed": {C: "c\n  d", B: "b", A: "a"},
    }
    dates = [summarise_date(DAY, [record(14.5, slope=1.0)], [], lineage)]
    rows = missing_rows(summarise_site(SITE, dates, [DAY], {}, {}, CONFIG, []), dates)
    assert [(row["product"], row["reason"][:3]) for row in rows] == [
        (A, "a"), (B, "b"), (C, "c d"), ("K", "k"), ("L", "l"), ("N", "no "), ("P", "no ")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "band"),
    [
        ("x.SAFE: the file of band B8A is missing; fetch", "B8A"),
        ("x.SAFE/GRANULE/L1C/IMG_DATA/T33TVL_20170116T100000_B02.jp2 does not decode", "B2"),
        ("x/T33TVL_20170116T100000_B8A_20m.jp2 is not a complete JP2 file", "B8A"),
        ("x/T33TVL_20170116T100000_B12_20m.jp2 is not a complete JP2 file", "B12"),
        ("x.SAFE/MTD_TL.xml: field ULX is missing", ""),
    ],
)
def test_the_band_that_a_sentence_names(reason, band):
    assert band_in(reason) == band
