"""The engines snap and gpt, with stand-ins for SNAP that test_snap_model.py compares with output of real SNAP."""

import configparser
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from defusedxml import ElementTree

from fabricate import name_of, scene_of
from snap_standins import Snap
from tigerbush.errors import EngineError, TigerbushError
from tigerbush.raster import REASON, STATUS, read_raster, read_tags
from tigerbush.scenes.engines import make_scene, run_engine
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits, check_engine, gpt_command, snappy_ini
from tigerbush.scenes.snap_graph import graph_xml, scene_steps
from tigerbush.scenes.snap_output import band_names, rewrite_output
from tigerbush.sentinel2.writer import Scene, write_product
from tigerbush.sources.folder import copy_product

SCENE = SceneOptions(["B2", "B3", "B4"], 20, engine="snap")
LIMITS = Limits(threads=2, memory_mb=4000)
ENGINES = ("snap", "gpt")


@pytest.fixture
def snap(tmp_path, monkeypatch):
    standin = Snap(tmp_path)
    for name, value in standin.environment().items():
        monkeypatch.setenv(name, value)
    return standin


@pytest.fixture
def made(tmp_path):
    """Returns a function that makes a scene: `made(safe, engine, options...)`."""

    def make(safe, engine="snap", **options):
        target = tmp_path / "scenes" / f"{engine}.tif"
        run_engine(safe, target, replace(SCENE, engine=engine, **options), LIMITS)
        assert [path.name for path in target.parent.glob(".*")] == []
        return target

    return make


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("snap", {}),
        ("gpt", {"bands": ["B8A", "B4", "B1", "B2"]}),
        ("snap", {"resolution": 60, "downsampling": "Median"}),
        ("gpt", {"resolution": 10, "bands": ["B2", "B5"], "region": [5, 7, 300, 40]}),
        ("snap", {"geo_region": "POLYGON((14.553 45.868, 14.560 45.868, 14.560 45.871, 14.553 45.868))"}),
    ],
    ids=["article", "order", "60 m", "region", "geo_region"],
)
def test_the_scene_equals_that_of_rasterio(snap, product, made, engine, options):
    safe = product(baseline="0400", scene=scene_of(4, offset=-1000))
    files = [made(safe, name, **options) for name in ("rasterio", engine)]
    ours, snaps = map(read_raster, files)
    np.testing.assert_array_equal(snaps.data, ours.data)
    assert snaps.data.any()
    assert replace(snaps, data=None) == replace(ours, data=None)
    layouts = [rasterio.open(path).tags(ns="IMAGE_STRUCTURE") for path in files]
    assert layouts[0] == layouts[1] and layouts[0]["LAYOUT"] == "COG"


@pytest.mark.data
@pytest.mark.parametrize("engine", ["rasterio", *ENGINES])
@pytest.mark.parametrize("name", ["chain_plain", "region", "georegion"])
def test_the_recorded_chain(snap, shared_data, tmp_path, made, engine, name):
    recorded = shared_data / "snap"
    with np.load(recorded / "script_chain_inputs.npz") as arrays:
        bands = {band: arrays[band] for band in ("B1", "B2", "B3", "B4", "B5")}
    place = {"x": 600000, "y": 5900040, "epsg": 32631, "width": 60, "height": 60}
    safe = write_product(tmp_path, name_of(tile="31UFU"), Scene(bands, **place))
    options = {
        "chain_plain": {},
        "region": {"region": [5, 3, 10, 8]},
        "georegion": {
            "geo_region": json.loads((recorded / "script_georegion.json").read_text())["geoRegion"]
        },
    }[name]
    with (
        rasterio.open(recorded / f"script_{name}.tif") as image,
        rasterio.open(made(safe, engine, **options)) as ours,
    ):
        np.testing.assert_array_equal(ours.read(), image.read())
        assert (ours.transform, ours.crs.to_epsg()) == (image.transform, 32631)


@pytest.mark.data
def test_output_of_real_snap_is_rewritten(shared_data, product, tmp_path):
    """The only file here written by real SNAP: its band names are read, and its pixels kept."""
    from tigerbush.sentinel2.safe import open_product

    plain = shared_data / "snap" / "script_chain_plain.tif"
    assert band_names(plain) == ["B2", "B3", "B4"]
    rewrite_output(plain, tmp_path / "a.tif", open_product(product()), ["B4", "B2"])
    with rasterio.open(plain) as image, rasterio.open(tmp_path / "a.tif") as ours:
        np.testing.assert_array_equal(ours.read(), image.read([3, 1]))
        assert (ours.descriptions, ours.nodata, ours.transform) == (("B4", "B2"), 0, image.transform)


def masked_scene():
    """A scene with holes in the masks of B2, which SNAP 14 uses."""
    footprint, lost = np.full((126, 126), 5, np.uint8), np.zeros((126, 126), bool)
    footprint[:, :40], lost[100:, :] = 0, True
    return scene_of(4, offset=-1000, footprints={"B2": footprint}, lost={"B2": lost})


