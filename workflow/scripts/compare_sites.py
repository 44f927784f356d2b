"""Compare the sites in one table, with p-values adjusted for the false discovery rate."""

from pathlib import Path

from tigerbush.analysis.sites import compare, table_text
from tigerbush.files import read_json, write_bytes, write_json
from tigerbush.job import job_log


def main(analyses: list[Path], csv: Path, json: Path, *, fdr: dict) -> None:
    comparison = compare(map(read_json, analyses), **fdr)
    write_bytes(csv, table_text(comparison).encode())
    write_json(json, comparison)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.analyses],
            Path(snakemake.output.csv),
            Path(snakemake.output.json),
            fdr=snakemake.params.fdr,
        )
