"""The files of the figures, maps and report of a site."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tigerbush.analysis.series import read_series
from tigerbush.files import read_json, write_bytes
from tigerbush.grid import Grid
from tigerbush.images import read_png
from tigerbush.raster import write_raster
from tigerbush.report.figures import analysis_figures
from tigerbush.report.html import picture_uri, site_report
from tigerbush.report.maps import animate_maps, map_metric, maps_figure, maps_raster
from tigerbush.report.overview import encode_figure, first_middle_last, shown_dates, site_figure
from tigerbush.site import Site
from tigerbush.sites.layout import place_sub_images
from tigerbush.variables import row_of


def images_by_date(rgb: Sequence[Path], black_white: Sequence[Path]) -> dict[str, tuple[Path, Path]]:
    """Return the images of each date, which are in a folder of its name."""
    return {pair[0].parent.name: pair for pair in zip(rgb, black_white, strict=True)}


def write_figures(
    summary: Path, analysis: Path, images: Mapping[str, tuple[Path, Path]], out: Mapping[str, Path]
) -> None:
    """Draw images of some dates with the series, and the figures of the analysis, as PNG and SVG.

    Parameters
    ----------
    summary, analysis : Path
        results_summary.json and analysis.json.
    images : mapping of date to (rgb.png, bwndvi.png)
        Of all dates, or of those that are kept.
    out : mapping of str to Path
        By the name of the figure and its form, such as `overview_png`.
    """
    contents = read_json(summary)
    figures = analysis_figures(read_json(analysis))
    if "overview_png" in out:
        shown = {day: [read_png(path) for path in images[day]] for day in shown_dates(contents, among=images)}
        figures["overview"] = site_figure(contents, shown)
    for name, path in out.items():
        figure, _, form = name.rpartition("_")
        write_bytes(path, encode_figure(figures[figure], form))


def write_maps(
    summary: Path, grid: Grid, epsg: int, out: Mapping[str, Path], *, site: Site, mode: str
) -> None:
    """Draw each metric of every sub-image, per date and as an animation.

    Parameters
    ----------
    summary : Path
        results_summary.json.
    grid : Grid
        Of the site's images, the same at all dates.
    epsg : int
    out : mapping of str to Path
        By the name of the metric and the form: png, svg, animation, tif.
    site : Site
    mode : str
    """
    series = read_series(read_json(summary), str(summary))
    parts = place_sub_images(grid, epsg, site, mode)
    for metric in series.vegetation:
        maps = map_metric(series, metric, parts, grid, epsg, site.size)
        figure = maps_figure(maps)
        write_bytes(out[f"{metric}_png"], encode_figure(figure))
        write_bytes(out[f"{metric}_svg"], encode_figure(figure, "svg"))
        write_bytes(out[f"{metric}_animation"], animate_maps(maps))
        write_raster(out[f"{metric}_tif"], maps_raster(maps))


def write_report(
    analysis: Path,
    summary: Path,
    images: Mapping[str, tuple[Path, Path]],
    figures: Sequence[Path],
    maps: Sequence[Path],
    truth: Sequence[Path],
    out: Path,
) -> None:
    """Write the report of a site, one HTML file that opens anywhere.

    Parameters
    ----------
    analysis, summary : Path
        analysis.json and results_summary.json.
    images : mapping of date to (rgb.png, bwndvi.png)
        Of all dates, or of those that are kept.
    figures, maps : sequence of Path
        Pictures; figures as SVG, maps also as animations.
    truth : sequence of Path
        truth.json and its figure, or nothing.
    out : Path
    """
    prefix = {".svg": "map_", ".webp": "animation_"}
    report = site_report(
        read_json(analysis),
        {
            day: [read_png(path) for path in images[day]]
            for day in first_middle_last(read_json(summary), among=images)
        },
        {path.stem: picture_uri(path) for path in (*figures, *truth[1:])}
        | {prefix[path.suffix] + path.stem: picture_uri(path) for path in maps},
        {path.stem: row_of(path.stem).label for path in maps},
        read_json(truth[0]) if truth else None,
    )
    write_bytes(out, report.encode())
