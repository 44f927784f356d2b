"""The reader of the toy sensor: a product is a folder of GeoTIFFs with DN = 20000 x (reflectance + 0.05)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from tigerbush.toy.sensor import EPSG, RESOLUTION

from tigerbush.errors import TigerbushError
from tigerbush.files import read_json
from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions, buffered
from tigerbush.product import ProductName
from tigerbush.raster import GDAL_ERRORS, decode_error, read_part
from tigerbush.sensors import name_at

SCALE, OFFSET = 1 / 20_000, -0.05
# bits in quality.tif
CLOUD, SNOW = 1, 2


@dataclass(frozen=True)
class Product:
    """An open product with the interface of `tigerbush.readers.Product`."""

    path: Path
    name: ProductName
    files: Mapping[str, int]
    grids: Mapping[int, Grid]
    cloud_percent: float
    epsg: int = EPSG
    granule: str = ""
    codestream: None = None

    def reflectance(self, band: str) -> tuple[float, float]:
        """Return scale and offset of a band."""
        return SCALE, OFFSET

    def band_file(self, band: str) -> tuple[str, int]:
        """Return the file of a band, and its resolution in metres."""
        return f"{band}.tif", RESOLUTION

    def mask_file(self) -> tuple[str, int]:
        """Return the file of the mask, and its resolution in metres."""
        return "quality.tif", RESOLUTION

    def check_band(self, band: str, target: Grid | None = None) -> None:
        """Refuse a product without a band."""
        if f"{band}.tif" not in self.files:
            raise TigerbushError(f"{self.path}: the file of band {band} is missing; restore it.")

    def read_band(
        self, band: str, target: Grid, upsampling: str = "Nearest", downsampling: str = "First"
    ) -> np.ndarray:
        """Return the DN of a window; the toy sensor has a single resolution."""
        self.check_band(band)
        return self._read(f"{band}.tif", target)

    def read_mask(self, target: Grid, options: MaskOptions) -> tuple[np.ndarray, str]:
        """Return clouds, and snow if requested."""
        quality = self._read("quality.tif", target)
        masked = (quality & CLOUD > 0) | ((quality & SNOW > 0) & options.snow)
        return buffered(masked, options.buffer), "quality.tif"

    def read_land(self, target: Grid) -> None:
        """Return None: the toy sensor does not classify land."""
        return

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.path / name).read_bytes()

    def _read(self, name: str, target: Grid) -> np.ndarray:
        label = f"{self.path}/{name}"
        try:
            with rasterio.open(self.path / name) as image:
                return read_part(image, label, self.grids[RESOLUTION], target, "about.json")[0]
        except GDAL_ERRORS as error:
            raise decode_error(label, error) from error


def open_product(path: Path) -> Product:
    """Open a product, described by its about.json."""
    about = read_json(path / "about.json")
    grid = Grid(about["x"], about["y"], RESOLUTION, about["width"], about["height"])
    return Product(path, name_at(path), list_files(path), {RESOLUTION: grid}, about["cloud_percent"])


def list_files(path: Path) -> dict[str, int]:
    """List the files of a product with their sizes."""
    return {file.name: file.stat().st_size for file in sorted(path.iterdir())}


def list_folders(path: Path) -> list[str]:
    """List the folders within a product, of which there are none."""
    return []
