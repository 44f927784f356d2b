"""Simulate patterned vegetation under rainfall: biomass as CSV and PNG, optionally as an animated WebP.

The model is that of Rietkerk et al. 2002 with pyveg's parameters: cells of 21 m, steps of one day. For example:
./tigerbush pattern --rainfall 1.2:0.5 --steps 3000 --animation
"""

import argparse
import math
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tigerbush.cli.centrality.image import read_image
from tigerbush.errors import TigerbushError
from tigerbush.files import write_bytes
from tigerbush.images import encode_png
from tigerbush.pattern import PYVEG, evolve, random_pattern, start_states

# cells with at least this many g/m2 count as covered: in patterns hardly any lie between 0.1 and 2
COVERED = 1.0
STEPS = 100
SIZE = 50
# a few GB of memory, weeks of computing, more rain than ever falls
CELL_LIMIT, STEP_LIMIT, RAIN_LIMIT = 2**24, 10**7, 2000
# an animation: pixels per side, to which small grids are enlarged; frames without --every; duration of each
SIDE, FRAMES, MILLISECONDS = 400, 50, 100
# of WebP, and for all frames together
SIDE_LIMIT, PIXEL_LIMIT = 16_383, 2**26


class State(NamedTuple):
    """The state of a day: rainfall in mm/day, mean biomass in g/m2, share of covered cells, plants of a frame."""

    day: int
    rain: float
    biomass: float
    cover: float
    plants: NDArray[np.float32] | None


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare rainfall, initial pattern, duration, and output folder."""
    command.add_argument(
        "--rainfall",
        default="1.0",
        metavar="R",
        help="mm/day: a number, START:END (linear) or a CSV file with one number per step (default: 1.0)",
    )
    command.add_argument(
        "--start",
        default="random",
        metavar="CSV",
        help="matrix of plants at any scale, whose maximum becomes 90 g/m2; or random: a tenth of the cells (default)",
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the random start (default: 0)"
    )
    command.add_argument(
        "--size", type=int, metavar="N", help=f"cells per side of the random start (default: {SIZE})"
    )
    command.add_argument(
        "--steps", type=int, metavar="N", help=f"number of days (default: {STEPS}, or all values of the CSV)"
    )
    command.add_argument(
        "--every",
        type=int,
        metavar="N",
        help=f"days between printed lines and between frames (default: start and end; about {FRAMES} frames)",
    )
    command.add_argument("--animation", action="store_true", help="also write the frames as an animated WebP")
    command.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="output folder (default: the current folder)",
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Simulate, print biomass and cover; all files are written atomically."""
    _check_options(options, rest)
    rain = _rainfall(options.rainfall, options.steps)
    pattern = _start(options)
    frames = FRAMES if options.animation else 1
    every = options.every or max(1, math.ceil(len(rain) / frames))
    zoom = max(1, SIDE // max(pattern.shape))
    if options.animation:
        _check_animation(pattern.shape, zoom, 1 + math.ceil(len(rain) / every))
    try:
        plants, states = _simulate(pattern, rain, every, options.animation)
    except ValueError as error:
        raise TigerbushError(f"--start {options.start}: {error}") from error
    name = "random" if options.start == "random" else Path(options.start).stem
    base = options.output / f"{name}_pattern"
    content = {".csv": _table(plants), ".png": encode_png(picture(plants, plants.max()))}
    if options.animation:
        content[".webp"] = _animation([state.plants for state in states], zoom)
    targets = [base.with_name(base.name + suffix) for suffix in content]
    for target, data in zip(targets, content.values(), strict=True):
        write_bytes(target, data)
    print(_report(plants, states, targets))
    return 0


def picture(plants: NDArray[np.floating], top: float) -> NDArray[np.uint8]:
    """Colour biomass with viridis.

    Parameters
    ----------
    plants : (h, w) array
        g/m2.
    top : float
        Biomass from which cells are yellow; 0 is violet.

    Returns
    -------
    (h, w, 3) uint8 array
        RGB.
    """
    share = np.asarray(plants, dtype=np.float64) / (top or 1.0)
    shades = (np.minimum(share, 1) * 255).round().astype(np.uint8)
    return cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS)[..., ::-1]


