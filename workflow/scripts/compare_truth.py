"""Compare the measured series of the sample with the simulated truth."""

from pathlib import Path

import numpy as np

from tigerbush.files import read_json, write_bytes, write_json
from tigerbush.job import job_log
from tigerbush.raster import read_raster
from tigerbush.report.overview import encode_figure
from tigerbush.sample.truth import compare_truth, truth_figure


def main(analysis: Path, truth: Path, ndvi: Path, out: Path, png: Path, svg: Path) -> None:
    with np.load(truth) as stored:
        # each access to the file decompresses the array again
        arrays = {name: stored[name] for name in ("product", "biomass", "ndvi")}
    compared = compare_truth(read_json(analysis), arrays, read_raster(ndvi).grid)
    write_json(out, compared)
    figure = truth_figure(compared)
    write_bytes(png, encode_figure(figure))
    write_bytes(svg, encode_figure(figure, "svg"))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.analysis),
            Path(snakemake.input.truth),
            Path(snakemake.input.ndvi[0]),
            *(Path(snakemake.output[name]) for name in ("truth", "png", "svg")),
        )
