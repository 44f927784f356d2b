"""List the products of the source and write products.tsv and files.tsv."""

from pathlib import Path

from tigerbush.files import job_log
from tigerbush.products import COLUMNS, FILE_COLUMNS, is_row, keep_gone, read_rows, write_table
from tigerbush.sources import list_local


def main(products: Path, files: Path, *, path: str, level: str | None) -> None:
    found, file_rows = list_local(Path(path), level)
    old = [row for row in read_rows(products) if is_row(row)]
    rows = keep_gone(old, found, Path(path), level)
    gone = {row["product"] for row in rows} - {row["product"] for row in found}
    file_rows += [row for row in read_rows(files) if row["product"] in gone]
    # the files first: a table of products is never without them
    write_table(files, file_rows, FILE_COLUMNS)
    write_table(products, rows, COLUMNS)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.products),
            Path(snakemake.output.files),
            path=snakemake.params.path,
            level=snakemake.params.level,
        )