def _check_options(options: argparse.Namespace, rest: list[str]) -> None:
    if rest:
        raise TigerbushError(f"pattern does not know {' '.join(rest)!r}; see ./tigerbush pattern --help.")
    for name, least in (("seed", 0), ("size", 2), ("steps", 1), ("every", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise TigerbushError(f"--{name} must be at least {least}, not {value}.")
    if (options.steps or 0) > STEP_LIMIT:
        raise TigerbushError(f"--steps must be at most {STEP_LIMIT:,}, not {options.steps:,}.")
    if options.size and options.start != "random":
        raise TigerbushError(
            "--size is for a random start, and a --start file has its own size; omit one of them."
        )
    _check_cells((options.size or SIZE,) * 2)


def _check_cells(shape: tuple[int, int]) -> None:
    if math.prod(shape) > CELL_LIMIT:
        raise TigerbushError(
            f"the start has {shape[0]:,} x {shape[1]:,} cells, more than {CELL_LIMIT:,} in total; use a smaller one."
        )


def _check_animation(shape: tuple[int, int], zoom: int, frames: int) -> None:
    if max(shape) > SIDE_LIMIT:
        raise TigerbushError(f"an animation is limited to {SIDE_LIMIT:,} cells per side; omit --animation.")
    if frames * math.prod(shape) * zoom**2 > PIXEL_LIMIT:
        raise TigerbushError(
            f"{frames:,} frames are too many for an animation of this size; choose a larger --every."
        )


def _rainfall(text: str, steps: int | None) -> NDArray[np.float64]:
    """Return the rainfall of every step, in mm/day."""
    start, ramp, end = text.partition(":")
    try:
        with np.errstate(invalid="ignore"):
            rain = np.linspace(float(start), float(end if ramp else start), steps or STEPS)
    except ValueError:
        rain = _read_numbers("--rainfall", text)
        if 1 not in rain.shape:
            raise TigerbushError(f"{text} must contain one number per step, in one column or row.") from None
        rain = rain.ravel()
        if steps not in (None, len(rain)):
            raise TigerbushError(
                f"{text} has {len(rain)} values and --steps is {steps}; omit --steps, or make them agree."
            ) from None
    if not ((rain >= 0) & (rain <= RAIN_LIMIT)).all():
        raise TigerbushError(f"--rainfall {text}: every value must be from 0 to {RAIN_LIMIT} mm/day.")
    return rain


def _start(options: argparse.Namespace) -> NDArray[np.float64]:
    if options.start == "random":
        return random_pattern((options.size or SIZE,) * 2, options.seed).astype(np.float64)
    pattern = _read_numbers("--start", options.start)
    _check_cells(pattern.shape)
    return pattern


def _read_numbers(option: str, text: str) -> NDArray[np.float64]:
    path = Path(text)
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        kinds = {"--rainfall": "a number, START:END or a CSV file", "--start": "random or a CSV file"}
        raise TigerbushError(f"{option} must be {kinds[option]}, not {text!r}.")
    values, valid = read_image(path)
    if not valid.all():
        row, column = np.argwhere(~valid)[0] + 1
        raise TigerbushError(f"{path}: line {row}, cell {column} must be a finite number; correct it.")
    return values


def _simulate(
    pattern: NDArray[np.float64], rain: NDArray[np.float64], every: int, frames: bool
) -> tuple[NDArray[np.float64], list[State]]:
    """Return the plants of the last day, and the states of the start, of each `every` days and of the end."""
    fields = start_states(pattern, rain[0])
    states = [_state(0, rain[0], fields[0], frames)]
    for start, end in pairwise([*range(0, len(rain), every), len(rain)]):
        plants, soil, surface = fields
        fields = evolve(plants, rain[start:end], end - start, soil_water=soil, surface_water=surface)
        states.append(_state(end, rain[end - 1], fields[0], frames))
    return fields[0], states


def _state(day: int, rain: float, plants: NDArray[np.float64], frames: bool) -> State:
    cover = np.count_nonzero(plants >= COVERED) / plants.size
    return State(day, rain, plants.mean(), cover, plants.astype(np.float32) if frames else None)


def _table(plants: NDArray[np.float64]) -> bytes:
    return ("\n".join(",".join(map(repr, row)) for row in plants.tolist()) + "\n").encode()


def _animation(frames: list[NDArray[np.float32]], zoom: int) -> bytes:
    """Encode a looping, lossless WebP; yellow is the median of the frames' maxima, as the start is far above."""
    top = float(np.median([plants.max() for plants in frames]))
    large = (picture(plants, top).repeat(zoom, axis=0).repeat(zoom, axis=1) for plants in frames)
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(image[..., ::-1]) for image in large]
    animation.durations = np.full(len(frames), MILLISECONDS, dtype=np.int32)
    # above 100: lossless
    _, encoded = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, 101])
    return encoded.tobytes()


def _report(plants: NDArray[np.float64], states: list[State], targets: list[Path]) -> str:
    height, width = plants.shape
    lines = [
        f"cells        {height} x {width} of {PYVEG.cell:g} m, covered from {COVERED:g} g/m2 up",
        f"colours      0 (violet) to {plants.max():.4g} g/m2 (yellow)",
        "",
        "       day  rainfall mm/day  mean biomass g/m2  cover %",
    ]
    lines += [
        f"{state.day:>10}  {state.rain:>15.4g}  {state.biomass:>17.4f}  {100 * state.cover:>7.2f}"
        for state in states
    ]
    # file names may contain bytes that are not text
    names = [str(path).encode(errors="replace").decode() for path in targets]
    return "\n".join([*lines, "", "written      " + ("\n" + " " * 13).join(names)])
