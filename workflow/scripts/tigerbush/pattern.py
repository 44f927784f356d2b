"""Vegetation that forms patterns by itself: the model of Rietkerk et al. 2002 (American Naturalist 160, 524).

Plants P (g/m2), soil water W (mm) and surface water O (mm) on square cells, under rainfall R (mm/day)::

    dP/dt = c u - (d + beta) P + dif_p lap P        u = gmax W / (W + k1) P               uptake
    dW/dt = i - u - rw W       + dif_w lap W        i = alpha O (P + k2 w0) / (P + k2)    infiltration
    dO/dt = R - i              + dif_o lap O

in explicit Euler steps, nothing crossing the borders, as in pyveg's simulator. Water infiltrates better where plants
stand, so they take it from the bare ground around them: much rain leaves gaps, less labyrinths, little spots.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# the sum of four neighbours must not outweigh the cell itself
STABLE = 0.25


@dataclass(frozen=True)
class Parameters:
    """What the model knows of plants, soil and grid; the defaults are pyveg's (patternGenConfig.json).

    Every field names its meaning, its unit, and the published value of Rietkerk et al. 2002 where that differs.

    Raises
    ------
    ValueError
        When a value is negative or no finite number, or k1, k2 or cell is 0.
    """

    c: float = 10.0  # plants grown per water taken up, g/m2 per mm
    gmax: float = 0.05  # greatest uptake of soil water by plants, mm/day per g/m2
    k1: float = 3.0  # soil water at which uptake is half of that, mm; published 5
    d: float = 0.1  # plants that die, share per day; published 0.25, all losses
    beta: float = 0.3  # plants that are grazed, share per day; published within d
    alpha: float = 0.1  # surface water that infiltrates among dense plants, share per day; published 0.2
    k2: float = 5.0  # plants at which infiltration is midway from bare ground to dense plants, g/m2
    w0: float = 0.15  # infiltration of bare ground as a share of alpha; published 0.2
    rw: float = 0.1  # soil water that evaporates and drains, share per day; published 0.2
    dif_p: float = 0.1  # spread of plants, m2/day
    dif_w: float = 0.1  # diffusion of soil water, m2/day
    dif_o: float = 100.0  # flow of surface water, as diffusion, m2/day
    cell: float = 21.0  # side of a cell, m; pyveg's own
    vmass: float = 90.0  # plants where a start pattern is greatest, g/m2; pyveg's own
    frac: float = 0.9  # share of bare cells in a random start; pyveg's own

    def __post_init__(self) -> None:
        """Refuse values without a meaning."""
        for name, value in dataclasses.asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"parameter {name} must be a finite number from 0 up, not {value}.")
            if value == 0 and name in ("k1", "k2", "cell"):
                raise ValueError(f"parameter {name} must be greater than 0.")


PYVEG = Parameters()
# cells of 2 m, fine enough for the patterns, are our choice; their steps must be shorter than 0.01 days
RIETKERK_2002 = Parameters(k1=5.0, d=0.25, beta=0.0, alpha=0.2, w0=0.2, rw=0.2, cell=2.0)

Field = NDArray[np.float64]
Fields = tuple[Field, Field, Field]


def evolve(
    plants: ArrayLike,
    rainfall: float | Sequence[float],
    steps: int,
    dt: float = 1.0,
    parameters: Parameters = PYVEG,
    soil_water: ArrayLike | None = None,
    surface_water: ArrayLike | None = None,
) -> Fields:
    """Let plants and water evolve; the inputs stay as they are.

    Negative numbers, which only too long steps make, become 0: where dt x (loss per day + 4 dif / cell^2) > 1 for a
    field of a cell. With pyveg's parameters and steps of a day that takes more than 54 g/m2 of plants beside almost
    no water: none was seen in runs from its start states under up to 1.5 mm/day, constant or changing; 4 mm/day that
    stop suddenly do it. Flow alone stays positive in all steps that are allowed.

    Parameters
    ----------
    plants : (h, w) array
        Biomass, g/m2.
    rainfall : float or sequence of float
        mm/day, for all steps or of each.
    steps : int
        How many; a run in parts that hand over all three fields gives the same bits.
    dt : float
        Length of a step, days.
    parameters : Parameters
    soil_water, surface_water : array, optional
        mm, a number or of the shape of `plants`. Without them as in `start_states`, for the rainfall of the first step.

    Returns
    -------
    plants, soil water, surface water : (h, w) arrays of float64
        g/m2, mm, mm. A mirrored or turned start gives the mirrored or turned result, bit for bit.

    Raises
    ------
    ValueError
        When an input is no such thing, or dt x dif / cell^2 reaches 0.25, where explicit steps are unstable.
    """
    first = _field("plants", plants)
    rain = _rain(rainfall, steps)
    scale = _scale(dt, parameters)
    state = np.empty((3, first.shape[0] + 2, first.shape[1] + 2))
    inner = state[:, 1:-1, 1:-1]
    inner[0] = first
    if soil_water is None or surface_water is None:
        still = _still_water(rain[0] if rain else 0.0, parameters)
        soil_water = still[0] if soil_water is None else soil_water
        surface_water = still[1] if surface_water is None else surface_water
    inner[1] = _field("soil water", soil_water, first.shape)
    inner[2] = _field("surface water", surface_water, first.shape)
    flow, work = np.empty(inner.shape), np.empty(inner.shape)
    for amount in rain:
        _flow(state, scale, flow, work)
        _react(inner, flow, work, amount, dt, parameters)
    return tuple(field.copy() for field in inner)


def start_states(pattern: ArrayLike, rainfall: float, parameters: Parameters = PYVEG) -> Fields:
    """Give pyveg's start: water that neither rises nor falls on bare ground without losses, plants as the pattern.

    Parameters
    ----------
    pattern : (h, w) array
        Not negative, at any scale: 0/1, 0/255, ...
    rainfall : float
        R, mm/day.
    parameters : Parameters

    Returns
    -------
    plants, soil water, surface water : (h, w) arrays of float64
        The pattern scaled so that its maximum is vmass; R / rw; R / (alpha w0).

    Raises
    ------
    ValueError
        When the pattern is no such array or zero everywhere, rainfall is negative, or a divisor is 0.
    """
    pattern = _field("the start pattern", pattern)
    greatest = pattern.max()
    if greatest == 0:
        raise ValueError("the start pattern must have a value above 0, and all of its cells are 0.")
    (rain,) = _rain(rainfall, 1)
    soil, surface = (np.full(pattern.shape, water) for water in _still_water(rain, parameters))
    return pattern / greatest * parameters.vmass, soil, surface


def random_pattern(shape: tuple[int, int], seed: int, parameters: Parameters = PYVEG) -> NDArray[np.bool_]:
    """Scatter plants: each cell has them with probability 1 - frac; the same seed gives the same pattern."""
    return np.random.default_rng(seed).random(shape) >= parameters.frac


def _flow(state: Field, scale: Field, flow: Field, work: Field) -> None:
    """Put what flows into each cell in a step into `flow`; the border cells repeat their neighbours."""
    state[:, 0], state[:, -1] = state[:, 1], state[:, -2]
    state[:, :, 0], state[:, :, -1] = state[:, :, 1], state[:, :, -2]
    # opposite neighbours first: sums then are the same bits in every orientation
    np.add(state[:, :-2, 1:-1], state[:, 2:, 1:-1], out=flow)
    np.add(state[:, 1:-1, :-2], state[:, 1:-1, 2:], out=work)
    flow += work
    np.multiply(state[:, 1:-1, 1:-1], 4, out=work)
    flow -= work
    flow *= scale


def _react(fields: Field, flow: Field, work: Field, rain: float, dt: float, parameters: Parameters) -> None:
    """Add to all fields what a step changes, flow included."""
    plants, soil, surface = fields
    uptake, infiltration, other = work
    np.add(soil, parameters.k1, out=other)
    np.divide(soil, other, out=uptake)
    uptake *= plants
    uptake *= dt * parameters.gmax
    np.add(plants, parameters.k2 * parameters.w0, out=infiltration)
    np.add(plants, parameters.k2, out=other)
    infiltration /= other
    infiltration *= surface
    infiltration *= dt * parameters.alpha
    # the water that leaves one field enters another as the same number
    flow[2] += dt * rain
    flow[2] -= infiltration
    flow[1] += infiltration
    flow[1] -= uptake
    flow[1] -= np.multiply(soil, dt * parameters.rw, out=other)
    flow[0] += np.multiply(uptake, parameters.c, out=other)
    flow[0] -= np.multiply(plants, dt * (parameters.d + parameters.beta), out=other)
    fields += flow
    np.maximum(fields, 0, out=fields)


def _scale(dt: float, parameters: Parameters) -> Field:
    """Dt x dif / cell^2 of the three fields, refused where it is unstable."""
    if not (math.isfinite(dt) and dt > 0):
        raise ValueError(f"dt must be a finite number of days above 0, not {dt}.")
    area = parameters.cell**2
    scale = np.array([parameters.dif_p, parameters.dif_w, parameters.dif_o]) * dt / area
    if scale.max() >= STABLE:
        fastest = max(parameters.dif_p, parameters.dif_w, parameters.dif_o)
        raise ValueError(
            f"steps of {dt:g} days are unstable: dt x dif / cell^2 is {scale.max():.3g} and must be below {STABLE}; "
            f"take dt below {STABLE * area / fastest:.3g} or larger cells."
        )
    return scale[:, None, None]


def _rain(rainfall: float | Sequence[float], steps: int) -> list[float]:
    if not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps must be a whole number from 0 up, not {steps!r}.")
    rain = np.asarray(rainfall, dtype=np.float64)
    if rain.ndim and rain.shape != (steps,):
        raise ValueError(f"rainfall must be one number or one for each of {steps} steps, not {rain.shape}.")
    if not (np.isfinite(rain) & (rain >= 0)).all():
        raise ValueError("rainfall must be finite numbers of mm/day from 0 up.")
    return np.broadcast_to(rain, steps).tolist()


def _field(name: str, values: ArrayLike, shape: tuple[int, int] | None = None) -> Field:
    field = np.asarray(values, dtype=np.float64)
    if shape and field.shape not in ((), shape):
        raise ValueError(
            f"{name} must be a number or have the shape {shape} of the plants, not {field.shape}."
        )
    if not shape and (field.ndim != 2 or not field.size):
        raise ValueError(f"{name} must have rows and columns, and the shape is {field.shape}.")
    if not (np.isfinite(field) & (field >= 0)).all():
        raise ValueError(f"{name} must be finite numbers from 0 up in every cell.")
    return field


def _still_water(rain: float, parameters: Parameters) -> tuple[float, float]:
    if not (parameters.rw and parameters.alpha and parameters.w0):
        raise ValueError(
            "water at the start follows from rw, alpha and w0 above 0; else give both fields of water."
        )
    return rain / parameters.rw, rain / (parameters.alpha * parameters.w0)
