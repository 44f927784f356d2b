"""Measure the network centrality of one image: its numbers as JSON and CSV, its pixels coloured by quantile.

IMAGE is a PNG, a TIFF (GeoTIFF too) or a matrix of numbers as text (.csv, .tsv, .txt; separated by commas,
semicolons, tabs or spaces). Pixels that touch form the network: those of the higher value in an image of two
values, else those from --threshold up. Pixels without data (GeoTIFF nodata, transparent, nan, empty cells) are
never in it. For example: ./tigerbush centrality bwndvi.png --threshold 255
"""

import argparse
import logging
import math
import textwrap
import warnings
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import ArrayLike, NDArray

from tigerbush.centrality import euler_characteristics, metrics, networkx_centrality, subgraph_centrality
from tigerbush.errors import TigerbushError
from tigerbush.files import write_bytes, write_json
from tigerbush.images import encode_png
from tigerbush.version import __version__

METHODS = {"exact": subgraph_centrality, "networkx": networkx_centrality}
# networkx holds the whole graph as dense matrices: 800 MB each for this many pixels
NETWORKX_LIMIT = 10_000
# a whole tile of 10 m has 121 million; small compressed files can claim any number
PIXEL_LIMIT = 2**28
# RGB of pixels outside the network: no colour of viridis
NEUTRAL = (225, 225, 225)

_PNG, _TIFF, _TEXT = {".png"}, {".tif", ".tiff"}, {".csv", ".tsv", ".txt"}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the image, what its network is, and where the results go."""
    command.add_argument("image", type=Path, metavar="IMAGE", help="PNG, TIFF or matrix of numbers as text")
    command.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="network of the pixels >= T; needed unless the image has exactly two values",
    )
    command.add_argument("--below", action="store_true", help="take the pixels below the threshold instead")
    command.add_argument(
        "--band", type=int, metavar="N", help="band of a TIFF (default: 1), channel of a colour PNG"
    )
    command.add_argument(
        "--neighbours",
        type=int,
        choices=(4, 8),
        default=4,
        help="8 joins diagonal pixels too (default: %(default)s)",
    )
    command.add_argument(
        "--quantiles", type=int, default=20, metavar="N", help="values of the vector (default: %(default)s)"
    )
    command.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="exact",
        help=f"networkx is slow and takes up to {NETWORKX_LIMIT:,} pixels (default: %(default)s)",
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where the results go (default: the current folder)",
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Read the image, compute, print the metrics; every file is written whole or not at all."""
    _check_options(options, rest)
    image = options.image
    values, valid = read_image(image, options.band)
    threshold = (
        _two_values_threshold(image, values[valid]) if options.threshold is None else options.threshold
    )
    # numpy compares float32 images in float32, where 0.7 is the 0.7 that was written
    with np.errstate(over="ignore"):
        signal = valid & ((values < threshold) if options.below else (values >= threshold))
    n = int(np.count_nonzero(signal))
    if options.method == "networkx" and n > NETWORKX_LIMIT:
        raise TigerbushError(
            f"{image} has {n:,} signal pixels, and --method networkx takes up to {NETWORKX_LIMIT:,}; use "
            "--method exact."
        )
    centrality = METHODS[options.method](signal, options.neighbours)
    quantile = quantiles_of(centrality, options.quantiles)
    numbers = metrics(euler_characteristics(signal, centrality, options.neighbours, options.quantiles))
    height, width = signal.shape
    record = {
        "image": image.name,
        "width": width,
        "height": height,
        "band": options.band or 1,
        "signal_pixels": n,
        "threshold": threshold,
        "below": options.below,
        "neighbours": options.neighbours,
        "quantiles": options.quantiles,
        "method": options.method,
        "software": {"name": "tigerbush", "version": __version__},
        **numbers,
    }
    targets = [options.output / f"{image.stem}_centrality.{kind}" for kind in ("json", "csv", "png")]
    table, picture = _table(signal, centrality, quantile), _picture(signal, quantile, options.quantiles)
    write_json(targets[0], record)
    write_bytes(targets[1], table)
    write_bytes(targets[2], picture)
    print(_report(record, numbers, targets))
    return 0


