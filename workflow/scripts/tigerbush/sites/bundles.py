"""The windows of a product in bundles: each site has an image and a cloud mask."""

from collections.abc import Mapping
from pathlib import Path

from tigerbush.bundle import Entry, gdal_path
from tigerbush.raster import REASON, STATUS, Raster, read_raster, write_raster

IMAGE, MASK = "image.tif", "mask.tif"


def paths_of(bundle: Path, site: str) -> tuple[str, str]:
    """Return the paths by which GDAL reads image and mask of a site."""
    return gdal_path(bundle, site, IMAGE), gdal_path(bundle, site, MASK)


def read_window(bundle: Path, site: str) -> tuple[Raster, Raster]:
    """Read image and mask of a site.

    Raises
    ------
    TigerbushError
        When the bundle does not have them intact.
    """
    image, mask = map(read_raster, paths_of(bundle, site))
    return image, mask


def write_window(folder: Path, site: str, image: Raster, mask: Raster) -> Mapping[str, Path]:
    """Write image and mask of a site into a folder, from which they are put into a bundle."""
    files = {IMAGE: folder / site / IMAGE, MASK: folder / site / MASK}
    write_raster(files[IMAGE], image)
    write_raster(files[MASK], mask)
    return files


def entry_of(tags: Mapping[str, str], made: str) -> Entry:
    """Return the record of a window with these tags, of which `made` is the fingerprint."""
    # GDAL does not store an empty tag
    return Entry(made, tags[STATUS], tags.get(REASON, ""))
