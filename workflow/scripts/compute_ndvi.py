"""Mean NDVI of each sub-image of a date."""

from pathlib import Path

from tigerbush.files import job_log, write_json
from tigerbush.grid import sub_images
from tigerbush.images import read_png
from tigerbush.measures import ndvi_of_sub_images
from tigerbush.raster import read_raster


def main(
    composite: Path,
    ndvi: Path,
    ndvi_image: Path,
    black_white: Path,
    out: Path,
    *,
    date: str,
    size: int,
    max_masked_fraction: float,
) -> None:
    index = read_raster(ndvi)
    records = ndvi_of_sub_images(
        index.data[0],
        read_png(ndvi_image),
        read_png(black_white),
        read_raster(composite).band("n_obs"),
        sub_images(index.grid, index.epsg, size),
        date,
        max_masked_fraction,
    )
    write_json(out, records)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.composite),
            Path(snakemake.input.ndvi),
            Path(snakemake.input.ndvi_image),
            Path(snakemake.input.black_white),
            Path(snakemake.output[0]),
            date=snakemake.wildcards.date,
            **snakemake.params,
        )
