"""List the products of the source and write products.tsv and files.tsv."""

from pathlib import Path

from tigerbush.job import job_log
from tigerbush.planning.tables import COLUMNS, FILE_COLUMNS, is_row, read_rows, write_table
from tigerbush.sources.listing import list_products


def has_results(product: str) -> bool:
    """Tell whether an earlier run has left results of a product on this disk."""
    return (
        any(Path("results").glob(f"*/products/{product}.tif"))
        or Path(f"results/scenes/{product}.tif").exists()
    )


def main(
    products: Path,
    files: Path,
    *,
    source: dict,
    sites: list[dict],
    period: tuple[str, str],
    connections: int,
    snap_masks: bool,
) -> None:
    old = [row for row in read_rows(products) if is_row(row)]
    rows, file_rows = list_products(
        source, sites, period, old, read_rows(files), connections, has_results, snap_masks
    )
    # files first, so that a table of products never lacks its table of files
    write_table(files, file_rows, FILE_COLUMNS)
    write_table(products, rows, COLUMNS)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.products),
            Path(snakemake.output.files),
            # allowed hosts do not change results, so they are not a parameter
            source=snakemake.config["source"] | snakemake.params.source,
            sites=snakemake.params.sites,
            period=snakemake.params.period,
            connections=snakemake.resources.connections,
            snap_masks=snakemake.params.get("scene.snap_masks", False),
        )
