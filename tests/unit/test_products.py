"""Product names, the choice of baselines and the tables."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigerbush.errors import TigerbushError
from tigerbush.products import COLUMNS, newest_baseline, parse_name, table_row, write_table


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
