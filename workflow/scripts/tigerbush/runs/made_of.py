"""What earlier runs have made of a product, of which that may be all that is left."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

from tigerbush.bundle import ZIP_ERRORS
from tigerbush.errors import TigerbushError, raise_machine_fault
from tigerbush.files import read_json
from tigerbush.placeholder import FAILED, windows_of
from tigerbush.raster import GDAL_ERRORS, LINEAGE, STATUS, read_tags
from tigerbush.sensors import parse_name

# dates of a site that a product may be of: the date of a period need not be the nearest to each of its days
_NEAREST = 2


def made_of(product: str, results: Path) -> list[Path]:
    """Return the windows, scenes and local copies of a product, or else the dates that it is in; no placeholders.

    Only tags and directories of files are read. A date of which it is not known what it was made of counts.

    Parameters
    ----------
    product : str
    results : Path
        The folder of results, on this machine.

    Raises
    ------
    MachineError
        When the machine prevents a result from being read, so that its state is unknown.
    """
    name = parse_name(product)
    scenes = ("scenes", f"scenes/{name.tile}/{name.sensing_time:%Y-%m-%d}", "scenes_mpi/*")
    files = [path for folder in scenes for path in results.glob(f"{folder}/{product}.tif")]
    files += results.glob(f"downloads/{product}.zip")
    windows = [path for path, status in windows_of(results, product).items() if status != "failed"]
    return [*windows, *filter(_is_result, files)] or list(_dates_of(product, results))


def _is_result(path: Path) -> bool:
    """Tell whether a file can be read and is no placeholder."""
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return FAILED not in archive.namelist()
        return read_tags(path).get(STATUS) != "failed"
    except (*GDAL_ERRORS, *ZIP_ERRORS, OSError) as error:
        raise_machine_fault(error)
        return False


def _dates_of(product: str, results: Path) -> Iterator[Path]:
    """Yield the folders of dates that a product is in, of those next to its day."""
    day = parse_name(product).sensing_time.date()
    by_site: dict[Path, list[tuple[int, Path]]] = {}
    for path in results.glob("*/????-??-??"):
        with suppress(ValueError):
            distance = abs((date.fromisoformat(path.name) - day).days)
            by_site.setdefault(path.parent, []).append((distance, path))
    for dates in by_site.values():
        for _, path in sorted(dates)[:_NEAREST]:
            lineage = _lineage(path)
            known = lineage is not None
            if (known and product in {*lineage["products"], *lineage["left_out"]}) or (
                not known and any(path.iterdir())
            ):
                yield path


def _lineage(folder: Path) -> Mapping | None:
    """Return what a date was made of, from its composite or else its summary; None if neither tells."""
    try:
        return json.loads(read_tags(folder / "composite.tif")[LINEAGE])
    except (*GDAL_ERRORS, KeyError, ValueError):
        pass
    try:
        return read_json(folder / "summary.json")["lineage"]
    except (TigerbushError, OSError, KeyError, TypeError):
        return None