def quantiles_of(centrality: ArrayLike, quantiles: int) -> NDArray[np.int64]:
    """Give the quantile of every pixel, as `tigerbush.centrality.euler_characteristics` cuts them.

    Parameters
    ----------
    centrality : (n,) array of float
        In row-major order of the signal pixels, which is also the order of equal ones.
    quantiles : int

    Returns
    -------
    (n,) array of int64
        0 (most central) ... quantiles - 1: i where the rank is in
        [round(i n / quantiles), round((i + 1) n / quantiles)).
    """
    centrality = np.asarray(centrality, dtype=np.float64)
    n = len(centrality)
    starts = np.array([round(i * n / quantiles) for i in range(quantiles)], dtype=np.int64)
    found = np.empty(n, dtype=np.int64)
    found[np.argsort(-centrality, kind="stable")] = np.searchsorted(starts, np.arange(n), side="right") - 1
    return found


def read_image(path: Path, band: int | None = None) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Read one band of a PNG or TIFF, or a matrix of numbers.

    Parameters
    ----------
    path : Path
        Its suffix says what it is.
    band : int, optional
        From 1. Without it, the first of a TIFF; the colours of a PNG must then be equal.

    Returns
    -------
    values : (h, w) array
        The stored numbers.
    valid : (h, w) array of bool
        Not nodata, not transparent, finite.

    Raises
    ------
    TigerbushError
        When the file is missing or is no such image.
    """
    suffix = path.suffix.lower()
    if suffix not in _PNG | _TIFF | _TEXT:
        raise TigerbushError(
            f"{path} has none of the suffixes .png, .tif, .tiff, .csv, .tsv and .txt, which say how to read it; "
            "rename or convert it."
        )
    if suffix in _TEXT and band is not None:
        raise TigerbushError(f"{path} is a matrix without bands; leave --band out.")
    try:
        if not path.is_file():
            raise TigerbushError(f"{path} is not a file; check the name of the image.")
        if suffix in _TEXT:
            values = _read_matrix(path)
            mask = np.ones(values.shape, dtype=bool)
        else:
            values, mask = (_read_png if suffix in _PNG else _read_tiff)(path, band)
    except OSError as error:
        raise TigerbushError(f"{path} cannot be read ({error.strerror or error}); check the file.") from error
    return values, mask & np.isfinite(values)


def _check_options(options: argparse.Namespace, rest: list[str]) -> None:
    if rest:
        raise TigerbushError(
            f"centrality does not know {' '.join(rest)!r}; see ./tigerbush centrality --help."
        )
    if options.quantiles < 2:
        raise TigerbushError(f"--quantiles must be at least 2, not {options.quantiles}.")
    if options.threshold is not None and not math.isfinite(options.threshold):
        raise TigerbushError(f"--threshold must be a finite number, not {options.threshold}.")


def _two_values_threshold(path: Path, values: np.ndarray) -> float:
    found = np.unique(values)
    if len(found) != 2:
        raise TigerbushError(
            f"{path} has {len(found):,} different value(s) instead of two; say with --threshold T which pixels "
            "are the network: those >= T (with --below: < T)."
        )
    return float(found[1])


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > PIXEL_LIMIT:
        raise TigerbushError(
            f"{path} has {width} x {height} pixels, more than {PIXEL_LIMIT:,} in all; cut it first."
        )


def _check_band(path: Path, band: int, count: int) -> None:
    if not 1 <= band <= count:
        raise TigerbushError(f"{path} has {count} band(s), so --band must be 1 to {count}, not {band}.")


def _read_png(path: Path, band: int | None) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Read with OpenCV: it gives palettes as colours and, unlike GDAL, refuses truncated files."""
    content = path.read_bytes()
    _check_size(path, int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big"))
    try:
        image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise TigerbushError(f"{path} cannot be read as a PNG image; it is damaged or something else.")
    image = np.atleast_3d(image)
    opaque = image[..., 3] > 0 if image.shape[2] == 4 else np.ones(image.shape[:2], dtype=bool)
    colours = image[..., 2::-1] if image.shape[2] > 1 else image
    if band is not None:
        _check_band(path, band, colours.shape[2])
        return colours[..., band - 1], opaque
    if (colours != colours[..., :1])[opaque].any():
        raise TigerbushError(
            f"{path} is a colour image, and only grey ones have one value per pixel; convert it, or choose a "
            "channel with --band."
        )
    return colours[..., 0], opaque


def _read_tiff(path: Path, band: int | None) -> tuple[np.ndarray, NDArray[np.bool_]]:
    # GDAL's complaints become a sentence of ours, and not every image lies somewhere on Earth
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    band = 1 if band is None else band
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            # an absolute path is never taken for an address
            source = rasterio.open(path.absolute(), driver="GTiff")
        with source:
            _check_size(path, source.width, source.height)
            _check_band(path, band, source.count)
            values, mask = source.read(band), source.read_masks(band) > 0
            inverted = source.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    except UnicodeEncodeError as error:
        raise TigerbushError(
            f"{path} has a name that GDAL cannot take, because it is not UTF-8; rename it."
        ) from error
    except rasterio.errors.RasterioError as error:
        raise TigerbushError(f"{path} cannot be read as a TIFF image ({error}).") from error
    if np.iscomplexobj(values):
        raise TigerbushError(f"{path} holds complex numbers, which have no order; convert it.")
    if inverted:
        # numbers and looks disagree (ImageJ writes such masks): neither is surely what is meant
        raise TigerbushError(
            f"{path} shows its lowest numbers as white (photometric interpretation WhiteIsZero); save it with "
            "black as zero."
        )
    return values, mask


def _read_matrix(path: Path) -> NDArray[np.float64]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise TigerbushError(f"{path} is not text in UTF-8; save it as plain text.") from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise TigerbushError(f"{path} is empty; it should hold a matrix of numbers.")
    used = set().union(*lines)
    separator = next((mark for mark in ";,\t" if mark in used), None)
    width = len(lines[0].split(separator))
    _check_size(path, width, len(lines))
    values = np.empty((len(lines), width))
    for row, line in enumerate(lines):
        cells = line.split(separator)
        if len(cells) != width:
            raise TigerbushError(
                f"{path}: line {row + 1} has {len(cells)} cells and line 1 has {width}; all lines of a matrix "
                "need as many."
            )
        values[row] = [_number(path, row, column, cell) for column, cell in enumerate(cells)]
    if not width:
        raise TigerbushError(f"{path} is empty; it should hold a matrix of numbers.")
    return values


def _number(path: Path, row: int, column: int, cell: str) -> float:
    try:
        return float(cell) if cell and not cell.isspace() else math.nan
    except ValueError:
        raise TigerbushError(
            f"{path}: line {row + 1}, cell {column + 1} is {cell.strip()[:40]!r} instead of a number (with a "
            "decimal point), nan or nothing; correct it, and delete headings."
        ) from None


def _table(signal: NDArray[np.bool_], centrality: NDArray[np.float64], quantile: NDArray[np.int64]) -> bytes:
    columns = *(axis.tolist() for axis in np.nonzero(signal)), centrality.tolist(), quantile.tolist()
    lines = ["row,column,centrality,quantile"]
    lines += [f"{row},{column},{value!r},{i}" for row, column, value, i in zip(*columns, strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _picture(signal: NDArray[np.bool_], quantile: NDArray[np.int64], quantiles: int) -> bytes:
    """Draw a PNG: viridis from yellow (most central) to violet, grey outside the network."""
    shades = np.linspace(255, 0, quantiles).round().astype(np.uint8)
    colours = cv2.applyColorMap(shades[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]
    image = np.full((*signal.shape, 3), NEUTRAL, dtype=np.uint8)
    image[signal] = colours[quantile]
    return encode_png(image)


def _report(record: dict, numbers: dict, targets: list[Path]) -> str:
    side = "<" if record["below"] else ">="
    rows = {
        "pixels": f"{record['width']} x {record['height']}",
        "signal": f"{record['signal_pixels']} pixels {side} {record['threshold']:.12g}",
        "neighbours": record["neighbours"],
    }
    rows |= {name: f"{round(value, 4):.12g}" for name, value in numbers.items() if name != "feature_vec"}
    vector = textwrap.wrap(
        " ".join(f"{value:.0f}" for value in numbers["feature_vec"]), break_on_hyphens=False
    )
    rows["feature_vec"] = ("\n" + " " * 13).join(vector)
    # names of files may hold bytes that are no text
    rows["written"] = ("\n" + " " * 13).join(str(path).encode(errors="replace").decode() for path in targets)
    return "\n".join(f"{name:<13}{value}" for name, value in rows.items())
