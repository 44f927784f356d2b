"""The whole workflow on synthetic products: what runs, what does not run again, what fails."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fabricate import ROOT, name_of, scene_of
from runs import SUMMARIES, break_product, keep_days
from tigerbush.images import read_png
from tigerbush.raster import LINEAGE, STATUS, read_raster, read_tags
from tigerbush.sentinel2.writer import write_product

# in one worker, so that the runs that tests continue are made once
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("run")]

ANALYSIS = ("analyse_site", "compare_sites", "plot_site", "map_site", "report_site", "report_sites")
PER_DATE = ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date")


def test_from_products_to_the_summary(run):
    output = run.snakemake()
    summary = run.summary()
    series = summary["COPERNICUS/S2"]["time-series-data"]
    assert [len(series[day] or ()) for day in ("2017-01-16", "2017-02-15", "2017-03-16")] == [4, 4, 0]
    assert summary["metadata"]["missing"] == {"2017-03-16": "no product in the period"}
    assert summary["metadata"]["config"]["composite"]["max_cloud_percent"] == 50
    assert summary["metadata"]["config_filename"] == "config.yaml"
    composite = read_raster(run.folder / "results" / "here" / "2017-01-16" / "composite.tif")
    assert (composite.band("n_obs") == 2).all()
    pair = [run.window(name_of(day))[0] for day in ("20170110", "20170120")]
    mean = np.float32((pair[0].data.astype(float) + pair[1].data) / 2 * 1e-4)
    np.testing.assert_array_equal(composite.data[:4], mean)
    date = run.folder / "results" / "here" / "2017-02-15"
    assert {path.name for path in date.iterdir()} == {
        "composite.tif", "lost.tif", "ndvi.tif", "rgb.png", "ndvi.png", "bwndvi.png", "ndvi.json", "centrality.json",
        "summary.json",
    }  # fmt: skip
    windows = run.folder / "results" / "windows" / name_of("20170110")
    assert sorted(path.name for path in windows.iterdir()) == ["0.json", "0.zip"]
    assert "100%" in output
    # nothing is left to be done, and a dry run says so
    assert "Nothing to be done" in run.snakemake()


def test_a_dry_run_shows_every_job_once_the_table_is_there(run):
    once = dict.fromkeys(("all", "check_products", "summarise_site", *ANALYSIS), 1)
    assert run.planned() == once | {"discover_products": 1}
    run.tigerbush("discover", "--configfile", "config.yaml")
    # neither rasters nor metadata are opened: the products do not even exist
    shutil.move(run.folder / "products", run.folder / "elsewhere")
    expected = {
        **once,
        "resample_product": 3,
        "subset_product": 3,
    }
    assert run.planned() == expected | dict.fromkeys(PER_DATE, 2)


def test_a_new_product_plans_only_what_depends_on_it(finished):
    before = (finished.folder / "results" / "here" / "2017-01-16" / "composite.tif").stat().st_mtime_ns
    write_product(finished.folder / "products", name_of("20170220"), scene_of(9))
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)
    finished.tigerbush("discover", "--configfile", "config.yaml")
    expected = {
        "all": 1,
        "check_products": 1,
        "summarise_site": 1,
        **dict.fromkeys(ANALYSIS, 1),
        "resample_product": 1,
        "subset_product": 1,
    }
    assert finished.planned() == expected | dict.fromkeys(PER_DATE, 1)
    finished.snakemake(SUMMARIES)
    assert (
        finished.folder / "results" / "here" / "2017-01-16" / "composite.tif"
    ).stat().st_mtime_ns == before
    tags = read_tags(finished.folder / "results" / "here" / "2017-02-15" / "composite.tif")
    assert json.loads(tags[LINEAGE])["n_takes"] == 2


def test_the_scheduler_runs_no_more_often_than_jobs_finish(run):
    """Snakemake's default rate limit would make it run again and again; a limit that the user sets is kept."""
    keep_days(run, "20170110", "20170120")
    output = run.snakemake(SUMMARIES, "--verbose")
    assert output.count("Resources before job selection") <= output.count("Finished jobid")
    for folder in ("here", "windows"):
        shutil.rmtree(run.folder / "results" / folder)
    composite = "results/here/2017-01-16/composite.tif"
    assert "Job rate limit reached" in run.snakemake(composite, "--max-jobs-per-timespan", "1/2s")


