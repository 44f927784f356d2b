"""Process the failed products again, and what hangs on them; nothing else.

Further options go to snakemake and should be those of the run, for example:
./tigerbush retry --profile profiles/local --configfile config/local.yaml
"""

import argparse
from pathlib import Path

from tigerbush.cli.snakemake import snakemake
from tigerbush.errors import TigerbushError
from tigerbush.failures import failed_outputs
from tigerbush.products import read_rows


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare where the run is."""
    command.add_argument(
        "--directory",
        "-d",
        type=Path,
        default=Path(),
        help="working directory of the run (default: this one)",
    )
    command.add_argument(
        "--products",
        type=Path,
        default=Path("results/products.tsv"),
        help="table of products, as in the configuration (default: %(default)s)",
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Force the placeholders of failed products."""
    table = options.directory / options.products
    if not table.exists():
        raise TigerbushError(
            f"{table} does not exist; run the workflow first, or name its table with --products."
        )
    known = {row["product"] for row in read_rows(table)}
    # a product that a newer baseline replaced is in no plan any more
    failed = [
        path.relative_to(options.directory)
        for path in failed_outputs(options.directory / "results")
        if path.stem in known
    ]
    if not failed:
        print(f"No product of {table} failed.")
        return 0
    print(f"{len(failed)} placeholder(s) of failed products:", *failed, sep="\n  ")
    scenes = any(path.parent.name == "scenes" for path in failed)
    sites = any(path.parent.name == "products" for path in failed)
    targets = ["scenes"] * scenes + ["all"] * (sites or not scenes)
    # --forcerun takes every word up to the next option
    forced = ["--forcerun", *map(str, failed), "--directory", str(options.directory)]
    return snakemake([*targets, *forced, *rest])
