"""Which values of rainfall and temperature are possible: the only place that says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

NAMES = {"precipitation": "total_precipitation", "temperature": "mean_2m_air_temperature"}
LABELS = {"precipitation": "rainfall", "temperature": "temperature"}
TO_METRES = {"m": 1.0, "mm": 0.001}
KELVIN_OFFSET = {"K": 0.0, "degC": 273.15}

# K; measured at a height of 2 m: 184 to 330
COLDEST, WARMEST = 180.0, 340.0
# m; the most that was ever measured: 1.8 in a day, 9.3 in a month
MAX_DAY, MAX_MONTH = 2.0, 10.0
# m; below zero by less than this is rounding of packed numbers
PACKING_NOISE = 1e-6
DAY, MONTH = timedelta(days=1), timedelta(days=31)
# what is written where a value is missing, declared or not; only impossible values are looked up
_NINES = (999, 999.9, 999.99, 9999, 9999.9, 9999.99, 99999, 99999.9, 999999, 32767, 32768)
FILL_VALUES = {-99, -99.9, -99.99, *_NINES, *(-number for number in _NINES)}
# as large as the default fill values of NetCDF, GrADS and Fortran
LARGEST = 1e9


@dataclass(frozen=True)
class Limits:
    """The possible values of a quantity, in its configured unit.

    Attributes
    ----------
    name : str
        `precipitation` or `temperature`.
    unit : str
        mm, m, degC or K.
    low, high : float
        The least and the greatest possible value of a record.
    noise : float
        A value that is lower than `low` by no more than this stands for `low`.
    """

    name: str
    unit: str
    low: float
    high: float
    noise: float = 0.0

    def refusal(self, value: float) -> str:
        """Return why a value is refused, and what to do; after the place of the value."""
        return (
            f"{value:g} {self.unit} is not a possible {LABELS[self.name]} (from {self.low:g} to {self.high:g} "
            f"{self.unit} a record); correct it or weather.{self.name}.unit, or leave it empty if it is missing."
        )


def limits_of(name: str, quantity: Mapping[str, str], length: timedelta, packing_step: float = 0.0) -> Limits:
    """Return the limits of the records of a quantity.

    Parameters
    ----------
    name : str
        `precipitation` or `temperature`.
    quantity : mapping
        `unit` and, of precipitation, `kind`.
    length : timedelta
        The time that a record covers.
    packing_step : float
        The step of packed numbers, in the configured unit; 0 for those that are not packed.
    """
    unit = quantity["unit"]
    if name == "temperature":
        offset = KELVIN_OFFSET[unit]
        return Limits(name, unit, round(COLDEST - offset, 2), round(WARMEST - offset, 2))
    # a rate is per day, and an accumulation ends after a day
    days = length / DAY if quantity["kind"] == "sum" else 1.0
    most = min(MAX_DAY * max(days, 1.0), MAX_MONTH * max(length / MONTH, 1.0))
    noise = max(PACKING_NOISE / TO_METRES[unit], packing_step / 2)
    return Limits(name, unit, 0.0, most / TO_METRES[unit], noise)


def possible_value(value: float, limits: Limits) -> float | None:
    """Return a value if it is possible; None for a fill value.

    Raises
    ------
    ValueError
        When it is neither; the message is `Limits.refusal`.
    """
    if limits.low <= value <= limits.high:
        return value
    if limits.low - limits.noise <= value < limits.low:
        return limits.low
    if is_fill_value(value):
        return None
    raise ValueError(limits.refusal(value))


def is_fill_value(value: float) -> bool:
    """Say whether an impossible value stands for a missing one, whether or not the file declares it."""
    return not abs(value) < LARGEST or round(value, 2) in FILL_VALUES
