"""Sites of a batch that are measured in memory: which ones, what is kept of them, and what is refused."""

import json
import runpy
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest

from bundles import write_bundle
from fabricate import ROOT, name_of, scene_of
from tigerbush.analysis.pattern import pattern_text, read_pattern
from tigerbush.bundle import index_at
from tigerbush.errors import KeptError
from tigerbush.measured.batches import read_grid, read_images, read_measured
from tigerbush.site import Site
from tigerbush.sites.product import resample_site, site_placeholder, subset_site
from tigerbush.summary.files import read_measured_summary

SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
THERE = replace(SITE, longitude=14.5597)
DAY, DATE = "20170110", "2017-01-16"
NAME = name_of(DAY)
MEASURES = {
    "mask": "if_present", "mode": "default", "max_masked_fraction": 0.05, "limit": None, "indices": ["ndvi"],
    "network": {"neighbours": 4, "quantiles": 20, "method": "exact"}, "seed": 1,
}  # fmt: skip


class Batch:
    """The windows of a product, and the measures of a date that are made of them."""

    def __init__(self, folder, product):
        self.windows, self.out = folder / NAME / "0.zip", folder / "batch" / f"{DATE}.zip"
        self.main = runpy.run_path(str(ROOT / "workflow" / "scripts" / "measure_batch.py"))["main"]
        self.product = product
        self.sites = {}

    def window(self, made="m", **sites):
        """Write the windows of sites; of None a placeholder."""
        rasters = {
            name: site_placeholder(NAME, "gone", site)
            if failed
            else subset_site(*resample_site(self.product, site), site)
            for name, (site, failed) in sites.items()
        }
        write_bundle(self.windows, made, **rasters)
        self.sites = {name: site for name, (site, _) in sites.items()}

    def run(self, shown=True, **measures):
        self.main(
            {NAME: self.windows},
            self.out,
            date=DATE,
            sites={name: parameters(site) for name, site in self.sites.items()},
            products={name: [NAME] for name in self.sites},
            shown=shown,
            measures=MEASURES | measures,
            tiles={name: {"33TVL": NAME} for name in self.sites},
        )


def parameters(site):
    return {key: value for key, value in asdict(site).items() if value is not None}


@pytest.fixture
def batch(tmp_path, product):
    made = Batch(tmp_path, product(DAY, scene=scene_of(1, clouds=[])))
    made.window(here=(SITE, False), there=(THERE, False))
    return made


def names_in(bundle):
    with zipfile.ZipFile(bundle) as archive:
        return sorted(archive.namelist())


def test_what_is_kept_of_a_site(batch):
    batch.run()
    of_site = ("bwndvi.png", "classes.png", "measures.json", "rgb.png", "summary.json")
    assert names_in(batch.out) == [f"{site}/{name}" for site in ("here", "there") for name in of_site]
    assert read_images({DATE: batch.out}, "here")[DATE].keys() == {"rgb.png", "bwndvi.png"}
    summary = read_measured_summary(batch.out, "here")
    assert (summary["date"], summary["weather"], len(summary["vegetation"])) == (DATE, None, 4)
    grid, epsg = read_grid(batch.out, "here")
    assert (grid.width, grid.height, grid.resolution, epsg) == (40, 40, 10, 32633)
    [measured] = read_measured({DATE: batch.out}, "here")
    assert (measured.day, measured.masked, measured.pattern.day) == (DATE, 0.0, DATE)
    assert measured.ndvi().shape == (40, 40)


def test_images_of_other_dates_are_not_kept(batch):
    batch.run(shown=False)
    assert read_images({DATE: batch.out}, "here") == {}
    assert "here/classes.png" in names_in(batch.out)


def test_only_what_has_changed_is_measured(batch, monkeypatch):
    measured = []
    original = batch.main.__globals__["measure_site"]
    monkeypatch.setitem(
        batch.main.__globals__,
        "measure_site",
        lambda name, *values, **options: measured.append(name) or original(name, *values, **options),
    )
    batch.run()
    entries = index_at(batch.out)
    batch.run()
    assert measured == ["here", "there"]
    batch.window(here=(SITE, False), there=(THERE, False), far=(replace(SITE, latitude=45.8690), False))
    batch.run()
    assert measured[2:] == ["far"]
    assert {site: index_at(batch.out)[site] for site in entries} == entries
    batch.run(limit=2)
    assert sorted(measured[3:]) == ["far", "here", "there"]
    assert len(read_measured_summary(batch.out, "far")["vegetation"]) == 2


def test_a_site_without_data_has_a_reason(batch):
    batch.window(here=(SITE, True), there=(THERE, False))
    batch.run()
    assert names_in(batch.out)[:2] == ["here/measures.json", "here/summary.json"]
    summary = read_measured_summary(batch.out, "here")
    assert (summary["vegetation"], summary["missing"]) == (None, "no product left: 1 failed, 0 left out")
    [measured] = read_measured({DATE: batch.out}, "here")
    assert (measured.masked, measured.pattern) == (1.0, None)


def test_measures_are_not_replaced_by_those_of_a_lost_product(batch, tmp_path):
    batch.run()
    before = read_measured_summary(batch.out, "here")
    write_bundle(
        batch.windows,
        here=site_placeholder(NAME, "gone", SITE),
        there=subset_site(*resample_site(batch.product, THERE), THERE),
    )
    # the digests of this helper are those of names: here that of a site is another
    index = batch.windows.with_suffix(".json")
    index.write_text(index.read_text().replace("of here", "of nothing"))
    with pytest.raises(KeptError, match=rf"{NAME} cannot be used \(gone\); .*{DATE}\.zip of an earlier run"):
        batch.run()
    assert read_measured_summary(batch.out, "here") == before
    record = batch.windows.parent / "here.unreadable.json"
    assert json.loads(record.read_text()) == {"product": NAME, "reason": "gone"}


def test_a_pattern_is_read_as_it_was_written(batch):
    batch.run()
    [measured] = read_measured({DATE: batch.out}, "here")
    pattern = measured.pattern
    odd = replace(
        pattern, indicators={"x": {"value": float("nan"), "z": np.float64(0.1)}}, hidden=[(1.5, 2.5, 0)]
    )
    again = read_pattern(pattern_text(odd))
    assert np.isnan(again.indicators["x"]["value"])
    assert replace(again, indicators=None) == replace(odd, indicators=None)
    assert again.indicators["x"]["z"] == 0.1
