"""Draw the maps of a site: each metric of every sub-image, per date and as an animation."""

from pathlib import Path

from tigerbush.job import job_log, job_outputs
from tigerbush.raster import read_raster
from tigerbush.report.files import write_maps
from tigerbush.site import Site


def main(summary: Path, ndvi: Path, out: dict[str, Path], *, site: Site, mode: str) -> None:
    image = read_raster(ndvi)
    write_maps(summary, image.grid, image.epsg, out, site=site, mode=mode)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            Path(snakemake.input.ndvi[0]),
            job_outputs(snakemake.output),
            site=Site(**snakemake.params.site),
            mode=snakemake.params.mode,
        )
