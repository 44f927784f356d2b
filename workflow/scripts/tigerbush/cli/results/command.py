"""List the results of runs, or pull them into a zip: from a folder, an object store or Blob storage.

./tigerbush results list --container runs
./tigerbush results pull az://runs/sahel-2016 --zip sahel.zip --rgb --json

An interrupted pull resumes where it stopped. All files, also those of an earlier attempt, are compared with the
checksum of the storage (Content-MD5, or the ETag of a single-part upload). The zip appears only when it is complete;
manifest.tsv in it lists every file with its size and SHA-256. Links and unusual names are left out and reported. Names
that some systems cannot store are in the zip, and are reported too.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tigerbush.cli.results.names import RESULT, select_results, unportable
from tigerbush.cli.results.pull import pull
from tigerbush.cli.results.storage import Item, open_storage
from tigerbush.errors import TigerbushError

# the ends of the file names that each option selects
KINDS = {"rgb": ("/rgb.png",), "ndvi": ("/ndvi.png", "/bwndvi.png", "/ndvi.tif"), "json": (".json",)}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the action, and which results it is for."""
    command.add_argument("action", choices=("list", "pull"))
    command.add_argument(
        "place",
        nargs="?",
        metavar="FROM",
        help="az://container/run, s3://bucket/run or the working directory of a run (default: the current folder)",
    )
    command.add_argument("--container", help="Blob container: the same as az://CONTAINER")
    command.add_argument("--account", help="storage account (default: the one in config/azure.yaml)")
    command.add_argument("--endpoint-url", help="endpoint of an object store other than AWS")
    command.add_argument("--region", help="region of the object store")
    command.add_argument("--zip", type=Path, metavar="FILE", help="zip file to write (for pull)")
    for name, ends in KINDS.items():
        command.add_argument(
            f"--{name}", action="store_true", help=f"pull {', '.join(end.strip('/') for end in ends)} files"
        )
    command.add_argument("--all", action="store_true", help="pull everything (default: the same as --json)")


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """List or pull results."""
    if rest:
        raise TigerbushError(f"results does not know {' '.join(rest)!r}; see ./tigerbush results --help.")
    if options.container and options.place:
        raise TigerbushError("give either FROM or --container, not both; --container C is az://C.")
    address = f"az://{options.container}" if options.container else options.place or "."
    storage = open_storage(
        address, account=options.account, endpoint_url=options.endpoint_url, region=options.region
    )
    if options.action == "pull" and options.zip is None:
        raise TigerbushError("pull needs --zip FILE.")
    results, notes = select_results(storage.items())
    if options.action == "list":
        _print_table(results)
        _print_notes(notes, results)
        return 0
    kinds = tuple(KINDS) if options.all else [name for name in KINDS if getattr(options, name)] or ["json"]
    items = [item for item in results if options.all or is_of_kind(item.name, kinds)]
    if not items:
        _print_notes(notes, [])
        raise TigerbushError(f"{address} has no such results; see ./tigerbush results list {address}.")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(options.zip.name, total=sum(item.size for item in items))
        pull(storage, items, options.zip, lambda item: progress.advance(task, item.size))
    unchecked = sum(not item.md5 for item in items)
    print(f"{options.zip}: {len(items)} files, {sum(item.size for item in items) / 1e6:.1f} MB")
    print(f"compared with a checksum of the storage: {len(items) - unchecked}; without one: {unchecked}")
    _print_notes(notes, items)
    return 0


def _print_notes(notes: Sequence[str], items: Sequence[Item]) -> None:
    """Print what was left out, and which names cannot be unpacked on every system."""
    for line in (*notes, *unportable([item.name for item in items])):
        print(line)


def is_of_kind(name: str, kinds: Sequence[str]) -> bool:
    """Whether a result is of one of the kinds."""
    return name.endswith(tuple(end for kind in kinds for end in KINDS[kind]))


def _print_table(items: Sequence[Item]) -> None:
    rows: dict[tuple[str, str], list] = {}
    for item in items:
        match = RESULT.fullmatch(item.name)
        row = rows.setdefault((match["run"] or "", match["site"]), [set(), 0, 0])
        row[0] |= {match["date"]} - {None}
        row[1] += 1
        row[2] += item.size
    table = Table("run", "site", "dates", "files", "MB", box=box.SIMPLE)
    for column in table.columns[2:]:
        column.justify = "right"
    for (run_name, site), (dates, files, size) in sorted(rows.items()):
        table.add_row(run_name, site, str(len(dates)), str(files), f"{size / 1e6:.1f}")
    Console(soft_wrap=True).print(table)
