"""Remote files for GDAL: what it reads is fetched, once, and little more than that."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath

import rasterio
from rasterio.io import DatasetReader

from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.jp2 import check_codestream
from tigerbush.jp2_header import DamagedError
from tigerbush.planning.addresses import KEY
from tigerbush.raster import CACHE_BYTES, GDAL_ERRORS, ONE_THREAD, image_driver
from tigerbush.sources.store import Store, is_checksum

# What is fetched first, a header, and the least that one request fetches. To find a JPEG 2000 tile a
# decoder reads the 12 bytes at which each one before it begins (in buffers of 1 kB), so more is wasted.
HEAD_BYTES = 16384
LEAST_BYTES = 1024
# a file up to this size comes with one request, and its checksum can be compared
WHOLE_BYTES = 2_000_000
_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_CACHEMAX": CACHE_BYTES,
    **ONE_THREAD,
}


def checked_name(row: Mapping[str, str]) -> str:
    """Return the name of a file below its product's folder.

    Raises
    ------
    TigerbushError
        When the table was changed so that it leads out of that folder.
    """
    if not KEY.fullmatch(row["name"]):
        raise TigerbushError(
            f"files.tsv: name {row['name'][:120]!r} is not that of a file of a product; run ./tigerbush discover."
        )
    return row["name"]


def check_decodes(label: str, row: Mapping[str, str], content: bytes) -> None:
    """Decode a whole image whose ETag is no checksum, and check its codestream: what else could tell of damage.

    Raises
    ------
    RemoteError
        Because another try may bring the right bytes.
    """
    if is_checksum(row["etag"]) or PurePosixPath(row["name"]).suffix not in {".jp2", ".tif"}:
        return
    try:
        with (
            rasterio.Env(**ONE_THREAD),
            rasterio.MemoryFile(content) as file,
            file.open(driver=image_driver(row["name"])) as image,
        ):
            for _, window in image.block_windows(1):
                image.read(window=window)
        if row["name"].endswith(".jp2"):
            check_codestream(lambda start, length: content[start : start + length], len(content))
    except GDAL_ERRORS as error:
        raise RemoteError(f"{label}: what came does not decode ({error})") from error
    except DamagedError as error:
        raise RemoteError(f"{label}: what came is damaged: {error}") from error


class RemoteFile:
    """The parts of a remote file that were fetched.

    Attributes
    ----------
    trouble : Exception or None
        What was raised while GDAL was reading, which would not let it pass; nothing is fetched after it.
    """

    def __init__(self, store: Store, key: str, size: int, etag: str) -> None:
        self.size = size
        self.trouble: Exception | None = None
        self._store, self._key, self._etag = store, key, etag
        self._held: list[tuple[int, bytes]] = []
        if size <= WHOLE_BYTES:
            self._held.append((0, store.read(key, size, etag)))

    def read(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, less at the end of the file."""
        end = min(start + length, self.size)
        parts = []
        while start < end:
            first, content = self._span(start, end)
            parts.append(content[start - first : end - first])
            start += len(parts[-1])
        return b"".join(parts)

    def _span(self, start: int, end: int) -> tuple[int, bytes]:
        """Return a part that holds the byte `start`, and where it begins; fetch up to `end` if there is none."""
        for first, content in reversed(self._held):
            if first <= start < first + len(content):
                return first, content
        stop = max(end, start + (LEAST_BYTES if start else HEAD_BYTES))
        stop = min([stop, self.size, *(first for first, _ in self._held if first > start)])
        part = start, self._store.read_range(self._key, start, stop - start, self.size, self._etag)
        self._held.append(part)
        return part


class Cursor(io.RawIOBase):
    """A position in a remote file; GDAL opens several."""

    def __init__(self, file: RemoteFile) -> None:
        super().__init__()
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which fetches nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes; none when there was trouble."""
        content = b""
        if not self._file.trouble:
            try:
                content = self._file.read(self._position, self._file.size if size < 0 else size)
            except (TigerbushError, OSError) as error:
                self._file.trouble = error
        self._position += len(content)
        return content


@contextmanager
def open_remote(file: RemoteFile, name: str) -> Iterator[DatasetReader]:
    """Open a remote image with GDAL.

    Parameters
    ----------
    file : RemoteFile
    name : str
        Any name with the suffix of the format.

    Raises
    ------
    TigerbushError, RemoteError
        What happened while GDAL was reading.
    """

    def opener(path: str, mode: str = "rb", **_: object) -> Cursor:
        # GDAL also looks for files beside this one
        if PurePosixPath(path).name != name:
            raise FileNotFoundError(path)
        return Cursor(file)

    try:
        with (
            rasterio.Env(**_OPTIONS),
            rasterio.open(name, driver=image_driver(name), opener=opener) as image,
        ):
            yield image
    except Exception:
        if file.trouble:
            raise file.trouble from None
        raise
    if file.trouble:
        raise file.trouble
