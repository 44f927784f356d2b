"""The messages of a GRIB file: whether all are whole, on one regular grid. GDAL passes over what is damaged."""

import mmap
from collections.abc import Iterator
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.weather.formats import refuse_cut_file

GRID_TYPES = {4: "Gaussian", 10: "rotated", 50: "of spherical harmonics"}
GRID_TEMPLATES = {1: "rotated", 40: "Gaussian", 50: "of spherical harmonics"}
END = b"7777"
# a length of GRIB1 with this bit counts units of 120 bytes: ECMWF's way for messages above 8 MB
LARGE, UNITS = 0x800000, 120


def check_messages(path: Path) -> None:
    """Refuse a GRIB file with messages that are cut or damaged, on several grids, or not on a regular one.

    Raises
    ------
    TigerbushError
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        grids = set()
        for start, end in _messages(content):
            if end > len(content):
                refuse_cut_file(path, end)
            if content[end - 4 : end] != END:
                raise TigerbushError(
                    f"{path}: the GRIB message at byte {start} does not end where its length says; the file is "
                    "damaged: compare it with the original."
                )
            grids.add(_grid_definition(content, start))
    if len(grids) > 1:
        raise TigerbushError(f"{path} has messages on {len(grids)} different grids; keep those of one grid.")
    if kind := next(iter(grids))[0]:
        raise TigerbushError(
            f"{path} is not on a regular grid of latitude and longitude ({kind}); regrid it."
        )


def _messages(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield where each message begins and ends."""
    start = content.find(b"GRIB")
    while start >= 0:
        end = start + _length(content, start)
        yield start, end
        start = content.find(b"GRIB", end)


def _number(content: mmap.mmap, start: int, size: int) -> int:
    return int.from_bytes(content[start : start + size], "big")


def _length(content: mmap.mmap, start: int) -> int:
    """Return the length of a message in bytes; at least that of its first section."""
    if content[start + 7 : start + 8] == b"\x02":
        return max(_number(content, start + 8, 8), 16)
    length = _number(content, start + 4, 3)
    if length & LARGE and (of_data := _length_of_data(content, start)) < UNITS:
        # the length of the data section then says how much of the last unit is not used
        length = (length & ~LARGE) * UNITS - of_data + len(END)
    return max(length, 8)


def _length_of_data(content: mmap.mmap, start: int) -> int:
    """Return the length of section 4 of a message of GRIB1, after those that may be absent."""
    position = _after_first_section(content, start)
    flags = content[start + 15]
    for flag in (0x80, 0x40):
        if flags & flag:
            position += _number(content, position, 3)
    return _number(content, position, 3)


def _after_first_section(content: mmap.mmap, start: int) -> int:
    return start + 8 + _number(content, start + 8, 3)


def _grid_definition(content: mmap.mmap, start: int) -> tuple[str | None, bytes]:
    """Return what is irregular about the grid of a message, and the section that defines it."""
    if content[start + 7] == 2:
        position = start + 16
        # sections begin with their length and number
        while content[position + 4] != 3 and content[position : position + 4] != END:
            position += max(_number(content, position, 4), 5)
        size, kinds = _number(content, position, 4), GRID_TEMPLATES
        kind = _number(content, position + 12, 2)
    else:
        position = _after_first_section(content, start)
        if not content[start + 15] & 0x80:
            # one of the grids that a number stands for
            return None, content[start + 14 : start + 15]
        size, kinds = _number(content, position, 3), GRID_TYPES
        kind = content[position + 5]
    return kinds.get(kind, f"of type {kind}") if kind else None, content[position : position + size]
