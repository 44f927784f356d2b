"""What earlier runs have made of a product, of which that may be all that is left."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from tigerbush.placeholder import is_finished
from tigerbush.raster import GDAL_ERRORS, LINEAGE, read_tags
from tigerbush.sensors import parse_name

# composites of a site that a product may be in: the date of a period need not be the nearest to each of its days
_NEAREST = 2


def made_of(product: str, results: Path) -> list[Path]:
    """Return the windows, scenes and local copies of a product, and the composites that it is in; no placeholders.

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
    folders = ("*/products", "scenes", f"scenes/{name.tile}/{name.sensing_time:%Y-%m-%d}")
    files = [
        *(path for folder in folders for path in results.glob(f"{folder}/{product}.tif")),
        *(
            path
            for folder in ("downloads", "*/downloads")
            for path in results.glob(f"{folder}/{product}.zip")
        ),
    ]
    return [path for path in files if is_finished(path)] or list(_composites_of(product, results))


def _composites_of(product: str, results: Path) -> Iterator[Path]:
    """Yield the composites that a product is in, of those next to its day."""
    day = parse_name(product).sensing_time.date()
    by_site: dict[Path, list[tuple[int, Path]]] = {}
    for path in results.glob("*/????-??-??/composite.tif"):
        distance = abs((date.fromisoformat(path.parent.name) - day).days)
        by_site.setdefault(path.parent.parent, []).append((distance, path))
    for composites in by_site.values():
        for _, path in sorted(composites)[:_NEAREST]:
            try:
                lineage = json.loads(read_tags(path)[LINEAGE])
            except (*GDAL_ERRORS, KeyError, ValueError):
                continue
            if product in lineage["products"] or product in lineage["left_out"]:
                yield path
