"""The long records of the sample: what they hold, against the model as it is written in the article."""

import json
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
import utm

from fabricate import ROOT
from tigerbush.analysis.series import read_series
from tigerbush.sample import records
from tigerbush.sample.records import GRID, PERIOD, RECORDS, months_of, observe, simulate_record

YEARS = 2


@pytest.fixture(scope="module")
def short():
    """The record that dries out, cut to two years after half a year of spin-up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "SPIN_UP", 6)
        patch.setattr(records, "PERIOD", PERIOD | {"end": f"{int(PERIOD['start'][:4]) + YEARS}-01-01"})
        yield {"summary": simulate_record("drying", seed=3), "months": months_of("drying", seed=3)}


def vegetation(summary):
    return summary["COPERNICUS/S2"]["time-series-data"]


def test_a_record_is_decades_long_and_its_rain_declines_or_is_steady():
    for name, (first, last) in RECORDS.items():
        months = months_of(name)
        assert 20 * 12 <= len(months) <= 40 * 12
        assert months[0].first == date.fromisoformat(PERIOD["start"])
        assert all(one.following == other.first for one, other in pairwise(months))
        rain = np.array([month.rain for month in months]) / np.linspace(first, last, len(months))
        losses = np.array([month.losses for month in months])
        # gamma factors of mean 1 and a coefficient of variation of 10 %
        for factors, variation in ((rain, 0.1), (losses, 0.1)):
            assert abs(factors.mean() - 1) < 4 * variation / np.sqrt(len(factors))
            assert factors.std() == pytest.approx(variation, rel=0.2)
        assert abs(np.corrcoef(rain, losses)[0, 1]) < 0.2
    assert RECORDS["drying"][0] == RECORDS["steady"][0] == RECORDS["steady"][1] > RECORDS["drying"][1]


def test_the_rules_have_the_records_of_the_library():
    text = (ROOT / "workflow" / "rules" / "records.smk").read_text()
    assert f"RECORDS = {json.dumps(list(RECORDS))}\n" in text


def test_the_reader_takes_a_record(short):
    series = read_series(json.loads(json.dumps(short["summary"])), "it")
    assert series.site == "drying" and len(series.dates) == 12 * YEARS
    assert list(series.vegetation) == ["offset50", "ndvi", "ndvi_veg"]
    assert all(table.shape == (24, 4) for table in series.vegetation.values())
    # rain of every month in mm
    expected = [month.rain * (month.following - month.first).days for month in short["months"]]
    assert series.weather["total_precipitation"] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(series.weather["temperature"]).all()
    # what is measured is measured in all sub-images, once a month
    known = series.with_data
    for name, table in series.vegetation.items():
        assert (np.isfinite(table) == (known[:, None] & (name != "offset50"))).all()
    assert (series.n_obs[known] == 1).all()
    missing = short["summary"]["metadata"]["missing"]
    assert [day for day, there in zip(series.dates, known, strict=True) if not there] == list(missing)
    assert set(missing.values()) == {"a gap of the simulated record"}
    assert 0 < len(missing) < 10


def test_a_record_says_that_it_is_simulated(short):
    metadata = short["summary"]["metadata"]
    assert metadata["config"]["source"] == {"kind": "sample"}
    assert not any(lineage["products"] for lineage in metadata["products"].values())
    assert metadata["failed_products"] == {}
    # 1 km; the centre in metres is that of the grid
    assert metadata["region_size"] == pytest.approx(1000 / 111_320, abs=1e-5)
    easting, northing, *_ = utm.from_latlon(metadata["latitude"], metadata["longitude"])
    assert (easting, northing) == pytest.approx((GRID.x + 500, GRID.y - 500), abs=10)


def test_the_same_seed_gives_the_same_bytes(short, monkeypatch):
    monkeypatch.setattr(records, "SPIN_UP", 1)
    monkeypatch.setattr(records, "PERIOD", PERIOD | {"end": PERIOD["start"][:4] + "-03-01"})
    texts = [json.dumps(simulate_record(name, seed)) for name, seed in
             (("steady", 5), ("steady", 5), ("steady", 6), ("drying", 5))]  # fmt: skip
    assert texts[0] == texts[1] and len(set(texts)) == 3


def model_by_hand(plants, soil, surface, rain, losses, days):
    """Rietkerk et al. 2002 in steps of a day with pyveg's parameters, growth and losses of plants slowed down."""
    slow = 0.3
    for _ in range(days):
        lap = [
            sum(np.roll(np.pad(field, 1, mode="edge"), shift, axis)[1:-1, 1:-1] for shift, axis in
                ((1, 0), (-1, 0), (1, 1), (-1, 1))) - 4 * field
            for field in (plants, soil, surface)
        ]  # fmt: skip
        uptake = 0.05 * soil / (soil + 3) * plants
        infiltration = 0.1 * surface * (plants + 5 * 0.15) / (plants + 5)
        # 100 m2/day on cells of 21 m, 0.1 m2/day on cells of 20 m
        plants, soil, surface = (
            plants + slow * (10 * uptake - (0.1 + 0.3 * losses) * plants) + 0.1 * slow * lap[0] / 400,
            soil + infiltration - uptake - 0.1 * soil + 0.1 * lap[1] / 400,
            surface + rain - infiltration + 100 * lap[2] / 441,
        )
    return plants, soil, surface


