"""The embedded sample against its description."""

import csv
import io
from datetime import date

import cv2
import numpy as np
import pytest
import rasterio

from fabricate import ROOT
from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions
from tigerbush.sample import simulate as sample
from tigerbush.sentinel2.masks import read_mask
from tigerbush.sentinel2.names import parse_name
from tigerbush.sentinel2.safe import open_product
from tigerbush.sources.listing import list_local

# written once per process
pytestmark = pytest.mark.xdist_group("sample")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("sample")
    sample.simulate_products(target)
    return target


@pytest.fixture(scope="module")
def truth(folder):
    return np.load(folder / "truth.npz")


def product_number(folder, number):
    """A product by its place in the order of sensing times."""
    return open_product(folder / f"{sample.overpasses()[number].product}.zip")


def reflectance(product, band):
    """Reflectance and where it is valid, computed from the stored DN and the baseline."""
    name, _ = product.band_file(band)
    with rasterio.open(f"/vsizip/{product.path}/{product.name.product}.SAFE/{name}") as image:
        dn = image.read(1).astype(float)
    offset = -1000 if product.name.baseline == "04.00" else 0
    return (dn + offset) / 10_000, dn > 0


def test_the_products_of_the_sample():
    overpasses = sample.overpasses()
    names = [parse_name(overpass.product) for overpass in overpasses]
    months = {overpass.month for overpass in overpasses}
    assert len({(name.sensing_time.year, name.sensing_time.month) for name in names}) == len(months) == 38
    assert set(range(39)) - months == {16}
    days = [name.sensing_time.date() for name in names]
    assert len(days) - len(set(days)) == 1  # two products on one day
    assert len({name.product for name in names}) == len(names) == 42 + 1
    for name in names:
        assert name.baseline == ("04.00" if name.sensing_time.date() >= date(2022, 1, 25) else "03.00")


def test_the_tracked_table_is_what_discovery_lists(folder, truth):
    """Each column follows from the characters of the name; cloud cover is that of the simulation."""
    with (ROOT / "config" / "sample" / "products.tsv").open(newline="") as file:
        tracked = list(csv.DictReader(file, delimiter="\t"))
    listed, _ = list_local(folder)
    assert len(tracked) == len(listed) == 43
    cloudy = {
        str(name): 100 * cloud.mean() for name, cloud in zip(truth["product"], truth["cloud"], strict=True)
    }
    for row, other in zip(tracked, listed, strict=True):
        name = row["product"]
        day, clock = name[11:19], name[20:26]
        assert {key: value for key, value in row.items() if key != "size_bytes"} == {
            "product": name,
            "platform": name[:3],
            "level": name[7:10],
            "sensing_time": f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}",
            "tile": name[39:44],
            "relative_orbit": name[34:37].lstrip("0"),
            "baseline": f"{name[28:30]}.{name[30:32]}",
            "cloud_percent": f"{cloudy[name]:.4f}".rstrip("0").rstrip("."),
            "url": f"data/sample/{name}.zip",
            "granule": f"L1C_T{name[39:44]}_A000001_{day}T{clock}",
        }
        # compressed sizes differ between releases of OpenJPEG
        assert int(row["size_bytes"]) == pytest.approx(int(other["size_bytes"]), rel=0.1)
        assert other | {"url": row["url"], "size_bytes": row["size_bytes"]} == other | row


# the container itself has no georeference
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("number", [0, 26, -1])
def test_gdal_opens_the_products(folder, number):
    product = product_number(folder, number)
    inside = f"/vsizip/{product.path}/{product.name.product}.SAFE/MTD_MSIL1C.xml"
    with rasterio.open(inside) as container:
        names = [name for name in container.subdatasets if ":10m:" in name]
    with rasterio.open(names[0]) as image:
        assert (image.width, image.height, image.crs.to_epsg()) == (252, 252, 32631)
        assert tuple(image.transform)[:6] == (10, 0, 460_800, 0, -10, 1_460_520)
        assert [text.split(",")[0] for text in image.descriptions] == ["B4", "B3", "B2", "B8"]
        red = image.read(1)
    np.testing.assert_array_equal(red > 0, reflectance(product, "B4")[1])


