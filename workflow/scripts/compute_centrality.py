"""Network centrality of the bare ground of each sub-image of a date."""

from pathlib import Path

import numpy as np

from tigerbush.files import job_log, write_json
from tigerbush.grid import sub_images
from tigerbush.images import read_png
from tigerbush.measures import centrality_of_sub_images
from tigerbush.raster import read_raster


def main(
    ndvi: Path,
    black_white: Path,
    out: Path,
    *,
    date: str,
    size: int,
    max_masked_fraction: float,
    neighbours: int,
    quantiles: int,
    method: str,
) -> None:
    index = read_raster(ndvi)
    records = centrality_of_sub_images(
        read_png(black_white),
        np.isnan(index.data[0]),
        sub_images(index.grid, index.epsg, size),
        date,
        max_masked_fraction,
        neighbours,
        quantiles,
        method,
    )
    write_json(out, records)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.ndvi),
            Path(snakemake.input.black_white),
            Path(snakemake.output[0]),
            date=snakemake.wildcards.date,
            **snakemake.params,
        )
