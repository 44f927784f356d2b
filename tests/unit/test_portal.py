"""Landsat at Portal, Arizona, since 2008: the steps between its sensors are named, and make no sign."""

import csv
import statistics

import pytest
import yaml

from fabricate import ROOT
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"]
QUICK = SETTINGS | {"mode": "default", "surrogates": 99, "repetitions": 1}
PLATFORMS = {"Landsat5": "LT05", "Landsat7": "LE07", "Landsat8": "LC08", "Landsat9": "LC09"}
# published, each against the sensor before: what has to be added
CORRECTIONS = {
    "Landsat5": 0.0,
    "Landsat7": 0.00179,
    "Landsat8": 0.00179 - 0.0361,
    "Landsat9": 0.00179 - 0.0361 - 0.00249,
}


def observations(path):
    """Date, sensor and NDVI of clear scenes."""
    for row in csv.DictReader(path.open()):
        clear = row["cloud_cover"] in ("", "NA") or float(row["cloud_cover"]) < 50
        if (
            row["sensor"] in PLATFORMS
            and row["ndvi"] not in ("", "NA")
            and clear
            and -0.1 < float(row["ndvi"]) < 0.9
        ):
            yield row["date"], row["sensor"], float(row["ndvi"])


def summary_of(path, corrections):
    """A summary of monthly medians, with a product name for each scene."""
    months = {}
    for day, sensor, ndvi in observations(path):
        if day < "2008":
            continue
        months.setdefault(day[:7], []).append((day, sensor, ndvi + corrections.get(sensor, 0.0)))
    every = [f"{year}-{month:02}" for year in range(2008, 2027) for month in range(1, 13)]
    every = [month for month in every if min(months) <= month <= max(months)]
    place = {"latitude": 31.94, "longitude": -109.08}
    vegetation = {
        f"{month}-15": [
            place
            | {
                "ndvi_mean": statistics.median(ndvi for *_, ndvi in months[month]),
                "n_obs": float(len(months[month])),
            }
        ]
        if month in months
        else None
        for month in every
    }
    products = {
        f"{month}-15": {
            "products": [
                f"{PLATFORMS[sensor]}_L2SP_035038_{day.replace('-', '')}_20200101_02_T1"
                for day, sensor, _ in scenes
            ]
        }
        for month, scenes in months.items()
    }
    return {
        "LANDSAT": {"type": "vegetation", "time-series-data": vegetation},
        "weather": {"type": "weather", "time-series-data": dict.fromkeys(vegetation)},
        "metadata": {"coords_id": "portal", "products": products},
    }


@pytest.mark.data
def test_the_sensors_of_portal_are_named_and_make_no_sign(shared_data):
    path = shared_data / "portal" / "ndvi.csv"
    raw, corrected = (
        analyse_site(read_series(summary_of(path, corrections), "portal"), QUICK)["early_warning"]
        for corrections in ({}, CORRECTIONS)
    )
    named = [(sensor["sensor"], sensor["against"]) for sensor in raw["sensors"]]
    assert sorted(named) == [("LC09", "LC08"), ("LE07", "LC08"), ("LT05", "LC08")]
    taken = {PLATFORMS[name]: CORRECTIONS["Landsat8"] - size for name, size in CORRECTIONS.items()}
    for before, after in zip(raw["sensors"], corrected["sensors"], strict=True):
        # what was taken off before is missing afterwards, but for months whose median is of another sensor
        assert before["difference"] - after["difference"] == pytest.approx(taken[before["sensor"]], abs=0.015)
        assert before["low"] < before["difference"] < before["high"]
    # Landsat 8 sees more than Landsat 7, as published
    assert next(sensor for sensor in raw["sensors"] if sensor["sensor"] == "LE07")["high"] < 0
    evidence = [warning["ornstein_uhlenbeck"]["ndvi"]["evidence"] for warning in (raw, corrected)]
    assert evidence[0] == pytest.approx(evidence[1], abs=0.5)
    assert raw["sign"] == corrected["sign"]
    trends = {
        trend["value"] for trend in raw["observations"] if trend["of"] == "sensor" and trend["p"] <= 0.05
    }
    assert trends == set(PLATFORMS.values())