@pytest.mark.parametrize("number", [1, 13, 30, -1])
@pytest.mark.parametrize(("band", "plant", "soil", "factor"), [("B4", 0.05, 0.25, 1), ("B8", 0.37, 0.33, 1), ("B11", 0.22, 0.44, 2), ("B1", 0.11, 0.16, 6)])  # fmt: skip
def test_reflectance_mixes_plants_and_soil(folder, truth, number, band, plant, soil, factor):
    fine = cv2.resize(truth["biomass"][number].astype(float), (252, 252), interpolation=cv2.INTER_LINEAR)
    cover = 1 - np.exp(-0.12 * fine)
    mixed = cover * plant + (1 - cover) * soil
    side = 252 // factor
    expected = mixed.reshape(side, factor, side, factor).mean(axis=(1, 3))
    observed, valid = reflectance(product_number(folder, number), band)
    clear = ~truth["cloud"][number].repeat(6, axis=0).repeat(6, axis=1)[::factor, ::factor] & valid
    assert clear.mean() > 0.4
    noise = (observed - expected)[clear]
    # sensor noise only: unbiased, and uncorrelated with the ground
    assert noise.std() == pytest.approx(0.002, rel=0.1)
    assert abs(noise.mean()) < 5 * 0.002 / np.sqrt(noise.size)
    assert abs(np.corrcoef(noise, expected[clear])[0, 1]) < 5 / np.sqrt(noise.size)


def test_outside_the_swath_there_is_no_data(folder, truth):
    for number in (0, 1, 13, 14):
        valid = reflectance(product_number(folder, number), "B8")[1]
        np.testing.assert_array_equal(valid, truth["valid"][number])
    assert truth["valid"][1].all()
    # the two parts of one datatake cover the tile, and overlap
    assert (truth["valid"][13] | truth["valid"][14]).all()
    assert 0.05 < (truth["valid"][13] & truth["valid"][14]).mean() < 0.2


@pytest.mark.parametrize("number", [3, 9, 22, 31])
def test_masks_are_the_simulated_clouds(folder, truth, number):
    """Polygons before baseline 04.00, an image since."""
    cloud = truth["cloud"][number]
    mask, _ = read_mask(product_number(folder, number), Grid(460_800, 1_460_520, 10, 252, 252), MaskOptions())
    masked = np.asarray(mask) == 1
    np.testing.assert_array_equal(masked, cloud.repeat(6, axis=0).repeat(6, axis=1))
    assert product_number(folder, number).cloud_percent == pytest.approx(100 * cloud.mean(), abs=1e-3)


def test_the_weather_is_the_rain_of_the_simulation(folder, truth):
    rows = list(csv.DictReader(io.StringIO((folder / "weather.csv").read_text())))
    assert (rows[0]["date"], rows[1]["date"], rows[-1]["date"], len(rows)) == (
        "2020-01",
        "2020-02",
        "2023-03",
        39,
    )
    rain = truth["rainfall"]
    assert float(rows[1]["precipitation"]) == pytest.approx(29 * rain[1], abs=1e-3)  # a leap year
    assert float(rows[-1]["precipitation"]) == pytest.approx(31 * rain[-1], abs=1e-3)
    assert rain[:6].mean() > 1.0 > 0.6 > rain[-6:].mean()
    assert all(15 < float(row["temperature"]) < 40 for row in rows)


def test_plants_and_ndvi_decline(truth):
    mean = truth["biomass"].mean(axis=(1, 2))
    assert (truth["biomass"] >= 0).all()
    assert mean[-1] < 0.15 * mean[0]
    assert truth["ndvi"].mean(axis=(1, 2))[[0, -1]] == pytest.approx([0.42, 0.16], abs=0.03)


def test_the_same_seed_gives_the_same_products_and_another_seed_others(folder, truth, tmp_path, monkeypatch):
    """Only the first two products, to save time: a month that is simulated alone is the same."""
    first = sample.overpasses()[:2]
    monkeypatch.setattr(sample, "overpasses", lambda: first)
    sample.simulate_products(tmp_path / "again")
    names = [overpass.product for overpass in first]
    written = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert written == sorted(["truth.npz", "weather.csv", *(f"{name}.zip" for name in names)])
    for number in (0, 1):
        for band in ("B2", "B5", "B9"):
            pixels, repeated = (
                reflectance(product_number(path, number), band)[0] for path in (folder, tmp_path / "again")
            )
            np.testing.assert_array_equal(pixels, repeated)
    again = np.load(tmp_path / "again" / "truth.npz")
    assert again["product"].tolist() == names
    for key in ("biomass", "ndvi", "cloud", "valid"):
        np.testing.assert_array_equal(again[key], truth[key][:2])
    np.testing.assert_array_equal(again["rainfall"], truth["rainfall"])
    assert (folder / "weather.csv").read_bytes() == (tmp_path / "again" / "weather.csv").read_bytes()
    monkeypatch.setattr(sample, "SPIN_UP", 1)
    plants, others = (
        next(sample.simulate_plants([date(2020, 1, 1)], seed=seed)) for seed in (sample.SEED, 1)
    )
    assert (plants != others).mean() > 0.5
