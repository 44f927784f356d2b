"""The analysis of a site and the comparison of sites, as wholes."""

import csv
import io
import json

import numpy as np
import pytest
import yaml
from statsmodels.stats.multitest import multipletests

from fabricate import ROOT
from tigerbush.analysis import analyse_site, patch_size_series, spatial_series, without_nan
from tigerbush.cli.__main__ import main
from tigerbush.indicators import INDICATORS
from tigerbush.series import read_series
from tigerbush.sites import COLUMNS, compare, surrogates_needed, table_text
from tigerbush.summary import VEGETATION_COLLECTION, WEATHER_COLLECTION

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"]
QUICK = SETTINGS | {"surrogates": 99, "repetitions": 3}


def summary_of(months, name="here", seed=0, parts=4):
    """A site of so many months from 2017 on; two of them without data."""
    random = np.random.default_rng(seed)
    dates = [f"{2017 + i // 12}-{i % 12 + 1:02}-16" for i in range(months)]
    state, series, weather = 0.0, {}, {}
    for i, day in enumerate(dates):
        state = 0.6 * state + random.normal(0, 0.02)
        series[day] = None if i in (5, 11) else [
            {"latitude": 11.5 + k / 100, "longitude": 27.9, "date": day, "offset50": -400 + 1000 * state + k,
             "ndvi_mean": 0.4 + state + random.normal(0, 0.01), "ndvi_veg": 180 + 20 * state, "n_obs": 1.0 + i % 3}
            for k in range(parts - (i % 4 == 0))
        ]  # fmt: skip
        weather[day] = {"total_precipitation": random.gamma(2, 0.02), "mean_2m_air_temperature": 300}
    return {
        WEATHER_COLLECTION: {"type": "weather", "time-series-data": weather},
        VEGETATION_COLLECTION: {"type": "vegetation", "time-series-data": series},
        "metadata": {"coords_id": name},
    }


@pytest.fixture(scope="module")
def analysis():
    return analyse_site(read_series(summary_of(60), "it"), QUICK, sites=3)


def test_the_whole_is_json_and_every_list_is_as_long_as_its_dates(analysis):
    assert json.loads(json.dumps(analysis, allow_nan=False)) == analysis
    assert set(analysis["software"]) >= {"tigerbush", "numpy", "scipy", "statsmodels"}
    assert analysis["seed"] == SETTINGS["seed"]
    for one in analysis["series"].values():
        assert len(one["dates"]) == len(one["mean"]) == len(one["std"]) == len(one["n"]) == 60
    assert analysis["completeness"]["with_data"] == 58
    assert [gap["dates"] for gap in analysis["series"]["ndvi"]["gaps"]] == [1, 1]
    warning = analysis["early_warning"]
    assert warning["refused"] is None
    assert set(warning["indicators"]) == {"offset50", "ndvi", "ndvi_veg"}
    for indicators in warning["indicators"].values():
        assert set(indicators) == set(INDICATORS)
        for one in indicators.values():
            assert len(one["dates"]) == len(one["values"]) == 31
            assert -1 <= one["tau"] <= 1 and all(0 < p <= 1 for p in one["p"].values())
    rate = warning["ornstein_uhlenbeck"]["ndvi"]
    assert rate["bootstrap"] == 99 and rate["rate"] > 0
    table = warning["sensitivity"]["ndvi"]["ar1"]
    assert np.shape(table["tau"]) == (len(table["windows"]), len(table["bandwidths"]))
    assert warning["sensitivity"]["ndvi"]["ar1"]["tau"][2][2] == warning["indicators"]["ndvi"]["ar1"]["tau"]


def test_warnings_come_from_equally_many_sub_images(analysis):
    drawn = analysis["early_warning"]["subsampling"]["variables"]["ndvi"]
    assert (drawn["n"], drawn["repetitions"], drawn["dates"], drawn["left_out"]) == (3, 3, 58, 0)
    low, middle, high = (drawn["tau"]["ar1"][key] for key in ("low", "median", "high"))
    assert low <= middle <= high
    assert low < high
    off = analyse_site(read_series(summary_of(60), "it"), QUICK | {"equal_n": False})
    assert off["early_warning"]["subsampling"] is None
    # the series that is shown is the mean of all
    assert off["series"] == analysis["series"]


def test_the_primary_indicator_has_surrogates_for_the_number_of_sites(analysis):
    needed = surrogates_needed(3, "by", 0.05)
    assert needed == 110  # 3 x (1 + 1/2 + 1/3) / 0.05
    found = analysis["early_warning"]["indicators"]
    assert found["ndvi"]["ar1"]["surrogates"] == needed
    assert found["ndvi"]["variance"]["surrogates"] == found["offset50"]["ar1"]["surrogates"] == 99
    assert surrogates_needed(600, "bh", 0.05) == 12_000


def test_a_site_gives_the_same_numbers_again_and_another_one_others(analysis):
    again = analyse_site(read_series(summary_of(60), "it"), QUICK, sites=3)
    assert again == analysis
    other = analyse_site(read_series(summary_of(60, name="there"), "it"), QUICK, sites=3)
    tau = [one["early_warning"]["subsampling"]["variables"]["ndvi"]["tau"] for one in (analysis, other)]
    assert tau[0] != tau[1]


@pytest.mark.parametrize("change", [{"detrending": "stl"}, {"observation_noise": True}, {"harmonics": 0}])
def test_other_settings(change):
    found = analyse_site(read_series(summary_of(50), "it"), QUICK | change)
    assert found["early_warning"]["refused"] is None
    if "detrending" in change:
        assert found["detrending"]["stl"] == {"period": 12, "trend": 23, "low_pass": 13}


