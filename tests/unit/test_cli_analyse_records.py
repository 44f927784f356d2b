"""`./tigerbush analyse` with its analysis: of pyveg's own summary, and of what is none."""

import csv
import json

import pyarrow.parquet
import pytest

import planted
from fabricate import ROOT
from tigerbush.cli.__main__ import main


@pytest.fixture
def summary(tmp_path, monkeypatch):
    """A record of pyveg, of 14 months of which one is empty."""
    monkeypatch.chdir(ROOT)
    contents = planted.complete_summary()
    series = contents["COPERNICUS/S2"]["time-series-data"]
    for day in list(series)[14:]:
        del series[day], contents["ECMWF/ERA5/MONTHLY"]["time-series-data"][day]
    series["2015-06-16"] = None
    del contents["metadata"]
    path = tmp_path / "results_summary.json"
    path.write_text(json.dumps(contents))
    return path


def test_a_refusal_is_printed_with_its_sentence(summary, tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert main(["analyse", str(summary), "--output", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "site: 13 of 14 dates have data. There is 1 gap, of 1 date; it is not filled.",
        "  Early warning is not assessed. 13 dates have data, and early warning needs more than 36 (analysis.minimum_dates): "
        "so short a series proves nothing either way.",
        f"Written: {folder / 'analysis.json'}, series.csv, series.parquet",
    ]
    with (folder / "series.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["statistic"] == "mean"]
    assert [row["date"] for row in rows] == [planted.month(i, 0) for i in range(14) if i != 5]
    assert {row["variable"] for row in rows} == {"ndvi"}
    # 13 NDVI with their mean and deviation, and the rain of 14 months
    assert pyarrow.parquet.read_table(folder / "series.parquet").num_rows == 13 * 3 + 14
    assert json.loads((folder / "analysis.json").read_text())["mode"] == "default"


def test_what_mode_pyveg_cannot_conclude_is_printed(summary, tmp_path, capsys, monkeypatch):
    settings = "analysis={mode: pyveg, surrogates: 99, window: 0.3}"
    monkeypatch.chdir(tmp_path)
    config = ["--configfile", str(ROOT / "config" / "config.yaml")]
    assert main(["analyse", str(summary), *config, "--config", settings]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "site: 13 of 14 dates have data. There is 1 gap, which mode pyveg fills by interpolation.",
        "  Nothing is concluded about slowing down: mode pyveg interpolates and differences the series, which itself changes "
        "their autocorrelation.",
    ]
    assert lines[-1] == "Written: analysis.json, series.csv, series.parquet"
    # windows of 4 of 13 differences hold too few values for any number: nothing else is said
    assert len(lines) == 3


def test_what_is_no_summary_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "it.json").write_text("{")
    for words, beginning in (
        (
            [tmp_path / "it.json"],
            f"tigerbush: {tmp_path / 'it.json'} cannot be read as JSON (Expecting property name",
        ),
        (
            [tmp_path / "no.json"],
            f"tigerbush: {tmp_path / 'no.json'} cannot be read as JSON ([Errno 2] No such file",
        ),
        (
            [tmp_path / "it.json", "--no"],
            "tigerbush: analyse does not know '--no'; see ./tigerbush analyse --help.",
        ),
    ):
        assert main(["analyse", *map(str, words)]) == 1
        out, err = capsys.readouterr()
        assert (out, err[: len(beginning)], err.count("\n")) == ("", beginning, 1)
    assert not list(tmp_path.glob("series*"))
