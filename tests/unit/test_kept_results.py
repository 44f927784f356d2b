"""A finished result is never replaced by a placeholder, in every script that writes one."""

import contextlib
import json
import runpy
import shutil
from dataclasses import asdict, replace

import pytest

from bundles import write_bundle
from fabricate import ROOT, name_of, scene_of
from tigerbush.bundle import index_at, index_of
from tigerbush.errors import KeptError, MachineError
from tigerbush.files import write_json
from tigerbush.placeholder import raise_if_window_finished
from tigerbush.planning.windows import Made
from tigerbush.raster import LINEAGE, PRODUCT, REASON, STATUS, read_raster, read_tags
from tigerbush.scenes.engines import make_scene
from tigerbush.scenes.ranks import KEPT, process_products, tasks_of, unfinished_products
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits
from tigerbush.site import Site
from tigerbush.sites.product import resample_site, site_placeholder, subset_site

SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
OUTSIDE = replace(SITE, longitude=15.5)
SCENE = SceneOptions(["B4"], 60)
NAME = name_of()


def script(name):
    return runpy.run_path(str(ROOT / "workflow" / "scripts" / f"{name}.py"))["main"]


SUBSET, COMPOSITE, PUBLISH = script("subset_product"), script("composite_date"), script("publish_scene")


def kept_sentence(path, reason):
    """The sentence for a kept result; reasons have no full stop here."""
    return (
        f"{path.stem} cannot be read again ({reason}); {path} from an earlier run is kept: fix the product, then run "
        "./tigerbush retry, or delete that file to continue without it."
    )


@contextlib.contextmanager
def keeping(path, reason):
    """Check that the block raises the sentence for a kept result, keeps its bytes and writes its record."""
    before = path.read_bytes()
    with pytest.raises(KeptError) as error:
        yield
    assert str(error.value) == kept_sentence(path, reason.rstrip("."))
    assert path.read_bytes() == before
    record = path.with_name(f"{path.stem}.unreadable.json")
    assert json.loads(record.read_text()) == {"product": path.stem, "reason": reason}


def files_of(folder):
    return sorted(path.name for path in folder.iterdir())


class Subset:
    """The resampled windows and the bundle of one product, of a site and of one beside it."""

    def __init__(self, folder):
        self.folder, self.bundle, self.resampled = folder, folder / "0.zip", folder / "resampled.zip"

    def run(self, made="made", **sites):
        """Sites with their windows: the wanted ones, and what was resampled of them."""
        write_bundle(self.resampled, made, **{name: rasters for name, (_, rasters) in sites.items()})
        SUBSET(
            self.resampled,
            [self.bundle],
            sites={name: (site, Made(made)) for name, (site, _) in sites.items()},
        )

    @property
    def states(self):
        return {name: (entry.status, entry.reason) for name, entry in index_at(self.bundle).items()}


def kept_window(bundle, reason):
    """The sentence for a kept window."""
    return (
        f"{NAME} cannot be read again ({reason}); the window of here in {bundle} from an earlier run is kept: fix the "
        "product, then run ./tigerbush retry, or set on_gone: keep to continue without it."
    )


@pytest.fixture
def subset(tmp_path):
    return Subset(tmp_path / "results" / "windows" / NAME)


@pytest.mark.parametrize(("site", "status"), [(SITE, "ok"), (OUTSIDE, "outside")])
def test_the_window_of_a_site_is_kept(product, subset, site, status):
    safe, reason = product(), "B4 is missing."
    subset.run(here=(site, resample_site(safe, site)))
    assert subset.states["here"][0] == status
    before = subset.bundle.read_bytes()
    there = SITE, site_placeholder(NAME, reason, SITE)
    with pytest.raises(KeptError) as error:
        subset.run("otherwise", here=(site, site_placeholder(NAME, reason, site)), there=there)
    assert str(error.value) == kept_window(subset.bundle, "B4 is missing")
    assert subset.bundle.read_bytes() == before
    record = subset.folder / "here.unreadable.json"
    assert json.loads(record.read_text()) == {"product": NAME, "reason": reason}
    # the next run looks at the product again
    assert not subset.resampled.exists()
    subset.run("otherwise", here=(site, resample_site(safe, site)), there=there)
    assert subset.states == {"here": subset.states["here"], "there": ("failed", reason)}
    assert files_of(subset.folder) == ["0.json", "0.zip", "resampled.json", "resampled.zip"]


def test_the_placeholder_of_a_site_replaces_an_unfinished_window(product, subset):
    there = SITE, resample_site(product(), SITE)
    subset.run("1", here=(SITE, site_placeholder(NAME, "first", SITE)), there=there)
    subset.run("2", here=(SITE, site_placeholder(NAME, "second", SITE)))
    assert subset.states == {"here": ("failed", "second"), "there": ("ok", "")}
    subset.run("3", here=there)
    content, start = subset.bundle.read_bytes(), subset.bundle.read_bytes().index(b"\0here/image.tif") + 61
    for i, damage in enumerate(
        (content[:-100], content[:30], b"", content[:start] + b"?" * 9 + content[start + 9 :])
    ):
        subset.bundle.write_bytes(damage)
        subset.run(f"4{i}", here=(SITE, site_placeholder(NAME, "third", SITE)))
        assert subset.states["here"] == ("failed", "third")
        # the window beside it stays if it can be read
        assert ("there" in subset.states) is (i == 3)
        index_of(subset.bundle).write_text(
            json.dumps({"here": {"made": "3", "status": "ok"}, "there": {"made": "1", "status": "ok"}})
        )
    assert not subset.folder.joinpath("here.unreadable.json").exists()


