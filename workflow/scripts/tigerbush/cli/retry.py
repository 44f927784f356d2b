"""Process failed products again, and the results that depend on them; nothing else.

This includes products whose earlier results were kept because they could not be read again, and results that were
damaged after they were finished (./tigerbush doctor --results). Results of sites that are not in the table of sites are
passed over. Other options are passed on to snakemake, and so are targets, which come first; use those of the run. For
example:
./tigerbush retry --profile profiles/local --configfile config/local.yaml
"""

import argparse
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from snakemake.cli import get_argument_parser

from tigerbush.cli.configuration import add_run_arguments, read_run_configuration, run_arguments, sites_of
from tigerbush.cli.damage import damaged_outputs
from tigerbush.cli.snakemake import snakemake
from tigerbush.errors import TigerbushError
from tigerbush.placeholder import failed_outputs, kept_results, product_of, record_path
from tigerbush.planning.scenes import is_scene, scene_results
from tigerbush.planning.tables import read_products


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of the run."""
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Force placeholders of failed products, kept results of those that could not be read, and damaged results."""
    config = read_run_configuration(options)
    table = options.directory / config["products"]
    if not table.exists():
        raise TigerbushError(f"{table} does not exist; run the workflow first, with the same options.")
    results, sites = options.directory / "results", sites_of(config, options.directory)
    is_wanted = wanted_results(table, config)
    failed = [path.relative_to(options.directory) for path in failed_outputs(results)]
    failed = list(filter(is_wanted, failed))
    others = of_other_sites(failed, sites)
    failed = [path for path in failed if path not in others]
    damaged = damaged_outputs(options, [*failed, *others], is_wanted, with_sites=bool(sites))
    kept = [path for path in kept_results(results) if path.relative_to(options.directory) in failed]
    names = [path.relative_to(options.directory) for path in kept]
    of_no_site = (
        f"result(s) of sites that {config['sites'] or 'this configuration'} does not have, passed over:"
    )
    _print_paths(of_no_site, others)
    _print_paths("damaged result(s):", damaged)
    if not failed and not damaged:
        print(f"No product of {table} failed.")
        return 0
    _print_paths("placeholder(s) of failed products:", [path for path in failed if path not in names])
    _print_paths("kept result(s) of products that could not be read again:", names)
    for path in kept:
        # a job that fails again writes it again
        record_path(path).unlink()
    return _run_again(options, rest, failed, damaged, with_sites=bool(sites))


def _print_paths(title: str, paths: Collection[Path]) -> None:
    """Print the number of some paths and each of them; nothing when there are none."""
    if paths:
        print(f"{len(paths)} {title}", *paths, sep="\n  ")


def _run_again(
    options: argparse.Namespace,
    rest: list[str],
    failed: Collection[Path],
    damaged: Collection[Path],
    *,
    with_sites: bool,
) -> int:
    """Run snakemake with these results forced; return its exit status."""
    results = [*failed, *damaged]
    # without sites there are only scenes
    scenes = not with_sites or any(map(is_scene, results))
    of_sites = any(path.parent.name == "products" for path in failed) or not all(map(is_scene, damaged))
    targets = ["scenes"] * scenes + ["all"] * (with_sites and (of_sites or not scenes))
    manifest = Path("results/scenes_mpi/manifest.json")
    if scenes and (options.directory / manifest).exists():
        # one MPI job makes all scenes: it is run again, and skips finished ones
        results.append(manifest)
    # --forcerun takes every word up to the next option; incomplete outputs of a killed run are made again, too
    forced = ["--forcerun", *map(str, results), "--rerun-incomplete", *run_arguments(options)]
    if rest and get_argument_parser().parse_known_args(rest)[0].targets:
        return snakemake([*rest, *forced])
    return snakemake([*targets, *forced, *rest])


def wanted_results(table: Path, config: Mapping) -> Callable[[Path], bool]:
    """Return a function that tells whether a run wants a product's result, given its path in the working directory.

    Parameters
    ----------
    table : Path
        A product that was replaced by one of a newer baseline is not in the table, and not part of the run.
    config : mapping

    Raises
    ------
    TigerbushError
        When the table of products cannot be read.
    """
    products = read_products(table)
    scenes = scene_results(products, config)

    def is_wanted(path: Path) -> bool:
        return path in scenes if is_scene(path) else product_of(path) in products

    return is_wanted


def of_other_sites(results: Iterable[Path], sites: Collection[str]) -> list[Path]:
    """Return the results of products, such as `results/here/products/X.tif`, that belong to none of the sites."""
    return [path for path in results if len(path.parts) == 4 and path.parts[1] not in sites]
