"""Decode windows of JPEG 2000 images: only the tiles that they touch are read, only the code blocks are decoded.

GDAL and what is built on it decode whole tiles, of 1024 pixels in Sentinel-2 products. OpenJPEG itself can leave out
the code blocks outside a window (`opj_set_decode_area`); it is called as a shared library, the one that rasterio's
wheel carries, so that the pixels are those of GDAL. `glymur` binds OpenJPEG as well, but reads files only, not the
bytes of an archive or of a remote file, and the headers of all tiles.
"""

import ctypes
import ctypes.util
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tigerbush.jp2 import tile_parts
from tigerbush.jp2_header import (
    SOT,
    DamagedError,
    Header,
    Read,
    find_codestream,
    marker_segments,
    read_header,
)

# pixels of a window up to which leaving out code blocks pays
MOST_PIXELS = 4_000_000
# more are no image of a product, and might be meant to exhaust the memory
MOST_BANDS, MOST_TILES = 64, 65535
# OpenJPEG's codec of a codestream without boxes
_CODESTREAM = 0
# larger than `opj_dparameters_t` of any version
_PARAMETERS = 1 << 14
# bytes that OpenJPEG asks for at once
_BUFFER = 1 << 20
_SIZ, _EOC = 0xFF51, b"\xff\xd9"
# of markers that list all tiles: TLM, PLM
_LISTS = {0xFF55, 0xFF57}
_END = ctypes.c_size_t(-1).value


class _Component(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("dx", "dy", "w", "h", "x0", "y0", "prec", "bpp", "sgnd")),
        ("resno_decoded", ctypes.c_uint32),
        ("factor", ctypes.c_uint32),
        ("data", ctypes.POINTER(ctypes.c_int32)),
        ("alpha", ctypes.c_uint16),
    )


class _Image(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("x0", "y0", "x1", "y1", "numcomps")),
        ("color_space", ctypes.c_int),
        ("comps", ctypes.POINTER(_Component)),
        ("icc_profile_buf", ctypes.c_void_p),
        ("icc_profile_len", ctypes.c_uint32),
    )


_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
_READ = ctypes.CFUNCTYPE(_SIZE, _POINTER, _SIZE, _POINTER)
_SKIP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, _POINTER)
_SEEK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, _POINTER)
_IMAGE = ctypes.POINTER(_Image)
# result and arguments of the functions of openjpeg.h
_FUNCTIONS = {
    "opj_create_decompress": (_POINTER, [ctypes.c_int]),
    "opj_destroy_codec": (None, [_POINTER]),
    "opj_set_default_decoder_parameters": (None, [_POINTER]),
    "opj_setup_decoder": (ctypes.c_int, [_POINTER, _POINTER]),
    "opj_stream_create": (_POINTER, [_SIZE, ctypes.c_int]),
    "opj_stream_destroy": (None, [_POINTER]),
    "opj_stream_set_read_function": (None, [_POINTER, _READ]),
    "opj_stream_set_skip_function": (None, [_POINTER, _SKIP]),
    "opj_stream_set_seek_function": (None, [_POINTER, _SEEK]),
    "opj_stream_set_user_data": (None, [_POINTER, _POINTER, _POINTER]),
    "opj_stream_set_user_data_length": (None, [_POINTER, ctypes.c_uint64]),
    "opj_read_header": (ctypes.c_int, [_POINTER, _POINTER, ctypes.POINTER(_IMAGE)]),
    "opj_set_decode_area": (ctypes.c_int, [_POINTER, _IMAGE, *4 * [ctypes.c_int32]]),
    "opj_decode": (ctypes.c_int, [_POINTER, _POINTER, _IMAGE]),
    "opj_image_destroy": (None, [_IMAGE]),
}


@cache
def library() -> ctypes.CDLL | None:
    """Return OpenJPEG 2.3 or later, which can decode windows: of rasterio's wheel or of the system, None if neither."""
    for path in _libraries():
        try:
            opened = ctypes.CDLL(path)
            opened.opj_version.restype = ctypes.c_char_p
            if tuple(map(int, opened.opj_version().split(b".")[:2])) < (2, 3):
                continue
            for name, (result, arguments) in _FUNCTIONS.items():
                function = getattr(opened, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError, ValueError):
            continue
        return opened
    return None


def _libraries() -> Iterator[str]:
    import rasterio

    package = Path(rasterio.__file__).parent
    for folder in (package.with_name("rasterio.libs"), package / ".dylibs"):
        yield from map(str, sorted(folder.glob("*openjp2*")))
    if path := ctypes.util.find_library("openjp2"):
        yield path