@pytest.mark.parametrize("engine", ENGINES)
def test_snap_14_masks_and_adds_bands(snap, product, made, engine, monkeypatch):
    scene = masked_scene()
    safe = product(baseline="0400", scene=scene)
    monkeypatch.setenv("SNAP_STANDIN_VERSION", "14.0.0")
    raster = read_raster(made(safe, engine))
    assert raster.bands == ("B2", "B3", "B4")
    expected = scene.bands["B2"][::2, ::2].copy()
    expected[:, :20], expected[50:, :] = 0, 0
    np.testing.assert_array_equal(raster.data[0], expected)
    np.testing.assert_array_equal(raster.data[1], scene.bands["B3"][::2, ::2])
    # a band on the target grid already is copied, unmasked
    raster = read_raster(made(safe, engine, resolution=10))
    np.testing.assert_array_equal(raster.data[0], scene.bands["B2"])


@pytest.mark.parametrize(
    "options",
    [{}, {"resolution": 10}, {"resolution": 60, "downsampling": "Mean"}, {"region": [10, 40, 30, 20]}],
)
def test_the_masks_of_snap_14_without_snap(snap, product, made, options, monkeypatch):
    safe = product(baseline="0400", scene=masked_scene())
    monkeypatch.setenv("SNAP_STANDIN_VERSION", "14.0.0")
    by_snap = read_raster(made(safe, "gpt", **options)).data
    ours = read_raster(made(safe, "rasterio", snap_masks=True, **options)).data
    np.testing.assert_array_equal(ours, by_snap)
    without = read_raster(made(safe, "rasterio", **options)).data
    assert np.array_equal(ours, without) == (options.get("resolution") == 10)


def test_esa_snappy_is_called_within_limits_and_left_clean(snap, product, made):
    for _ in range(2):
        made(product())
    notes = snap.notes()
    assert [note["event"] for note in notes] == ["read", "write", "dispose", "dispose", "dispose"] * 2
    # a separate virtual machine for each product, and none in this process
    assert len({note["pid"] for note in notes}) == 2
    assert "jpy" not in sys.modules
    assert {note["heap"] for note in notes} == {3000}
    places = {note["properties"]["snap.userdir"] for note in notes}
    assert len(places) == 2 and not any(Path(place).exists() for place in places)
    assert {note["properties"]["snap.parallelism"] for note in notes} == {"2"}
    assert {note["properties"]["snap.jai.tileCacheSize"] for note in notes} == {"1500"}


def test_gpt_is_called_within_limits(snap, product, made):
    made(product(), "gpt")
    (note,) = snap.notes()
    assert note["arguments"][1:] == ["-q", "2", "-c", "1500M"]
    assert note["java"][0] == "-Xmx3000M"
    assert note["java"][1].startswith("-Dsnap.userdir=")
    assert not Path(note["java"][1].partition("=")[2]).exists()


