"""Draw, map and report the sites of a batch: as plot_site, map_site and report_site, with the images that were kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tigerbush.analysis.batches import BLACK_WHITE, RGB, read_grid, read_images
from tigerbush.bundle import index_at
from tigerbush.files import scratch_folder, write_bytes
from tigerbush.job import job_log
from tigerbush.report.files import write_figures, write_maps, write_report
from tigerbush.runs.made import digest_of, is_made, record_made
from tigerbush.site import Site


def main(
    dates: Mapping[str, Path],
    summaries: Mapping[str, Path],
    analyses: Mapping[str, Path],
    out: Mapping[str, Mapping[str, Path]],
    *,
    code: Sequence[str],
    sites: Mapping[str, Mapping],
    mode: str,
) -> None:
    indexes = {day: index_at(bundle) for day, bundle in dates.items()}
    for name, site in sites.items():
        measured = {day: indexes[day][name].digest for day in site["dates"]}
        record, *files = (path for _, path in sorted(out[name].items(), key=lambda item: item[0] != "record"))
        made = digest_of(code, measured, site, mode, summaries[name], analyses[name])
        if is_made(record, made, files):
            continue
        bundles = {day: dates[day] for day in site["dates"]}
        report_site(name, bundles, summaries[name], analyses[name], out[name], site["site"], mode)
        record_made(record, made)


def report_site(
    name: str,
    bundles: Mapping[str, Path],
    summary: Path,
    analysis: Path,
    out: Mapping[str, Path],
    site: Mapping,
    mode: str,
) -> None:
    """Write the figures, maps and report of a site."""
    figures, maps = (
        {key.removeprefix(prefix): path for key, path in out.items() if key.startswith(prefix)}
        for prefix in ("figure_", "map_")
    )
    with scratch_folder("tigerbush.") as folder:
        images = unpack_images(read_images(bundles, name), folder)
        write_figures(summary, analysis, images, figures)
        grid, epsg = read_grid(next(iter(bundles.values())), name)
        write_maps(summary, grid, epsg, maps, site=Site(**site), mode=mode)
        pictures = [path for path in figures.values() if path.suffix == ".svg" and path.stem != "overview"]
        mapped = [path for path in maps.values() if path.suffix in (".svg", ".webp")]
        write_report(analysis, summary, images, pictures, mapped, [], out["report"])


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
        main(
            {Path(path).stem: Path(path) for path in snakemake.input.dates},
            *(
                {name: Path(path) for name, path in zip(names, snakemake.input[kind], strict=True)}
                for kind in ("summaries", "analyses")
            ),
            {
                name: {key: Path(paths[i]) for key, paths in snakemake.output.items() if key != "fingerprint"}
                for i, name in enumerate(names)
            },
            code=[str(snakemake.params.library), str(snakemake.params.templates)],
            sites=snakemake.params.sites,
            mode=snakemake.params.mode,
        )
