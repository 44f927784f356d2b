"""Median of the clear observations of the products of a date."""

from pathlib import Path

from tigerbush.composite import composite_products
from tigerbush.files import job_log
from tigerbush.raster import write_raster


def main(images: list[Path], masks: list[Path], out: Path, *, mask: str) -> None:
    write_raster(out, composite_products(list(zip(images, masks, strict=True)), mask))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.images],
            [Path(path) for path in snakemake.input.masks],
            Path(snakemake.output[0]),
            mask=snakemake.params.mask,
        )