def test_short_series_are_refused_but_not_in_mode_pyveg():
    series = read_series(summary_of(38), "it")
    found = analyse_site(series, QUICK)
    assert found["early_warning"]["refused"].startswith("36 dates have data")
    assert found["early_warning"]["indicators"] == {}
    assert found["series"]["ndvi"]["mean"][0] is not None
    assert found["weather"]["lagged_correlation"]["ndvi"]["n"][0] == 36
    pyveg = analyse_site(series, QUICK | {"mode": "pyveg"})
    assert pyveg["early_warning"]["refused"] is None
    assert pyveg["early_warning"]["indicators"]["offset50"]["ar1"]["tau"] is not None
    assert pyveg["detrending"]["first_differences"]
    assert analyse_site(read_series(summary_of(13), "it"), QUICK | {"mode": "pyveg"})["early_warning"][
        "refused"
    ]


@pytest.mark.parametrize("months", [1, 2, 6])
def test_very_short_series_go_through(months):
    found = analyse_site(read_series(summary_of(months), "it"), QUICK)
    assert json.dumps(found, allow_nan=False)
    assert found["early_warning"]["refused"].startswith(f"{min(months, 5)} dates have data")


def test_what_is_not_finite_becomes_null():
    assert without_nan({"a": (np.float64("nan"), np.int64(3), [float("inf"), True, "x", None])}) == {
        "a": [None, 3, [None, True, "x", None]]
    }
    found = spatial_series([("2017-01-16", {"x": 1.0}), ("2017-02-15", {"x": np.nan})], {"x": ("X", "m")})
    assert found == {
        "x": {"label": "X", "unit": "m", "dates": ["2017-01-16", "2017-02-15"], "values": [1.0, None]}
    }


def test_patch_sizes_are_in_square_metres():
    found = patch_size_series([("2017-01-16", [3, 1] + [0] * 15)], 10)
    assert found["edges"][:3] == [100, 200, 400]
    assert found["counts"] == [[3, 1] + [0] * 15] and len(found["edges"]) == 17


def row(name, p, refused=None, slowing=(), opposite=()):
    """The part of analysis.json that a comparison reads."""
    indicator = {"ndvi": {"ar1": {"tau": 0.5, "p": {"ar1": p}}}} if p is not None else {}
    one = {"slowing": list(slowing), "opposite": list(opposite), "contradictory": bool(slowing and opposite)}
    groups = {"ndvi": one} if p is not None else {}
    return {
        "site": name,
        "completeness": {"with_data": 60},
        "early_warning": {
            "refused": refused,
            "primary": {"variable": "ndvi", "indicator": "ar1"},
            "indicators": indicator,
            "disagreement": groups,
        },
    }


@pytest.mark.parametrize(("method", "name"), [("by", "fdr_by"), ("bh", "fdr_bh")])
def test_false_discoveries_are_those_of_statsmodels(method, name):
    p = [0.0005, 0.004, 0.02, 0.03, 0.2, 0.9]
    found = compare([row(f"s{i}", one) for i, one in enumerate(p)], method, 0.05)
    rejected, adjusted, *_ = multipletests(p, 0.05, name)
    assert [one["rejected"] for one in found["rows"]] == rejected.tolist()
    np.testing.assert_allclose([one["q"] for one in found["rows"]], adjusted, rtol=1e-12)
    assert found["n_tests"] == 6
    assert 0 < sum(rejected) < 6


def test_refused_sites_are_no_tests_and_disagreement_is_shown():
    sites = [row("a", 0.01, slowing=["ar1"], opposite=["variance"]), row("b", None, "too short, <b>")]
    found = compare(sites, "by", 0.05)
    assert found["n_tests"] == 1
    assert found["rows"][0]["disagreement"] and found["rows"][0]["rejected"]
    assert found["rows"][1]["p"] is None and found["rows"][1]["refused"] == "too short, <b>"
    read = list(csv.DictReader(io.StringIO(table_text(found))))
    assert list(read[0]) == list(COLUMNS)
    assert read[1]["refused"] == "too short, <b>" and read[1]["p"] == ""
    assert compare([], "by", 0.05)["rows"] == []


def test_the_command_reads_pyvegs_own_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    contents = summary_of(30)
    del contents["metadata"]
    (tmp_path / "results_summary.json").write_text(json.dumps(contents))
    arguments = ["analyse", str(tmp_path / "results_summary.json"), "--output", str(tmp_path)]
    assert main(arguments) == 0
    assert "site: 28 of 30 dates have data.\nNo early warning: 28 dates have data" in capsys.readouterr().out
    assert main([*arguments, "--config", "analysis={mode: pyveg, surrogates: 99}"]) == 0
    assert "offset50  ar1" in capsys.readouterr().out
    assert json.loads((tmp_path / "analysis.json").read_text())["mode"] == "pyveg"
    assert (tmp_path / "series.csv").exists() and (tmp_path / "series.parquet").exists()


def test_the_command_refuses_what_is_no_summary(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "it.json").write_text("{")
    assert main(["analyse", str(tmp_path / "it.json")]) == 1
    assert "it.json cannot be read as JSON" in capsys.readouterr().err
    assert main(["analyse", str(tmp_path / "no.json")]) == 1
    assert "no.json cannot be read" in capsys.readouterr().err
    assert main(["analyse", str(tmp_path / "it.json"), "--no"]) == 1
    assert not list(tmp_path.glob("series*"))
