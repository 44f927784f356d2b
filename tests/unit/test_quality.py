"""Levels and masks of the products of a site: fields, the first sentences of a report, and the table of dates."""

import csv
import io

import pytest

import planted
from tigerbush.analysis.quality import COLUMNS, data_quality, date_rows, dates_table
from tigerbush.analysis.series import read_series
from tigerbush.errors import TigerbushError
from tigerbush.report.quality import quality_sentences

L1C = [f"S2A_MSIL1C_202001{day}T102021_N0300_R065_T31PDQ_202001{day}T120000" for day in (13, 16, 19)]
L2A = "S2B_MSIL2A_20200218T102021_N0300_R022_T31PDQ_20200218T120000"
OTHER = "LC08_L2SP_of_another_version"


def lineage(*names, unmasked=()):
    return {"products": list(names), "unmasked": list(unmasked)}


def test_what_limits_the_use_of_products_is_counted():
    products = {
        "2020-01-16": lineage(*L1C, unmasked=L1C[1:]),
        "2020-02-15": lineage(L2A, OTHER),
        "2020-03-16": lineage(),
        "2020-04-16": lineage(L1C[0]),
        # never processed
        "2020-05-16": {"products": [], "left_out": {}},
    }
    assert data_quality(products) == {
        "products": 6,
        "levels": {"L1C": 4, "L2A": 1, "unknown": 1},
        "top_of_atmosphere": 4,
        "unmasked": 2,
        "without_shadow": 2,
        "dates": 3,
        "dates_unmasked": 1,
    }


def test_a_summary_may_tell_of_no_masks_or_of_no_products():
    untold = data_quality({"2020-01-16": {"products": L1C}})
    assert (untold["products"], untold["top_of_atmosphere"]) == (3, 3)
    assert untold["unmasked"] is untold["without_shadow"] is untold["dates_unmasked"] is None
    assert data_quality({}) == {
        "products": 0, "levels": {}, "top_of_atmosphere": 0, "unmasked": None, "without_shadow": None, "dates": 0,
        "dates_unmasked": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "lineage", [5, {"products": "S2A"}, {"products": [3]}, {"products": [], "unmasked": [None]}]
)
def test_a_lineage_without_lists_of_names_is_refused(lineage):
    """Of a date that the series has not, too; null is a date without products."""
    vegetation = {"2020-01-16": [{"latitude": 1.0, "longitude": 2.0, "ndvi_mean": 0.3}]}
    summary = planted.summary_of(vegetation, {})
    summary["metadata"]["products"] = {"1999-01-16": None}
    assert read_series(summary, "it.json").dates == ("2020-01-16",)
    summary["metadata"]["products"] = {"1999-01-16": lineage}
    with pytest.raises(TigerbushError, match=r"^it\.json is no summary of a site"):
        read_series(summary, "it.json")


