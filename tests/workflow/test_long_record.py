"""The analysis in the workflow, for a record long enough for early warning: measures are constructed, without images."""

import csv
import json
import zlib

import numpy as np
import pytest

import planted
import slow
from fabricate import name_of, scene_of
from runs import BASE, SITE, Run
from tigerbush.files import read_json
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow

SEED = 20200101
CONFIG = BASE | {
    "period": {"start": "2015-07-01", "end": "2020-05-01", "step": "1m"},
    "analysis": {"surrogates": 99, "repetitions": 2},
}
PLANTED = {"long": planted.long_summary(), "short": planted.complete_summary(36)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two sites whose empty summaries are filled by hand before the analysis; the only product is of 2012."""
    folder = tmp_path_factory.mktemp("long") / "work"
    write_product(folder / "products", name_of("20120110"), scene_of(clouds=[]))
    run = Run(folder, CONFIG, sites=[(name, *SITE[1:]) for name in PLANTED])
    run.snakemake(*(f"results/{name}/results_summary.json" for name in PLANTED))
    for name, summary in PLANTED.items():
        path = folder / "results" / name / "results_summary.json"
        own = json.loads(path.read_text())
        metadata = own["metadata"] | {"products": summary["metadata"]["products"]}
        path.write_text(json.dumps(own | summary | {"metadata": metadata}))
    run.snakemake("results/analysis/report.html")
    return run


@pytest.fixture(scope="module")
def analyses(run):
    return {name: read_json(run.folder / "results" / name / "analysis" / "analysis.json") for name in PLANTED}


def random_of(*names):
    return np.random.default_rng([SEED, *(zlib.crc32(name.encode()) for name in names)])


@pytest.fixture(scope="module")
def expected(analyses):
    """Values and tau of the indicators of NDVI, from the slow reference."""
    table = planted.table_of(PLANTED["long"], "ndvi_mean")
    drawn = slow.equal_draw(table, 3, random_of("long", "ndvi", "draw"))
    values = drawn[[planted.indices().index(i) for i in planted.DRAWN]]
    days = [planted.days_of(i) for i in planted.DRAWN]
    steps = [step["date"] for step in analyses["long"]["early_warning"]["steps"]["ndvi"]]
    columns = np.array([[float(planted.month(i) >= day) for day in steps] for i in planted.DRAWN])
    rest = slow.detrended(days, values, 0.3, 2, columns.reshape(len(days), -1))
    return slow.indicators(rest[None], planted.DRAWN, days, 27, planted.STEP)


def test_early_warning_of_the_long_record_is_that_of_the_slow_reference(analyses, expected):
    warning = analyses["long"]["early_warning"]
    assert warning["refused"] is None
    assert list(warning["indicators"]) == ["offset50", "ndvi"]
    for name, (values,) in expected.items():
        result = warning["indicators"]["ndvi"][name]
        planted.assert_same(result["values"], values, 1e-7, name)
        assert result["dates"] == planted.WINDOWS and result["surrogates"] == 99
        assert result["tau"] == pytest.approx(slow.tau_b(values), abs=1e-9)
    assert analyses["long"]["completeness"]["with_data"] == 51
    assert analyses["long"]["series"]["ndvi"]["outliers"] == ["2016-08-16", "2019-04-16", "2019-09-16"]


def test_the_short_record_is_refused(analyses):
    warning = analyses["short"]["early_warning"]
    assert (warning["indicators"], warning["ornstein_uhlenbeck"]) == ({}, {})
    assert warning["refused"].startswith("36 dates have data, and early warning needs more than 36 ")


def test_the_sites_are_compared_by_their_only_test(run, analyses):
    comparison = read_json(run.folder / "results" / "analysis" / "sites.json")
    assert (comparison["method"], comparison["q"], comparison["n_tests"]) == ("Benjamini-Yekutieli", 0.05, 1)
    warning = analyses["long"]["early_warning"]
    groups = warning["disagreement"]["ndvi"]
    p, low, high = (warning["primary"][key] for key in ("p", "p_low", "p_high"))
    assert 0 < low < p < high <= 1
    same = {"variable": "ndvi", "indicator": "falling_rate"}
    # with a single test, q equals p
    tested = {
        "site": "long", **same, "n_dates": 51, "tau": None, "p": p, "p_low": low, "p_high": high, "q": p,
        "rejected": p <= 0.05, "uncertain": low <= 0.05 < high,
        "sign": warning["sign"], "why": ", ".join(warning["why"]),
        "sign_among_sites": warning["sign"] is True and p <= 0.05,
        "family_p": warning["family"]["p"], "refused": None, "slowing": ", ".join(groups["slowing"]),
        "opposite": ", ".join(groups["opposite"]), "disagreement": groups["contradictory"],
    }  # fmt: skip
    refused = {
        "site": "short", **same, "n_dates": 36, "tau": None, "p": None, "p_low": None, "p_high": None, "q": None,
        "rejected": None, "uncertain": None, "sign": None, "why": "too_short", "sign_among_sites": None, "family_p": None,
        "refused": analyses["short"]["early_warning"]["refused"], "slowing": "", "opposite": "", "disagreement": False,
    }  # fmt: skip
    assert comparison["rows"] == [tested, refused]
    with (run.folder / "results" / "analysis" / "sites.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["site"], row["p"], row["refused"]) for row in rows] == [
        ("long", str(p), ""),
        ("short", "", refused["refused"]),
    ]
    report = (run.folder / "results" / "analysis" / "report.html").read_text()
    assert refused["refused"][1:] in report


def test_the_series_are_written_as_rows(run):
    with (run.folder / "results" / "long" / "analysis" / "series.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = planted.table_of(PLANTED["long"], "ndvi_mean")
    means = [float(row["value"]) for row in rows if (row["variable"], row["statistic"]) == ("ndvi", "mean")]
    assert means == pytest.approx([np.nanmean(row) for row in table if np.isfinite(row).any()], rel=1e-12)
    assert (
        sum(row["statistic"] == "value" and row["variable"] == "ndvi" for row in rows)
        == np.isfinite(table).sum()
    )


def test_a_new_site_is_analysed_and_no_other(run, analyses):
    """The others are compared with it anew."""
    paths = [run.folder / "results" / name / "analysis" / "analysis.json" for name in PLANTED]
    run.write_sites(*((name, *SITE[1:]) for name in (*PLANTED, "new")))
    planned = run.planned("results/analysis/report.html")
    assert planned == {"summarise_site": 1, "analyse_site": 1, "compare_sites": 1, "report_sites": 1}
    run.snakemake("results/analysis/report.html")
    assert [read_json(path) for path in paths] == list(analyses.values())
    rows = read_json(run.folder / "results" / "analysis" / "sites.json")["rows"]
    assert [(row["site"], row["why"] == "too_short") for row in rows] == [
        ("long", False), ("short", True), ("new", True)
    ]  # fmt: skip
    run.write_sites(*((name, *SITE[1:]) for name in PLANTED))
