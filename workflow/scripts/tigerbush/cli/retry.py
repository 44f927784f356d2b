"""Process failed products again, and the results that depend on them; nothing else.

This includes products whose earlier results were kept because they could not be read again, and results that were
damaged after they were finished (./tigerbush doctor --results). Results that the configuration does not want, of other
sites or dates, are passed over. Other options are passed on to snakemake, and so are targets, which come first; use
those of the run. For example:
./tigerbush retry --profile profiles/local --configfile config/local.yaml
"""

import argparse
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from snakemake.cli import get_argument_parser

from tigerbush.bundle import Entry, forget, index_text, read_index
from tigerbush.cli.configuration import add_run_arguments, read_run_configuration, run_arguments, sites_of
from tigerbush.cli.damage import damaged_results
from tigerbush.cli.remedies import (
    COMPARE,
    DELETE,
    DISCOVER,
    MANIFEST,
    RESTORE,
    RETRY,
    find_remedies,
    targets_of,
    targets_with_results,
)
from tigerbush.cli.snakemake import snakemake
from tigerbush.errors import TigerbushError
from tigerbush.files import RECORD, write_bytes
from tigerbush.placeholder import failed_outputs, is_window, kept_results, product_of, record_path

# of files that would keep a run from making results again
_ASIDE = ".aside"
# of results that are not made again
_TITLES = {
    RESTORE: "result(s) whose product is gone from the source; restore it, and run ./tigerbush discover:",
    DELETE: "result(s) that this configuration does not want, passed over:",
    DISCOVER: "damaged file(s) that ./tigerbush discover writes again:",
    COMPARE: "damaged record(s) of files that were compared with their checksums; delete them:",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of the run."""
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Force placeholders of failed products, kept results of those that could not be read, and damaged results."""
    config = read_run_configuration(options)
    table, directory = options.directory / config["products"], options.directory
    if not table.exists():
        raise TigerbushError(f"{table} does not exist; run the workflow first, with the same options.")
    restore_aside(directory / "results")
    failed = [path.relative_to(directory) for path in failed_outputs(directory / "results")]
    damaged = damaged_besides(directory, failed)
    remedies = find_remedies(options, config, [*failed, *damaged])
    for remedy, title in _TITLES.items():
        _print_paths(title, [path for path in remedies if remedies[path] == remedy])
    failed, damaged = ([path for path in paths if remedies[path] == RETRY] for paths in (failed, damaged))
    kept = [path for path in kept_results(directory / "results") if path.relative_to(directory) in failed]
    names = [path.relative_to(directory) for path in kept]
    _print_paths("damaged result(s):", damaged)
    if not failed and not damaged:
        if RESTORE not in remedies.values():
            print(f"No product of {table} failed.")
        return 0
    _print_paths("placeholder(s) of failed products:", [path for path in failed if path not in names])
    _print_paths("kept result(s) of products that could not be read again:", names)
    # ranks take a scene that they find for finished
    of_ranks = [directory / path for path in damaged if path.parent.is_relative_to(MANIFEST.parent)]
    aside = {record_path(path): path for path in kept} | {
        path: path for path in of_ranks if path.suffix == ".tif"
    }
    windows = [path for path in (*failed, *damaged) if is_window(path)]
    with put_aside(aside), forgotten(directory, windows):
        return _run_again(options, rest, config, [*failed, *damaged])


def damaged_besides(directory: Path, failed: Collection[Path]) -> list[Path]:
    """Return the damaged results of a working directory that are not known to have failed, relative to it."""
    damaged = []
    for found in damaged_results(directory / "results"):
        path = found.relative_to(directory)
        kept = {path.with_name(path.name.replace(RECORD, suffix)) for suffix in (".tif", ".zip", "")}
        if not {path, *kept} & set(failed):
            damaged.append(path)
    return damaged


def restore_aside(results: Path) -> None:
    """Give files that a killed retry has put aside their names back, unless they have been written again."""
    for path in results.rglob(f".*{_ASIDE}"):
        name = path.with_name(path.name.removeprefix(".").removesuffix(_ASIDE))
        path.unlink() if name.exists() else path.rename(name)


@contextmanager
def put_aside(files: Mapping[Path, Path]) -> Iterator[None]:
    """Put files aside that would keep a run from making results again; those of results that it has not made come back.

    Parameters
    ----------
    files : mapping of Path to Path
        Each with its result: damaged files of ranks themselves; and records of results that were kept, with which
        `on_gone: keep` leaves these as they are. A job that fails again writes a new one.
    """
    aside = {path: path.with_name(f".{path.name}{_ASIDE}") for path in files}
    before = {}
    try:
        for path, result in files.items():
            path.rename(aside[path])
            before[path] = _state(result)
        yield
    finally:
        for path, state in before.items():
            if _state(files[path]) == state and not path.exists():
                aside[path].rename(path)
            aside[path].unlink(missing_ok=True)


@contextmanager
def forgotten(directory: Path, windows: Iterable[Path]) -> Iterator[None]:
    """Have windows made again, by the indexes of their bundles; those that the run has not made are as before.

    Parameters
    ----------
    directory : Path
        The working directory.
    windows : iterable of Path
        As `failed_outputs` names them, relative to it.
    """
    sites: dict[Path, set[str]] = {}
    for path in windows:
        for index in _indexes(directory / path.parent):
            sites.setdefault(index, set()).add(path.name)
    before = {index: read_index(index.read_bytes()) for index in sites}
    try:
        for index, names in sites.items():
            _write_index(index, forget(before[index], names))
        yield
    finally:
        for index, entries in before.items():
            now = read_index(index.read_bytes())
            undone = {
                site: entries[site] for site, entry in now.items() if not entry.made and site in entries
            }
            if undone:
                _write_index(index, now | undone)


def _write_index(index: Path, entries: Mapping[str, Entry]) -> None:
    """Write an index with its former time, so that no date seems older than its windows."""
    state = index.stat()
    write_bytes(index, index_text(entries).encode())
    os.utime(index, ns=(state.st_atime_ns, state.st_mtime_ns))


def _state(path: Path) -> list[tuple[int, int]]:
    """Return what changes when a file is written again, or the index of a window; nothing if there is none."""
    files = [path] if path.exists() else _indexes(path.parent) if is_window(path) else []
    return [(state.st_size, state.st_mtime_ns) for state in (file.stat() for file in files)]


def _indexes(folder: Path) -> list[Path]:
    """List the indexes of the bundles in a folder."""
    return [path for path in sorted(folder.glob("*.json")) if not path.name.endswith(RECORD)]


def _print_paths(title: str, paths: Collection[Path]) -> None:
    """Print the number of some paths and each of them; nothing when there are none."""
    if paths:
        print(f"{len(paths)} {title}", *paths, sep="\n  ")


def _run_again(options: argparse.Namespace, rest: list[str], config: Mapping, results: list[Path]) -> int:
    """Run snakemake with these results forced; return its exit status."""
    sites = sites_of(config, options.directory)
    products = {product_of(path) for path in results if path.suffix == ".tif" or is_window(path)}
    # the copy of a product is made again for its image
    purposeful = [path for path in results if path.suffix != ".zip" or path.stem not in products]
    targets = targets_of(purposeful, sites, targets_with_results(options.directory, config, sites))
    if "scenes" in targets and (options.directory / MANIFEST).exists():
        # one MPI job makes all scenes, in files that no rule declares: it is run again, and skips finished ones
        results = [*(path for path in results if not path.is_relative_to(MANIFEST.parent)), MANIFEST]
    # windows are no files, and are made by their indexes
    files = [str(path) for path in results if not is_window(path)]
    # --forcerun takes every word up to the next option; incomplete outputs of a killed run are made again, too
    forced = [*(["--forcerun", *files] if files else []), "--rerun-incomplete", *run_arguments(options)]
    if rest and get_argument_parser().parse_known_args(rest)[0].targets:
        return snakemake([*rest, *forced])
    return snakemake([*targets, *forced, *rest])
