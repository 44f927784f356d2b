"""List the results of runs, or pull them into one zip: from a folder, an object store or Blob storage.

./tigerbush results list --container runs
./tigerbush results pull az://runs/sahel-2016 --zip sahel.zip --rgb --json

A pull that was interrupted goes on where it stopped. What comes, and what came before, is compared with the checksum
that the store keeps (Content-MD5, or the ETag of an upload in one part). The zip appears when it is whole; manifest.tsv
in it names every file with size and SHA-256.
"""

import argparse
import hashlib
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tigerbush.cli.result_places import Item, Place, open_place
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.files import replacing, write_bytes
from tigerbush.remote import KEY, LONGEST_KEY, check_content
from tigerbush.spreadsheet import cell

# what each option takes, by the end of the name
KINDS = {"rgb": ("/rgb.png",), "ndvi": ("/ndvi.png", "/bwndvi.png", "/ndvi.tif"), "json": (".json",)}
MANIFEST = "manifest.tsv"
CONNECTIONS = 4
# readings of a file that differs from its checksum
TRIES = 3
_NAME = re.compile(
    r"(?:(?P<run>.+)/)?results/(?P<site>[A-Za-z0-9][\w-]*)/(?:(?P<date>\d{4}-\d\d-\d\d)/)?[^/].*"
)


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
    if options.action == "list":
        _list(safe(place.items()))
        return 0
    if options.zip is None:
        raise TigerbushError("pull needs --zip FILE.")
    kinds = tuple(KINDS) if options.all else [name for name in KINDS if getattr(options, name)] or ["json"]
    items = [item for item in safe(place.items()) if options.all or wanted(item.name, kinds)]
    if not items:
        raise TigerbushError(f"{address} has no such results; see ./tigerbush results list {address}.")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(options.zip.name, total=sum(item.size for item in items))
        pull(place, items, options.zip, lambda item: progress.advance(task, item.size))
    bare = sum(not item.md5 for item in items)
    print(f"{options.zip}: {len(items)} files, {sum(item.size for item in items) / 1e6:.1f} MB")
    print(f"compared with the checksum of the store: {len(items) - bare}; without one there: {bare}")
    return 0


def safe(items: Iterable[Item]) -> list[Item]:
    """Return results whose names are plain and lead nowhere else; names come from outside."""
    return [
        item
        for item in items
        if len(item.name) <= LONGEST_KEY and KEY.fullmatch(item.name) and _NAME.fullmatch(item.name)
    ]


def wanted(name: str, kinds: Sequence[str]) -> bool:
    """Whether a result is of one of the kinds."""
    return name.endswith(tuple(end for kind in kinds for end in KINDS[kind]))


def pull(place: Place, items: Sequence[Item], target: Path, done: Callable[[Item], None]) -> None:
    """Fetch files into one zip, several at a time; what an earlier try has fetched is kept.

    Parameters
    ----------
    place : Place
    items : sequence of Item
    target : Path
        The zip. Beside it, `.part` holds what is there until it is whole.
    done : callable
        Told each file that is there.

    Raises
    ------
    TigerbushError, RemoteError
        When a file cannot be read, or differs from its checksum; the others are kept for the next try.
    WriteError
        When there is no room.
    """
    parts = target.with_name(f"{target.name}.part")
    parts.mkdir(parents=True, exist_ok=True)

    def fetch(item: Item) -> None:
        part = parts / _part_name(item)
        if not _is_whole(part, item):
            write_bytes(part, _read(place, item))
        done(item)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        tasks = [pool.submit(fetch, item) for item in items]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    with replacing(target) as temporary:
        _write_zip(temporary, parts, items)
    shutil.rmtree(parts)


def _is_whole(part: Path, item: Item) -> bool:
    """Tell whether an earlier try has fetched a file, and it is still what the store has."""
    try:
        check_content(item.name, part.read_bytes(), item.size, item.md5)
    except (FileNotFoundError, RemoteError):
        return False
    return True


def _read(place: Place, item: Item) -> bytes:
    """Read a file, again when it differs from its checksum."""
    for attempt in range(1, TRIES + 1):
        content = place.read(item)
        try:
            check_content(item.name, content, item.size, item.md5)
            return content
        except RemoteError:
            if attempt == TRIES:
                raise
    raise AssertionError("not reached")


def _part_name(item: Item) -> str:
    # another size or tag is another file, so that what changed is fetched again
    return hashlib.sha256(f"{item.name}\n{item.size}\n{item.tag}".encode()).hexdigest()


def _write_zip(path: Path, parts: Path, items: Sequence[Item]) -> None:
    lines = ["name\tsize\tsha256\n"]
    with zipfile.ZipFile(path, "w") as archive:
        for item in items:
            content = (parts / _part_name(item)).read_bytes()
            # images are compressed already
            method = (
                zipfile.ZIP_STORED if item.name.endswith((".png", ".tif", ".zip")) else zipfile.ZIP_DEFLATED
            )
            archive.writestr(item.name, content, compress_type=method)
            lines.append(f"{cell(item.name)}\t{item.size}\t{hashlib.sha256(content).hexdigest()}\n")
        archive.writestr(MANIFEST, "".join(lines))


def _list(items: Sequence[Item]) -> None:
    rows: dict[tuple[str, str], list] = {}
    for item in items:
        match = _NAME.fullmatch(item.name)
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
