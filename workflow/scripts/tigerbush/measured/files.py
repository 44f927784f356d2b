"""The files of the analysis of a site."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tigerbush.analysis.quality import dates_table
from tigerbush.analysis.series import SiteSeries, read_series, tidy_rows, write_series
from tigerbush.analysis.site import analyse_site
from tigerbush.files import read_json, write_bytes, write_json
from tigerbush.measured.images import MeasuredImages, add_images
from tigerbush.site import Site


def write_analysis(
    summary: Path,
    measured: Callable[[SiteSeries], Iterable[MeasuredImages]],
    analysis: Path,
    csv: Path,
    parquet: Path,
    dates_csv: Path,
    *,
    settings: Mapping,
    site: Site | None,
) -> None:
    """Analyse a site, and write the analysis, the series and the table of dates.

    Parameters
    ----------
    summary : Path
        results_summary.json.
    measured : callable
        Returns what is measured in the images of the dates of a series.
    analysis, csv, parquet, dates_csv : Path
        analysis.json, series.csv, series.parquet and dates.csv.
    settings : mapping
        The section `analysis` of the configuration, with `mode`.
    site : Site or None
        None for a record without images.
    """
    series = read_series(read_json(summary), str(summary))
    result = analyse_site(series, settings)
    if site:
        add_images(result, series, measured(series), site.resolution, settings["seed"])
    write_series(tidy_rows(series), csv, parquet)
    write_bytes(dates_csv, dates_table(result).encode())
    write_json(analysis, result)