def test_a_result_that_cannot_be_read_is_not_replaced(product, subset, monkeypatch):
    """For example on a stale mount, or without permission."""
    subset.run(here=(SITE, resample_site(product(), SITE)))
    before = subset.bundle.read_bytes()
    with monkeypatch.context() as patched, pytest.raises(MachineError) as error:
        patched.setattr(
            "tigerbush.bundle.zipfile.ZipFile", raising(PermissionError(13, "Permission denied", "/a"))
        )
        raise_if_window_finished(subset.bundle, "here", "gone")
    assert str(error.value) == "/a: Permission denied; fix that and run again."
    assert subset.bundle.read_bytes() == before


def raising(error):
    def work(*_, **__):
        raise error

    return work


class Date:
    """Two products of a date and its composite."""

    days = ("20170116", "20170126")

    def __init__(self, root, product):
        self.folder, self.out = root / "windows", root / "here" / "2017-01-16" / "composite.tif"
        self.windows = {}
        for seed, day in enumerate(self.days):
            safe = product(day, scene=scene_of(seed, clouds=[]))
            self.windows[name_of(day)] = subset_site(*resample_site(safe, SITE), SITE)

    def run(self, failed=(), left=(), mask="if_present"):
        bundles = {name: self.folder / name / "0.zip" for name in self.windows if name not in left}
        for name, bundle in bundles.items():
            rasters = site_placeholder(name, "gone.", SITE) if name in failed else self.windows[name]
            write_bundle(bundle, here=rasters)
        others = self.out.with_name("lost.tif"), self.out.with_name("windows.json")
        COMPOSITE(bundles, self.out, *others, site="here", mask=mask, mode="default")


@pytest.fixture
def date(tmp_path, product):
    return Date(tmp_path / "results", product)


def test_a_composite_is_made_of_all_of_its_products_or_not_at_all(date):
    first, second = date.windows
    date.run()
    before = date.out.read_bytes()
    with pytest.raises(KeptError) as error:
        date.run(failed=[second])
    assert str(error.value) == (
        f"{second} cannot be used (gone); {date.out} of an earlier run would lose pixels and is kept as it is: "
        "fix the product, then run ./tigerbush retry, or delete that file to go on without it."
    )
    with pytest.raises(KeptError) as error:
        date.run(failed=[first, second])
    assert str(error.value).startswith(f"{first} and 1 more cannot be used (gone); ")
    assert date.out.read_bytes() == before
    records = sorted(date.folder.glob("*/*.unreadable.json"))
    assert records == [date.folder / name / "here.unreadable.json" for name in (first, second)]
    date.out.unlink()
    date.run(failed=[second])
    assert json.loads(read_tags(date.out)[LINEAGE])["products"] == [first]
    windows = json.loads(date.out.with_name("windows.json").read_text())
    assert windows == {first: "of here", second: "of here"}


def test_a_composite_of_windows_of_two_configurations_is_refused(date):
    _, second = date.windows
    date.run()
    before = date.out.read_bytes()
    date.windows[second] = subset_site(
        *site_placeholder(second, "", replace(SITE, size=10)), replace(SITE, size=10)
    )
    image = date.windows[second][0]
    image.tags[STATUS] = "ok"
    with pytest.raises(KeptError) as error:
        date.run()
    assert str(error.value).startswith(
        f"{second} cannot be used (its grid or quantification differs from that of the other products of the date); "
    )
    assert date.out.read_bytes() == before


def test_a_composite_is_not_replaced_by_that_of_a_newer_baseline_that_fails(date):
    """Discovery lists only the newest baseline of a datatake; that product may be truncated."""
    first, second = date.windows
    date.run()
    before = date.out.read_bytes()
    newer = second.replace("_N0204_", "_N0205_")
    date.windows[newer] = date.windows.pop(second)
    with pytest.raises(KeptError) as error:
        date.run(failed=[newer])
    assert str(error.value).startswith(f"{newer} cannot be used (gone); ")
    assert date.out.read_bytes() == before
    # an intact one replaces the old one
    image, mask = date.windows[newer]
    date.windows[newer] = (replace(image, tags=image.tags | {PRODUCT: newer}), mask)
    date.run()
    assert json.loads(read_tags(date.out)[LINEAGE])["products"] == [first, newer]


