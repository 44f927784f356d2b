"""Compute the network centrality of one image: metrics as JSON, pixels as CSV, and a PNG coloured by quantile.

IMAGE is a PNG, a TIFF (also a GeoTIFF) or a matrix of numbers as text (.csv, .tsv, .txt; separated by commas,
semicolons, tabs or spaces). Adjacent signal pixels form the network: those of the higher value in an image with
two values, otherwise those from --threshold up. Pixels without data (GeoTIFF nodata, transparent, nan, empty
cells) are never part of it. For example: ./tigerbush centrality bwndvi.png --threshold 255
"""

import argparse
import math
import textwrap
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tigerbush.centrality import euler_characteristics, metrics, networkx_centrality, subgraph_centrality
from tigerbush.cli.centrality.image import read_image
from tigerbush.errors import TigerbushError
from tigerbush.files import write_bytes, write_json
from tigerbush.images import encode_png
from tigerbush.version import __version__

METHODS = {"exact": subgraph_centrality, "networkx": networkx_centrality}
# networkx stores the graph as dense matrices of 800 MB each for this many pixels
NETWORKX_LIMIT = 10_000
# RGB of pixels outside the network; not a colour of viridis
NEUTRAL = (225, 225, 225)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the image, the network, and the output folder."""
    command.add_argument("image", type=Path, metavar="IMAGE", help="PNG, TIFF or matrix of numbers as text")
    command.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="pixels >= T form the network; required unless the image has exactly two values",
    )
    command.add_argument("--below", action="store_true", help="use the pixels below the threshold instead")
    command.add_argument(
        "--band", type=int, metavar="N", help="band of a TIFF (default: 1), or channel of a colour PNG"
    )
    command.add_argument(
        "--neighbours",
        type=int,
        choices=(4, 8),
        default=4,
        help="8 also connects diagonal neighbours (default: %(default)s)",
    )
    command.add_argument(
        "--quantiles",
        type=int,
        default=20,
        metavar="N",
        help="length of the feature vector (default: %(default)s)",
    )
    command.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="exact",
        help=f"networkx is slow, and limited to {NETWORKX_LIMIT:,} pixels (default: %(default)s)",
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="output folder (default: the current folder)",
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Read the image, compute, print the metrics; all files are written atomically."""
    _check_options(options, rest)
    image = options.image
    values, valid = read_image(image, options.band)
    threshold = (
        _two_values_threshold(image, values[valid]) if options.threshold is None else options.threshold
    )
    # numpy compares float32 images in float32, in which 0.7 equals the 0.7 in the file
    with np.errstate(over="ignore"):
        signal = valid & ((values < threshold) if options.below else (values >= threshold))
    n = int(np.count_nonzero(signal))
    if options.method == "networkx" and n > NETWORKX_LIMIT:
        raise TigerbushError(
            f"{image} has {n:,} signal pixels, and --method networkx is limited to {NETWORKX_LIMIT:,}; use "
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
    """Return the quantile of every pixel, with the limits of `tigerbush.centrality.euler_characteristics`.

    Parameters
    ----------
    centrality : (n,) array of float
        In row-major order of the signal pixels, which is also the order of ties.
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
    quantile = np.empty(n, dtype=np.int64)
    quantile[np.argsort(-centrality, kind="stable")] = np.searchsorted(starts, np.arange(n), side="right") - 1
    return quantile


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
    distinct = np.unique(values)
    if len(distinct) != 2:
        raise TigerbushError(
            f"{path} has {len(distinct):,} distinct value(s) instead of two; choose the pixels of the network with "
            "--threshold T: those >= T (with --below: < T)."
        )
    return float(distinct[1])


def _table(signal: NDArray[np.bool_], centrality: NDArray[np.float64], quantile: NDArray[np.int64]) -> bytes:
    columns = *(axis.tolist() for axis in np.nonzero(signal)), centrality.tolist(), quantile.tolist()
    lines = ["row,column,centrality,quantile"]
    lines += [f"{row},{column},{value!r},{i}" for row, column, value, i in zip(*columns, strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _picture(signal: NDArray[np.bool_], quantile: NDArray[np.int64], quantiles: int) -> bytes:
    """Encode a PNG: viridis from yellow (most central) to violet, grey outside the network."""
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
    # file names may contain bytes that are not text
    rows["written"] = ("\n" + " " * 13).join(str(path).encode(errors="replace").decode() for path in targets)
    return "\n".join(f"{name:<13}{value}" for name, value in rows.items())
