"""How long a NetCDF file must be, by its own header: the NetCDF library reads what was cut off as zeros."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tigerbush.weather.formats import CLASSIC, HDF5

# bytes of the types 1 to 11: byte, char, short, int, float, double, and those of CDF-5
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
# more than any header holds; larger counts are damage
MOST = 2**31


def needed_size(path: Path) -> int | None:
    """Return the least size of a NetCDF file in bytes; None if its header does not say.

    Of a classic file (CDF-1, CDF-2 and CDF-5) the end of its last value, by the format specification of Unidata;
    of a NetCDF-4 file the end of file that the superblock of HDF5 gives.

    Raises
    ------
    ValueError
        When the header is damaged.
    """
    with path.open("rb") as file:
        magic = file.read(8)
        if magic == HDF5:
            return _end_of_hdf5(file.read(48))
        if magic[:4] not in CLASSIC:
            return None
        file.seek(4)
        try:
            return _ClassicHeader(file, version=magic[3]).end()
        except _CutHeaderError as error:
            return error.args[0]


def _end_of_hdf5(superblock: bytes) -> int | None:
    """Return the end-of-file address, after the signature; offsets of 8 bytes are what every writer uses."""
    version = superblock[0] if superblock else 255
    position = {0: 32, 1: 36, 2: 20, 3: 20}.get(version)
    if position is None or len(superblock) < position + 8:
        return None
    if superblock[5 if version < 2 else 1] != 8:
        return None
    return struct.unpack_from("<Q", superblock, position)[0]


class _CutHeaderError(Exception):
    """The header is not whole; the argument is the size in bytes that is needed to read on."""


class _ClassicHeader:
    """Reads the header of a classic NetCDF file."""

    def __init__(self, file: BinaryIO, version: int) -> None:
        self.file = file
        self.count_size = 8 if version == 5 else 4
        self.offset_size = 4 if version == 1 else 8

    def end(self) -> int | None:
        """Return where the last value ends; None while the file is being written (streaming)."""
        streaming = 2 ** (8 * self.count_size) - 1
        records = self._integer(self.count_size)
        lengths = self._list(self._dimension)
        self._list(self._attribute)
        variables = self._list(self._variable)
        if records == streaming:
            return None
        ends, steps = [self.file.tell()], []
        for dimensions, size, begin in variables:
            shape = [lengths[i] for i in dimensions]
            is_record = bool(shape) and shape[0] == 0
            for length in shape[1:] if is_record else shape:
                size *= length
            if is_record:
                steps.append((begin, size))
            elif size:
                ends.append(begin + size)
        # records of several variables are padded to 4 bytes each
        step = sum(-(-size // 4) * 4 for _, size in steps) if len(steps) > 1 else sum(s for _, s in steps)
        if records:
            ends += [begin + (records - 1) * step + size for begin, size in steps if size]
        return max(ends)

    def _integer(self, size: int) -> int:
        content = self.file.read(size)
        if len(content) < size:
            raise _CutHeaderError(self.file.tell() + size - len(content))
        return int.from_bytes(content, "big")

    def _count(self) -> int:
        count = self._integer(self.count_size)
        if count > MOST:
            raise ValueError("its header is damaged")
        return count

    def _list(self, read: Callable[[], Any]) -> list:
        """Read a tagged list, which may be absent."""
        self._integer(4)
        return [read() for _ in range(self._count())]

    def _skip(self, size: int) -> None:
        self.file.seek(-(-size // 4) * 4, 1)

    def _dimension(self) -> int:
        self._skip(self._count())
        return self._count()

    def _attribute(self) -> None:
        self._skip(self._count())
        size = self._type_size()
        self._skip(size * self._count())

    def _variable(self) -> tuple[list[int], int, int]:
        self._skip(self._count())
        dimensions = [self._count() for _ in range(self._count())]
        self._list(self._attribute)
        size = self._type_size()
        # of its values, which is not reliable above 4 GiB
        self._integer(self.count_size)
        return dimensions, size, self._integer(self.offset_size)

    def _type_size(self) -> int:
        size = TYPE_SIZES.get(self._integer(4))
        if size is None:
            raise ValueError("its header is damaged")
        return size
