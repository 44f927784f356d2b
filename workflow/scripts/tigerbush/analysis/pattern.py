"""The pattern of a site over its dates: series, what kind of pattern it is, and spatial early warning."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.null_model import LEVEL
from tigerbush.analysis.series import SiteSeries
from tigerbush.analysis.trend import LEAST_DATES, TrendTest, holm
from tigerbush.contrast import LEAST_CONTRAST
from tigerbush.images import VEGETATION
from tigerbush.patches import CLASSES, fit_patches, patch_areas, patch_classes
from tigerbush.spatial import METRICS, Pattern, measure_pattern, without_contrast
from tigerbush.spatial_warning import INDICATORS, NULLS, SURROGATES, spatial_indicators

# latitude and longitude of a sub-image, and how many before it have the same (`tigerbush.site.numbered`)
Place = tuple[float, float, int]


@dataclass(frozen=True)
class DatePattern:
    """The pattern of a date.

    Attributes
    ----------
    day : str
    pattern : Pattern
    patches : list of int
        Number of patches by size class; zeros where noise hides the pattern.
    indicators : dict or None
        From `tigerbush.spatial_warning.spatial_indicators`; None where they are not computed.
    fits : dict or None
        From `tigerbush.patches.fit_patches`.
    hidden : list of (latitude, longitude, number)
        Used sub-images in which noise hides the pattern.
    """

    day: str
    pattern: Pattern
    patches: list[int]
    indicators: dict | None
    fits: dict | None
    hidden: list[Place]


def pattern_text(date: DatePattern) -> str:
    """Return the pattern of a date as JSON, from which `read_pattern` makes the same; NaN stays NaN."""
    return json.dumps(asdict(date), default=lambda value: value.tolist())


def read_pattern(text: str | bytes) -> DatePattern:
    """Return the pattern of a date from its JSON."""
    fields = json.loads(text)
    hidden = [tuple(place) for place in fields["hidden"]]
    return DatePattern(**fields | {"pattern": Pattern(**fields["pattern"]), "hidden": hidden})


def measure_date(
    day: str,
    ndvi: NDArray[np.floating],
    black_white: NDArray[np.uint8],
    resolution: float,
    parts: Mapping[Place, tuple[slice, slice]],
    random: np.random.Generator,
) -> DatePattern:
    """Measure the pattern of a date.

    Parameters
    ----------
    day : str
    ndvi : (h, w) float array
        NaN where masked.
    black_white : (h, w) uint8 array
        0 vegetation, 255 bare, 127 masked.
    resolution : float
        m
    parts : dict of (latitude, longitude, number) to (rows, columns)
        The sub-images that are used at this date.
    random : Generator
    """
    pattern = measure_pattern(ndvi, black_white, resolution)
    hidden = [
        place for place, lost in zip(parts, without_contrast(ndvi, list(parts.values())), strict=True) if lost
    ]
    if pattern.reason:
        return DatePattern(day, pattern, [0] * len(CLASSES), None, None, hidden)
    counts = patch_classes(black_white)
    # as patches and wavelength: too many pixels are masked
    if pattern.wavelength_reason == "masked":
        return DatePattern(day, pattern, counts, None, None, hidden)
    plants = black_white == VEGETATION
    indicators = spatial_indicators(ndvi, plants, resolution, random)
    return DatePattern(day, pattern, counts, indicators, fit_patches(patch_areas(plants)), hidden)


def spatial_analysis(
    dates: Sequence[DatePattern], series: SiteSeries, resolution: float, random: np.random.Generator
) -> dict:
    """Arrange the patterns of the dates of a site.

    Parameters
    ----------
    dates : sequence of DatePattern
        Those with data, in order.
    series : SiteSeries
        Of the same site; its times are those of the trends.
    resolution : float
        m
    random : Generator

    Returns
    -------
    dict
        spatial, patch_sizes, spatial_dates, spatial_summary, spatial_warning, as documented in docs/patterns.md.
    """
    return {
        "spatial": spatial_series([(date.day, date.pattern.metrics) for date in dates], METRICS),
        "patch_sizes": patch_size_series([(date.day, date.patches) for date in dates], resolution),
        "spatial_dates": {
            date.day: {
                "reason": date.pattern.reason,
                "wavelength_reason": date.pattern.wavelength_reason,
                "class": date.pattern.pattern_class,
            }
            for date in dates
        },
        "spatial_summary": spatial_summary(dates),
        "spatial_warning": spatial_warning(dates, series, random),
    }


def spatial_series(measures: Sequence[tuple[str, Mapping]], metrics: Mapping) -> dict:
    """Arrange the measures of dates as series: per metric label, unit, dates, values."""
    return {
        name: {
            "label": label,
            "unit": unit,
            "dates": [day for day, _ in measures],
            "values": [values[name] for _, values in measures],
        }
        for name, (label, unit) in metrics.items()
    }


def patch_size_series(patches: Sequence[tuple[str, Sequence[int]]], resolution: float) -> dict:
    """Arrange the patches of dates by classes of area: lower edges in m2, dates, counts of each date and class."""
    return {
        "unit": "m2",
        "edges": (CLASSES * resolution**2).tolist(),
        "dates": [day for day, _ in patches],
        "counts": [list(counts) for _, counts in patches],
    }


def spatial_summary(dates: Sequence[DatePattern]) -> dict:
    """Tell whether a site has a pattern, and which.

    Returns
    -------
    dict
        pattern: the most frequent class of the dates that have a wavelength, if they are more than half of those that
        were classified; else none, and reason has the most frequent reason of the others; both None if no date could
        be classified. classes, reasons: dates of each class, and of each reason for none; first, last: most frequent
        class in the first and the last third of the classified dates, None with fewer than six. contrast: limit,
        median, hidden (dates without numbers). wavelength: dates with one, median. offset50_low_contrast: per date the
        used sub-images (latitude, longitude) in which noise hides the pattern, so that their offset50 is that of
        noise.
    """
    classified = [date.pattern for date in dates if date.pattern.pattern_class]
    named = [pattern.pattern_class for pattern in classified]
    found = [name for name in named if name != "none"]
    others = [pattern.wavelength_reason for pattern in classified if pattern.pattern_class == "none"]
    has_pattern = 2 * len(found) > len(named)
    third = len(named) // 3 if len(named) >= 6 else 0
    contrasts = _known(dates, "contrast")
    wavelengths = _known(dates, "wavelength")
    return {
        "pattern": _most(found) if has_pattern else "none" if named else None,
        "reason": None if has_pattern or not named else _most(others),
        "dates": len(dates),
        "classified": len(named),
        "classes": dict(sorted(Counter(named).items())),
        "reasons": dict(sorted(Counter(others).items())),
        "first": _most(named[:third]),
        "last": _most(named[len(named) - third :]) if third else None,
        "contrast": {
            "limit": LEAST_CONTRAST,
            "median": median(contrasts) if contrasts else None,
            "hidden": [date.day for date in dates if date.pattern.reason == "contrast"],
        },
        "wavelength": {"dates": len(wavelengths), "median": median(wavelengths) if wavelengths else None},
        "offset50_low_contrast": {
            date.day: [
                {"latitude": latitude, "longitude": longitude} for latitude, longitude, _ in date.hidden
            ]
            for date in dates
            if date.hidden
        },
    }


def spatial_warning(dates: Sequence[DatePattern], series: SiteSeries, random: np.random.Generator) -> dict:
    """Arrange the spatial indicators as series, with their nulls, and test their trends.

    Returns
    -------
    dict
        indicators: per indicator label, unit, dates, values, nulls (z and p of each date and null) and trend (tau, p,
        p_adjusted, reason). rising, falling: indicators whose trend is significant, adjusted for their number (Holm).
        patch_fits: dates, fits and best of each.
    """
    measured = [date for date in dates if date.indicators]
    places = [series.dates.index(date.day) for date in measured]
    indicators = {}
    for name, (label, unit) in INDICATORS.items():
        rows = [date.indicators[name] for date in measured]
        indicators[name] = {
            "label": label,
            "unit": unit,
            "dates": [date.day for date in measured],
            "values": [row["value"] for row in rows],
            "nulls": {
                null: {key: [row[null][key] for row in rows] for key in ("z", "p")} for null in NULLS[name]
            },
        }
    trends = _trends(indicators, series.days[places], series.days_per_step, random)
    for name, trend in trends.items():
        indicators[name]["trend"] = trend
    significant = [
        name
        for name, trend in trends.items()
        if trend["p_adjusted"] is not None and trend["p_adjusted"] <= LEVEL
    ]
    return {
        "surrogates": SURROGATES,
        "level": LEVEL,
        "indicators": indicators,
        "rising": [name for name in significant if trends[name]["tau"] > 0],
        "falling": [name for name in significant if trends[name]["tau"] < 0],
        "patch_fits": {
            "dates": [date.day for date in measured],
            "best": [date.fits and date.fits["best"] for date in measured],
            "fits": [date.fits for date in measured],
        },
    }


def _trends(
    indicators: Mapping, days: NDArray[np.float64], days_per_step: float, random: np.random.Generator
) -> dict[str, dict]:
    """Test the trend of each indicator; reason says why one is not tested."""
    nothing = {"tau": None, "p": None, "p_adjusted": None}
    test = TrendTest(days, days_per_step, random) if len(days) >= LEAST_DATES else None
    trends, tested = {}, []
    for name, indicator in indicators.items():
        values = np.array(indicator["values"], dtype=float)
        if test is None:
            trends[name] = nothing | {"reason": "too_short"}
        elif not np.isfinite(values).all():
            trends[name] = nothing | {"reason": "undefined"}
        elif np.ptp(values) == 0:
            trends[name] = nothing | {"reason": "constant"}
        else:
            tau, p = test(values)
            trends[name] = {"tau": tau, "p": p, "p_adjusted": None, "reason": None}
            tested.append(name)
    for name, adjusted in zip(tested, holm([trends[name]["p"] for name in tested]), strict=True):
        trends[name]["p_adjusted"] = adjusted
    return trends


def _known(dates: Sequence[DatePattern], metric: str) -> list[float]:
    values = [date.pattern.metrics[metric] for date in dates]
    return [value for value in values if value is not None]


def _most(names: Sequence[str]) -> str | None:
    """Return the most frequent name, of equally frequent ones the last."""
    counts = Counter(reversed(names))
    return counts.most_common(1)[0][0] if counts else None
