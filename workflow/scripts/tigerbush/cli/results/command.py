"""List the results of runs, or pull them into one zip: from a folder, an object store or Blob storage.

./tigerbush results list --container runs
./tigerbush results pull az://runs/sahel-2016 --zip sahel.zip --rgb --json

A pull that was interrupted goes on where it stopped. What comes, and what came before, is compared with the checksum
that the store keeps (Content-MD5, or the ETag of an upload in one part). The zip appears when it is whole; manifest.tsv
in it names every file with size and SHA-256. Links and names that are not plain are left out and named; so are names
that not every system can keep, which are in the zip nevertheless.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tigerbush.cli.results.names import RESULT, sort_out, unportable
from tigerbush.cli.results.places import Item, open_place
from tigerbush.cli.results.pull import pull
from tigerbush.errors import TigerbushError

# what each option takes, by the end of the name
KINDS = {"rgb": ("/rgb.png",), "ndvi": ("/ndvi.png", "/bwndvi.png", "/ndvi.tif"), "json": (".json",)}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare what to do, with which results."""
    command.add_argument("action", choices=("list", "pull"))
    command.add_argument(
        "place",
        nargs="?",
        metavar="FROM",
        help="az://container/run, s3://bucket/run or the working directory of a run (default: this folder)",
    )
    command.add_argument("--container", help="Blob container, for az://CONTAINER")
    command.add_argument("--account", help="storage account (default: that of config/azure.yaml)")
    command.add_argument("--endpoint-url", help="address of an object store other than AWS")
    command.add_argument("--region", help="of the object store")
    command.add_argument("--zip", type=Path, metavar="FILE", help="where pull writes")
    for name, ends in KINDS.items():
        command.add_argument(
            f"--{name}", action="store_true", help=f"pull {', '.join(end.strip('/') for end in ends)}"
        )
    command.add_argument("--all", action="store_true", help="pull everything (default: what --json takes)")


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """List or pull."""
    if rest:
        raise TigerbushError(f"results does not know {' '.join(rest)!r}; see ./tigerbush results --help.")
    if options.container and options.place:
        raise TigerbushError("give either an address or --container; --container C is az://C.")
    address = f"az://{options.container}" if options.container else options.place or "."
    place = open_place(
        address, account=options.account, endpoint_url=options.endpoint_url, region=options.region
    )
    if options.action == "pull" and options.zip is None:
        raise TigerbushError("pull needs --zip FILE.")
    found, left = sort_out(place.items())
    if options.action == "list":
        _list(found)
        _tell(left, found)
        return 0
    kinds = tuple(KINDS) if options.all else [name for name in KINDS if getattr(options, name)] or ["json"]
    items = [item for item in found if options.all or wanted(item.name, kinds)]
    if not items:
        _tell(left, [])
        raise TigerbushError(f"{address} has no such results; see ./tigerbush results list {address}.")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(options.zip.name, total=sum(item.size for item in items))
        pull(place, items, options.zip, lambda item: progress.advance(task, item.size))
    bare = sum(not item.md5 for item in items)
    print(f"{options.zip}: {len(items)} files, {sum(item.size for item in items) / 1e6:.1f} MB")
    print(f"compared with the checksum of the store: {len(items) - bare}; without one there: {bare}")
    _tell(left, items)
    return 0


def _tell(left: Sequence[str], items: Sequence[Item]) -> None:
    """Say what was left out, and which names cannot be unpacked everywhere."""
    for line in (*left, *unportable([item.name for item in items])):
        print(line)


def wanted(name: str, kinds: Sequence[str]) -> bool:
    """Whether a result is of one of the kinds."""
    return name.endswith(tuple(end for kind in kinds for end in KINDS[kind]))


def _list(items: Sequence[Item]) -> None:
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
