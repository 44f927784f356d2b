"""What a weather file is: by its suffix, and by its first bytes, which must agree."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tigerbush.errors import TigerbushError, machine_fault
from tigerbush.weather.messages import message_sentence, page_words
from tigerbush.weather_suffixes import GRIB, JSON, NETCDF, SUFFIXES, TABLE, format_by_suffix

# bytes; of text more is looked at, since a table may have titles above it
BEGINNING, TEXT = 512, 65_536
CLASSIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
HDF5 = b"\x89HDF\r\n\x1a\n"

_UNPACK = (
    "unpack it, and give its files under weather.path, weather.precipitation.path or weather.temperature.path"
)
_AS_CSV = "save it as CSV"
# the first bytes of files that are neither of the formats that are read, what they are, and what to do
OTHERS = {
    b"PK\x03\x04": ("a zip archive", _UNPACK),
    b"\x1f\x8b": ("compressed with gzip", _UNPACK),
    b"BZh": ("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ": ("compressed with xz", _UNPACK),
    b"(\xb5/\xfd": ("compressed with Zstandard", _UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", _UNPACK),
    b"Rar!": ("a RAR archive", _UNPACK),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", _AS_CSV),
    b"II*\0": ("a GeoTIFF", "write its values at the site to a CSV file, with one row per date"),
    b"MM\0*": ("a GeoTIFF", "write its values at the site to a CSV file, with one row per date"),
    b"II+\0": ("a GeoTIFF", "write its values at the site to a CSV file, with one row per date"),
    b"MM\0+": ("a GeoTIFF", "write its values at the site to a CSV file, with one row per date"),
    b"\x0e\x03\x13\x01": ("an HDF4 file", "convert it to NetCDF"),
    b"PAR1": ("a Parquet file", _AS_CSV),
    b"%PDF": ("a PDF document", "type its numbers into a CSV file"),
}
_PAGE = (
    "a web page or XML",
    "open it in a browser to see what the server answered (often that you have to log in), and save the data "
    "themselves",
)


def format_of(path: Path) -> str:
    """Return the format of a file: `NetCDF`, `GRIB`, `JSON` or `CSV`.

    The suffix says what a file should be; its first bytes must agree.

    Raises
    ------
    TigerbushError
        When it is something else: the sentence says what, and what to do.
    """
    expected = format_by_suffix(path)
    with path.open("rb") as file:
        start = file.read(TEXT)
    beginning = start[:BEGINNING]
    if not beginning:
        raise TigerbushError(f"{path} is empty; replace it by the file with the data.")
    if other := _other_format(path, beginning):
        raise TigerbushError(f"{path} is {other[0]}, not {expected}; {other[1]}.")
    found = _known_format(beginning, expected)
    if found in (JSON, TABLE):
        text = _text_of(start) or _text_of(beginning) or ""
        if sentence := message_sentence(path, text, expected):
            raise TigerbushError(sentence)
    if found == expected:
        return found
    if found is None:
        raise TigerbushError(
            f"{path} is neither {expected} nor another known format (it begins with {beginning[:8]!r}); convert it to "
            "CSV, NetCDF or GRIB, or correct its suffix."
        )
    suffix = next((suffix for suffix, name in SUFFIXES.items() if name == found), ".csv")
    text = "text" if found == TABLE else found
    raise TigerbushError(f"{path} is {text}, not {expected}; give its name the suffix {suffix}.")


def _other_format(path: Path, beginning: bytes) -> tuple[str, str] | None:
    """Return what a file is that cannot be read, and what to do."""
    text = _text_of(beginning) or ""
    if text.startswith("<"):
        what, advice = _PAGE
        return f"{what}{page_words(text)}", advice
    if beginning[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    for magic, (name, advice) in OTHERS.items():
        if beginning.startswith(magic):
            return _zip_format(path) if magic.startswith(b"PK") else (name, advice)
    return None


def _zip_format(path: Path) -> tuple[str, str]:
    """Return what a zip archive is: an Excel workbook, or an archive of some files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # the last for unknown compression
        names = []
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook", _AS_CSV
    what, advice = OTHERS[b"PK\x03\x04"]
    listed = ", ".join(repr(name[-80:]) for name in names[:3])
    return f"{what} (of {listed})" if names else what, advice


def _known_format(beginning: bytes, expected: str) -> str | None:
    if beginning.startswith((*CLASSIC, HDF5)):
        return NETCDF
    text = _text_of(beginning)
    # the words of a message may begin with GRIB, and a message of GRIB come after a bulletin's header
    is_binary = text is None or text == "GRIB"
    if is_binary and (beginning.startswith(b"GRIB") or (expected == GRIB and b"GRIB" in beginning)):
        return GRIB
    if text is None:
        return None
    # text is a table, unless its first character is that of JSON or its suffix says so
    return JSON if expected == JSON or text.startswith(("{", "[")) else TABLE


def _text_of(beginning: bytes) -> str | None:
    """Return the text that a file begins with, without blanks; None for content that is not text."""
    if beginning[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return beginning.decode("utf-16", errors="ignore").strip()
    if any(byte < 32 and byte not in b"\t\n\v\f\r" for byte in beginning):
        return None
    # other encodings do not matter here, nor that a character may be cut
    return beginning.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").strip()


@contextmanager
def decoding(path: Path, format: str) -> Iterator[None]:
    """Turn the exceptions of a decoder into a sentence, except for faults of the machine."""
    try:
        yield
    except TigerbushError:
        raise
    except Exception as error:
        if machine_fault(error, path) or isinstance(error, FileNotFoundError | PermissionError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise TigerbushError(
            f"{path} cannot be read as {format} ({reason}); compare its size with that of the original, and if it is "
            "whole, convert it to CSV."
        ) from error


def refuse_cut_file(path: Path, needed: int | None) -> None:
    """Refuse a file that is shorter than its own header says.

    Parameters
    ----------
    path : Path
        The file.
    needed : int or None
        Its least size in bytes, if that is known.
    """
    size = path.stat().st_size
    if needed is not None and size < needed:
        raise TigerbushError(f"{path} is cut after {size} of at least {needed} bytes; download it again.")
