"""Put the images of each used sub-image of a date into one zip, under pyveg's names."""

import zipfile
from pathlib import Path

from tigerbush.files import atomic_write
from tigerbush.images import encode_png, read_png
from tigerbush.job import job_arguments, job_log
from tigerbush.site import Site
from tigerbush.sites.date import read_date


def main(
    ndvi: Path, ndvi_image: Path, black_white: Path, rgb: Path, out: Path, *, date: str, **selection
) -> None:
    images = read_date(ndvi, black_white, rgb, **selection)
    kinds = {"RGB": images.rgb, "NDVI": read_png(ndvi_image), "BWNDVI": images.black_white}
    with atomic_write(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for number, (part, _) in enumerate(images.parts):
            prefix = f"sub{number}_{part.longitude:.3f}_{part.latitude:.3f}_{date}"
            for kind, image in kinds.items():
                # a fixed time stamp, so that the same images give the same bytes
                entry = zipfile.ZipInfo(f"{prefix}_{kind}.png", (1980, 1, 1, 0, 0, 0))
                archive.writestr(entry, encode_png(image[part.rows, part.columns]))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.ndvi),
            Path(snakemake.input.ndvi_image),
            Path(snakemake.input.black_white),
            Path(snakemake.input.rgb),
            Path(snakemake.output[0]),
            date=snakemake.wildcards.date,
            **job_arguments(snakemake.params) | {"site": Site(**snakemake.params.site)},
        )
