"""Process failed products again, and the results that depend on them; nothing else.

This includes products whose earlier results were kept because they could not be read again, and results that were
damaged after they were finished (./tigerbush doctor --results). Results of sites that are not in the table of sites are
passed over. Other options are passed on to snakemake, and so are targets, which come first; use those of the run. For
example:
./tigerbush retry --profile profiles/local --configfile config/local.yaml
"""

import argparse
from collections.abc import Collection, Iterable
from pathlib import Path

from snakemake.cli import get_argument_parser

from tigerbush.cli.configuration import add_run_arguments, read_run_configuration, run_arguments, sites_of
from tigerbush.cli.damage import damaged_outputs
from tigerbush.cli.snakemake import snakemake
from tigerbush.errors import TigerbushError
from tigerbush.placeholder import failed_outputs, kept_results, record_path
from tigerbush.planning.tables import read_rows


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of the run."""
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Force placeholders of failed products, kept results of those that could not be read, and damaged results."""
    config = read_run_configuration(options)
    table = options.directory / config["products"]
    if not table.exists():
        raise TigerbushError(f"{table} does not exist; run the workflow first, with the same options.")
    # a product that was replaced by one of a newer baseline is not part of the run
    known = {row["product"] for row in read_rows(table)}
    results = options.directory / "results"
    failed = [path.relative_to(options.directory) for path in failed_outputs(results) if path.stem in known]
    others = of_other_sites(failed, sites_of(config, options.directory))
    failed = [path for path in failed if path not in others]
    damaged = damaged_outputs(options, failed, known)
    kept = [path for path in kept_results(results) if path.relative_to(options.directory) in failed]
    names = [path.relative_to(options.directory) for path in kept]
    _print_paths(f"result(s) of sites that {config['sites']} does not have, passed over:", others)
    _print_paths("damaged result(s):", damaged)
    if not failed and not damaged:
        print(f"No product of {table} failed.")
        return 0
    _print_paths("placeholder(s) of failed products:", [path for path in failed if path not in names])
    _print_paths("kept result(s) of products that could not be read again:", names)
    for path in kept:
        # a job that fails again writes it again
        record_path(path).unlink()
    return _run_again(options, rest, failed, damaged)


def _print_paths(title: str, paths: Collection[Path]) -> None:
    """Print the number of some paths and each of them; nothing when there are none."""
    if paths:
        print(f"{len(paths)} {title}", *paths, sep="\n  ")


def _run_again(
    options: argparse.Namespace, rest: list[str], failed: Collection[Path], damaged: Collection[Path]
) -> int:
    """Run snakemake with these results forced; return its exit status."""
    results = [*failed, *damaged]
    scenes = any(path.parent.name == "scenes" for path in results)
    sites = any(path.parent.name == "products" for path in failed)
    sites = sites or any(path.parent.name != "scenes" for path in damaged)
    targets = ["scenes"] * scenes + ["all"] * (sites or not scenes)
    manifest = Path("results/scenes_mpi/manifest.json")
    if scenes and (options.directory / manifest).exists():
        # one MPI job makes all scenes: it is run again, and skips finished ones
        results.append(manifest)
    # --forcerun takes every word up to the next option; incomplete outputs of a killed run are made again, too
    forced = ["--forcerun", *map(str, results), "--rerun-incomplete", *run_arguments(options)]
    if rest and get_argument_parser().parse_known_args(rest)[0].targets:
        return snakemake([*rest, *forced])
    return snakemake([*targets, *forced, *rest])


def of_other_sites(results: Iterable[Path], sites: Collection[str]) -> list[Path]:
    """Return the results of products, such as `results/here/products/X.tif`, that belong to none of the sites."""
    return [path for path in results if len(path.parts) == 4 and path.parts[1] not in sites]
