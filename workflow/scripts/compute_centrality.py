"""Network centrality of the bare ground of each sub-image of a date."""

from pathlib import Path

from tigerbush.files import write_json
from tigerbush.job import job_arguments, job_log
from tigerbush.site import Site
from tigerbush.sites.date import read_date
from tigerbush.sites.subimages import centrality_of_sub_images


def main(
    ndvi: Path, black_white: Path, rgb: Path, out: Path, *, date: str, network: dict, **selection
) -> None:
    images = read_date(ndvi, black_white, rgb, **selection)
    write_json(
        out, centrality_of_sub_images(images.black_white, images.covered, images.parts, date, **network)
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.ndvi),
            Path(snakemake.input.black_white),
            Path(snakemake.input.rgb),
            Path(snakemake.output[0]),
            date=snakemake.wildcards.date,
            **job_arguments(snakemake.params) | {"site": Site(**snakemake.params.site)},
        )
