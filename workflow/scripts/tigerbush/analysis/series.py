"""Series of a site over time, read from results_summary.json, ours or pyveg's own."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import YEAR
from tigerbush.errors import MachineError, TigerbushError
from tigerbush.files import atomic_write
from tigerbush.site import numbered
from tigerbush.spreadsheet import escape_cell
from tigerbush.variables import VEGETATION, WEATHER, in_collection, indices_in, measured, number_in, row_of

Array = NDArray[np.float64]

_SENSED = re.compile(r"_(\d{8}T\d{6})_")
OUTLIER_SIGMAS = 3.0
TIDY = (
    "site",
    "date",
    "sub_image",
    "latitude",
    "longitude",
    "variable",
    "statistic",
    "value",
    "unit",
    "n",
)
# dates on either side that an outlier is measured against
NEIGHBOURS = 3


@dataclass(frozen=True)
class SiteSeries:
    """Everything of a site over time; NaN where there is no number.

    Attributes
    ----------
    site : str
    dates : tuple of str
        Every period's date, ISO, in order.
    days : (n,) float64 array
        Mean acquisition time of what a date holds, days since its first date's midnight; the date itself where no
        products are named.
    positions : (n,) int array
        Number of each date on the regular grid of periods, from 0; a missing key leaves a hole.
    days_per_step : float
        Mean length of a period.
    places : tuple of (latitude, longitude)
        Of the sub-images; several may have the same, because it is rounded.
    vegetation : dict of variable to (n, sub-images) float64 array
    weather : dict of variable to (n,) float64 array
    n_obs : (n, sub-images) float64 array or None
        Observations per pixel.
    metadata : dict
        Of the summary.
    """

    site: str
    dates: tuple[str, ...]
    days: Array
    positions: NDArray[np.int64]
    days_per_step: float
    places: tuple[tuple[float, float], ...]
    vegetation: Mapping[str, Array]
    weather: Mapping[str, Array]
    n_obs: Array | None
    metadata: Mapping

    @property
    def steps_per_year(self) -> float:
        """Periods in a year."""
        return YEAR / self.days_per_step

    @property
    def with_data(self) -> NDArray[np.bool_]:
        """Which dates have any number of the vegetation, (n,) bool."""
        return np.any([np.isfinite(values).any(axis=1) for values in self.vegetation.values()], axis=0)

    def places_with_data(self, day: str) -> set[tuple[float, float, int]]:
        """Return the sub-images that have any number of the vegetation at a date, as `tigerbush.site.numbered` does."""
        row = self.dates.index(day)
        known = np.any([np.isfinite(values[row]) for values in self.vegetation.values()], axis=0)
        return {place for place, has in zip(numbered(self.places), known, strict=True) if has}


def read_series(contents: object, name: str) -> SiteSeries:
    """Read results_summary.json, ours or pyveg's own.

    Parameters
    ----------
    contents : object
        The JSON.
    name : str
        Of the file, for sentences.

    Returns
    -------
    SiteSeries
        Greys of pyveg become NDVI (value * 2 / 255 - 1; our float mean is preferred), m become mm, K degrees Celsius.

    Raises
    ------
    TigerbushError
        When it is no such summary.
    """
    try:
        return _read(contents)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise TigerbushError(
            f"{name} is no summary of a site ({type(error).__name__}: {str(error)[:120]}); expected collections with "
            "`type` and `time-series-data` by date, as summarise_site or pyveg write them."
        ) from error


def _read(contents: Mapping) -> SiteSeries:
    collections = {key: value for key, value in contents.items() if key != "metadata"}
    vegetation, weather = (_of_type(collections, kind) for kind in (VEGETATION, WEATHER))
    dates = tuple(sorted({*vegetation, *weather}))
    if not dates:
        raise ValueError("no date")
    nominal = np.array([date.fromisoformat(day).toordinal() for day in dates], dtype=float)
    between = np.diff(nominal)
    usual = np.median(between) if len(between) else 1.0
    positions = np.concatenate([[0], np.cumsum(np.maximum(np.rint(between / usual), 1))]).astype(int)
    metadata = dict(contents.get("metadata") or {})
    _check_lineages(metadata.get("products") or {})
    records = [vegetation.get(day) or [] for day in dates]
    columns = [numbered(map(_place, parts)) for parts in records]
    places = sorted({place for date_places in columns for place in date_places})
    column = {place: i for i, place in enumerate(places)}
    columns = [[column[place] for place in date_places] for date_places in columns]
    keys = {*(metadata.get("units") or {}), *(key for parts in records for record in parts for key in record)}
    fields = {
        row.name: _table(records, columns, len(places), row.value_in) for row in measured(indices_in(keys))
    }
    n_obs = _table(records, columns, len(places), lambda record: number_in(record, "n_obs"))
    return SiteSeries(
        site=str(metadata.get("coords_id") or "site"),
        dates=dates,
        days=_acquired(dates, nominal, metadata.get("products") or {}) - nominal[0],
        positions=positions,
        days_per_step=float((nominal[-1] - nominal[0]) / positions[-1]) if positions[-1] else 1.0,
        places=tuple(place[:2] for place in places),
        vegetation=fields,
        weather={
            # None becomes NaN
            row.name: np.array([row.value_in(weather.get(day) or {}) for day in dates], dtype=float)
            for row in in_collection(WEATHER)
        },
        n_obs=n_obs if np.isfinite(n_obs).any() else None,
        metadata=metadata,
    )


def _of_type(collections: Mapping, kind: str) -> Mapping:
    """Return the series of the first collection of a type that has data, or else of the first."""
    of_type = [
        collection["time-series-data"] for collection in collections.values() if collection["type"] == kind
    ]
    return next((series for series in of_type if any(series.values())), of_type[0] if of_type else {})


def _place(record: Mapping) -> tuple[float, float]:
    return float(record["latitude"]), float(record["longitude"])


def _table(
    records: Sequence[Sequence[Mapping]],
    columns: Sequence[Sequence[int]],
    width: int,
    value_in: Callable[[Mapping], float | None],
) -> Array:
    table = np.full((len(records), width), np.nan)
    for row, date_columns, parts in zip(table, columns, records, strict=True):
        for column, record in zip(date_columns, parts, strict=True):
            value = value_in(record)
            if value is not None:
                row[column] = value
    return table


def _check_lineages(products: Mapping) -> None:
    """Refuse lineages of dates that have no lists of names."""
    for day, lineage in products.items():
        for key in ("products", "unmasked"):
            names = (lineage or {}).get(key, [])
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise TypeError(f"{key} of {day} is no list of names")


def _acquired(dates: Sequence[str], nominal: Array, products: Mapping) -> Array:
    """Return the mean sensing time of the products of each date, as ordinal days."""
    days = nominal.copy()
    for i, day in enumerate(dates):
        stamps = [_SENSED.search(name) for name in (products.get(day) or {}).get("products", [])]
        times = [datetime.strptime(stamp[1], "%Y%m%dT%H%M%S") for stamp in stamps if stamp]
        if times:
            days[i] = np.mean([(time - datetime(1, 1, 1)) / timedelta(days=1) + 1 for time in times])
    # clouds may leave two dates with one mean time; models need an order
    return days if (np.diff(days) > 0).all() else nominal


def site_mean(table: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return the mean, the population standard deviation and the number of the sub-images of each date, (n,) each."""
    number = np.isfinite(table).sum(axis=1)
    divisor = np.maximum(number, 1)
    mean = np.where(number > 0, np.nansum(table, axis=1) / divisor, np.nan)
    spread = np.sqrt(np.nansum((table - mean[:, None]) ** 2, axis=1) / divisor)
    return mean, np.where(number > 0, spread, np.nan), number


