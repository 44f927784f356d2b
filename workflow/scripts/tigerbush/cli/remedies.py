"""What helps against failed and damaged results: `retry` makes them again, discovery does, or nothing does."""

import argparse
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tigerbush.cli.configuration import sites_of, snakemake_arguments, stale_table
from tigerbush.cli.snakemake import read_snakemake
from tigerbush.cli.status.command import PLAN
from tigerbush.cli.status.records import is_discovering, read_jobs, wanted_windows
from tigerbush.errors import TigerbushError
from tigerbush.files import RECORD, read_json
from tigerbush.placeholder import is_window, product_of
from tigerbush.planning.chosen import choose_scenes
from tigerbush.planning.fingerprints import table_fingerprint
from tigerbush.planning.tables import read_products, read_rows
from tigerbush.verification import RECORD as CHECKED

RETRY, DISCOVER, COMPARE, DELETE, RESTORE = "retry", "discover", "compare", "delete", "restore"
# what to do about a damaged result
ADVICE = {
    RETRY: "./tigerbush retry makes it again",
    DISCOVER: "./tigerbush discover writes it again",
    COMPARE: "delete it, and the files of its product are compared with their checksums again",
    RESTORE: "its product is gone from the source: restore it, and run ./tigerbush discover and retry",
    DELETE: "this configuration does not make it: it is of another one, or left over",
}
_DISCOVER_FIRST = "run ./tigerbush discover with the same options first."
# of the scenes that one MPI job has made
MANIFEST = Path("results/scenes_mpi/manifest.json")
# what discovery writes beside the table of products
_FILES = "files.tsv"


def find_remedies(options: argparse.Namespace, config: Mapping, paths: Iterable[Path]) -> dict[Path, str]:
    """Return what helps against each failed or damaged result: a key of ADVICE.

    Parameters
    ----------
    options : namespace
        With the options of the run.
    config : mapping
    paths : iterable of Path
        Results, relative to the working directory of the run.

    Raises
    ------
    TigerbushError
        When it is not known what the run makes: it cannot be planned, or the products have to be listed first.
    """
    products = Path(config["products"])
    listed = {products, products.with_name(_FILES), table_fingerprint(products)}
    remedies = {
        path: DISCOVER if path in listed else COMPARE if path.name.endswith(CHECKED) else None
        for path in paths
    }
    if None not in remedies.values():
        return remedies
    if tables := [path for path in remedies if remedies[path] == DISCOVER]:
        raise TigerbushError(f"{options.directory / tables[0]} is damaged; {_DISCOVER_FIRST}")
    outputs = wanted_outputs(options, config)
    made = outputs | (_files_of_ranks(options.directory) if str(MANIFEST) in outputs else set())
    gone = {row["product"] for row in read_rows(options.directory / products) if row.get("gone")}
    return {path: remedy or _remedy(path, made, gone) for path, remedy in remedies.items()}


def _remedy(path: Path, made: Collection[str], gone: Collection[str]) -> str:
    """Return what helps against a result, given the files that the run makes and the products that are gone."""
    if not _is_made(path, made):
        return DELETE
    result = path.with_name(path.name.removesuffix(RECORD)) if is_window(path) else path
    return RESTORE if product_of(result) in gone else RETRY


def wanted_outputs(options: argparse.Namespace, config: Mapping) -> set[str]:
    """Return all files that the run makes for those of its targets that have results, finished or not.

    Raises
    ------
    TigerbushError
    """
    sites = sites_of(config, options.directory)
    table = options.directory / config["products"]
    if not table.exists():
        raise TigerbushError(f"{table} does not exist; {_DISCOVER_FIRST}")
    if stale := stale_table(config, sites, options.directory):
        raise TigerbushError(stale)
    targets = targets_with_results(options.directory, config, sites)
    jobs = read_jobs(read_snakemake([*targets, *snakemake_arguments(options)], PLAN))
    if is_discovering(jobs):
        raise TigerbushError(
            f"{table} is out of date: the next run lists the products of the source again; {_DISCOVER_FIRST}"
        )
    return set().union(*(job.outputs for job in jobs), wanted_windows(jobs))


def targets_with_results(directory: Path, config: Mapping, sites: Collection[str]) -> list[str]:
    """Return which of the targets `scenes` and `all` were made in a folder; the default one if none was."""
    results = directory / "results"
    has_sites = any((results / site).exists() for site in sites) or any(results.glob("windows/*"))
    has_scenes = any((results / "scenes").rglob("*.tif"))
    if sites and has_scenes:
        try:
            choose_scenes(read_products(directory / config["products"]), config)
        except TigerbushError:
            # all scenes are left over, and sites do not need any
            has_scenes = False
    targets = ["scenes"] * (has_scenes or not sites)
    return targets + ["all"] * bool(sites and (has_sites or not targets))


def targets_of(paths: Iterable[Path], sites: Collection[str], made: list[str]) -> list[str]:
    """Return the targets that results belong to; all that were made, where the results do not tell.

    Parameters
    ----------
    paths : iterable of Path
        Results, relative to the working directory.
    sites : collection of str
    made : list of str
        From `targets_with_results`.
    """
    targets = {_target_of(path, sites) for path in paths}
    return made if None in targets else [target for target in ("scenes", "all") if target in targets]


def _target_of(path: Path, sites: Collection[str]) -> str | None:
    """Return the target of a result; None for what either may have made, such as copies of products."""
    if path.parts[1] in {*sites, "analysis", "windows", "products_checked.txt"}:
        return "all"
    return "scenes" if path.parts[1] in {"scenes", MANIFEST.parent.name, "scenes_checked.txt"} else None


def _files_of_ranks(directory: Path) -> set[str]:
    """Return the scenes and masks that ranks of the last MPI job have written; no rule declares them."""
    try:
        manifest = read_json(directory / MANIFEST)
        folders = [directory / manifest[key] for key in ("folder", "mask_folder") if key in manifest]
        return {str(path.relative_to(directory)) for folder in folders for path in folder.glob("*.tif")}
    except (TigerbushError, FileNotFoundError, TypeError, ValueError):
        return set()


def _is_made(path: Path, outputs: Collection[str]) -> bool:
    """Tell whether a run makes a result, or the one that a record of a product that could not be read lies beside."""
    stem = path.name.removesuffix(RECORD)
    names = [path.name] if stem == path.name else [stem, f"{stem}.tif", f"{stem}.zip"]
    return any(str(path.with_name(name)) in outputs for name in names)
