"""Whole products from an object store, as ESA SNAP needs them."""

import shutil
import zipfile

import pytest

from fabricate import name_of
from seaweedfs import PUBLIC
from snap_standins import Snap, scenes_by_arrays
from test_s3 import configure_run
from tigerbush.errors import TigerbushError
from tigerbush.raster import REASON, STATUS, read_tags
from tigerbush.sources.download import fetch_whole_product

pytestmark = pytest.mark.workflow


def test_every_file_is_fetched_and_a_broken_product_fails(seaweedfs, three_products, tmp_path):
    products = shutil.copytree(three_products, tmp_path / "products")
    names = sorted(safe.stem for safe in products.iterdir())
    band = next((products / f"{names[1]}.SAFE").glob("GRANULE/*/IMG_DATA/*_B03.jp2"))
    band.write_bytes(band.read_bytes()[:500])
    for safe in products.iterdir():
        # only SNAP reads these; a store has no empty folders
        for name in ("DATASTRIP/DS/MTD_DS.xml", "manifest.safe"):
            (safe / name).parent.mkdir(exist_ok=True)
            (safe / name).write_text("<x/>")
        seaweedfs.put_product(PUBLIC, safe, "snap/")
    snap = Snap(tmp_path)
    run = configure_run(tmp_path / "work", seaweedfs, PUBLIC, "snap/", access="storage")
    run.variables = snap.environment()
    run.configure(run.config | {"scene": {"engine": "gpt"}})
    assert f"{names[1]} failed" in run.snakemake("scenes", status=1)
    scenes = {path.stem: path.read_bytes() for path in (run.folder / "results" / "scenes").glob("*.tif")}
    failed = read_tags(run.folder / "results" / "scenes" / f"{names[1]}.tif")
    assert failed[STATUS] == "failed" and "_B03.jp2 is not a complete JP2" in failed[REASON]
    del scenes[names[1]]
    assert scenes == scenes_by_arrays(products, (names[0], names[2]), tmp_path)
    assert [note["arguments"][1:] for note in snap.notes()] == [["-q", "2", "-c", "2250M"]] * 2
    # another layout is refused during planning
    table = run.folder / "results" / "files.tsv"
    table.write_text(table.read_text().replace(".SAFE/", ".DATA/"))
    (run.folder / "results" / "scenes" / f"{names[0]}.tif").unlink()
    refused = run.snakemake("scenes", "--dry-run", "--forcerun", "download_product", status=1)
    assert "is not a .SAFE folder in source.bucket" in refused
    with zipfile.ZipFile(run.folder / "results" / "downloads" / f"{names[0]}.zip") as archive:
        fetched = archive.namelist()
    safe = products / f"{names[0]}.SAFE"
    assert set(fetched) == {
        f"{safe.name}/{path.relative_to(safe)}" for path in safe.rglob("*") if path.is_file()
    }


def test_a_product_that_is_no_safe_folder_is_refused(tmp_path):
    row = {"name": "GRANULE/G/MTD_TL.xml", "key": "tiles/33/T/VL/2017/1/16/0/metadata.xml"}
    with pytest.raises(TigerbushError, match=r"is not stored as a \.SAFE folder in the bucket"):
        fetch_whole_product(name_of(), [row], tmp_path / "a.zip", store=None)
