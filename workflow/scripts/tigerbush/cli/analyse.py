"""Analyse a results_summary.json, of pyveg or tigerbush, without running the workflow.

Writes analysis.json, series.csv and series.parquet, with the settings in the section `analysis` of the configuration.
The spatial measures of each date need images and are left out. For example:
./tigerbush analyse results_summary.json --output pyveg --config mode=pyveg
"""

import argparse
import json
from pathlib import Path

from tigerbush.analysis.series import read_series, tidy_rows, write_series
from tigerbush.analysis.site import analyse_site
from tigerbush.cli.configuration import add_run_arguments, read_configuration
from tigerbush.cli.findings import early_warning_text
from tigerbush.errors import TigerbushError
from tigerbush.files import write_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the summary, the output folder and the configuration."""
    command.add_argument("summary", type=Path, help="results_summary.json")
    command.add_argument(
        "--output", type=Path, default=Path(), help="output folder (default: the current folder)"
    )
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Analyse a summary; write the results and print what the report says of early warning."""
    if rest:
        raise TigerbushError(f"analyse does not know {' '.join(rest)!r}; see ./tigerbush analyse --help.")
    settings = read_configuration(options)["analysis"]
    try:
        contents = json.loads(options.summary.read_text())
    except (OSError, ValueError) as error:
        raise TigerbushError(
            f"{options.summary} cannot be read as JSON ({error}); name a results_summary.json."
        ) from error
    series = read_series(contents, str(options.summary))
    result = analyse_site(series, settings)
    write_series(tidy_rows(series), options.output / "series.csv", options.output / "series.parquet")
    write_json(options.output / "analysis.json", result)
    print(early_warning_text(result))
    print(f"Written: {options.output / 'analysis.json'}, series.csv, series.parquet")
    return 0
