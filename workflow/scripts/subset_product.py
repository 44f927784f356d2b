"""Trim the resampled window of a product and its mask to the site."""

from pathlib import Path

from tigerbush.files import job_log
from tigerbush.raster import read_raster, write_raster
from tigerbush.site import subset_site


def main(image: Path, mask: Path, out_image: Path, out_mask: Path, *, site: dict) -> None:
    rasters = subset_site(read_raster(image), read_raster(mask), **site)
    for target, raster in zip((out_image, out_mask), rasters, strict=True):
        write_raster(target, raster)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.image),
            Path(snakemake.input.mask),
            Path(snakemake.output.image),
            Path(snakemake.output.mask),
            site=snakemake.params.site,
        )
