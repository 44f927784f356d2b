"""An index is a row of the table and a function: a run with one that is added, and with MSAVI; then without them."""

import csv
import json

import numpy as np
import pyarrow.parquet
import pytest
import rasterio

from checkouts import LIBRARY, copy_checkout, edit
from fabricate import name_of, scene_of
from runs import BASE, DAYS, SUMMARIES, Run, count_jobs
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("kept")]

ROW = """        Variable(
            name="contrast",
            label="contrast of red and blue",
            short="contrast",
            colour="#123456",
            bands=("red", "blue"),
            subject="Contrast",
        ),
        Variable(
            name=PRECIPITATION,
"""
FUNCTION = '''

def contrast(red, blue):
    """Compute the difference."""
    return (red - blue).astype(np.float32)
'''
JANUARY, FEBRUARY = "2017-01-16", "2017-02-15"
ADDED = {"composite": {"indices": ["contrast", "ndvi", "msavi"]}}
MEASURE = {"compute_ndvi": 2, "summarise_date": 2, "summarise_site": 1, "check_products": 1}


def of_site(run, name):
    return run.folder / "results" / "here" / name


def contents(run, *patterns):
    """What some files hold, and when they were written."""
    files = [path for pattern in patterns for path in run.folder.glob(f"results/here/{pattern}")]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A checkout with another index; a run of it that was finished without and goes on with it; what was there before."""
    folder = tmp_path_factory.mktemp("added")
    checkout = copy_checkout(folder / "checkout", "workflow", "config", "profiles")
    edit(checkout, f"{LIBRARY}/variables.py", r"        Variable\(\n            name=PRECIPITATION,\n", ROW)
    edit(checkout, f"{LIBRARY}/indices.py", r"\Z", FUNCTION)
    run, snakefile = Run(folder / "work", BASE), checkout / "workflow" / "Snakefile"
    for seed, day in enumerate(DAYS):
        write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
    run.snakemake(snakefile=snakefile)
    before = contents(run, "*/*.json", "*/*.tif", "results_summary.json", "fingerprints/**/*.json")
    run.configure(BASE | ADDED)
    planned = count_jobs(run.snakemake("--dry-run", snakefile=snakefile))
    run.snakemake(snakefile=snakefile)
    return run, snakefile, before, planned


def test_only_what_holds_indices_is_made_again(added):
    run, _, before, planned = added
    site = ("analyse_site", "compare_sites", "plot_site", "map_site", "report_site", "report_sites")
    assert planned == MEASURE | dict.fromkeys([*site, "all"], 1)
    same = contents(run, "*/composite.tif", "*/ndvi.tif", "*/centrality.json")
    assert len(same) == 6 and same.items() <= before.items()


def read_bands(run, day):
    with rasterio.open(of_site(run, f"{day}/composite.tif")) as file:
        return file.read().astype(float)


@pytest.mark.parametrize("day", [JANUARY, FEBRUARY])
def test_the_records_have_mean_and_standard_deviation(added, day):
    run, _, _, _ = added
    records = json.loads(of_site(run, f"{day}/ndvi.json").read_text())
    blue, _, red, nir, _ = read_bands(run, day)
    root = np.sqrt((2 * nir + 1) ** 2 - 8 * (nir - red))
    expected = {"contrast": red - blue, "msavi": nir + 0.5 - root / 2}
    assert len(records) == 4
    for name, index in expected.items():
        # columns outer, rows inner
        parts = [index[row : row + 20, column : column + 20] for column in (0, 20) for row in (0, 20)]
        parts = [part[np.isfinite(part)] for part in parts]
        for key, values in (
            ("mean", [part.mean() for part in parts]),
            ("std", [part.std() for part in parts]),
        ):
            recorded = [record[f"{name}_{key}"] for record in records]
            np.testing.assert_allclose(recorded, values, atol=1e-6)
    # in the order of the table, after what was there
    assert list(records[0])[-4:] == ["msavi_mean", "msavi_std", "contrast_mean", "contrast_std"]


def test_the_summary_says_units_and_configuration(added):
    metadata = added[0].summary()["metadata"]
    assert metadata["config"]["composite"]["indices"] == ["ndvi", "msavi", "contrast"]
    keys = ["msavi_mean", "msavi_std", "contrast_mean", "contrast_std"]
    assert [metadata["units"][key] for key in keys] == ["1"] * 4


def test_series_and_analysis_have_it(added):
    run, _, _, _ = added
    names = ["offset50", "ndvi", "ndvi_veg", "msavi", "contrast", "total_precipitation", "temperature"]
    analysis = json.loads(of_site(run, "analysis/analysis.json").read_text())
    assert list(analysis["series"]) == names
    assert analysis["series"]["contrast"]["label"] == "contrast of red and blue"
    with of_site(run, "analysis/series.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(of_site(run, "analysis/series.parquet")).to_pylist()
    records = run.summary()["COPERNICUS/S2"]["time-series-data"]
    for name in ("msavi", "contrast"):
        means = [np.mean([record[f"{name}_mean"] for record in records[day]]) for day in (JANUARY, FEBRUARY)]
        for lines in (rows, table):
            numbers = [
                float(row["value"]) for row in lines if (row["variable"], row["statistic"]) == (name, "mean")
            ]
            assert numbers == pytest.approx(means, rel=1e-12)
        series = analysis["series"][name]["mean"]
        assert series == [pytest.approx(means[0]), pytest.approx(means[1]), None]


def test_figures_maps_and_reports_show_it(added):
    run, _, _, _ = added
    for name in ("figures/series.svg", "overview.svg", "maps/contrast.svg"):
        assert "contrast" in of_site(run, f"analysis/{name}").read_text(), name
    report = of_site(run, "analysis/report.html").read_text()
    assert "Maps of contrast of red and blue for every date" in report
    assert "doi:10.1016/0034-4257(94)90134-1" in report
    assert "MSAVI2 of Qi et al. 1994" in report
    over_sites = (run.folder / "results" / "analysis" / "report.html").read_text()
    assert '<th class="number">MSAVI</th><th class="number">contrast</th>' in over_sites
    for form in ("png", "svg", "webp", "tif"):
        assert of_site(run, f"analysis/maps/contrast.{form}").stat().st_size > 100
    with rasterio.open(of_site(run, "analysis/maps/msavi.tif")) as file:
        assert file.tags()["TIGERBUSH_METRIC"] == "MSAVI"
        # north above; the west column first in the records
        records = json.loads(of_site(run, f"{JANUARY}/ndvi.json").read_text())
        np.testing.assert_allclose(
            file.read(1).T.ravel(), [record["msavi_mean"] for record in records], rtol=1e-6
        )


def test_without_it_everything_is_as_before(added):
    """The last test here: it changes the run."""
    run, snakefile, before, _ = added
    run.configure(BASE)
    assert count_jobs(run.snakemake(SUMMARIES, "--dry-run", snakefile=snakefile)) == MEASURE
    run.snakemake(snakefile=snakefile)
    after = contents(run, "*/*.json", "*/*.tif", "results_summary.json", "fingerprints/**/*.json")
    texts, earlier = ({path: text for path, (text, _) in files.items()} for files in (after, before))
    assert len(texts) > 20 and texts == earlier
    assert b"indices" not in b"".join(texts.values())
