"""Remote files for GDAL: the bytes that it reads are fetched once, and few others."""

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

# Bytes fetched by the first request, for the header, and the minimum of each further one. To find a JPEG 2000 tile,
# a decoder reads the first 12 bytes of each tile before it (in buffers of 1 kB), so fetching more would be wasteful.
HEAD_BYTES = 16384
MIN_BYTES = 1024
# a file up to this size is fetched with one request, so that its checksum can be compared
WHOLE_FILE_BYTES = 2_000_000
_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_CACHEMAX": CACHE_BYTES,
    **ONE_THREAD,
}


def checked_name(row: Mapping[str, str]) -> str:
    """Return the name of a file relative to its product's folder.

    Raises
    ------
    TigerbushError
        When the name leads out of that folder, because the table was changed.
    """
    if not KEY.fullmatch(row["name"]):
        raise TigerbushError(
            f"files.tsv: {row['name'][:120]!r} is not the name of a file in a product; run ./tigerbush discover."
        )
    return row["name"]


def check_decodes(label: str, row: Mapping[str, str], content: bytes) -> None:
    """Decode a whole image and check its codestream, which detects damage when its ETag is not a checksum.

    Raises
    ------
    RemoteError
        Because a retry may bring the right bytes.
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
        raise RemoteError(f"{label}: the data received cannot be decoded ({error})") from error
    except DamagedError as error:
        raise RemoteError(f"{label}: the data received are damaged: {error}") from error


class RemoteFile:
    """A remote file, of which the parts already fetched are kept.

    Attributes
    ----------
    error : Exception or None
        Error raised while GDAL was reading, which GDAL itself does not pass on; nothing more is fetched after it.
    """

    def __init__(self, store: Store, key: str, size: int, etag: str) -> None:
        self.size = size
        self.error: Exception | None = None
        self._store, self._key, self._etag = store, key, etag
        self._parts: list[tuple[int, bytes]] = []
        if size <= WHOLE_FILE_BYTES:
            self._parts.append((0, store.read(key, size, etag)))

    def read(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, fewer at the end of the file."""
        end = min(start + length, self.size)
        pieces = []
        while start < end:
            first, content = self._part_at(start, end)
            pieces.append(content[start - first : end - first])
            start += len(pieces[-1])
        return b"".join(pieces)

    def _part_at(self, start: int, end: int) -> tuple[int, bytes]:
        """Return the part that contains the byte `start`, and its position; fetch up to `end` if there is none."""
        for first, content in reversed(self._parts):
            if first <= start < first + len(content):
                return first, content
        stop = max(end, start + (MIN_BYTES if start else HEAD_BYTES))
        stop = min([stop, self.size, *(first for first, _ in self._parts if first > start)])
        part = start, self._store.read_range(self._key, start, stop - start, self.size, self._etag)
        self._parts.append(part)
        return part


class RemoteFiles:
    """The remote files of a product, of which windows of several sites are read one after the other."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._files: dict[str, RemoteFile] = {}
        self._contents: dict[str, bytes] = {}

    def open(self, row: Mapping[str, str]) -> RemoteFile:
        """Return a file of a row of files.tsv, with the parts that were fetched before."""
        key = row["key"]
        if key not in self._files:
            # 0: the server gave no size when the product was listed
            size = int(row["size"]) or self.store.size_of(key)
            self._files[key] = RemoteFile(self.store, key, size, row["etag"])
        return self._files[key]

    def forget(self, row: Mapping[str, str]) -> None:
        """Have a file fetched again, after an error."""
        self._files.pop(row["key"], None)

    def content(self, row: Mapping[str, str]) -> bytes:
        """Return the content of a whole file."""
        key = row["key"]
        if key not in self._contents:
            self._contents[key] = self.store.read(key, int(row["size"]) or None, row["etag"])
        return self._contents[key]


class Cursor(io.RawIOBase):
    """A position in a remote file, of which GDAL opens several."""

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
        """Move to a position without fetching anything."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes; none after an error."""
        content = b""
        if not self._file.error:
            try:
                content = self._file.read(self._position, self._file.size if size < 0 else size)
            except (TigerbushError, OSError) as error:
                self._file.error = error
        self._position += len(content)
        return content


@contextmanager
def open_remote(file: RemoteFile, name: str) -> Iterator[DatasetReader]:
    """Open a remote image with GDAL.

    Parameters
    ----------
    file : RemoteFile
    name : str
        Any name with the suffix of the image's format.

    Raises
    ------
    TigerbushError, RemoteError
        The error that was raised while GDAL was reading.
    """

    def opener(path: str, mode: str = "rb", **_: object) -> Cursor:
        # GDAL also looks for sidecar files
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
        if file.error:
            raise file.error from None
        raise
    if file.error:
        raise file.error
