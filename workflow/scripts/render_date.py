"""Draw the images of a date: NDVI as GeoTIFF; RGB, NDVI and black/white NDVI as PNG."""

from pathlib import Path

from tigerbush.files import write_bytes
from tigerbush.images import encode_png, render
from tigerbush.job import job_log, job_outputs
from tigerbush.raster import read_raster, write_raster


def main(
    composite: Path, ndvi: Path, rgb_image: Path, ndvi_image: Path, black_white: Path, *, mode: str
) -> None:
    rendered = render(read_raster(composite), mode)
    write_raster(ndvi, rendered.ndvi)
    write_bytes(rgb_image, encode_png(rendered.rgb))
    write_bytes(ndvi_image, encode_png(rendered.grey))
    write_bytes(black_white, encode_png(rendered.black_white))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.composite),
            **job_outputs(snakemake.output),
            mode=snakemake.params.mode,
        )
