"""Results into one zip: fetched piece by piece, several files at a time, kept until the zip is whole."""

import hashlib
import re
import stat
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tigerbush.cli.results.places import Item, Place, read_pieces
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.files import atomic_write, write_error
from tigerbush.sources.retries import TRIES, request_with_retries
from tigerbush.spreadsheet import escape_cell

MANIFEST = "manifest.tsv"
CONNECTIONS = 4
# the name of a part, and of one that was being written
_PART = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{40}\..*")
# images are compressed already
_STORED = (".png", ".tif", ".zip")


def pull(place: Place, items: Sequence[Item], target: Path, done: Callable[[Item], None]) -> None:
    """Fetch files into one zip; what an earlier try has fetched is kept.

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
        When a file cannot be read, or differs from its checksum; the others are kept for the next try. Also when the
        zip or the folder of parts is a link.
    WriteError
        When there is no room.
    """
    parts = target.with_name(f"{target.name}.part")
    _refuse_links(target, parts)
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(parts, error) from error

    def fetch(item: Item) -> None:
        part = parts / part_name(item)
        if not _is_whole(part, item):
            request_with_retries(lambda: _fetch(place, item, part), _as_it_is, TRIES)
        done(item)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        tasks = [pool.submit(fetch, item) for item in items]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    with atomic_write(target) as temporary:
        _write_zip(temporary, parts, items)
    _remove(parts)


def part_name(item: Item) -> str:
    """Return the name of a file's part: another size or tag is another file, so that what changed is fetched again."""
    return hashlib.sha256(f"{item.name}\n{item.size}\n{item.tag}".encode()).hexdigest()


def _refuse_links(target: Path, parts: Path) -> None:
    for path in (target, parts):
        if path.is_symlink():
            raise TigerbushError(
                f"{path} is a link, and nothing is written behind links; give --zip another name."
            )
    if target.is_dir():
        raise TigerbushError(f"{target} is a folder; give --zip the name of a file.")


def _as_it_is(error: Exception) -> TigerbushError | RemoteError:
    """Return an error of a place, which is a sentence already; what else there is passes."""
    if isinstance(error, RemoteError):
        return error
    raise error


def _fetch(place: Place, item: Item, part: Path) -> None:
    with atomic_write(part) as temporary, temporary.open("wb") as file:
        for piece in _checked(place.pieces(item), item):
            file.write(piece)


def _checked(pieces: Iterable[bytes], item: Item) -> Iterator[bytes]:
    """Pass pieces on; in the end they have to have the size and the checksum of the listing.

    Raises
    ------
    RemoteError
        Because another try may bring the right bytes.
    """
    size, md5 = 0, hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        size += len(piece)
        if size > item.size:
            break
        md5.update(piece)
        yield piece
    if size != item.size:
        more = "more than " * (size > item.size)
        raise RemoteError(f"{item.name}: {more}{min(size, item.size)} bytes came, {item.size} were expected")
    if item.md5 and md5.hexdigest() != item.md5:
        raise RemoteError(f"{item.name}: what came differs from the checksum that the store gives")


def _is_whole(part: Path, item: Item) -> bool:
    """Tell whether an earlier try has fetched a file, and it is still what the store has."""
    try:
        # a link that was put there is no part, wherever it leads
        if not stat.S_ISREG(part.lstat().st_mode):
            return False
        for _ in _checked(read_pieces(part), item):
            pass
    except (OSError, RemoteError):
        # not there, damaged, or not to be read: it is fetched again
        return False
    return True


def _write_zip(path: Path, parts: Path, items: Sequence[Item]) -> None:
    lines = ["name\tsize\tsha256\n"]
    with zipfile.ZipFile(path, "w") as archive:
        for item in items:
            entry = zipfile.ZipInfo(item.name, time.localtime()[:6])
            entry.compress_type = zipfile.ZIP_STORED if item.name.endswith(_STORED) else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            # beyond 4 GB the entry needs a longer header, which is written first
            entry.file_size = item.size
            sha256 = hashlib.sha256()
            with archive.open(entry, "w") as file:
                for piece in read_pieces(parts / part_name(item)):
                    sha256.update(piece)
                    file.write(piece)
            lines.append(f"{escape_cell(item.name)}\t{item.size}\t{sha256.hexdigest()}\n")
        archive.writestr(MANIFEST, "".join(lines))


def _remove(parts: Path) -> None:
    """Remove the parts, and their folder unless something else is in it."""
    for path in parts.iterdir():
        if _PART.fullmatch(path.name):
            path.unlink()
    with suppress(OSError):
        parts.rmdir()
