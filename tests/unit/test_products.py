"""Product names, the choice of baselines and the tables."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tigerbush.errors import TigerbushError
from tigerbush.planning.notes import REPLACED_LINE, SKIPPED_LINE, ZONE_LINE, read_notes, read_replaced
from tigerbush.planning.tables import (
    CHANGE_COLUMNS,
    COLUMNS,
    file_row,
    is_row,
    keep_removed_rows,
    newest_baseline,
    read_products,
    read_rows,
    table_row,
    write_table,
)
from tigerbush.sentinel2.names import BANDS, parse_name, role


def row(name, **options):
    return table_row(parse_name(name), url=name, granule="", size_bytes=1, cloud_percent=None, **options)


def test_parse_name():
    name = parse_name("S2D_MSIL2A_20260105T101412_N0511_R022_T33TVL_20260105T120000.SAFE")
    assert name.product == "S2D_MSIL2A_20260105T101412_N0511_R022_T33TVL_20260105T120000"
    assert (name.platform, name.level, name.tile, name.relative_orbit) == ("S2D", "L2A", "33TVL", 22)
    assert name.sensing_time == datetime(2026, 1, 5, 10, 14, 12)
    assert name.baseline == "05.11"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "S2E_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607",
        "S2A_MSIL1C_20161324T100607_N0204_R122_T33TVL_20160824T100607",
        "S2A_MSIL1C_20160824T100607_N0204_R122_T33IVL_20160824T100607",
        "../S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607",
        "S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607\n",
        "S2A_OPER_PRD_MSIL1C_PDMC_20160824T100607_R122_V20160824T100607_20160824T100607",
    ],
)
def test_parse_name_refuses(name):
    with pytest.raises(TigerbushError, match="is not a Sentinel-2 product name"):
        parse_name(name)


@settings(max_examples=30)
@given(st.text(max_size=400))
def test_parse_name_of_anything(text):
    try:
        assert parse_name(text).product in text
    except TigerbushError as error:
        assert len(str(error)) < 900


def test_newest_baseline_keeps_parts_of_a_tile():
    old = row("S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607")
    parts = [
        row("S2A_MSIL1C_20160824T100607_N0500_R122_T33TVL_20230101T000000"),
        row("S2A_MSIL1C_20160824T100607_N0500_R122_T33TVL_20230102T000000"),
    ]
    others = [
        row("S2B_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607"),
        row("S2A_MSIL1C_20160824T100608_N0204_R122_T33TVL_20160824T100607"),
        row("S2A_MSIL1C_20160824T100607_N0204_R122_T33TVM_20160824T100607"),
        row("S2A_MSIL2A_20160824T100607_N0204_R122_T33TVL_20160824T100607"),
    ]
    kept = newest_baseline([old, *parts, *others])
    assert kept == sorted([*parts, *others], key=lambda row: row["product"])


OLD = "S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607"


def test_a_row_of_the_table_of_products():
    name = parse_name("S2D_MSIL2A_20260105T101412_N0511_R022_T33TVL_20260105T120000")
    made = table_row(name, url="s3://b/k", granule="G", size_bytes=1234, cloud_percent=12.3456789)
    assert list(made.items()) == [
        ("product", "S2D_MSIL2A_20260105T101412_N0511_R022_T33TVL_20260105T120000"), ("platform", "S2D"), ("level", "L2A"),
        ("sensing_time", "2026-01-05T10:14:12"), ("tile", "33TVL"), ("relative_orbit", "22"), ("baseline", "05.11"),
        ("cloud_percent", "12.3457"), ("url", "s3://b/k"), ("granule", "G"), ("size_bytes", "1234"),
    ]  # fmt: skip
    clouds = [
        table_row(name, url="", granule="", size_bytes=0, cloud_percent=cloud) for cloud in (None, 0.0, 100)
    ]
    assert [row["cloud_percent"] for row in clouds] == ["", "0", "100"]


def test_a_row_of_the_table_of_files():
    assert list(file_row("P", ("band", "B4"), "n", "k", 7, "e").items()) == [
        ("product", "P"), ("role", "band"), ("band", "B4"), ("name", "n"), ("key", "k"), ("size", "7"), ("etag", "e"),
    ]  # fmt: skip
    assert file_row("P", ("mask", ""), "n", "k", 0)["etag"] == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((f"GRANULE/G/IMG_DATA/T_B{number:02}.jp2", ("band", f"B{number}")) for number in range(1, 13)),
        ("GRANULE/G/IMG_DATA/R10m/T_B02_10m.tif", ("band", "B2")),
        ("GRANULE/G/IMG_DATA/R10m/T_SCL_10m.tif", ("mask", "")),
        ("GRANULE/G/QI_DATA/T33TVL_MSK_CLOUDS_B00.gml", ("mask", "")),
        ("MTD_MSIL1C.xml", ("metadata", "")),
        ("stac.json", ("metadata", "")),
        ("stacxjson", None),
        ("GRANULE/G/MTD_MSIL1C.xml", None),
        ("MTD_TL.xml", None),
        ("MTD_MSIL1B.xml", None),
        ("GRANULE/G/IMG_DATA/T_B02.png", None),
        ("GRANULE/G/IMG_DATA/T_AOT_10m.jp2", None),
        ("GRANULE/G/H/IMG_DATA/T_B02.jp2", None),
        ("AUX_DATA/IMG_DATA/T_B02.jp2", None),
        ("GRANULE/G/IMG_DATA/T_SCL_20m.jp2", None),
    ],
)
def test_what_files_are(name, expected):
    assert role(name) == expected


def named(day, **changes):
    """A row of a day, with some fields of its own."""
    return row(f"S2A_MSIL1C_201701{day:02}T100607_N0204_R122_T33TVL_20170124T100607") | changes


@pytest.mark.parametrize("gone", [0, 1, 5, 6])
def test_rows_that_a_source_no_longer_holds(caplog, gone):
    """Those of the source, if no newer baseline has taken their place; they are named."""
    new = [named(day) for day in (20, 11)]
    old = [named(day) for day in range(1, gone + 1)] + [named(20, url="old"), named(12, url="other")]
    old.append(named(11, product="older", baseline="02.03"))
    kept = keep_removed_rows(old, new, lambda row: row["url"] != "other", "the shelf")
    assert kept == [*old[:gone], new[1], new[0]]
    names = ", ".join(row["product"] for row in old[: min(gone, 5)]) + " ..." * (gone > 5)
    expected = (
        f"{gone} products of the table are no longer in the shelf; their rows stay. To remove "
        f"one, delete its line from the table: {names}"
    )
    assert caplog.messages == [expected] * bool(gone)


def test_rows_that_discovery_wrote():
    good = row(OLD)
    assert is_row(good)
    bad = [
        good | {"baseline": "05.00"},
        good | {"tile": "33TVM"},
        good | {"product": "x"},
        good | {"more": ""},
        {},
    ]
    bad += [{name: text for name, text in good.items() if name != gone} for gone in COLUMNS]
    assert not any(map(is_row, bad))
    assert len(bad) == 16


def test_reading_a_table(tmp_path):
    path = tmp_path / "t.tsv"
    assert read_rows(path) == []
    path.write_text("product\tb\nP\t1\nQ\nR\t2\t3\n\t4\nS\t\n")
    assert read_rows(path) == [{"product": "P", "b": "1"}, {"product": "S", "b": ""}]
    path.write_text("other\tb\nP\t1\n")
    assert read_rows(path) == []
    path.write_bytes(b"product\tb\nP\t\xff\n")
    assert read_rows(path) == []
    path.write_text("product\nP\n" + "x" * 200_000 + "\n")
    assert read_rows(path) == []


def test_a_table_is_read_as_it_was_written(tmp_path):
    rows = [row(OLD) | {"url": 'a "b"\tc\nü', "granule": ""}, row(OLD.replace("S2A", "S2B"))]
    write_table(tmp_path / "t.tsv", iter(rows), COLUMNS)
    assert read_rows(tmp_path / "t.tsv") == rows


def test_write_table(tmp_path):
    write_table(
        tmp_path / "products.tsv",
        [row("S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607")],
        COLUMNS,
    )
    lines = (tmp_path / "products.tsv").read_text().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert lines[1].split("\t")[1:8] == ["S2A", "L1C", "2016-08-24T10:06:07", "33TVL", "122", "02.04", ""]
    assert [path.name for path in tmp_path.iterdir()] == ["products.tsv"]


def test_resolutions_of_bands():
    """As the Sentinel-2 Products Specification Document has them, in the order of band_id."""
    assert list(BANDS) == ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"]
    by_resolution = {
        10: ["B2", "B3", "B4", "B8"],
        20: ["B5", "B6", "B7", "B8A", "B11", "B12"],
        60: ["B1", "B9", "B10"],
    }
    assert {
        resolution: [band for band in BANDS if BANDS[band] == resolution] for resolution in by_resolution
    } == by_resolution


def test_which_products_were_replaced():
    """By each other, over several steps, and by a product that takes the place of two."""
    name = "S2A_MSIL2A_20160824T100607_N{}_R122_T33TVL_20230101T000000"
    rows = [row(name.format(baseline)) for baseline in ("0204", "9999", "0511", "0500")]
    rows.append(row("S2A_MSIL2A_20160825T100607_N0204_R122_T33TVL_20230101T000000"))
    for order in (rows, rows[::-1]):
        replaced = {"before": "it"}
        assert newest_baseline(order, replaced) == [rows[2], rows[4]]
        older = {name.format(baseline): name.format("0511") for baseline in ("0204", "0500", "9999")}
        assert replaced == {"before": "it"} | older


def test_lines_that_are_no_products(tmp_path):
    """Zones, replaced products and useless items are in the table itself, and are no rows of it."""
    table, new = tmp_path / "products.tsv", OLD.replace("N0204", "N0500")
    assert read_replaced(table) == {}
    replaced = [(OLD, new), ("x", new), (new, "../x")]
    skipped = [("'a\\tb'", 'its "id" is missing'), ("'a'", "")]
    notes = [
        (ZONE_LINE, "here", "37S"),
        *((REPLACED_LINE, *pair) for pair in replaced),
        *((SKIPPED_LINE, *pair) for pair in skipped),
    ]
    columns = (*COLUMNS, *CHANGE_COLUMNS)
    write_table(table, [dict.fromkeys(CHANGE_COLUMNS, "") | row(new)], columns, notes)
    with table.open("a") as file:
        # cut off; padded to the number of columns
        file.write(f"{REPLACED_LINE}\t{new}\n{ZONE_LINE}\tthere\t33N\t\t\n")
    assert read_notes(table, REPLACED_LINE) == replaced
    assert read_notes(table, SKIPPED_LINE) == skipped
    assert read_notes(table, ZONE_LINE) == [("here", "37S"), ("there", "33N")]
    assert read_replaced(table) == {OLD: new}
    assert [listed["product"] for listed in read_rows(table)] == [new]
    assert list(read_products(table)) == [new]
    table.write_bytes(b"\xff")
    assert read_replaced(table) == {}
