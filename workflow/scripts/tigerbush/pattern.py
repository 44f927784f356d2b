"""Self-organised vegetation patterns: the model of Rietkerk et al. 2002 (American Naturalist 160, 524).

Plants P (g/m2), soil water W (mm) and surface water O (mm) on square cells, under rainfall R (mm/day)::

    dP/dt = c u - (d + beta) P + dif_p lap P        u = gmax W / (W + k1) P               uptake
    dW/dt = i - u - rw W       + dif_w lap W        i = alpha O (P + k2 w0) / (P + k2)    infiltration
    dO/dt = R - i              + dif_o lap O - v dO/dy

in explicit Euler steps with zero-flux boundaries, as in pyveg's simulator. On a slope surface water runs down the rows
at the speed v (upwind differences; the slope continues beyond the grid): bands across it form. Flat ground, v = 0, is
the default. Water infiltrates better where plants grow, so they draw it from the bare ground around them: with
declining rainfall gaps turn into labyrinths, then into spots.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# stability limit of dt x dif / cell^2 with four neighbours
STABLE = 0.25


@dataclass(frozen=True)
class Parameters:
    """Parameters of plants, soil and grid; the defaults are pyveg's (patternGenConfig.json).

    Comments give the meaning and the unit, and the value published by Rietkerk et al. 2002 where it differs.

    Raises
    ------
    ValueError
        When a value is negative or not finite, or k1, k2 or cell is 0.
    """

    c: float = 10.0  # conversion of water uptake to plant growth, g/m2 per mm
    gmax: float = 0.05  # maximum specific water uptake, mm/day per g/m2
    k1: float = 3.0  # half-saturation constant of water uptake, mm; published 5
    d: float = 0.1  # specific mortality of plants, per day; published 0.25, all losses
    beta: float = 0.3  # specific loss of plants to grazing, per day; published as part of d
    alpha: float = 0.1  # maximum infiltration rate of surface water, per day; published 0.2
    k2: float = 5.0  # half-saturation constant of infiltration, g/m2
    w0: float = 0.15  # infiltration on bare ground relative to alpha; published 0.2
    rw: float = 0.1  # specific soil water loss to evaporation and drainage, per day; published 0.2
    dif_p: float = 0.1  # plant dispersal, m2/day
    dif_w: float = 0.1  # diffusion of soil water, m2/day
    dif_o: float = 100.0  # diffusion of surface water, m2/day
    cell: float = 21.0  # side of a cell, m; pyveg's own
    vmass: float = 90.0  # maximum of the start pattern, g/m2; pyveg's own
    frac: float = 0.9  # share of bare cells in a random start; pyveg's own
    v: float = 0.0  # speed of surface water down the rows, m/day; published 10 on a slope

    def __post_init__(self) -> None:
        """Refuse meaningless values."""
        for name, value in dataclasses.asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"parameter {name} must be a non-negative finite number, not {value}.")
            if value == 0 and name in ("k1", "k2", "cell"):
                raise ValueError(f"parameter {name} must be greater than 0.")


PYVEG = Parameters()
# the cell size of 2 m, fine enough for the patterns, is our choice; it needs steps shorter than 0.01 days
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
    """Simulate plants and water in time; the inputs are not modified.

    Negative values, which occur only with steps that are too long, become 0: where dt x (loss per day + 4 dif / cell^2)
    > 1 for a field of a cell. With pyveg's parameters and steps of a day this takes more than 54 g/m2 of plants and
    almost no water. It was never seen in runs from the start states under up to 1.5 mm/day, constant or changing, but
    happens when 4 mm/day stop suddenly. Diffusion alone stays positive in all steps that are allowed.

    Parameters
    ----------
    plants : (h, w) array
        Biomass, g/m2.
    rainfall : float or sequence of float
        mm/day, one value for all steps or one per step.
    steps : int
        Number of steps. A run in several parts that hand over all three fields gives the same bits.
    dt : float
        Length of a step, days.
    parameters : Parameters
    soil_water, surface_water : array, optional
        mm, a number or an array of the shape of `plants`; by default as in `start_states`, for the rainfall of the
        first step.

    Returns
    -------
    plants, soil water, surface water : (h, w) arrays of float64
        g/m2, mm, mm. A mirrored or rotated start gives the mirrored or rotated result, bit for bit.

    Raises
    ------
    ValueError
        When an input is invalid, or dt x (dif / cell^2 + v / (4 cell)) reaches 0.25, where explicit steps are unstable.
    """
    first = _field("plants", plants)
    rain = _rain(rainfall, steps)
    scale = _scale(dt, parameters)
    state = np.empty((3, first.shape[0] + 2, first.shape[1] + 2))
    inner = state[:, 1:-1, 1:-1]
    inner[0] = first
    if soil_water is None or surface_water is None:
        equilibrium = _equilibrium_water(rain[0] if rain else 0.0, parameters)
        soil_water = equilibrium[0] if soil_water is None else soil_water
        surface_water = equilibrium[1] if surface_water is None else surface_water
    inner[1] = _field("soil water", soil_water, first.shape)
    inner[2] = _field("surface water", surface_water, first.shape)
    flow, work = np.empty(inner.shape), np.empty(inner.shape)
    downhill = dt * parameters.v / parameters.cell
    for amount in rain:
        _flow(state, scale, flow, work)
        if downhill:
            flow[2] += downhill * (state[2, :-2, 1:-1] - inner[2])
        _react(inner, flow, work, amount, dt, parameters)
    return tuple(field.copy() for field in inner)


def start_states(pattern: ArrayLike, rainfall: float, parameters: Parameters = PYVEG) -> Fields:
    """Return pyveg's initial state: plants in the given pattern, and water in equilibrium on bare ground.

    Parameters
    ----------
    pattern : (h, w) array
        Non-negative values on any scale: 0/1, 0/255, ...
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
        When the pattern is not such an array or zero everywhere, rainfall is negative, or a divisor is 0.
    """
    pattern = _field("the start pattern", pattern)
    greatest = pattern.max()
    if greatest == 0:
        raise ValueError("the start pattern must have a value above 0, but all of its cells are 0.")
    (rain,) = _rain(rainfall, 1)
    soil, surface = (np.full(pattern.shape, water) for water in _equilibrium_water(rain, parameters))
    return pattern / greatest * parameters.vmass, soil, surface


def random_pattern(shape: tuple[int, int], seed: int, parameters: Parameters = PYVEG) -> NDArray[np.bool_]:
    """Place plants at random, in each cell with probability 1 - frac; the same seed gives the same pattern."""
    return np.random.default_rng(seed).random(shape) >= parameters.frac


def _flow(state: Field, scale: Field, flow: Field, work: Field) -> None:
    """Write the net flow into each cell during a step into `flow`; the border repeats its neighbours (zero flux)."""
    state[:, 0], state[:, -1] = state[:, 1], state[:, -2]
    state[:, :, 0], state[:, :, -1] = state[:, :, 1], state[:, :, -2]
    # opposite neighbours first, so that sums have the same bits in every orientation
    np.add(state[:, :-2, 1:-1], state[:, 2:, 1:-1], out=flow)
    np.add(state[:, 1:-1, :-2], state[:, 1:-1, 2:], out=work)
    flow += work
    np.multiply(state[:, 1:-1, 1:-1], 4, out=work)
    flow -= work
    flow *= scale


def _react(fields: Field, flow: Field, work: Field, rain: float, dt: float, parameters: Parameters) -> None:
    """Add the change of a step to all fields, flow included."""
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
    """Return dt x dif / cell^2 of the three fields; refuse unstable steps."""
    if not (math.isfinite(dt) and dt > 0):
        raise ValueError(f"dt must be a finite number of days above 0, not {dt}.")
    area = parameters.cell**2
    scale = np.array([parameters.dif_p, parameters.dif_w, parameters.dif_o]) * dt / area
    if scale.max() >= STABLE:
        fastest = max(parameters.dif_p, parameters.dif_w, parameters.dif_o)
        raise ValueError(
            f"steps of {dt:g} days are unstable: dt x dif / cell^2 is {scale.max():.3g} and must be below {STABLE}; "
            f"use dt below {STABLE * area / fastest:.3g} or larger cells."
        )
    total = scale[2] + dt * parameters.v / (4 * parameters.cell)
    if total >= STABLE:
        raise ValueError(
            f"steps of {dt:g} days are unstable: dt x (dif_o / cell^2 + v / (4 cell)) is {total:.3g} and must be below "
            f"{STABLE}; use dt below {dt * STABLE / total:.3g} or larger cells."
        )
    return scale[:, None, None]


def _rain(rainfall: float | Sequence[float], steps: int) -> list[float]:
    if not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps must be a non-negative whole number, not {steps!r}.")
    rain = np.asarray(rainfall, dtype=np.float64)
    if rain.ndim and rain.shape != (steps,):
        raise ValueError(
            f"rainfall must be one number or one per step ({steps}), not an array of shape {rain.shape}."
        )
    if not (np.isfinite(rain) & (rain >= 0)).all():
        raise ValueError("rainfall must be finite and not negative (mm/day).")
    return np.broadcast_to(rain, steps).tolist()


def _field(name: str, values: ArrayLike, shape: tuple[int, int] | None = None) -> Field:
    field = np.asarray(values, dtype=np.float64)
    if shape and field.shape not in ((), shape):
        raise ValueError(
            f"{name} must be a number or have the shape {shape} of the plants, not {field.shape}."
        )
    if not shape and (field.ndim != 2 or not field.size):
        raise ValueError(f"{name} must be a two-dimensional array, not one of shape {field.shape}.")
    if not (np.isfinite(field) & (field >= 0)).all():
        raise ValueError(f"{name} must be finite and not negative in every cell.")
    return field


def _equilibrium_water(rain: float, parameters: Parameters) -> tuple[float, float]:
    if not (parameters.rw and parameters.alpha and parameters.w0):
        raise ValueError(
            "initial water follows from rw, alpha and w0, which must be greater than 0; else give both fields of water."
        )
    return rain / parameters.rw, rain / (parameters.alpha * parameters.w0)