def outliers(days: Array, values: Array) -> NDArray[np.bool_]:
    """Mark values that lie far from the line through their neighbours; nothing is removed.

    Parameters
    ----------
    days, values : (n,) float64 arrays
        Values are NaN where missing.

    Returns
    -------
    (n,) bool array
        More than 3 robust standard deviations (1.4826 x the median absolute deviation, over the series) from the
        Theil-Sen line of up to 3 values before and 3 after.
    """
    from scipy.stats import theilslopes

    present = np.flatnonzero(np.isfinite(values))
    marked = np.zeros(values.shape, bool)
    if len(present) < 2 * NEIGHBOURS + 1:
        return marked
    residual = np.empty(len(present))
    for i, index in enumerate(present):
        around = np.delete(present[max(i - NEIGHBOURS, 0) : i + NEIGHBOURS + 1], min(i, NEIGHBOURS))
        line = theilslopes(values[around], days[around])
        residual[i] = values[index] - (line.intercept + line.slope * days[index])
    scale = 1.4826 * np.median(np.abs(residual - np.median(residual)))
    marked[present] = np.abs(residual - np.median(residual)) > max(OUTLIER_SIGMAS * scale, 1e-9)
    return marked


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """List runs of True: the first index of each, and the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask, [0]]).astype(int)))
    return [(int(i), int(j) - 1) for i, j in zip(edges[::2], edges[1::2], strict=True)]


def gaps(present: NDArray[np.bool_], dates: Sequence[str]) -> list[dict]:
    """List runs of dates without data: start, end, number of dates."""
    return [{"start": dates[i], "end": dates[j], "dates": j - i + 1} for i, j in runs(~present)]


def equal_n(table: Array, number: int, random: np.random.Generator) -> Array:
    """Draw the same number of sub-images at each date, so that no date is less noisy than another.

    Parameters
    ----------
    table : (n, sub-images) float64 array
        NaN where a sub-image has no number.
    number : int
        How many to draw, without replacement.
    random : Generator

    Returns
    -------
    (n,) float64 array
        Mean of the drawn anomalies plus the mean of all; NaN where there are fewer. Anomalies are from each
        sub-image's own mean, so that the choice of sub-images matters little.
    """
    own = np.nanmean(table, axis=0, where=np.isfinite(table)) if table.size else table[:1]
    anomalies = table - own
    keys = np.where(np.isfinite(anomalies), random.random(table.shape), np.inf)
    drawn = np.argsort(keys, axis=1)[:, :number]
    enough = np.isfinite(table).sum(axis=1) >= number
    means = np.take_along_axis(anomalies, drawn, axis=1).mean(axis=1)
    return np.where(enough, means + own[np.isfinite(own)].mean(), np.nan)


def common_number(table: Array) -> int:
    """Return how many sub-images an equal draw takes: the fewest of any date with half of the usual number or more."""
    number = np.isfinite(table).sum(axis=1)
    number = number[number > 0]
    return int(number[number >= np.median(number) / 2].min()) if len(number) else 0


def tidy_rows(series: SiteSeries) -> list[dict]:
    """List every number of a site, one per row.

    Parameters
    ----------
    series : SiteSeries

    Returns
    -------
    list of dict
        site, date, sub_image (number in the order of latitude and longitude, None for the site), latitude, longitude,
        variable, statistic (value; mean and std over sub-images), value, unit, n (sub-images; None for a value).
    """
    rows = []
    for name, table in series.vegetation.items():
        for i, k in zip(*np.nonzero(np.isfinite(table)), strict=True):
            rows.append(_row(series, i, name, "value", table[i, k], part=k))
        mean, spread, number = site_mean(table)
        for i in np.flatnonzero(number):
            rows.append(_row(series, i, name, "mean", mean[i], n=int(number[i])))
            rows.append(_row(series, i, name, "std", spread[i], n=int(number[i])))
    for name, values in series.weather.items():
        rows += [_row(series, i, name, "value", values[i]) for i in np.flatnonzero(np.isfinite(values))]
    return rows


def _row(series: SiteSeries, i: int, name: str, statistic: str, value: float, part=None, n=None) -> dict:
    latitude, longitude = (None, None) if part is None else series.places[part]
    return {
        "site": series.site,
        "date": series.dates[i],
        "sub_image": None if part is None else int(part),
        "latitude": latitude,
        "longitude": longitude,
        "variable": name,
        "statistic": statistic,
        "value": float(value),
        "unit": row_of(name).unit,
        "n": n,
    }


def write_series(rows: Sequence[Mapping], csv: Path, parquet: Path) -> None:
    """Write tidy rows as CSV (empty where there is nothing) and as Parquet, each whole or not at all.

    Raises
    ------
    MachineError
        Without pyarrow, which the library alone does not bring.
    """
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MachineError(
            f"{csv} and {parquet.name} are written with pyarrow, which is not installed here; run 'pip install "
            "pyarrow' (in a checkout: make env)."
        ) from None

    kinds = {"sub_image": pyarrow.int32(), "n": pyarrow.int32()}
    kinds |= dict.fromkeys(("latitude", "longitude", "value"), pyarrow.float64())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in TIDY])
    cells = [{name: escape_cell(value) for name, value in row.items()} for row in rows]
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    with atomic_write(csv) as temporary:
        pyarrow.csv.write_csv(pyarrow.Table.from_pylist(cells, schema=schema), temporary, options)
    table = pyarrow.Table.from_pylist(list(rows), schema=schema)
    with atomic_write(parquet) as temporary:
        pyarrow.parquet.write_table(table, temporary)