def test_a_path_with_special_characters(tmp_path):
    """Percent signs have a meaning in ini files, angle brackets in XML."""
    folder = tmp_path / "100% <&> done"
    parser = configparser.ConfigParser()
    parser.read_string(snappy_ini(folder, LIMITS))
    assert f"-Dsnap.userdir={folder}/user" in parser.get("DEFAULT", "java_options").split("|")
    graph = ElementTree.fromstring(graph_xml(folder, folder / "a.tif", scene_steps(SceneOptions(["B2"], 20))))
    assert graph.findtext("node/parameters/file") == str(folder)
    assert f"-J-Djava.io.tmpdir={folder}" in gpt_command(folder / "graph.xml", folder, LIMITS)
    with pytest.raises(TigerbushError, match=r"contains \$"):
        graph_xml(tmp_path / "${HOME}", folder, [])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_zip_is_unpacked_for_snap(snap, product, made, tmp_path, engine):
    target = tmp_path / "copies" / f"{name_of()}.zip"
    copy_product(product(), target, None)
    np.testing.assert_array_equal(
        read_raster(made(target, engine)).data, read_raster(made(target, "rasterio")).data
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_an_incomplete_product(snap, product, made, tmp_path, engine):
    safe = product()
    copy_product(safe, tmp_path / "copies" / f"{name_of()}.zip", ["B2", "B3", "B4"])
    with pytest.raises(TigerbushError, match="has no folder DATASTRIP"):
        made(tmp_path / "copies" / f"{name_of()}.zip", engine)
    band = next(safe.glob("GRANULE/*/IMG_DATA/*_B03.jp2"))
    band.write_bytes(band.read_bytes()[:-100])
    with pytest.raises(TigerbushError, match=r"_B03\.jp2 is not a complete JP2 file"):
        made(safe, engine)
    band.unlink()
    with pytest.raises(TigerbushError, match="band B3 is missing"):
        made(safe, engine)
    assert not snap.log.exists()


@pytest.mark.parametrize(
    ("engine", "reason"), [("snap", "no reader for this product"), ("gpt", "No appropriate product reader")]
)
def test_a_product_that_snap_refuses_becomes_a_placeholder(
    snap, product, tmp_path, monkeypatch, engine, reason
):
    monkeypatch.setenv("SNAP_STANDIN_READS_NOTHING", "1")
    scene = replace(SCENE, engine=engine)
    make_scene(product(), tmp_path / "a.tif", name_of(), scene, limits=LIMITS, last_attempt=False)
    tags = read_tags(tmp_path / "a.tif")
    assert tags[STATUS] == "failed"
    assert reason in tags[REASON] and "set scene.engine: rasterio" in tags[REASON]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_region_outside_the_product(snap, product, made, engine):
    assert read_tags(made(product(), engine, region=[200, 0, 5, 5]))[STATUS] == "outside"
    assert not snap.log.exists()


def test_memory_is_the_fault_of_the_machine(snap, product, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAP_STANDIN_NEEDS_MB", "4000")
    target = tmp_path / "a.tif"
    with pytest.raises(EngineError, match="ran out of memory; the next attempt gets more"):
        make_scene(product(), target, name_of(), SCENE, limits=LIMITS, last_attempt=True)
    assert not target.exists()
    make_scene(product(), target, name_of(), SCENE, limits=Limits(2, 8000), last_attempt=True)
    assert read_tags(target)[STATUS] == "ok"


def test_a_crash_of_the_virtual_machine_affects_nothing_else(snap, product, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAP_STANDIN_DIES", "1")
    with pytest.raises(EngineError, match="SNAP ended with exit status -6 before it was done"):
        make_scene(product(), tmp_path / "a.tif", name_of(), SCENE, limits=LIMITS, last_attempt=True)


def test_a_missing_engine_does_not_fail_a_product(snap, product, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAP_STANDIN_BARE", "1")
    monkeypatch.setenv("PATH", "/nowhere")
    for engine, message in (("snap", "No module named 'jpyutil'"), ("gpt", "gpt is not on the PATH")):
        with pytest.raises(EngineError, match=message):
            scene = replace(SCENE, engine=engine)
            make_scene(product(), tmp_path / "a.tif", name_of(), scene, limits=LIMITS, last_attempt=True)
    assert not (tmp_path / "a.tif").exists()


def test_an_engine_is_checked_by_starting_it(snap, monkeypatch):
    for engine in ENGINES:
        assert check_engine(engine, 60) == (True, "SNAP 13.0.2, opttbx-s2msi-reader 13.0.2")
    monkeypatch.setenv("SNAP_STANDIN_BARE", "1")
    fine, text = check_engine("snap", 60)
    assert (
        not fine
        and "(No module named 'jpyutil'); install and configure it as described in docs/snap.md" in text
    )
    monkeypatch.delenv("SNAP_STANDIN_BARE")
    monkeypatch.setenv("SNAP_HOME", str(snap.home / "elsewhere"))
    assert "Can't find SNAP distribution directory" in check_engine("snap", 60)[1]
    (snap.home / "optical" / "modules" / "opttbx-s2msi-reader.jar").unlink()
    monkeypatch.setenv("SNAP_HOME", str(snap.home))
    assert "has no reader for Sentinel-2 products; install its Optical Toolbox" in check_engine("gpt", 60)[1]
    monkeypatch.setenv("PATH", "/nowhere")
    assert "gpt cannot be run" in check_engine("gpt", 60)[1]


REFUSED = """
from esa_snappy import GPF, HashMap, ProductIO, jpy
product = ProductIO.readProduct({path!r})
def put(**values):
    table = HashMap()
    for name, value in values.items():
        table.put(name, value)
    return table
def refused(work):
    try:
        work()
    except RuntimeError as error:
        print(error)
    else:
        print("taken")
refused(lambda: GPF.createProduct("Resample", put(targetResolution=20), product))
refused(lambda: GPF.createProduct("Resample", put(targetResolution="20", nonsense="x"), product))
refused(lambda: GPF.createProduct("Resample", put(targetResolution=jpy.get_type("java.lang.Integer")(20)), product))
refused(lambda: GPF.createProduct("Resampel", put(targetResolution="20"), product))
refused(lambda: GPF.createProduct("Subset", put(sourceBands="B02"), product))
refused(lambda: ProductIO.writeProduct(product, "x.tif", "GeoTIFF"))
"""


def test_the_stand_in_is_as_strict_as_snap(snap, product):
    """Otherwise the tests above could pass with a stand-in that accepts everything."""
    code = REFUSED.format(path=str(product()))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "must be of type 'Integer', not java.lang.Byte" in lines[0]
    assert lines[1:3] == ["taken", "taken"]
    assert "No SPI found for operator name 'Resampel'" in lines[3]
    assert "does not contain a raster named 'B02'" in lines[4]
    assert "multi-size products is not supported" in lines[5]
