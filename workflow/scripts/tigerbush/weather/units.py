"""Units that files state, compared with the configuration."""

import re
from collections.abc import Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError

# 1 kg of rain per square metre is 1 mm
AMOUNTS = {"m": "m", "metre": "m", "meter": "m", "mm": "mm", "millimeter": "mm", "kg m-2": "mm"}
PER_DAY = {"s": 86400, "sec": 86400, "second": 86400, "h": 24, "hr": 24, "hour": 24, "d": 1, "day": 1}
TEMPERATURES = {"k": "K", "kelvin": "K", "c": "degC", "degc": "degC", "celsius": "degC"}


def conversion_factor(
    path: Path, name: str, quantity: Mapping[str, str], units: str, *, is_mean: bool
) -> float:
    """Return the factor that converts the values of a variable to the configured unit (per day for a mean_rate).

    ECMWF's monthly means state m although they are per day, so metres do not contradict a mean_rate. When
    a file states no units, those of the configuration are assumed.

    Parameters
    ----------
    path : Path
        For sentences.
    name : str
        `precipitation` or `temperature`.
    quantity : mapping
        `column`, `unit` and, of precipitation, `kind`.
    units : str
        As stated by the file.
    is_mean : bool
        Whether the file says that the values are means over time.

    Raises
    ------
    TigerbushError
        When the units are unknown or contradict the configuration.
    """
    subject = f"{path}: variable {quantity['column']} is in {units[:80]!r}"
    amount, per = parse_units(units)
    if amount in ("", "unknown"):
        return 1.0
    is_rainfall = name == "precipitation"
    unit = (AMOUNTS if is_rainfall else TEMPERATURES).get(amount)
    if unit is None or (per and (not is_rainfall or per not in PER_DAY)):
        raise TigerbushError(f"{subject}, not a known unit of {name}; convert it to {quantity['unit']}.")
    if unit != quantity["unit"]:
        raise TigerbushError(f"{subject}, but weather.{name}.unit is {quantity['unit']}; set it to {unit}.")
    if not is_rainfall:
        return 1.0
    kind = quantity["kind"]
    conflict = f"but weather.precipitation.kind is {kind}; set it to"
    if kind != "mean_rate" and (per or is_mean):
        raise TigerbushError(f"{subject} as a {'rate' if per else 'mean'}, {conflict} mean_rate.")
    if kind == "mean_rate" and not per and unit != "m":
        raise TigerbushError(f"{subject}, an amount, {conflict} sum or accumulated.")
    return float(PER_DAY[per]) if per else 1.0


def parse_units(text: str) -> tuple[str, str | None]:
    """Split units into amount and time: `mm`, `day` for mm/day; `kg m-2`, `s` for kg m**-2 s**-1."""
    text = re.sub(
        r"of water equivalent|degrees?[ _]|(?<=met[er]{2})s|\*\*|\^|°|[()]", "", text.lower()
    ).replace(" per ", "/")
    text = re.sub(r"/ *([a-z]+)([0-9]?)", lambda part: f" {part[1]}-{part[2] or 1}", text.replace("_", " "))
    amount, per = re.fullmatch(r"(.*?)(?: ([a-z]+)-1)?", " ".join(text.split())).groups()
    return amount, per
