"""Files and folders whose names hold that of a product, but that are not read: what they are, and what to do."""

import re
import shlex
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.sensors import sensor_of

# what the command tar unpacks
_TAR = r"\.(?:tar|tgz|taz|tbz2?|txz|tlz|tzst|tar\.(?:gz|bz2|xz|zst|lz|lzma|lzo|z))"
_ARCHIVE = rf"(?:{_TAR}|\.(?:7z|rar|gz|bz2|xz|zst|zstd|lz|lz4|lzma|lzo|z|br|sz|zipx|cab|iso|lzh|arj))"
# as browsers and other programs call a file that is not complete yet
_INCOMPLETE = (
    r"(?:\.(?:part|partial|filepart|crdownload|opdownload|download|incomplete|tmp|temp|aria2|lftp-pget-status|!ut)"
    r"|_\.gstmp)"
)
# NAME.zip.001, NAME.z01, NAME.tar.gz.aa
_PART = rf"(?:\.(?:\d{{2,4}}|[rz]\d\d|part\d+)|(?:\.zip|{_ARCHIVE})\.?[a-c][a-z])"
_COPY = r"(?:\(\d+\)|~$|(?<![a-z])(?:copy|copie|copia|kopie|old|bak|backup|orig)(?![a-z]))"
# files that people and programs write beside a product: pictures, metadata, checksums, images made of it
_BESIDE = (
    r"\.(?:jpe?g|png|gif|webp|bmp|svg|pdf|tiff?|jp2|vrt|ovr|dim|img|hdr|nc|h5|hdf|zarr|npy|npz|parquet|kea|gpkg|shp|shx|dbf"
    r"|prj|cpg|[jpt]gw|wld|km[lz]|gml|xml|json|geojson|ya?ml|csv|tsv|txt|md|log|html?|inc|cfg|ini|meta|meta4|metalink"
    r"|torrent|url|lnk|docx?|xlsx?|py|sh|pkl|mp4|bin|err|out|log\.\d+|qgs|qgz|qml|lock|done|ok|md5|sha\d+(?:-\d+)?"
    r"|md5sums?|sha\d+sums?|asc|sig|crc|sb[nx]|tfw)"
)
_BESIDE_PACKED = rf"{_BESIDE}(?:{_ARCHIVE}|\.zip|{_INCOMPLETE}|~|\.(?:bak|old|orig)| ?\(\d+\))*"

# reason for files and folders
INCOMPLETE = "it looks like a download that is not complete; finish it, or delete it."


def is_beside(name: str) -> bool:
    """Tell whether a file's name is that of something beside a product: a picture, metadata, a checksum, an image."""
    return _ends(name, _BESIDE_PACKED)


def is_incomplete(name: str) -> bool:
    """Tell whether a name is that of a download that is not complete."""
    return _ends(name, _INCOMPLETE)


def is_copy_name(rest: str) -> bool:
    """Tell whether what follows a product's name marks a copy, such as (1), -copy or _old."""
    return re.search(_COPY, rest, re.IGNORECASE) is not None


def reason_of_file(path: Path, product: str, rest: str) -> str:
    """Return why a file is not read whose name holds that of a product, and what to do.

    Parameters
    ----------
    path : Path
    product : str
        The product's name, in upper or lower case.
    rest : str
        What follows it in the name of the file.
    """
    name = path.name
    if is_incomplete(name):
        return INCOMPLETE
    if _ends(name, _ARCHIVE):
        return f"archives of this kind are not read; unpack it{_command(path)}"
    try:
        sensor = sensor_of(product)
    except TigerbushError as error:
        return str(error)
    if _ends(name, _PART):
        return f"it is a part of a split archive; join all parts into {product}.zip, or unpack them."
    if ".zip" in rest.lower() or sensor.suffix.lower() in rest.lower() or is_copy_name(rest):
        return rename_sentence(f"{product}.zip")
    return f"files of this kind are not read; if it is the product, unpack it, or rename it to {product}.zip."


def rename_sentence(name: str) -> str:
    """Return why a copy is not read, and what to do."""
    return f"only {name} would be read; rename it to that, or delete it if it is a copy."


def _ends(name: str, pattern: str) -> bool:
    return re.search(rf"{pattern}\Z", name, re.IGNORECASE) is not None


def _command(path: Path) -> str:
    """Return the command that unpacks an archive; a stop if there is none that can be printed."""
    if not _ends(path.name, _TAR) or not str(path).isprintable():
        return "."
    return f" by: tar -xf {shlex.quote(str(path))} -C {shlex.quote(str(path.parent))}"
