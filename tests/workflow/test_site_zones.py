"""Sites near the equator and near the border of a zone, measured in the zone whose tiles cover them best."""

import csv
import shutil

import pytest
import utm

from fabricate import name_of, scene_of
from runs import BASE, SUMMARIES, Run
from tigerbush.raster import read_raster
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow

DAY = "20170110"
# 2226 m: 11 x 11 sub-images of 200 m; centre 442 m south of the equator, 36.8 degrees east
SITE = ("equator", 36.8, -0.004, 0.02)
WEST = round((utm.from_latlon(-0.004, 36.8)[0] - 1800) / 60) * 60.0
# the last 3600 m of tile 37MBV, which ends at the equator, and the first 1800 m of 37NBA with the 9780 m south of it
SOUTH = {"tile": "37MBV", "place": {"x": WEST, "y": 10_000_000.0, "epsg": 32737, "width": 360, "height": 360}}
NORTH = {"tile": "37NBA", "place": {"x": WEST, "y": 1800.0, "epsg": 32637, "width": 360, "height": 1080}}


def write(run, day, side):
    write_product(
        run.folder / "products", name_of(day, tile=side["tile"]), scene_of(1, place=side["place"], clouds=[])
    )


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "work", BASE, [SITE])


def composite(run, date="2017-01-16"):
    return read_raster(run.folder / "results" / "equator" / date / "composite.tif")


def unused(run):
    with (run.folder / "results" / "equator" / "missing.tsv").open(newline="") as file:
        return [row["reason"] for row in csv.DictReader(file, delimiter="\t") if row["sub_image"]]


def warnings(output):
    return [line for line in output.splitlines() if "no tile of" in line and line.startswith("Site")]


UNCOVERED = (
    "Site equator: no tile of EPSG:32737 in results/products.tsv covers 44 of its 121 sub-images, which are never used; "
    "add products of the missing tiles, or choose another zone in the column `zone` of sites.tsv."
)


@pytest.mark.input(
    "Zones",
    "a site at the equator, with tiles of both hemispheres",
    "measured in the zone whose tiles cover more of it; recorded in `products.tsv`",
)
def test_the_zone_that_covers_a_site_is_chosen_and_kept(run):
    """Tiles of the north reach 9.8 km beyond the equator, those of the south not at all."""
    write(run, DAY, NORTH)
    write(run, DAY, SOUTH)
    assert warnings(run.snakemake(SUMMARIES)) == []
    assert composite(run).epsg == 32637
    assert unused(run) == []
    assert len(run.summary("equator")["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 121
    assert "# zone\tequator\t37N\n" in (run.folder / "results" / "products.tsv").read_text()
    # the products of the zone stay away afterwards
    for path in (run.folder / "products").glob("*T37NBA*"):
        shutil.rmtree(path)
    write(run, "20170210", SOUTH)
    run.tigerbush("discover", "--configfile", "config.yaml")
    assert "Nothing to be done" in run.snakemake(SUMMARIES)


@pytest.mark.input(
    "Zones",
    "a site of which tiles cover a part, and later tiles of another zone",
    "the zone stays; a warning counts the sub-images without a tile, `missing.tsv` names the zone; the column `zone` of the sites changes it",
)
def test_later_products_of_another_zone_change_nothing(run):
    """The first table had tiles of the south alone: what they do not cover is named, at the start and in missing.tsv."""
    write(run, DAY, SOUTH)
    output = run.snakemake(SUMMARIES)
    assert warnings(output) == [UNCOVERED]
    assert composite(run).epsg == 32737
    assert unused(run) == ["no tile of EPSG:32737 covers it"] * 44
    write(run, DAY, NORTH)
    run.tigerbush("discover", "--configfile", "config.yaml")
    output = run.snakemake(SUMMARIES)
    assert "Nothing to be done" in output
    assert warnings(output) == [UNCOVERED]
    # a later date is measured in the same zone
    write(run, "20170210", SOUTH)
    run.tigerbush("discover", "--configfile", "config.yaml")
    run.snakemake(SUMMARIES)
    assert composite(run, "2017-02-15").epsg == 32737
    # until the table of sites says otherwise
    lines = (run.folder / "sites.tsv").read_text().splitlines()
    (run.folder / "sites.tsv").write_text(f"{lines[0]}\tzone\n{lines[1]}\t37N\n")
    assert warnings(run.snakemake(SUMMARIES)) == []
    assert composite(run).epsg == 32637
    assert unused(run) == []


@pytest.mark.input(
    "Zones",
    "results of an earlier release for a site near the equator",
    "they stay, in the zone of the centre",
)
def test_a_site_of_the_last_release_keeps_its_zone(run):
    """Its table records no zone; discovery writes the one that its results have."""
    write(run, DAY, NORTH)
    write(run, DAY, SOUTH)
    lines = (run.folder / "sites.tsv").read_text().splitlines()
    (run.folder / "sites.tsv").write_text(f"{lines[0]}\tzone\n{lines[1]}\t37S\n")
    run.snakemake(SUMMARIES)
    run.write_sites(SITE)
    table = run.folder / "results" / "products.tsv"
    rows = [line.split("\t")[:11] for line in table.read_text().splitlines() if not line.startswith("#")]
    table.write_text("".join("\t".join(row) + "\n" for row in rows))
    output = run.snakemake(SUMMARIES)
    assert "Nothing to be done" in output
    assert warnings(output) == [UNCOVERED]
    run.tigerbush("discover", "--configfile", "config.yaml")
    assert "# zone\tequator\t37S\n" in table.read_text()
    assert "Nothing to be done" in run.snakemake(SUMMARIES)