def test_results_outlive_their_products(finished):
    shutil.rmtree(finished.folder / "products")
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)


def test_a_failed_refresh_keeps_the_table(run):
    run.tigerbush("discover", "--configfile", "config.yaml")
    table = (run.folder / "results" / "products.tsv").read_text()
    shutil.move(run.folder / "products", run.folder / "elsewhere")
    output = run.tigerbush("discover", "--configfile", "config.yaml", status=1)
    assert "source.path products is not a folder" in output
    assert (run.folder / "results" / "products.tsv").read_text() == table


def test_discovery_keeps_products_that_are_gone(finished):
    """Old products are deleted to free disk space; results made of them stay in the summary."""
    shutil.rmtree(finished.folder / "products" / f"{name_of('20170110')}.SAFE")
    output = finished.tigerbush("discover", "--configfile", "config.yaml")
    assert "1 products of the table are no longer in products" in output
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)


def test_a_source_that_breaks_while_it_is_read(run):
    """Transient errors are retried; then the product fails, not its site."""
    keep_days(run, "20170110", "20170210")
    path = next((run.folder / "products").glob("*20170210T*.SAFE/GRANULE/*/IMG_DATA/*_B04.jp2"))
    path.unlink()
    path.symlink_to("/proc/self/mem")  # an input/output error
    # which states another size
    (path.parents[3] / "manifest.safe").unlink()
    for arguments in ((), ("--config", "source={access: storage, path: products}")):
        run.snakemake(SUMMARIES, *arguments, status=1)
        reason = run.summary()["metadata"]["failed_products"][name_of("20170210")]
        assert "Input/output error" in reason
        assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
        shutil.rmtree(run.folder / "results")


