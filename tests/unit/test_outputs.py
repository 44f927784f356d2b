"""Results open right in xarray: names, units, nodata, scale, offset, CRS, lineage."""

import json

import numpy as np
import pytest
import rioxarray

from fabricate import name_of, scene_of
from test_scene import SITE
from tigerbush.images import render
from tigerbush.raster import LINEAGE, PRODUCT, write_raster
from tigerbush.sentinel2.names import SITE_BANDS
from tigerbush.sites.composite import composite_products
from tigerbush.sites.product import resample_site, subset_site


@pytest.fixture
def files(product, tmp_path):
    """A product's window and mask, the composite and the NDVI made of it."""
    scene = scene_of(2, offset=-1000, classi=np.zeros((3, 21, 21)))
    image, mask = subset_site(*resample_site(product(baseline="0510", scene=scene), SITE), SITE)
    write_raster(tmp_path / "image.tif", image)
    write_raster(tmp_path / "mask.tif", mask)
    composite, _ = composite_products([(tmp_path / "image.tif", tmp_path / "mask.tif")])
    write_raster(tmp_path / "composite.tif", composite)
    write_raster(tmp_path / "ndvi.tif", render(composite).ndvi)
    return tmp_path


def test_a_product_gives_reflectance(files):
    stored = rioxarray.open_rasterio(files / "image.tif")
    assert stored.dtype == "uint16"
    assert stored.attrs["long_name"] == SITE_BANDS
    assert stored.rio.nodata == 0
    assert stored.rio.crs.to_epsg() == 32633
    assert stored.attrs[PRODUCT] == name_of(baseline="0510")
    reflectance = rioxarray.open_rasterio(files / "image.tif", mask_and_scale=True)
    np.testing.assert_allclose(reflectance, (stored.astype(float) - 1000) / 10000, atol=1e-7)
    composite = rioxarray.open_rasterio(files / "composite.tif", masked=True)
    np.testing.assert_allclose(composite[:4], reflectance, atol=1e-7)


def test_a_composite_says_what_it_is_made_of(files):
    composite = rioxarray.open_rasterio(files / "composite.tif", masked=True)
    assert composite.attrs["long_name"] == (*SITE_BANDS, "n_obs")
    assert composite.attrs["units"] == ("reflectance",) * 4 + ("count",)
    assert np.isnan(composite.rio.encoded_nodata)
    assert json.loads(composite.attrs[LINEAGE])["products"] == [name_of(baseline="0510")]
    assert composite.attrs["TIGERBUSH_VERSION"]
    ndvi = rioxarray.open_rasterio(files / "ndvi.tif", masked=True)
    assert ndvi.attrs["long_name"] == "NDVI"
    assert ndvi.attrs[LINEAGE] == composite.attrs[LINEAGE]
    red, nir = composite[2].astype(float), composite[3].astype(float)
    np.testing.assert_allclose(ndvi[0], (nir - red) / (nir + red), atol=1e-6)


def test_a_mask_names_its_values(files):
    mask = rioxarray.open_rasterio(files / "mask.tif")
    assert (mask.attrs["long_name"], mask.rio.nodata) == ("mask", 255)
    assert json.loads(mask.attrs["TIGERBUSH_MASK_VALUES"])["0"] == "clear"