QUALITY = {
    "products": 6, "levels": {"L1C": 6}, "top_of_atmosphere": 6, "unmasked": 0, "without_shadow": 6, "dates": 4,
    "dates_unmasked": 0,
}  # fmt: skip
CORRECTION = "not corrected for the atmosphere"
CHANGED = "so that haze and water vapour change NDVI."
MAY = "clouds and their shadows may be in these numbers."


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {},
            [
                "The cloud masks of all 6 products have no cloud shadows, which may be in these numbers.",
                f"All 6 products are {CORRECTION} (L1C), {CHANGED}",
            ],
        ),
        ({"top_of_atmosphere": 0, "without_shadow": 0}, []),
        (
            {"top_of_atmosphere": 2, "without_shadow": 1, "unmasked": 1, "dates_unmasked": 1},
            [
                f"1 of 6 products is used without a cloud mask, on 1 of 4 dates with products: {MAY}",
                "The cloud mask of 1 of 6 products has no cloud shadows, which may be in these numbers.",
                f"2 of 6 products are {CORRECTION}, {CHANGED}",
            ],
        ),
        (
            {"without_shadow": 0, "unmasked": 6, "dates_unmasked": 4},
            [
                f"All 6 products are used without a cloud mask: {MAY}",
                f"All 6 products are {CORRECTION} (L1C), {CHANGED}",
            ],
        ),
        (
            {
                "products": 1,
                "top_of_atmosphere": 1,
                "without_shadow": 0,
                "unmasked": 1,
                "dates_unmasked": 1,
                "dates": 1,
            },
            [
                f"The only product is used without a cloud mask: {MAY}",
                f"The only product is {CORRECTION} (L1C), {CHANGED}",
            ],
        ),
        (
            {"unmasked": None, "without_shadow": None, "dates_unmasked": None, "top_of_atmosphere": 0},
            ["The summary does not tell whether clouds were masked."],
        ),
        ({"products": 0}, ["The summary names no products: their level and their cloud masks are unknown."]),
    ],
)
def test_the_first_sentences(fields, expected):
    analysis = {"data_quality": QUALITY | fields, "completeness": {"with_data": 3}}
    assert quality_sentences(analysis) == expected


def test_a_site_without_data_and_products_is_told_nothing_of_them():
    analysis = {"data_quality": QUALITY | {"products": 0}, "completeness": {"with_data": 0}}
    assert quality_sentences(analysis) == []


ANALYSIS = {
    "metadata": {
        "products": {
            "2020-01-16": lineage(*L1C[:2], L2A, unmasked=[L2A])
            | {"n_takes": 3, "platforms": {"S2B": 1, "S2A": 2}, "relative_orbits": {"65": 2, "22": 1}},
            "2020-02-15": {"products": [], "left_out": {}},
        },
        "missing": {"2020-02-15": "=no product in the period"},
    },
    "series": {"ndvi": {"dates": ["2020-01-16", "2020-02-15", "2020-03-16"]}},
    "completeness": {"n_sub_images": [4, 0, 2], "n_obs": [2.5, None, 1.0], "masked": {"2020-01-16": 0.125}},
    "spatial": {"contrast": {"dates": ["2020-01-16", "2020-03-16"], "values": [3.5, None]}},
}


def test_the_table_of_dates():
    rows = date_rows(ANALYSIS)
    assert [set(row) for row in rows] == [set(COLUMNS)] * 3
    assert rows[0] == {
        "date": "2020-01-16", "missing": None, "n_products": 3, "n_takes": 3, "platforms": "S2A 2, S2B 1",
        "relative_orbits": "22 1, 65 2", "levels": "L1C 2, L2A 1", "n_unmasked": 1, "n_sub_images": 4, "n_obs": 2.5,
        "masked": 0.125, "contrast": 3.5, "products": " ".join([*L1C[:2], L2A]),
    }  # fmt: skip
    assert rows[1] == dict.fromkeys(COLUMNS) | {
        "date": "2020-02-15", "missing": "=no product in the period", "n_products": 0, "n_sub_images": 0,
    }  # fmt: skip
    assert rows[2] == dict.fromkeys(COLUMNS) | {
        "date": "2020-03-16", "n_products": 0, "n_sub_images": 2, "n_obs": 1.0,
    }  # fmt: skip
    bare = ANALYSIS | {
        "metadata": {}, "spatial": {}, "completeness": {"n_sub_images": [4, 0, 2], "n_obs": None}
    }  # fmt: skip
    assert [row["n_sub_images"] for row in date_rows(bare)] == [4, 0, 2]
    assert date_rows(bare)[0]["n_obs"] is None


def test_the_table_is_safe_in_a_spreadsheet():
    header, first, second, _ = csv.reader(io.StringIO(dates_table(ANALYSIS)))
    assert tuple(header) == COLUMNS
    assert dict(zip(header, first, strict=True))["platforms"] == "S2A 2, S2B 1"
    assert dict(zip(header, second, strict=True))["missing"] == "'=no product in the period"