def test_several_sites_and_weather(run):
    keep_days(run, "20170110")
    rows = "".join(f"2017-{month:02},{10 * month},{month}\n" for month in (1, 2, 3))
    (run.folder / "here.csv").write_text("date,precipitation,temperature\n" + rows)
    shutil.copy(run.folder / "here.csv", run.folder / "there.csv")
    run.write_sites(("here", 14.5593, 45.8694, 0.0037), ("there", 14.5585, 45.8690, 0.0019))
    run.snakemake(SUMMARIES, "--config", "weather={path: '{site}.csv'}")
    assert len(run.summary("here")["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
    assert len(run.summary("there")["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 1
    weather = run.summary("there")["ECMWF/ERA5/MONTHLY"]["time-series-data"]
    # also for the month without a product
    assert weather["2017-03-16"] == {"total_precipitation": 0.03, "mean_2m_air_temperature": 276.15}
    assert run.summary("there")["metadata"]["num_data_points"] == 1


def test_weather_that_does_not_cover_a_date(run):
    keep_days(run, "20170110", "20170210")
    (run.folder / "weather.csv").write_text("date,precipitation,temperature\n2017-02,10,5\n")
    run.snakemake(SUMMARIES, "--config", "weather={path: weather.csv}")
    weather = run.summary()["ECMWF/ERA5/MONTHLY"]["time-series-data"]
    assert [day for day, value in weather.items() if value] == ["2017-02-15"]
    assert run.summary()["metadata"]["num_data_points"] == 1


def test_failures_do_not_stop_the_rest_and_are_reported_at_the_end(run):
    break_product(run, "20170120")
    break_product(run, "20170210")
    output = run.snakemake(SUMMARIES, status=1)
    assert "2 product(s) failed, everything else is finished" in output
    metadata = run.summary()["metadata"]
    assert set(metadata["failed_products"]) == {name_of("20170120"), name_of("20170210")}
    assert all("the file of band B4 is missing" in reason for reason in metadata["failed_products"].values())
    assert metadata["missing"]["2017-02-15"] == "no product left: 1 failed, 0 left out"
    assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
    placeholder, _ = run.window(name_of("20170210"))
    assert placeholder.tags[STATUS] == "failed"
    assert not placeholder.data.any()
    # only the check of products is left to run
    assert run.planned(SUMMARIES) == {"check_products": 1}


def test_retry_forces_the_failed_products_and_nothing_else(failed):
    january = failed.folder / "results" / "here" / "2017-01-16" / "composite.tif"
    before = january.stat().st_mtime_ns
    write_product(failed.folder / "products", name_of("20170210"), scene_of(5, clouds=[]))
    output = failed.tigerbush("retry", "--configfile", "config.yaml")
    assert "1 placeholder(s) of failed products" in output
    assert failed.summary()["metadata"]["failed_products"] == {}
    assert len(failed.summary()["COPERNICUS/S2"]["time-series-data"]["2017-02-15"]) == 4
    assert january.stat().st_mtime_ns == before
    assert "No product of results/products.tsv failed" in failed.tigerbush(
        "retry", "--configfile", "config.yaml"
    )


def test_on_failure_report(run):
    keep_days(run, "20170210")
    break_product(run, "20170210")
    run.snakemake(SUMMARIES, "--config", "on_failure=report")
    lines = (run.folder / "results" / "products_checked.txt").read_text().splitlines()
    assert lines[0] == "1 failed"
    assert lines[1].startswith(name_of("20170210") + "\t")


def test_storage_copies_products_first(run):
    run.snakemake(SUMMARIES, "--config", "source={access: storage, path: products}")
    copies = sorted((run.folder / "results" / "downloads").iterdir())
    assert [path.stem for path in copies] == [name_of(day) for day in ("20170110", "20170120", "20170210")]
    assert run.summary()["metadata"]["missing"] == {"2017-03-16": "no product in the period"}


def test_a_product_that_cannot_be_copied(run):
    keep_days(run, "20170210")
    break_product(run, "20170210")
    run.snakemake(SUMMARIES, "--config", "source={access: storage, path: products}", status=1)
    assert "B4 is missing" in run.summary()["metadata"]["failed_products"][name_of("20170210")]
    write_product(run.folder / "products", name_of("20170210"), scene_of(5, clouds=[]))
    run.retry("--config", "source={access: storage, path: products}")
    assert run.summary()["metadata"]["failed_products"] == {}


def test_scenes(run):
    keep_days(run, "20170110", "20170210")
    break_product(run, "20170210")
    output = run.snakemake("scenes", status=1)
    assert "1 product(s) failed" in output
    scene = read_raster(run.folder / "results" / "scenes" / f"{name_of('20170110')}.tif")
    assert scene.bands == ("B2", "B3", "B4")
    np.testing.assert_array_equal(scene.data[2], scene_of(0).bands["B4"][::2, ::2])
    assert read_tags(run.folder / "results" / "scenes" / f"{name_of('20170210')}.tif")[STATUS] == "failed"
    write_product(run.folder / "products", name_of("20170210"), scene_of(5))
    run.tigerbush("retry", "--configfile", "config.yaml")
    assert not (run.folder / "results" / "here").exists()


def test_scenes_need_no_site(run):
    keep_days(run, "20170210")
    run.write_sites(("nowhere", 0.0, 0.0, 0.01))
    run.snakemake("scenes")
    assert "Nothing to be done" in run.snakemake("scenes")


def test_retry_ignores_a_placeholder_that_a_newer_baseline_has_replaced(failed):
    write_product(failed.folder / "products", name_of("20170210", baseline="0500"), scene_of(5, offset=-1000))
    failed.tigerbush("discover", "--configfile", "config.yaml")
    failed.snakemake(SUMMARIES)
    output = failed.retry()
    assert "No product of results/products.tsv failed" in output


def test_retry_in_another_directory(failed):
    write_product(failed.folder / "products", name_of("20170210"), scene_of(5, clouds=[]))
    inside, failed.folder = failed.folder, failed.folder.parent
    failed.tigerbush(
        "retry", "--directory", "work", "--configfile", "work/config.yaml", "--until", "check_products"
    )
    failed.folder = inside
    assert failed.summary()["metadata"]["failed_products"] == {}


def test_every_choice_of_centrality_and_resampling(run):
    keep_days(run, "20170110")
    scene = {"resolution": 20, "bands": ["B4", "B1", "B8A"], "upsampling": "Bilinear", "downsampling": "Mean"}
    run.configure(
        run.config | {"scene": scene, "centrality": {"neighbours": 8, "method": "networkx", "quantiles": 10}}
    )
    run.snakemake(SUMMARIES, "scenes")
    point = run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"][0]
    assert len(point["feature_vec"]) == 10
    written = read_raster(run.folder / "results" / "scenes" / f"{name_of('20170110')}.tif")
    assert written.bands == ("B4", "B1", "B8A")
    means = scene_of(0).bands["B4"].reshape(63, 2, 63, 2).swapaxes(1, 2).reshape(63, 63, 4)
    # SNAP truncates the mean, here of four quarters
    np.testing.assert_array_equal(written.data[0], means.sum(axis=2) // 4)
    np.testing.assert_array_equal(written.data[2], scene_of(0).bands["B8A"])


def test_sub_images_are_written_under_pyvegs_names(run):
    keep_days(run, "20170210")
    run.configure(run.config | {"subimages": {"size": 20, "write": True, "limit": 3}})
    run.snakemake(SUMMARIES)
    folder = run.folder / "results" / "here" / "2017-02-15"
    records = run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-02-15"]
    assert len(records) == 3
    with zipfile.ZipFile(folder / "subimages.zip") as archive:
        names = archive.namelist()
        assert len(names) == 9
        first = records[0]
        stem = f"sub0_{first['longitude']:.3f}_{first['latitude']:.3f}_2017-02-15"
        assert names[:3] == [f"{stem}_RGB.png", f"{stem}_NDVI.png", f"{stem}_BWNDVI.png"]
        (run.folder / "cut.png").write_bytes(archive.read(names[2]))
    np.testing.assert_array_equal(read_png(run.folder / "cut.png"), read_png(folder / "bwndvi.png")[:20, :20])


def test_mode_pyveg(run):
    keep_days(run, "20170110", "20170120")
    write_product(run.folder / "products", name_of("20170120"), scene_of(1, cloud_percent=50, clouds=[]))
    run.configure(run.config | {"mode": "pyveg"})
    run.snakemake()
    left_out = run.summary()["metadata"]["products"]["2017-01-16"]["left_out"]
    assert left_out == {name_of("20170120"): "50 % cloud or more (mode: pyveg)"}
    [first, *_] = run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]
    step = 0.0037 / 2
    assert (first["longitude"], first["latitude"]) == (
        round(14.5593 - step / 2, 4),
        round(45.8694 + step / 2, 4),
    )


def test_a_site_outside_every_tile(run):
    run.write_sites(("nowhere", 0.0, 0.0, 0.01))
    output = run.snakemake(SUMMARIES, status=1)
    assert "site nowhere at 0, 0 lies outside every tile of results/products.tsv" in output


def test_from_the_checkout_with_the_local_profile(run, tmp_path):
    """As the README says: with the profile, and a configuration on top of the default one."""
    keep_days(run, "20170110")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(run.folder / "products", checkout / "data" / "products")
    shutil.copy(run.folder / "sites.tsv", checkout / "config" / "sites.tsv")
    for path in (checkout / "config" / "config.yaml", checkout / "config" / "local.yaml"):
        text = path.read_text().replace("2016-01-01", "2017-01-01").replace("2020-01-01", "2017-04-01")
        path.write_text(text.replace("size: 50", "size: 20"))
    run.folder = checkout
    snakemake = Path(sys.executable).with_name("snakemake")
    run.call([str(snakemake), "--profile", "profiles/local", "--configfile", "config/local.yaml"])
    assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
    assert run.summary()["metadata"]["config_filename"] == "local.yaml, config.yaml"
