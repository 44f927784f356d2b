"""Simulate patterned vegetation under rainfall: biomass as CSV and PNG, on request as an animated WebP.

The model is that of Rietkerk et al. 2002 with pyveg's parameters: cells of 21 m, steps of a day. For example:
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

# cells with as many g/m2 are covered: patterns have next to none between 0.1 and 2
COVERED = 1.0
STEPS = 100
SIZE = 50
# some GB, a run of weeks, more than any sky gives
CELL_LIMIT, STEP_LIMIT, RAIN_LIMIT = 2**24, 10**7, 2000
# an animation: side, of small grids enlarged to it, frames without --every, time of each
SIDE, FRAMES, MILLISECONDS = 400, 50, 100
# what WebP can hold, and pixels of all frames
SIDE_LIMIT, PIXEL_LIMIT = 16_383, 2**26


class State(NamedTuple):
    """What is kept of a day: rainfall in mm/day, biomass in g/m2, share of covered cells, plants of a frame."""

    day: int
    rain: float
    biomass: float
    cover: float
    plants: NDArray[np.float32] | None


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare rainfall, start, length, and where the results go."""
    command.add_argument(
        "--rainfall",
        default="1.0",
        metavar="R",
        help="mm/day: a number, START:END (changes evenly) or a CSV file of one number per step (default: 1.0)",
    )
    command.add_argument(
        "--start",
        default="random",
        metavar="CSV",
        help="matrix of plants at any scale, its maximum becomes 90 g/m2; or random: a tenth of the cells (default)",
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the random start (default: 0)")
    command.add_argument("--size", type=int, metavar="N", help=f"cells per side of it (default: {SIZE})")
    command.add_argument("--steps", type=int, metavar="N", help=f"days (default: {STEPS}, or all of the CSV)")
    command.add_argument(
        "--every",
        type=int,
        metavar="N",
        help=f"days between printed lines and between frames (default: start and end; some {FRAMES} frames)",
    )
    command.add_argument("--animation", action="store_true", help="write the frames as an animated WebP too")
    command.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where the results go (default: the current folder)",
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Simulate, print biomass and cover; every file is written whole or not at all."""
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
        Biomass that is yellow, as is more; 0 is violet.

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
        raise TigerbushError("--size is of a random start, and --start has its own; leave one of them out.")
    _check_cells((options.size or SIZE,) * 2)


def _check_cells(shape: tuple[int, int]) -> None:
    if math.prod(shape) > CELL_LIMIT:
        raise TigerbushError(
            f"the start has {shape[0]:,} x {shape[1]:,} cells, more than {CELL_LIMIT:,} in all; take a smaller one."
        )


def _check_animation(shape: tuple[int, int], zoom: int, frames: int) -> None:
    if max(shape) > SIDE_LIMIT:
        raise TigerbushError(
            f"an animation takes up to {SIDE_LIMIT:,} cells per side; leave --animation out."
        )
    if frames * math.prod(shape) * zoom**2 > PIXEL_LIMIT:
        raise TigerbushError(
            f"{frames:,} frames are too many for an animation of this size; choose a larger --every."
        )


def _rainfall(text: str, steps: int | None) -> NDArray[np.float64]:
    """Give mm/day of every step."""
    start, ramp, end = text.partition(":")
    try:
        with np.errstate(invalid="ignore"):
            rain = np.linspace(float(start), float(end if ramp else start), steps or STEPS)
    except ValueError:
        rain = _read_numbers("--rainfall", text)
        if 1 not in rain.shape:
            raise TigerbushError(f"{text} must hold one number per step, in one column or row.") from None
        rain = rain.ravel()
        if steps not in (None, len(rain)):
            raise TigerbushError(
                f"{text} has {len(rain)} values and --steps is {steps}; leave --steps out, or make them agree."
            ) from None
    if not ((rain >= 0) & (rain <= RAIN_LIMIT)).all():
        raise TigerbushError(f"--rainfall {text}: every value must be 0 to {RAIN_LIMIT} mm/day.")
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
    """Give the plants of the last day, and what is kept of the start, each `every` days and the end."""
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
    """Draw a lossless WebP that loops; yellow is the median of the frames' maxima, for starts are far above."""
    top = float(np.median([plants.max() for plants in frames]))
    large = (picture(plants, top).repeat(zoom, axis=0).repeat(zoom, axis=1) for plants in frames)
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(image[..., ::-1]) for image in large]
    animation.durations = np.full(len(frames), MILLISECONDS, dtype=np.int32)
    # beyond 100 is lossless
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
    # names of files may hold bytes that are no text
    names = [str(path).encode(errors="replace").decode() for path in targets]
    return "\n".join([*lines, "", "written      " + ("\n" + " " * 13).join(names)])
