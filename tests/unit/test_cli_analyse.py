"""What `./tigerbush analyse` says and writes."""

import argparse
import csv
import json
from pathlib import Path

import pytest

from fabricate import ROOT
from sentences import ANALYSIS, COVERAGE
from sentences_of_warning import NOT_ASSESSED, REFUSED, WARNED, WARNING
from tigerbush.cli import analyse
from tigerbush.cli.__main__ import main
from tigerbush.summary.results import VEGETATION_COLLECTION

DAYS = ["2020-01-16", "2020-02-15", "2020-03-16"]
RECORD = {"latitude": 11.5, "longitude": 27.9, "offset50": -400.5, "ndvi": 200}
SUMMARY = {
    VEGETATION_COLLECTION: {
        "type": "vegetation",
        "time-series-data": {
            DAYS[0]: [RECORD | {"date": DAYS[0]}],
            DAYS[1]: None,
            DAYS[2]: [RECORD | {"date": DAYS[2]}],
        },
    },
    "metadata": {"coords_id": "Bandia"},
}


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the command on a summary whose analysis is written by hand; give its lines, and what was analysed."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))

    def run(warning, *words):
        analysis = ANALYSIS | {"site": "Bandia", "early_warning": warning}
        given = []
        monkeypatch.setattr(analyse, "analyse_site", lambda *arguments: given.append(arguments) or analysis)
        assert (
            main(["analyse", str(tmp_path / "summary.json"), "--output", str(tmp_path / "out"), *words]) == 0
        )
        assert json.loads((tmp_path / "out" / "analysis.json").read_text()) == analysis
        out, err = capsys.readouterr()
        assert err == ""
        return out.splitlines(), *given

    return run


def test_the_command_says_what_the_report_says_of_early_warning(run, tmp_path):
    lines, (series, settings) = run(WARNING, "--config", "analysis={window: 0.4}")
    assert lines == [
        f"Bandia: {COVERAGE}",
        *(f"  {text}" for text in WARNED),
        f"Written: {tmp_path / 'out' / 'analysis.json'}, series.csv, series.parquet",
    ]
    assert (series.site, series.dates) == ("Bandia", tuple(DAYS))
    # what is given, and the rest of the section as it is by default
    assert (settings["window"], settings["mode"]) == (0.4, "default")
    with (tmp_path / "out" / "series.csv").open(newline="") as table:
        rows = [
            row
            for row in csv.DictReader(table)
            if row["variable"] == "offset50" and row["statistic"] == "value"
        ]
    assert [(row["site"], row["date"], row["value"]) for row in rows] == [
        ("Bandia", DAYS[0], "-400.5"),
        ("Bandia", DAYS[2], "-400.5"),
    ]
    assert (tmp_path / "out" / "series.parquet").read_bytes()[:4] == b"PAR1"


def test_the_command_says_why_there_is_no_early_warning(run, tmp_path):
    lines, _ = run(REFUSED)
    assert lines == [
        f"Bandia: {COVERAGE}",
        f"  Early warning is not assessed. {NOT_ASSESSED}",
        f"Written: {tmp_path / 'out' / 'analysis.json'}, series.csv, series.parquet",
    ]


def test_results_are_written_here_by_default():
    parser = argparse.ArgumentParser()
    analyse.add_arguments(parser)
    options = parser.parse_args(["summary.json"])
    assert (options.summary, options.output) == (Path("summary.json"), Path())
