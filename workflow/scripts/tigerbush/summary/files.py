"""The files of the summaries of dates and sites."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tigerbush.bundle import read_member
from tigerbush.files import write_bytes, write_json
from tigerbush.spreadsheet import format_table
from tigerbush.summary.missing import COLUMNS, missing_rows
from tigerbush.summary.results import summarise_site

# the summary of a date of a site in the bundle of a batch
MEASURED = "summary.json"


def read_measured_summary(bundle: Path, site: str) -> dict:
    """Return what `tigerbush.summary.results.summarise_date` gave of a site, from the bundle of a batch at a date."""
    return json.loads(read_member(bundle, site, MEASURED))


def write_summary(
    dates: Iterable[Mapping], weather: Mapping[str, Mapping | None], out: Path, missing: Path, **about: object
) -> None:
    """Write results_summary.json of a site, and missing.tsv: what it lacks and why.

    Parameters
    ----------
    dates : iterable of dict
        From `tigerbush.summary.results.summarise_date`.
    weather : dict of date to dict or None
        Of the dates that have no summary of their own.
    out, missing : Path
    **about
        The other arguments of `tigerbush.summary.results.summarise_site`.
    """
    dates = list(dates)
    summary = summarise_site(dates=dates, weather=weather, **about)
    write_bytes(missing, format_table(missing_rows(summary, dates), COLUMNS, "\t").encode())
    write_json(out, summary)
