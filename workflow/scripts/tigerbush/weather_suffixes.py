"""What the suffix of a weather file says that it is."""

from pathlib import PurePath

NETCDF, GRIB, JSON, TABLE = "NetCDF", "GRIB", "JSON", "CSV"
SUFFIXES = {
    ".nc": NETCDF, ".nc4": NETCDF, ".grib": GRIB, ".grib2": GRIB, ".grb": GRIB, ".grb2": GRIB, ".json": JSON,
}  # fmt: skip


def format_by_suffix(path: str | PurePath) -> str:
    """Return the format that the suffix of a path stands for: `NetCDF`, `GRIB`, `JSON`, or `CSV` for any other."""
    return SUFFIXES.get(PurePath(path).suffix.lower(), TABLE)
