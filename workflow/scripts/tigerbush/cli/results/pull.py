"""Pull results into a zip: several files at a time, which are kept until the zip is complete."""

import hashlib
import re
import stat
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tigerbush.cli.results.storage import Item, Storage, read_pieces
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.files import atomic_write, write_error
from tigerbush.sources.retries import TRIES, request_with_retries
from tigerbush.spreadsheet import cell

MANIFEST = "manifest.tsv"
CONNECTIONS = 4
# the name of a part, and of one that is being written
_PART = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{40}\..*")
# already compressed
_STORED = (".png", ".tif", ".zip")


def pull(storage: Storage, items: Sequence[Item], target: Path, done: Callable[[Item], None]) -> None:
    """Pull files into a zip; files that an earlier attempt has pulled are kept.

    Parameters
    ----------
    storage : Storage
    items : sequence of Item
    target : Path
        The zip. A folder with the suffix `.part` beside it holds the files until the zip is complete.
    done : callable
        Called with each file that has been pulled.

    Raises
    ------
    TigerbushError, RemoteError
        When a file cannot be read, or differs from its checksum; the others are kept for the next attempt. Also when
        the zip or the folder of parts is a link.
    WriteError
        When the disk is full or not writable.
    """
    parts = target.with_name(f"{target.name}.part")
    _refuse_links(target, parts)
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(parts, error) from error

    def fetch(item: Item) -> None:
        part = parts / part_name(item)
        if not _is_complete(part, item):
            request_with_retries(lambda: _fetch(storage, item, part), _remote_error, TRIES)
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
    """Return the name of a file's part; it contains size and tag, so that a changed file is fetched again."""
    return hashlib.sha256(f"{item.name}\n{item.size}\n{item.tag}".encode()).hexdigest()


def _refuse_links(target: Path, parts: Path) -> None:
    for path in (target, parts):
        if path.is_symlink():
            raise TigerbushError(
                f"{path} is a link, and files are not written through links; give --zip another name."
            )
    if target.is_dir():
        raise TigerbushError(f"{target} is a folder; give --zip the name of a file.")


def _remote_error(error: Exception) -> RemoteError:
    """Return an error that may be transient, which is a sentence already; raise any other."""
    if isinstance(error, RemoteError):
        return error
    raise error


def _fetch(storage: Storage, item: Item, part: Path) -> None:
    with atomic_write(part) as temporary, temporary.open("wb") as file:
        for piece in _checked(storage.pieces(item), item):
            file.write(piece)


def _checked(pieces: Iterable[bytes], item: Item) -> Iterator[bytes]:
    """Pass on pieces, and check at the end that size and checksum are those of the listing.

    Raises
    ------
    RemoteError
        Because retrying may bring the right bytes.
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
        raise RemoteError(
            f"{item.name}: {more}{min(size, item.size)} bytes were received, {item.size} were expected"
        )
    if item.md5 and md5.hexdigest() != item.md5:
        raise RemoteError(f"{item.name}: the content differs from the checksum of the storage")


def _is_complete(part: Path, item: Item) -> bool:
    """Whether an earlier attempt has pulled a file, which is still the same in the storage."""
    try:
        # a link that somebody put there is not a part, wherever it leads
        if not stat.S_ISREG(part.lstat().st_mode):
            return False
        for _ in _checked(read_pieces(part), item):
            pass
    except (OSError, RemoteError):
        # missing, damaged or unreadable: it is fetched again
        return False
    return True


def _write_zip(path: Path, parts: Path, items: Sequence[Item]) -> None:
    lines = ["name\tsize\tsha256\n"]
    with zipfile.ZipFile(path, "w") as archive:
        for item in items:
            entry = zipfile.ZipInfo(item.name, time.localtime()[:6])
            entry.compress_type = zipfile.ZIP_STORED if item.name.endswith(_STORED) else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            # above 4 GB the entry needs a longer header, which is written first
            entry.file_size = item.size
            sha256 = hashlib.sha256()
            with archive.open(entry, "w") as file:
                for piece in read_pieces(parts / part_name(item)):
                    sha256.update(piece)
                    file.write(piece)
            lines.append(f"{cell(item.name)}\t{item.size}\t{sha256.hexdigest()}\n")
        archive.writestr(MANIFEST, "".join(lines))


def _remove(parts: Path) -> None:
    """Remove the parts, and their folder unless it contains anything else."""
    for path in parts.iterdir():
        if _PART.fullmatch(path.name):
            path.unlink()
    with suppress(OSError):
        parts.rmdir()
