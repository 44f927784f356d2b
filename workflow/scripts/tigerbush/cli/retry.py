"""Process the failed products again, also those that could not be read again, and what hangs on them; nothing else.

Further options go to snakemake and should be those of the run, for example:
./tigerbush retry --profile profiles/local --configfile config/local.yaml
"""

import argparse
from pathlib import Path

from tigerbush.cli.configuration import add_run_arguments, read_run_configuration, run_arguments
from tigerbush.cli.snakemake import snakemake
from tigerbush.errors import TigerbushError
from tigerbush.placeholder import failed_outputs, kept_results, record_path
from tigerbush.planning.tables import read_rows


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare which run it is."""
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Force the placeholders of failed products, and what is kept of those that could not be read again."""
    table = options.directory / read_run_configuration(options)["products"]
    if not table.exists():
        raise TigerbushError(f"{table} does not exist; run the workflow first, with the same options.")
    known = {row["product"] for row in read_rows(table)}
    # a product that a newer baseline replaced is in no plan any more
    results = options.directory / "results"
    failed = [path.relative_to(options.directory) for path in failed_outputs(results) if path.stem in known]
    if not failed:
        print(f"No product of {table} failed.")
        return 0
    kept = [path for path in kept_results(results) if path.stem in known]
    again = [path for path in failed if options.directory / path not in kept]
    if again:
        print(f"{len(again)} placeholder(s) of failed products:", *again, sep="\n  ")
    if kept:
        names = [path.relative_to(options.directory) for path in kept]
        print(f"{len(kept)} kept result(s) of products that could not be read again:", *names, sep="\n  ")
    for path in kept:
        # written again by a job that fails again
        record_path(path).unlink()
    scenes = any(path.parent.name == "scenes" for path in failed)
    sites = any(path.parent.name == "products" for path in failed)
    targets = ["scenes"] * scenes + ["all"] * (sites or not scenes)
    manifest = Path("results/scenes_mpi/manifest.json")
    if scenes and (options.directory / manifest).exists():
        # one MPI job makes all scenes: it runs again, and skips what is finished
        failed.append(manifest)
    # --forcerun takes every word up to the next option; what a run that ended at once left half made is made again, too
    forced = [
        "--forcerun",
        *map(str, failed),
        "--rerun-incomplete",
        *run_arguments(options),
    ]
    return snakemake([*targets, *forced, *rest])
