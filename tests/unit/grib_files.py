"""Messages of GRIB 1 and 2, written byte by byte (WMO Manual on Codes, FM 92): one field on a regular grid."""

import struct
from datetime import datetime, timedelta

import numpy as np

BITS = 32
# binary exponents of packed values: steps of 4e-9 m and 1e-6 K
EXPONENTS = {"tp": -28, "2t": -20}
GRIB1_PARAMETERS = {"tp": 228, "2t": 167}
GRIB2_PARAMETERS = {"tp": (1, 193), "2t": (0, 0)}
NORTH, WEST, STEP = 60.25, 9.75, 0.25


def message(name, start, values, *, hours=0, edition=1, north=NORTH, west=WEST, step=STEP, **details):
    """A field (rows from north to south, NaN is missing) that ends `hours` after `start`.

    `details`: `mean` (of GRIB2), `south_first`, `level` (of GRIB2: 2 metres instead of the surface) and `grid_type`.
    """
    values = np.atleast_2d(np.asarray(values, float))
    if details.get("south_first"):
        values = values[::-1]
    area = (*values.shape, north, west, step)
    write = _grib1 if edition == 1 else _grib2
    return write(name, datetime.fromisoformat(start), values, hours, area, details)


def _packed(name, values):
    """The bitmap (None without gaps) and the packed values, in steps of a power of two from 0."""
    valid = ~np.isnan(values).ravel()
    steps = np.rint(values.ravel()[valid] / 2.0 ** EXPONENTS[name]).astype(">u4")
    return None if valid.all() else np.packbits(valid).tobytes(), steps.tobytes()


def _signed(number, size):
    """A number with its sign in the first bit."""
    return (abs(number) | (number < 0) << (8 * size - 1)).to_bytes(size, "big")


def _grib1(name, start, values, hours, area, details):
    rows, columns, north, west, step = area
    south, east = north - (rows - 1) * step, west + (columns - 1) * step
    first, last = (south, north) if details.get("south_first") else (north, south)
    bitmap, packed = _packed(name, values)
    flags = 0x80 | (0x40 if bitmap else 0)
    # 4: accumulated from P1 to P2; 0: valid at the reference time
    product = struct.pack(">BBBBBBBH", 128, 98, 255, 255, flags, GRIB1_PARAMETERS[name], 1, 0)
    product += bytes([(start.year - 1) % 100 + 1, start.month, start.day, start.hour, start.minute])
    product += struct.pack(">BBBBHBBB", 1, 0, hours, 4 if hours else 0, 0, 0, (start.year - 1) // 100 + 1, 0)
    grid = struct.pack(">BBBHH", 0, 255, details.get("grid_type", 0), columns, rows)
    grid += _signed(round(first * 1000), 3) + _signed(round(west * 1000), 3) + b"\x80"
    grid += _signed(round(last * 1000), 3) + _signed(round(east * 1000), 3)
    grid += struct.pack(
        ">HHB4x", round(step * 1000), round(step * 1000), 64 if details.get("south_first") else 0
    )
    data = b"\0" + _signed(EXPONENTS[name], 2) + bytes(4) + bytes([BITS]) + packed
    sections = [product + bytes(2), grid]
    if bitmap:
        sections.append(bytes([len(bitmap) * 8 - values.size, 0, 0]) + bitmap)
    content = b"".join((len(section) + 3).to_bytes(3, "big") + section for section in [*sections, data])
    return b"GRIB" + (len(content) + 12).to_bytes(3, "big") + b"\x01" + content + b"7777"


def _grib2(name, start, values, hours, area, details):
    rows, columns, north, west, step = area
    south, east = north - (rows - 1) * step, west + (columns - 1) * step
    first, last = (south, north) if details.get("south_first") else (north, south)
    bitmap, packed = _packed(name, values)
    identification = struct.pack(">HHBBB", 98, 0, 4, 1, 1) + _time(start) + bytes([0, 2])
    grid = struct.pack(">BIBBH", 0, values.size, 0, 0, details.get("grid_type", 0)) + bytes([6, 255])
    grid += b"\xff" * 4 + (b"\xff" + b"\xff" * 4) * 2 + struct.pack(">IIII", columns, rows, 0, 0xFFFFFFFF)
    grid += _signed(round(first * 1e6), 4) + _signed(round(west % 360 * 1e6), 4) + b"\x30"
    grid += _signed(round(last * 1e6), 4) + _signed(round(east % 360 * 1e6), 4)
    grid += struct.pack(">IIB", round(step * 1e6), round(step * 1e6), 64 if details.get("south_first") else 0)
    level = (103, 0, 2) if details.get("level", name == "2t") else (1, 0, 0)
    template = 8 if hours else 0
    product = struct.pack(">HHBBBBBHBBI", 0, template, *GRIB2_PARAMETERS[name], 2, 255, 128, 0, 0, 1, 0)
    product += struct.pack(">BBIBBI", *level, 255, 255, 0xFFFFFFFF)
    if hours:
        statistic = 0 if details.get("mean") else 1
        product += _time(start + timedelta(hours=hours)) + struct.pack(">BI", 1, 0)
        product += struct.pack(">BBBIBI", statistic, 2, 1, hours, 255, 0)
    packing = struct.pack(">IHf", len(packed) // 4, 0, 0.0)
    packing += _signed(EXPONENTS[name], 2) + bytes([0, 0, BITS, 0])
    bits = b"\0" + bitmap if bitmap else b"\xff"
    sections = {1: identification, 3: grid, 4: product, 5: packing, 6: bits, 7: packed}
    content = b"".join(struct.pack(">IB", len(part) + 5, number) + part for number, part in sections.items())
    return b"GRIB\0\0\0\x02" + struct.pack(">Q", len(content) + 20) + content + b"7777"


def _time(time):
    return struct.pack(">HBBBBB", time.year, time.month, time.day, time.hour, time.minute, time.second)