def decode_window(read: Read, size: int, window: tuple[int, int, int, int]) -> NDArray | None:
    """Decode a window of a JPEG 2000 file.

    Parameters
    ----------
    read, size
        Of the file, as in `tigerbush.jp2.check_codestream`.
    window : (column, row, width, height)
        In pixels, within the image.

    Returns
    -------
    (bands, h, w) array of uint8 or uint16, or None
        As GDAL would return it. None where GDAL has to read it: no library is found, the window is so large that tiles
        are decoded whole, bands are sampled differently, signed or of more than 16 bits, the file has a palette or
        packs the headers of its packets, or it cannot be decoded, so that the error is GDAL's.
    """
    if window[2] * window[3] > MOST_PIXELS or library() is None:
        return None
    try:
        start, end = find_codestream(read, size)
        header = read_header(read, start, end)
        if header.coding.packed or {*header.steps} != {(1, 1)} or b"pclr" in read(0, start):
            return None
        if len(header.steps) > MOST_BANDS or not 0 < header.tiles <= MOST_TILES:
            return None
        stream = _stream_of(read, start, end, header, window)
    except (DamagedError, struct.error, IndexError, ValueError):
        return None
    x, y = header.area[0] + window[0], header.area[1] + window[1]
    with _decoded(stream, (x, y, x + window[2], y + window[3])) as image:
        return None if image is None else _array(image, window)


def _stream_of(read: Read, start: int, end: int, header: Header, window: tuple[int, int, int, int]) -> bytes:
    """Return a codestream of the tiles that a window touches, at their places on the reference grid."""
    wanted = header.tiles_in(window)
    first, last = wanted[0], wanted[-1]
    columns = last % header.columns - first % header.columns + 1
    left, top = header.bounds(first)[:2]
    right, bottom = header.bounds(last)[2:]
    width, height = header.tile[2:]
    # where the first tile begins, which the area may cut
    row, column = divmod(first, header.columns)
    corner = header.tile[0] + column * width, header.tile[1] + row * height
    pieces = [b"\xff\x4f"]
    for code, content, _ in marker_segments(read, start + 2, end, SOT):
        if code == _SIZ:
            content = (
                content[:2]
                + struct.pack(">8I", right, bottom, left, top, width, height, *corner)
                + content[34:]
            )
        if code not in (SOT, *_LISTS):
            pieces.append(struct.pack(">HH", code, len(content) + 2) + content)
    for number, position, length in tile_parts(read, header, end, wanted):
        across, down = number % header.columns - column, number // header.columns - row
        part = read(position, length)
        pieces += [part[:4], struct.pack(">HI", down * columns + across, length), part[10:]]
    return b"".join([*pieces, _EOC])


@contextmanager
def _decoded(stream: bytes, area: Sequence[int]) -> Iterator[_Image | None]:
    """Decode an area, x0, y0, x1, y1 on the reference grid, of a codestream; None if that fails."""
    opj, position, image = library(), 0, _IMAGE()
    # nothing is allocated while OpenJPEG reads: it does not learn of exceptions, and would wait for the bytes
    address = ctypes.cast(stream, _POINTER).value

    def read(target: int, length: int, _: object) -> int:
        nonlocal position
        length = min(length, len(stream) - position)
        ctypes.memmove(target, address + position, length)
        position += length
        return length or _END

    def skip(length: int, _: object) -> int:
        nonlocal position
        position = min(position + length, len(stream))
        return length

    def seek(place: int, _: object) -> int:
        nonlocal position
        position = min(place, len(stream))
        return 1

    # they have to live as long as OpenJPEG calls them
    callbacks = _READ(read), _SKIP(skip), _SEEK(seek)
    codec, source = opj.opj_create_decompress(_CODESTREAM), opj.opj_stream_create(_BUFFER, 1)
    try:
        parameters = ctypes.create_string_buffer(_PARAMETERS)
        opj.opj_set_default_decoder_parameters(parameters)
        opj.opj_stream_set_read_function(source, callbacks[0])
        opj.opj_stream_set_skip_function(source, callbacks[1])
        opj.opj_stream_set_seek_function(source, callbacks[2])
        opj.opj_stream_set_user_data(source, None, None)
        opj.opj_stream_set_user_data_length(source, len(stream))
        done = (
            opj.opj_setup_decoder(codec, parameters)
            and opj.opj_read_header(source, codec, ctypes.byref(image))
            and opj.opj_set_decode_area(codec, image, *area)
            and opj.opj_decode(codec, source, image)
        )
        yield image.contents if done else None
    finally:
        opj.opj_image_destroy(image)
        opj.opj_stream_destroy(source)
        opj.opj_destroy_codec(codec)


def _array(image: _Image, window: tuple[int, int, int, int]) -> NDArray | None:
    """Copy the bands of an image; None where GDAL would give them another type, or one is not of the window."""
    bands = image.comps[: image.numcomps]
    shape = window[3], window[2]
    if any(band.sgnd or band.prec > 16 or (band.h, band.w) != shape or not band.data for band in bands):
        return None
    kind = np.uint8 if max(band.prec for band in bands) <= 8 else np.uint16
    return np.array([np.ctypeslib.as_array(band.data, shape).astype(kind) for band in bands])
