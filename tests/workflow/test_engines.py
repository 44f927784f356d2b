"""The workflow with ESA SNAP, against the stand-ins for it, and without it."""

import shutil

import numpy as np
import pytest
import rasterio

from fabricate import CORNER, name_of
from skipping import skip_unless_ci
from snap_standins import Snap, scenes_by_arrays

pytestmark = pytest.mark.workflow
DAYS = ("20170110", "20170120", "20170210")


@pytest.fixture
def snap(run, tmp_path):
    """Let the run find the stand-ins."""
    standins = Snap(tmp_path)
    run.variables = standins.environment()
    return standins


def engine(run, name, **scene):
    run.configure(run.config | {"scene": {"engine": name, **scene}})


def scenes(run):
    return {path.stem: path.read_bytes() for path in (run.folder / "results" / "scenes").glob("*.tif")}


def test_ranks_of_mpi_share_no_java(run, snap, tmp_path):
    if shutil.which("mpirun") is None:
        skip_unless_ci("this test needs mpirun (Debian: openmpi-bin)")
    engine(run, "snap", mpi={"ranks": 2})
    run.variables = run.variables | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    run.snakemake("scenes")
    assert scenes(run) == scenes_by_arrays(run.folder / "products", map(name_of, DAYS), tmp_path)
    reads = [note for note in snap.notes() if note.get("event") == "read"]
    assert len({note["pid"] for note in reads}) == len(reads) == len(DAYS)
    # each rank's share of the memory of the job
    assert {note["heap"] for note in reads} == {4500}


@pytest.mark.parametrize(
    ("name", "scene", "sentence"),
    [
        ("snap", {}, "scene.engine snap: esa_snappy cannot be imported by"),
        ("gpt", {"upsampling": {"B1": "Bilinear"}}, "scene.upsampling sets methods per band, but scene.engine gpt uses one"),
        ("snap", {"resolution": 10, "bands": ["B1", "B2", "B3", "B4", "B5", "B6"]}, "scene.bands has 6 bands, for which SNAP might exceed the 4 GiB of a GeoTIFF"),
    ],
)  # fmt: skip
def test_an_engine_is_refused_before_anything_runs(run, name, scene, sentence):
    run.variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/nowhere"}
    engine(run, name, **scene)
    lines = run.snakemake("scenes", status=1).splitlines()
    assert any(sentence in line and "set scene.engine: rasterio" in line for line in lines), lines
    assert not (run.folder / "results").exists()


def test_the_doctor_names_the_version(run, snap):
    engine(run, "gpt")
    lines = run.tigerbush("doctor", "--configfile", "config.yaml").splitlines()
    assert "ok      gpt             SNAP 13.0.2, opttbx-s2msi-reader 13.0.2" in lines
    run.variables = {}
    assert "failed  snap            esa_snappy cannot be imported by" in run.tigerbush(
        "doctor", "--configfile", "config.yaml", "--config", "scene={engine: snap}", status=1
    )


def test_compare_engines(run, snap):
    # the command alone: ./tigerbush takes Python packages from its own environment only
    engine(run, "gpt")
    products = [f"products/{name_of(day)}.SAFE" for day in DAYS[:2]]
    output = run.tigerbush("compare-engines", *products, "--configfile", "config.yaml")
    assert output.splitlines() == [
        "rasterio and gpt (SNAP 13.0.2, opttbx-s2msi-reader 13.0.2):",
        *(
            f"{name_of(day)}.SAFE: {band}: 3969 of 3969 pixels identical, max difference 0"
            for day in DAYS[:2]
            for band in ("B2", "B3", "B4")
        ),
    ]
    # as SNAP 14 masks: a footprint that leaves out one pixel of 20 m
    safe = run.folder / products[0]
    footprint = np.ones((126, 126), np.uint8)
    footprint[20:22, 40:42] = 0
    place = rasterio.Affine(10, 0, CORNER["x"], 0, -10, CORNER["y"])
    path = next(safe.glob("GRANULE/*/QI_DATA")) / "MSK_DETFOO_B03.jp2"
    profile = {
        "driver": "JP2OpenJPEG",
        "width": 126,
        "height": 126,
        "count": 1,
        "dtype": "uint8",
        "quality": 100,
    }
    with rasterio.open(path, "w", crs="EPSG:32633", transform=place, reversible="YES", **profile) as out:
        out.write(footprint, 1)
    run.variables = run.variables | {"SNAP_STANDIN_VERSION": "14.0.0"}
    lines = run.tigerbush(
        "compare-engines", products[0], "--configfile", "config.yaml", status=1
    ).splitlines()
    with rasterio.open(next(safe.glob("GRANULE/*/IMG_DATA/*_B03.jp2"))) as image:
        value = image.read(1)[20, 40]
    assert lines[1].endswith("B2: 3969 of 3969 pixels identical, max difference 0")
    assert lines[2].endswith(
        f"B3: 3968 of 3969 pixels identical, max difference {value}, first at row 10, column 20 ({value}, SNAP 0)"
    )


def test_compare_engines_without_snap(run):
    output = run.tigerbush("compare-engines", "products/x.SAFE", "--configfile", "config.yaml", status=1)
    assert output.startswith("tigerbush: scene.engine snap: esa_snappy cannot be imported by")
