"""The table of variables: what each is called, how it is shown, and where a summary holds it.

Everything else asks this table: configuration, summary, analysis, figures, maps and reports. A row with `bands` is an
index: `composite.indices` chooses it, and a function of its name computes it (`tigerbush.indices`). Planning reads
this, so it imports the standard library alone.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

# colours of the palette of Okabe and Ito, which colour-blind readers tell apart
GREEN, ORANGE, BLUE, SKY, AMBER, PURPLE = "#009E73", "#D55E00", "#0072B2", "#56B4E9", "#E69F00", "#CC79A7"
BLACK = "0.2"
VEGETATION, WEATHER = "vegetation", "weather"
# masks, images and patterns are made of it, so that no run is without
NDVI = "ndvi"
# what the bands of a composite are, by wavelength; a sensor of three has no blue
ROLES = ("blue", "green", "red", "nir")
PRECIPITATION = "total_precipitation"
GREY = "8-bit grey: NDVI = value * 2 / 255 - 1"


@dataclass(frozen=True)
class Stored:
    """A number of pyveg's records.

    Attributes
    ----------
    key : str
    unit : str
        As the summary states it; empty where it states none.
    convert : callable
        From the number to the variable in its own unit.
    """

    key: str
    unit: str = ""
    convert: Callable[[float], float] = float


@dataclass(frozen=True)
class Variable:
    """A row of the table.

    Attributes
    ----------
    name : str
        In files and in the configuration.
    label : str
        In titles and legends.
    short : str
        Within a sentence, and at the head of a column.
    unit : str
        1 for none.
    colour : str
        In figures.
    collection : {"vegetation", "weather"}
        Of the summary, which has vegetation for each sub-image and weather for each date.
    stored : Stored, optional
        Where pyveg's records hold it.
    bands : tuple of str
        Of an index: the bands that it is computed from, of `ROLES`, in the order of its function.
        Records hold its mean and standard deviation as `{name}_mean` and `{name}_std`.
    subject : str
        Subject of the sentence that tells how it changed; without it there is none.
    is_sum : bool
        Sums are drawn as bars.
    definition : str
        What it is, a sentence for the methods of a report.
    reference : tuple of str
        Text and DOI of its source.
    """

    name: str
    label: str
    short: str
    unit: str = "1"
    colour: str = BLACK
    collection: str = VEGETATION
    stored: Stored | None = None
    bands: tuple[str, ...] = ()
    subject: str = ""
    is_sum: bool = False
    definition: str = ""
    reference: tuple[str, str] | None = None

    @property
    def is_optional(self) -> bool:
        """Whether it is only there when `composite.indices` names it."""
        return bool(self.bands) and self.name != NDVI

    @property
    def mean_key(self) -> str:
        """Key of the mean of an index over the clear pixels of a sub-image."""
        return f"{self.name}_mean"

    @property
    def std_key(self) -> str:
        """Key of its standard deviation."""
        return f"{self.name}_std"

    @property
    def heading(self) -> str:
        """The short name with the unit, if it has one."""
        return self.short if self.unit == "1" else f"{self.short} ({self.unit})"

    def value_in(self, record: Mapping) -> float | None:
        """Return the value that a record of a summary holds; None without one.

        The mean of an index is preferred to pyveg's number, which 8 bits have made coarse.
        """
        mean = number_in(record, self.mean_key) if self.bands else None
        if mean is not None or self.stored is None:
            return mean
        value = number_in(record, self.stored.key)
        return None if value is None else self.stored.convert(value)


def number_in(record: Mapping, key: str) -> float | None:
    """Return a finite number of a record; None when it is none or not there."""
    value = record.get(key)
    return float(value) if value is not None and math.isfinite(value) else None


def _from_grey(grey: float) -> float:
    return grey * 2 / 255 - 1


VARIABLES: dict[str, Variable] = {
    row.name: row
    for row in (
        Variable(
            name="offset50",
            label="network centrality (offset50)",
            short="offset50",
            colour=ORANGE,
            stored=Stored("offset50"),
            subject="Offset50, a measure of the connectivity of bare ground,",
            definition="Offset50 is defined as in pyveg: bare ground is a network of neighbouring pixels, and offset50 "
            "is the Euler characteristic of its pixels (with 20 quantiles, of the most central 95 %) minus that of the "
            "most central half (subgraph centrality). More negative values mean more, and more connected, bare ground "
            "(Buxton et al. 2021).",
        ),
        Variable(
            name=NDVI,
            label="NDVI",
            short="NDVI",
            colour=GREEN,
            stored=Stored("ndvi", GREY, _from_grey),
            bands=("nir", "red"),
            subject="NDVI",
        ),
        Variable(
            name="ndvi_veg",
            label="NDVI of vegetation",
            short="NDVI of vegetation",
            colour=SKY,
            stored=Stored("ndvi_veg", GREY, _from_grey),
        ),
        Variable(
            name="msavi",
            label="MSAVI",
            short="MSAVI",
            colour=AMBER,
            bands=("nir", "red"),
            subject="MSAVI",
            definition="MSAVI, the modified soil-adjusted vegetation index (MSAVI2 of Qi et al. 1994), is "
            "(2 NIR + 1 − √((2 NIR + 1)² − 8 (NIR − red))) / 2 of reflectances; bright or dark soil changes it less "
            "than NDVI.",
            reference=(
                "Qi et al. 1994, A modified soil adjusted vegetation index. Remote Sensing of Environment 48, 119.",
                "10.1016/0034-4257(94)90134-1",
            ),
        ),
        Variable(
            name=PRECIPITATION,
            label="precipitation",
            short="rain",
            unit="mm",
            colour=BLUE,
            collection=WEATHER,
            stored=Stored("total_precipitation", "m", lambda metres: metres * 1000.0),
            subject="Rain per date",
            is_sum=True,
        ),
        Variable(
            name="temperature",
            label="air temperature at 2 m",
            short="temperature",
            unit="degC",
            colour=PURPLE,
            collection=WEATHER,
            stored=Stored("mean_2m_air_temperature", "K", lambda kelvin: kelvin - 273.15),
        ),
    )
}


def row_of(name: str) -> Variable:
    """Return the row of a variable; one that another version has computed is shown by its name, in black."""
    return VARIABLES.get(name) or Variable(name, label=name, short=name)


def in_collection(collection: str) -> list[Variable]:
    """Return the rows of a collection, in the order of the table."""
    return [row for row in VARIABLES.values() if row.collection == collection]


def index_names() -> list[str]:
    """Return the names that `composite.indices` may have."""
    return [row.name for row in VARIABLES.values() if row.bands]


def measured(indices: Iterable[str]) -> list[Variable]:
    """Return the rows of the vegetation that a run with some indices measures."""
    chosen = set(indices)
    return [row for row in in_collection(VEGETATION) if not row.is_optional or row.name in chosen]


def indices_in(keys: Iterable[str]) -> list[str]:
    """Return the names of the indices whose means are among some keys."""
    there = set(keys)
    return [row.name for row in VARIABLES.values() if row.bands and row.mean_key in there]


def with_subject(indices: Iterable[str]) -> list[Variable]:
    """Return the rows, with some indices, whose changes are told: indices, then other measures, then weather."""
    rows = [row for row in (*measured(indices), *in_collection(WEATHER)) if row.subject]
    return sorted(rows, key=lambda row: not row.bands)


def units_of_vegetation(indices: Iterable[str]) -> dict[str, str]:
    """Return the units of the records of sub-images by their keys: pyveg's numbers, then those of indices."""
    rows = measured(indices)
    return {row.stored.key: row.stored.unit for row in rows if row.stored and row.stored.unit} | {
        key: row.unit for row in rows if row.bands for key in (row.mean_key, row.std_key)
    }


def units_of_weather() -> dict[str, str]:
    """Return the units of the records of the weather by their keys."""
    return {row.stored.key: row.stored.unit for row in in_collection(WEATHER)}
