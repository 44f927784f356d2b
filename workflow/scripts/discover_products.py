"""List the products of the source and write products.tsv and files.tsv."""

from pathlib import Path

from tigerbush.files import job_log
from tigerbush.products import COLUMNS, FILE_COLUMNS, write_table
from tigerbush.sources import list_local


def main(products: Path, files: Path, *, path: str, level: str | None) -> None:
    product_rows, file_rows = list_local(Path(path), level)
    write_table(files, file_rows, FILE_COLUMNS)
    write_table(products, product_rows, COLUMNS)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(Path(snakemake.output.products), Path(snakemake.output.files), **snakemake.params)