def test_a_composite_is_not_replaced_by_one_of_failed_products_alone(date):
    """A changed key may select products that have always failed."""
    first, second = date.windows
    date.run(failed=[first])
    before = date.out.read_bytes()
    with pytest.raises(KeptError) as error:
        date.run(failed=[first], left=[second])
    assert str(error.value).startswith(f"{first} cannot be used (gone); ")
    assert date.out.read_bytes() == before


def test_a_composite_may_lose_a_product_that_it_did_not_use(date):
    """Products that had failed before may fail again, and the plan may leave a product out."""
    first, second = date.windows
    date.run(failed=[second])
    date.run(failed=[second])
    date.run()
    date.run(left=[second])
    assert json.loads(read_tags(date.out)[LINEAGE])["products"] == [first]


def test_a_damaged_composite_is_made_again(date):
    date.run()
    date.out.write_bytes(date.out.read_bytes()[:-200])
    date.run(failed=[list(date.windows)[1]])
    assert read_raster(date.out).bands[-1] == "n_obs"


def of_scene(path, target, geo_region=None, **options):
    scene = replace(SCENE, geo_region=geo_region)
    make_scene(path, target, NAME, scene, limits=Limits(1, 1000), last_attempt=True, **options)


def without_band(safe):
    for path in safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"):
        path.unlink()
    return f"{safe}: the file of band B4 is missing; restore it, then run ./tigerbush retry."


def test_a_scene_is_kept(product, tmp_path):
    safe, target = product(), tmp_path / "results" / "scenes" / f"{NAME}.tif"
    of_scene(safe, target)
    reason = without_band(safe)
    with keeping(target, reason):
        of_scene(safe, target)
    shutil.rmtree(safe)
    of_scene(product(), target)
    assert files_of(target.parent) == [target.name]
    reason = without_band(safe)
    target.unlink()
    of_scene(safe, target)
    assert read_tags(target)[REASON] == reason


def test_a_scene_is_not_replaced_by_one_of_a_region_outside_the_product(product, tmp_path):
    """For example with longitude and latitude in the wrong order."""
    safe, out = product(), tmp_path / "scenes" / f"{NAME}.tif"
    of_scene(safe, out)
    before = out.read_bytes()
    elsewhere = "POLYGON((45.86 14.55, 45.87 14.55, 45.87 14.56, 45.86 14.55))"
    with pytest.raises(KeptError) as error:
        of_scene(safe, out, geo_region=elsewhere)
    assert str(error.value) == (
        f"the product does not reach the region: {out} from an earlier run is kept; correct scene.region or "
        "scene.geo_region, or delete that file to continue without it."
    )
    assert out.read_bytes() == before
    assert files_of(out.parent) == [out.name]
    out.unlink()
    for _ in range(2):
        of_scene(safe, out, geo_region=elsewhere)
        assert read_tags(out)[STATUS] == "outside"
    of_scene(safe, out)
    assert read_tags(out)[STATUS] == "ok"


@pytest.fixture
def ranks(product, tmp_path):
    """The scene that a rank makes of a product, and its path among the results."""
    safe = product()
    folder, out = tmp_path / "results" / "scenes_mpi" / "a", tmp_path / "results" / "scenes" / f"{NAME}.tif"
    manifest = folder.parent / "manifest.json"

    def make():
        order = {"scene": asdict(SCENE), "folder": str(folder), "threads": 1, "memory_mb": 1000}
        [task] = tasks_of(order | {"last_attempt": True}).values()
        outcomes = process_products([NAME], {NAME: str(safe)}, task)
        write_json(manifest, {"folder": str(folder), "scenes": outcomes})
        return outcomes

    return safe, folder, out, make, lambda: PUBLISH(manifest, out, product=NAME, is_mask=False)


def test_a_rank_keeps_its_scene_and_that_of_the_results(ranks, product):
    safe, folder, out, make, publish = ranks
    make()
    publish()
    before = (folder / f"{NAME}.tif").read_bytes()
    reason = without_band(safe)
    assert unfinished_products({NAME: str(safe)}, folder) == []
    assert make() == {NAME: {"status": KEPT, "reason": reason}}
    assert (folder / f"{NAME}.tif").read_bytes() == before
    with keeping(out, reason):
        publish()
    shutil.rmtree(safe)
    product()
    assert make() == {NAME: {"status": "ok", "reason": ""}}
    publish()
    assert files_of(out.parent) == [out.name]
    assert files_of(folder) == [f"{NAME}.tif"]


def test_a_scene_of_other_parameters_is_kept_too(ranks):
    """Their ranks write to another folder."""
    safe, folder, out, make, publish = ranks
    make()
    publish()
    (folder / f"{NAME}.tif").unlink()
    reason = without_band(safe)
    assert make() == {NAME: {"status": "failed", "reason": reason}}
    with keeping(out, reason):
        publish()
    out.unlink()
    publish()
    assert read_tags(out)[STATUS] == "failed"
    assert files_of(out.parent) == [out.name]


def test_a_scene_that_a_rank_kept_is_published_where_there_is_none(ranks):
    safe, _, out, make, publish = ranks
    make()
    without_band(safe)
    make()
    publish()
    assert read_tags(out)[STATUS] == "ok"
