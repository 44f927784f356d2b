"""Rainfall and temperature of a site from GRIB, by the GDAL that comes with rasterio."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tigerbush.errors import TigerbushError
from tigerbush.weather.formats import decoding
from tigerbush.weather.grib_messages import check_messages
from tigerbush.weather.grids import Grid, site_series
from tigerbush.weather.records import Period, Series
from tigerbush.weather_suffixes import GRIB

# rain of ECMWF in GRIB2 (discipline, category, number), of which GDAL knows neither name nor unit
ECMWF_RAIN, ECMWF_RAIN_UNIT = (0, 1, 193), "m"
TWO_METRES = "2-HTGL"
# where GDAL has the statistical processing of a GRIB2 product (of one model, of an ensemble); 0 is a mean
STATISTICS = {"8": 23, "11": 26}


def read_grib(
    path: Path, quantities: Mapping[str, Mapping[str, str]], period: Period, site: Mapping
) -> dict[str, Series]:
    """Average quantities over the square of a site, message by message.

    Whether a field of GRIB1 is a sum, a mean or an accumulation is not stated; `kind` says so. Values are dated by the
    end of their step.

    Parameters
    ----------
    path : Path
        GRIB (1 or 2) file on a regular grid of latitude and longitude.
    quantities : mapping of str to mapping
        For `precipitation` and `temperature`: `column` (tp and t2m, or the name that GDAL gives), `unit`, and `kind`.
    period : (datetime, datetime)
        Only the messages of this period are read, and those around it that may overlap it.
    site : mapping
        longitude, latitude, and region_size (side of the square in degrees of latitude).

    Returns
    -------
    dict of str to Series
        As of `tigerbush.weather.grids.site_series`.

    Raises
    ------
    TigerbushError
        When the file is cut or damaged, lacks the variable or a regular grid, has a variable on several levels, does
        not reach the site, states units that contradict the configuration, or has an impossible value.
    """
    with decoding(path, GRIB):
        check_messages(path)
        # otherwise GDAL says that temperatures are in degrees Celsius; an index beside the file may be outdated
        with (
            rasterio.Env(GRIB_NORMALIZE_UNITS="NO"),
            rasterio.open(path, driver="GRIB", USE_IDX="NO") as dataset,
        ):
            tags = [dataset.tags(band) for band in dataset.indexes]
            return {
                name: site_series(
                    path, _grid(path, dataset, tags, quantity["column"]), name, quantity, period, site
                )
                for name, quantity in quantities.items()
            }


def _grid(path: Path, dataset: DatasetReader, tags: list[dict[str, str]], column: str) -> Grid:
    """Return the messages of a variable as a grid."""
    bands = [band for band, tag in enumerate(tags, 1) if column.lower() in _names(tag)]
    if not bands:
        names = ", ".join(sorted({repr(_names(tag)[0]) for tag in tags}))[:200]
        raise TigerbushError(
            f"{path} has no variable {column!r}; its variables are {names}: correct the names under weather in the "
            "configuration."
        )
    first = tags[bands[0] - 1]
    levels = sorted({tags[band - 1].get("GRIB_SHORT_NAME", "") for band in bands})
    if len(levels) > 1:
        raise TigerbushError(
            f"{path} has {column} at more than one level ({', '.join(levels)[:80]}); keep one."
        )
    units = first.get("GRIB_UNIT", "").strip("[]-")
    lattice = dataset.transform
    return Grid(
        name=column,
        units=ECMWF_RAIN_UNIT if _parameter(first) == ECMWF_RAIN else units,
        is_mean=_is_mean(first),
        packing_step=0.0,
        latitudes=lattice.f + lattice.e * (np.arange(dataset.height) + 0.5),
        longitudes=lattice.c + lattice.a * (np.arange(dataset.width) + 0.5),
        times=np.array([int(tags[band - 1]["GRIB_VALID_TIME"]) for band in bands]).astype("M8[s]"),
        read=partial(_read, dataset, np.array(bands)),
    )


def _names(tag: Mapping[str, str]) -> list[str]:
    """Return the names by which a message may be asked for, in lower case; that of ECMWF's NetCDF first, if any."""
    element, parameter = tag.get("GRIB_ELEMENT", ""), _parameter(tag)
    if element == "TP" or element.startswith("APCP") or parameter == ECMWF_RAIN:
        return ["tp", element.lower()]
    if element == "2T" or (element == "TMP" and tag.get("GRIB_SHORT_NAME") == TWO_METRES):
        return ["t2m", "2t", element.lower()]
    if element == "unknown" and parameter:
        return ["-".join(map(str, parameter))]
    return [element.lower()]


def _parameter(tag: Mapping[str, str]) -> tuple[int, ...] | None:
    """Return discipline, category and number of a message of GRIB2."""
    if "GRIB_DISCIPLINE" not in tag:
        return None
    discipline = int(tag["GRIB_DISCIPLINE"].partition("(")[0])
    category, number = tag["GRIB_PDS_TEMPLATE_ASSEMBLED_VALUES"].split()[:2]
    return discipline, int(category), int(number)


def _is_mean(tag: Mapping[str, str]) -> bool:
    """Say whether a message of GRIB2 declares itself a mean over time."""
    position = STATISTICS.get(tag.get("GRIB_PDS_PDTN", ""))
    values = tag.get("GRIB_PDS_TEMPLATE_ASSEMBLED_VALUES", "").split()
    return position is not None and values[position : position + 1] == ["0"]


def _read(
    dataset: DatasetReader, bands: np.ndarray, records: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Read some messages, rows and columns; NaN where the bitmap says that there is no value."""
    if not records.size:
        return np.zeros((0, rows.size, columns.size))
    top, left = rows.min(), columns.min()
    window = Window(left, top, columns.max() - left + 1, rows.max() - top + 1)
    # all at once: with each call rasterio looks at the masks of all bands
    values = dataset.read(bands[records].tolist(), window=window, masked=True).filled(np.nan)
    return values[:, rows - top][:, :, columns - left].astype(float)
