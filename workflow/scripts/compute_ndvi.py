"""Mean NDVI, and other indices, of each sub-image of a date; those that are not used get their reason."""

from collections.abc import Sequence
from pathlib import Path

from tigerbush.files import write_json
from tigerbush.images import read_png
from tigerbush.job import job_arguments, job_log
from tigerbush.raster import read_raster
from tigerbush.site import Site
from tigerbush.sites.date import read_date
from tigerbush.sites.indices import measure_indices


def main(
    composite: Path,
    lost: Path,
    ndvi: Path,
    ndvi_image: Path,
    black_white: Path,
    rgb: Path,
    out: Path,
    *,
    date: str,
    indices: Sequence[str] = (),
    **selection,
) -> None:
    images = read_date(ndvi, black_white, rgb, lost=lost, **selection)
    write_json(out, measure_indices(images, read_raster(composite), read_png(ndvi_image), date, indices))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.composite),
            Path(snakemake.input.lost),
            Path(snakemake.input.ndvi),
            Path(snakemake.input.ndvi_image),
            Path(snakemake.input.black_white),
            Path(snakemake.input.rgb),
            Path(snakemake.output[0]),
            date=snakemake.wildcards.date,
            **job_arguments(snakemake.params) | {"site": Site(**snakemake.params.site)},
        )