def halved(field):
    """Cells cut into an upper and a lower half, interpolated linearly between their centres; edges repeat."""
    padded = np.pad(field, ((1, 1), (0, 0)), mode="edge")
    halves = 0.75 * field + 0.25 * padded[:-2], 0.75 * field + 0.25 * padded[2:]
    return np.stack(halves, axis=1).reshape(-1, field.shape[1])


def test_ndvi_is_that_of_the_model(short):
    """Of the first months, recomputed; cover and reflectances of plants and soil as docs and module state them."""
    random = np.random.default_rng([3, 7])
    # of rain and losses
    factors = [random.gamma(shape, 1 / shape, 6) for shape in (100, 100)]
    rain = RECORDS["drying"][0]
    plants = np.random.default_rng(3).random((50, 50)) >= 0.9
    fields = plants * 90.0, np.full((50, 50), rain / 0.1), np.full((50, 50), rain / (0.1 * 0.15))
    for factor, losses in zip(*factors, strict=True):
        fields = model_by_hand(*fields, rain * factor, losses, 30)
    compared = 0
    for month in short["months"][:4]:
        middle = date.fromisoformat(month.date)
        fields = model_by_hand(*fields, month.rain, month.losses, (middle - month.first).days)
        if parts := vegetation(short["summary"])[month.date]:
            cover = 1 - np.exp(-0.12 * halved(halved(fields[0]).T).T)
            red, infrared = 0.05 * cover + 0.25 * (1 - cover), 0.37 * cover + 0.33 * (1 - cover)
            expected = ((infrared - red) / (infrared + red)).mean()
            measured = np.mean([part["ndvi_mean"] for part in parts])
            # the mean noise of 10,000 pixels
            assert measured == pytest.approx(expected, abs=3e-4)
            compared += 1
        fields = model_by_hand(*fields, month.rain, month.losses, (month.following - middle).days)
    assert compared >= 2


def test_a_sensor_adds_noise_to_each_pixel():
    plants = np.full((50, 50), 10.0)
    images = np.array([observe(plants, np.random.default_rng(seed)) for seed in range(20)])
    assert images.shape == (20, 100, 100) and images.dtype == np.float32
    cover = 1 - np.exp(-1.2)
    red, infrared = 0.05 * cover + 0.25 * (1 - cover), 0.37 * cover + 0.33 * (1 - cover)
    total = infrared + red
    # propagated to first order: dNDVI = 2 (red dN - N dred) / total²
    per_reflectance = 2 * np.hypot(red, infrared) / total**2
    assert images.mean() == pytest.approx((infrared - red) / total, abs=2e-4)
    assert images.std() == pytest.approx(0.002 * per_reflectance, rel=0.02)
