"""Draw, map and report the sites of a batch: as plot_site, map_site and report_site, with the images that were kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tigerbush.bundle import contents_of, pack_folder
from tigerbush.files import scratch_folder, write_bytes
from tigerbush.job import job_log
from tigerbush.measured.batches import BLACK_WHITE, RGB, read_grid, read_images
from tigerbush.report.files import write_figures, write_maps, write_report
from tigerbush.runs.made import digest_of, make_outdated
from tigerbush.site import Site

MAP_FORMS = {"png": "png", "svg": "svg", "animation": "webp", "tif": "tif"}


def main(
    dates: Mapping[str, Path],
    summaries: Mapping[str, Path],
    analyses: Mapping[str, Path],
    out: Mapping[str, tuple[Path, Path]],
    record: Path,
    *,
    code: Sequence[str],
    figures: Sequence[str],
    metrics: Sequence[str],
    sites: Mapping[str, Mapping],
    mode: str,
) -> None:
    contents = {day: contents_of(bundle) for day, bundle in dates.items()}

    def made_of(name: str) -> str:
        measured = {day: contents[day][name] for day in sites[name]["dates"]}
        return digest_of(code, figures, metrics, measured, sites[name], mode, summaries[name], analyses[name])

    def report(name: str) -> None:
        bundles = {day: dates[day] for day in sites[name]["dates"]}
        with scratch_folder("tigerbush.") as folder:
            images = unpack_images(read_images(bundles, name), folder / "images")
            drawn, mapped = (
                paths_of_figures(folder / "pictures", figures),
                paths_of_maps(folder / "pictures", metrics),
            )
            write_figures(summaries[name], analyses[name], images, drawn)
            grid, epsg = read_grid(next(iter(bundles.values())), name)
            write_maps(summaries[name], grid, epsg, mapped, site=Site(**sites[name]["site"]), mode=mode)
            shown = [drawn[f"{figure}_svg"] for figure in figures]
            maps = [mapped[f"{metric}_{form}"] for metric in metrics for form in ("svg", "animation")]
            page, pictures = out[name]
            write_report(analyses[name], summaries[name], images, shown, maps, [], page)
            pack_folder(folder / "pictures", pictures)

    make_outdated(record, {name: made_of(name) for name in sites}, out, report)


def paths_of_figures(folder: Path, figures: Sequence[str]) -> dict[str, Path]:
    """Return the paths of the figures of a site in both forms, below a folder as below `analysis/`."""
    paths = {"overview": folder / "overview"} | {name: folder / "figures" / name for name in figures}
    return {
        f"{name}_{form}": path.with_suffix(f".{form}")
        for name, path in paths.items()
        for form in ("png", "svg")
    }


def paths_of_maps(folder: Path, metrics: Sequence[str]) -> dict[str, Path]:
    """Return the paths of the maps of a site in all forms, below a folder as below `analysis/`."""
    return {
        f"{metric}_{name}": folder / "maps" / f"{metric}.{form}"
        for metric in metrics
        for name, form in MAP_FORMS.items()
    }


def unpack_images(images: Mapping[str, Mapping[str, bytes]], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write images as files in a folder for each date."""
    paths = {day: (folder / day / RGB, folder / day / BLACK_WHITE) for day in images}
    for day, pair in paths.items():
        for path in pair:
            write_bytes(path, images[day][path.name])
    return paths


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        names = list(snakemake.params.sites)
        pairs = zip(snakemake.output.reports, snakemake.output.pictures, strict=True)
        main(
            {Path(path).stem: Path(path) for path in snakemake.input.dates},
            *(
                {name: Path(path) for name, path in zip(names, snakemake.input[kind], strict=True)}
                for kind in ("summaries", "analyses")
            ),
            {
                name: (Path(report), Path(pictures))
                for name, (report, pictures) in zip(names, pairs, strict=True)
            },
            Path(snakemake.output.record),
            code=[str(snakemake.params.library), str(snakemake.params.templates)],
            figures=list(snakemake.params.figures),
            metrics=list(snakemake.params.metrics),
            sites=snakemake.params.sites,
            mode=snakemake.params.mode,
        )
