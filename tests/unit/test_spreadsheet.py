"""No cell of a table for people is a formula in a spreadsheet; numbers and harmless text are not escaped."""

import csv
import io
import json
import runpy
import zipfile

import pytest

from fabricate import ROOT, name_of
from tigerbush.analysis.series import write_series
from tigerbush.analysis.sites import COLUMNS, table_text
from tigerbush.cli.results.pull import _write_zip, part_name
from tigerbush.cli.results.storage import Item
from tigerbush.spreadsheet import escape_cell, format_table

FORMULA = '=HYPERLINK("http://example.org","open")'


@pytest.mark.parametrize(
    "text",
    [
        FORMULA, "+1+cmd|' /C calc'!A0", "-1+1", "@SUM(1)", "-5.1234_13.0000", "-", "=", "--1", "-0,5", "-inf",
        "\t=1", "\r=1", "\n=1", "\ttext", "\x00text", "\x7ftext", "\x1b[2J",
        " =1", "\u00a0=1", "\u3000@x", "\ufeff=1", "\u200b=1", "\u202e=1", " \t +x", " \x01=1", "\u0301=1",
        "＝1", "＋1", "－1", "＠x", "﹦1", "⁼1", "−1",
    ],
)  # fmt: skip
def test_formulas_are_escaped(text):
    assert escape_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value",
    [
        "", "text", "?x", "a=b", "'=1", '"=1', "2017-01-16", "14.5100_45.8000", "no cloud mask", "é", "…",
        "-0.5", "+1", "-1e-5", "0", "1E+9",
        -0.5, -1, 0, 1.5, float("-inf"), None, True,
    ],
)  # fmt: skip
def test_numbers_and_other_text_are_not_escaped(value):
    assert escape_cell(value) is value


def test_rows_of_a_table():
    rows = [{"a": "=1", "b": -0.5, "c": None}, {"a": "x\ty", "b": "-0.5", "c": "@"}]
    assert format_table(rows, ("a", "b", "c"), "\t") == "a\tb\tc\n'=1\t-0.5\t\n\"x\ty\"\t-0.5\t'@\n"
    assert format_table([], ("a", "b")) == "a,b\n"


def test_sites_csv():
    row = dict.fromkeys(COLUMNS) | {"site": "here", "tau": -0.25, "refused": "@x", "slowing": "=a, b"}
    [read] = csv.DictReader(io.StringIO(table_text({"rows": [row]})))
    assert read == dict.fromkeys(COLUMNS, "") | {
        "site": "here",
        "tau": "-0.25",
        "refused": "'@x",
        "slowing": "'=a, b",
    }


def test_series_csv_and_parquet(tmp_path):
    """Spreadsheets do not read Parquet, so its text is not escaped."""
    import pyarrow.parquet

    row = {
        "site": FORMULA, "date": "2017-01-16", "sub_image": None, "latitude": None, "longitude": None,
        "variable": "offset50", "statistic": "mean", "value": -0.5, "unit": "-", "n": 3,
    }  # fmt: skip
    write_series([row], tmp_path / "series.csv", tmp_path / "series.parquet")
    [read] = csv.DictReader((tmp_path / "series.csv").open(newline=""))
    assert read == {key: "" if value is None else str(value) for key, value in row.items()} | {
        "site": f"'{FORMULA}",
        "unit": "'-",
    }
    assert pyarrow.parquet.read_table(tmp_path / "series.parquet").to_pylist() == [row]


def test_missing_tsv(tmp_path, monkeypatch):
    script = runpy.run_path(str(ROOT / "workflow" / "scripts" / "summarise_site.py"))
    lineage = {"products": [], "unmasked": [], "left_out": {}, "failed": {name_of(): FORMULA}}
    record = {"date": "2017-01-16", "unused": [], "lineage": lineage, "sub_images": []}
    (tmp_path / "date.json").write_text(json.dumps(record))
    summary = {"metadata": {"coords_id": "here", "products": {"2017-01-16": lineage}, "missing": {}}}
    monkeypatch.setattr("tigerbush.summary.files.summarise_site", lambda *_, **__: summary)
    script["main"](
        [tmp_path / "date.json"], [], tmp_path / "summary.json", tmp_path / "missing.tsv",
        site={}, periods=[], left_out={}, config={}, config_files=[],
    )  # fmt: skip
    text = (tmp_path / "missing.tsv").read_text()
    assert list(csv.reader(io.StringIO(text), delimiter="\t"))[1:] == [
        ["here", "2017-01-16", name_of(), "", "", f"'{FORMULA}"]
    ]


def test_products_checked(tmp_path):
    script = runpy.run_path(str(ROOT / "workflow" / "scripts" / "check_products.py"))
    (tmp_path / "summary.json").write_text(
        json.dumps({"metadata": {"failed_products": {"P": FORMULA, "Q": "no\n\tband"}}})
    )
    script["main"]([tmp_path / "summary.json"], [], tmp_path / "checked.txt", on_failure="report")
    assert (tmp_path / "checked.txt").read_text() == f"2 failed\nP\t'{FORMULA}\nQ\tno band\n"


def test_manifest(tmp_path):
    item = Item("=1/results/here/a.json", 2, "tag")
    (tmp_path / part_name(item)).write_bytes(b"{}")
    _write_zip(tmp_path / "x.zip", tmp_path, [item])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        name, size, _ = archive.read("manifest.tsv").decode().splitlines()[1].split("\t")
        assert archive.namelist() == ["=1/results/here/a.json", "manifest.tsv"]
    assert (name, size) == ("'=1/results/here/a.json", "2")
