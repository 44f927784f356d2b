"""A product made of GeoTIFF windows from a catalogue: opened by its item, and read at the windows' position."""

import json
import zipfile

import numpy as np
import pytest
import rasterio

from fabricate import name_of
from test_stac_item import ITEM, NAME
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.raster import CODESTREAM
from tigerbush.sentinel2.masks import read_mask
from tigerbush.sentinel2.safe import open_product

FOLDER = "GRANULE/L2A_T33TVL/IMG_DATA"
# columns 12 to 41 and rows 6 to 25 of the tile
WINDOW = Grid(465_180 + 120, 5_080_260 - 60, 10, 30, 20)


def tif(path, data, resolution, codestream=None):
    place = rasterio.Affine(resolution, 0, WINDOW.x, 0, -resolution, WINDOW.y)
    size = {"height": data.shape[0], "width": data.shape[1], "count": 1, "dtype": data.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=place, **size) as out:
        out.write(data, 1)
        if codestream:
            out.update_tags(**{CODESTREAM: codestream})


@pytest.fixture(params=["folder", "zip"])
def opened(request, tmp_path):
    """B2 with packets that could be checked, B8A with packets that could not, and the scene classification without packets."""
    safe = tmp_path / f"{NAME}.SAFE"
    for resolution in (10, 20):
        (safe / FOLDER / f"R{resolution}m").mkdir(parents=True)
    random = np.random.default_rng(0)
    data = {
        "B02": random.integers(1, 9000, (20, 30)).astype(np.uint16),
        "B8A": random.integers(1, 9000, (10, 15)).astype(np.uint16),
        "SCL": random.choice(np.uint8([4, 9]), (10, 15)),
    }
    for name, resolution, codestream in (("B02", 10, "checked"), ("B8A", 20, "unchecked"), ("SCL", 20, None)):
        stem = f"T33TVL_20170116T100000_{name}_{resolution}m.tif"
        tif(safe / FOLDER / f"R{resolution}m" / stem, data[name], resolution, codestream)
    (safe / "stac.json").write_text(json.dumps(ITEM))
    if request.param == "folder":
        return open_product(safe), data
    path = tmp_path / "zips" / f"{NAME}.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(safe.rglob("*")):
            archive.write(file, file.relative_to(safe.parent))
    return open_product(path), data


def test_numbers_of_the_item_are_those_of_the_product(opened):
    product, _ = opened
    assert product.name.product == NAME != name_of()
    assert (product.epsg, product.quantification, product.cloud_percent) == (32633, 10_000, 12.5)
    assert product.offsets == {"B2": -1000, "B8A": -1000}
    assert product.grids[20] == Grid(465_180, 5_080_260, 20, 63, 63)
    assert product.granule == "L2A_T33TVL"


def test_windows_are_read_at_their_position(opened):
    product, data = opened
    target = Grid(WINDOW.x + 50, WINDOW.y - 30, 10, 25, 17)
    np.testing.assert_array_equal(product.read_band("B2", target), data["B02"][3:, 5:])
    assert product.codestream == "checked"
    fine = np.kron(data["B8A"], np.ones((2, 2), np.uint16))
    np.testing.assert_array_equal(product.read_band("B8A", target), fine[3:, 5:])
    assert product.codestreams == {
        f"{FOLDER}/R10m/T33TVL_20170116T100000_B02_10m.tif": "checked",
        f"{FOLDER}/R20m/T33TVL_20170116T100000_B8A_20m.tif": "unchecked",
    }
    assert product.codestream == "unchecked"
    mask, name = read_mask(product, target)
    assert product.mask_file() == (name, 20) and name.endswith("R20m/T33TVL_20170116T100000_SCL_20m.tif")
    np.testing.assert_array_equal(mask, np.kron(data["SCL"] == 9, np.ones((2, 2)))[3:, 5:])
    product.check_band("B2", target)  # a GeoTIFF has no packets of its own


def test_pixels_outside_a_window_are_missing(opened):
    product, _ = opened
    with pytest.raises(TigerbushError, match=r"_B02_10m\.tif does not contain the window needed"):
        product.read_band("B2", Grid(WINDOW.x - 10, WINDOW.y, 10, 5, 5))
