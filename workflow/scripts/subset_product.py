"""Trim the resampled window of a product and its mask to the site."""

from pathlib import Path

from tigerbush.errors import KeptError
from tigerbush.job import job_log
from tigerbush.placeholder import raise_if_finished, record_path
from tigerbush.raster import REASON, STATUS, read_raster, write_raster
from tigerbush.site import Site
from tigerbush.sites.product import subset_site


def main(image: Path, mask: Path, out_image: Path, out_mask: Path, *, site: Site) -> None:
    window = read_raster(image)
    if window.tags[STATUS] == "failed":
        try:
            raise_if_finished(out_image, window.tags[REASON])
        except KeptError:
            # a later run must read the product again, not its placeholder
            image.unlink()
            raise
    rasters = subset_site(window, read_raster(mask), site)
    for target, raster in zip((out_image, out_mask), rasters, strict=True):
        write_raster(target, raster)
    record_path(out_image).unlink(missing_ok=True)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.image),
            Path(snakemake.input.mask),
            Path(snakemake.output.image),
            Path(snakemake.output.mask),
            site=Site(**snakemake.params.site),
        )
