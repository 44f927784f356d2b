"""Which products are used at a date: clouds, orbits, datatakes, levels; and that missing products and sub-images add up."""

import csv

import numpy as np
import pytest

from fabricate import name_of, scene_of
from runs import SUMMARIES, break_product, keep_days
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow


def test_a_period_with_only_clouds(run):
    keep_days(run, "20170210")
    ring = [(465000, 5080500), (466600, 5080500), (466600, 5078900), (465000, 5078900)]
    write_product(run.folder / "products", name_of("20170210"), scene_of(5, clouds=[ring]))
    run.snakemake(SUMMARIES)
    assert (
        run.summary()["metadata"]["missing"]["2017-02-15"]
        == "too few clear pixels in every sub-image of the only product"
    )
    assert run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-02-15"] is None


def test_products_above_the_cloud_limit_are_left_out(run):
    write_product(run.folder / "products", name_of("20170210"), scene_of(5, cloud_percent=50.1))
    run.snakemake(SUMMARIES)
    metadata = run.summary()["metadata"]
    reason = "more than 50 % cloud (composite.max_cloud_percent)"
    assert metadata["missing"]["2017-02-15"] == f"the only product left out: {reason}"
    assert metadata["products"]["2017-02-15"]["left_out"] == {name_of("20170210"): reason}
    assert not (run.folder / "results" / "here" / "2017-02-15").exists()


def test_what_is_missing_adds_up(run):
    """The rows of missing.tsv and the measured sub-images add up to all that are expected."""
    ring = [(465000, 5080500), (465790, 5080500), (465790, 5078900), (465000, 5078900)]
    write_product(run.folder / "products", name_of("20170210"), scene_of(5, clouds=[ring]))
    write_product(run.folder / "products", name_of("20170212"), scene_of(5, cloud_percent=50.1))
    break_product(run, "20170120")
    run.snakemake(SUMMARIES, status=1)
    with (run.folder / "results" / "here" / "missing.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    summary = run.summary()
    metadata, series = summary["metadata"], summary["COPERNICUS/S2"]["time-series-data"]
    assert {row["site"] for row in rows} == {"here"}
    of_dates = {row["date"]: row["reason"] for row in rows if not row["product"] and not row["sub_image"]}
    assert of_dates == metadata["missing"] == {"2017-03-16": "no product in the period"}
    of_products = {row["product"]: row["reason"] for row in rows if row["product"]}
    left_out = metadata["products"]["2017-02-15"]["left_out"]
    assert of_products == metadata["failed_products"] | left_out
    assert len(of_products) == 2
    assert [row["band"] for row in rows if row["product"] == name_of("20170120")] == ["B4"]
    for day, used in (("2017-01-16", 4), ("2017-02-15", 2)):
        parts = [row["sub_image"] for row in rows if row["date"] == day and row["sub_image"]]
        assert len(series[day]) == used
        measured = {f"{record['longitude']:.4f}_{record['latitude']:.4f}" for record in series[day]}
        assert len(measured | set(parts)) == len(measured) + len(parts) == 4


def test_relative_orbits(run):
    write_product(run.folder / "products", name_of("20170215", orbit="022"), scene_of(5))
    run.configure({**run.config, "composite": {"relative_orbits": [22]}})
    run.snakemake(SUMMARIES)
    metadata = run.summary()["metadata"]
    assert metadata["products"]["2017-02-15"]["products"] == [name_of("20170215", orbit="022")]
    assert metadata["missing"]["2017-01-16"].startswith("all 2 products left out: another orbit")


def test_as_many_datatakes_at_each_date(run):
    """The clearest of two datatakes is used, with both products of one that consists of two."""
    folder = run.folder / "products"
    for day in ("20170110", "20170120"):
        write_product(folder, name_of(day), scene_of(4, cloud_percent=10, clouds=[]))
    for made in ("20170115T120000", "20170115T130000"):
        write_product(folder, name_of("20170115", made=made), scene_of(5, clouds=[]))
    run.configure({**run.config, "composite": {"max_takes": 1}})
    run.snakemake(SUMMARIES)
    january = run.summary()["metadata"]["products"]["2017-01-16"]
    assert (january["n_takes"], len(january["products"])) == (1, 2)
    reason = "more cloud than the data takes that are used (composite.max_takes)"
    assert january["left_out"] == {name_of("20170110"): reason, name_of("20170120"): reason}
    # one product alone is below the limit
    assert run.summary()["metadata"]["products"]["2017-02-15"]["products"] == [name_of("20170210")]


def test_of_two_levels_one_is_chosen(run):
    write_product(
        run.folder / "products",
        name_of("20170212", level="L2A", baseline="0400"),
        scene_of(5, level="L2A", offset=-1000, scl=np.full((63, 63), 4)),
    )
    output = run.snakemake(SUMMARIES, status=1)
    assert "site here has products of two levels (L1C and L2A)" in output
    run.snakemake(SUMMARIES, "--config", "source={level: L2A, path: products}")
    assert list(run.summary()["metadata"]["products"]["2017-02-15"]["platforms"]) == ["S2A"]
    assert set(run.summary()["metadata"]["missing"]) == {"2017-01-16", "2017-03-16"}
