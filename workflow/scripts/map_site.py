"""Draw the maps of a site: each metric of every sub-image, per date and as an animation."""

from pathlib import Path

from tigerbush.analysis.series import read_series
from tigerbush.files import read_json, write_bytes
from tigerbush.job import job_log, job_outputs
from tigerbush.raster import read_raster, write_raster
from tigerbush.report.maps import animate_maps, map_metric, maps_figure, maps_raster
from tigerbush.report.overview import encode_figure
from tigerbush.site import Site
from tigerbush.sites.layout import place_sub_images


def main(summary: Path, ndvi: Path, out: dict[str, Path], *, site: Site, mode: str) -> None:
    series, image = read_series(read_json(summary), str(summary)), read_raster(ndvi)
    parts = place_sub_images(image.grid, image.epsg, site, mode)
    for metric in series.vegetation:
        maps = map_metric(series, metric, parts, image.grid, image.epsg, site.size)
        figure = maps_figure(maps)
        write_bytes(out[f"{metric}_png"], encode_figure(figure))
        write_bytes(out[f"{metric}_svg"], encode_figure(figure, "svg"))
        write_bytes(out[f"{metric}_animation"], animate_maps(maps))
        write_raster(out[f"{metric}_tif"], maps_raster(maps))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            Path(snakemake.input.ndvi[0]),
            job_outputs(snakemake.output),
            site=Site(**snakemake.params.site),
            mode=snakemake.params.mode,
        )
