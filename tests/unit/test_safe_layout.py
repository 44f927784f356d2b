"""Files of products in folders and zips, and windows of images."""

import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from fabricate import CORNER, Scene, name_of, scene_of, write_product
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.placeholder import FAILED
from tigerbush.raster import read_part
from tigerbush.sentinel2.files import list_files, list_folders, unpack_product
from tigerbush.sentinel2.images import read_window
from tigerbush.sentinel2.safe import open_product

NAME = name_of(baseline="0400")
SMALL = CORNER | {"width": 30, "height": 18}
GRANULE = "L1C_T33TVL_A000001_20170116T100000"


@pytest.fixture
def safe(product):
    """A product with three bands, and with folders and files that sort before and after GRANULE."""
    scene = scene_of(2, offset=-1000, place=SMALL)
    path = product(
        baseline="0400", scene=replace(scene, bands={band: scene.bands[band] for band in ("B1", "B4", "B12")})
    )
    for name in ("AUX_DATA/first.txt", "DATASTRIP/DS_1/MTD_DS.xml", "HTML/last.html", "GRANULES/x/y.txt"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)
    return path


def zipped(safe, *more):
    path = safe.with_suffix(".SAFE.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(safe.rglob("*")):
            archive.write(file, file.relative_to(safe.parent))
        for name in more:
            archive.writestr(name, b"evil")
    return path


EVIL = [f"{NAME}.SAFE/../evil", f"{NAME}.SAFE//etc/evil", "elsewhere/evil", f"{NAME}.SAFE/../evil/"]


def test_files_and_folders_are_those_of_the_product(safe):
    files = {
        file.relative_to(safe).as_posix(): file.stat().st_size for file in safe.rglob("*") if file.is_file()
    }
    folders = sorted(folder.relative_to(safe).as_posix() for folder in safe.rglob("*") if folder.is_dir())
    assert len(files) == 26 and f"GRANULE/{GRANULE}/QI_DATA" in folders
    assert list_files(safe) == files and list(list_files(safe)) == sorted(files)
    assert list_folders(safe) == folders
    path = zipped(safe, *EVIL)
    assert list_files(path) == files
    assert list_folders(path) == folders


def test_the_granule_is_not_the_first_folder(safe):
    for path in (safe, zipped(safe)):
        opened = open_product(path)
        assert opened.granule == GRANULE
        assert opened.band_file("B4") == (f"GRANULE/{GRANULE}/IMG_DATA/T33TVL_20170116T100000_B04.jp2", 10)
        assert opened.band_file("B1")[1] == 60 and opened.band_file("B12")[1] == 20
        assert opened.find(r"[A-Z_]+/.*\.txt") == "AUX_DATA/first.txt"
        assert opened.find(r"AUX_DATA/first\.tx") is None
        assert opened.read_bytes("DATASTRIP/DS_1/MTD_DS.xml") == b"DATASTRIP/DS_1/MTD_DS.xml"


def test_a_band_is_read_at_its_finest_resolution(product):
    scene = scene_of(level="L2A", offset=-1000, place=SMALL)
    safe = product(level="L2A", baseline="0400", scene=scene)
    fine = next(safe.glob("GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2"))
    for resolution in (20, 60):
        coarse = fine.parents[1] / f"R{resolution}m" / fine.name.replace("10m", f"{resolution}m")
        shutil.copy(fine, coarse)
    assert open_product(safe).band_file("B2") == (fine.relative_to(safe).as_posix(), 10)
    fine.unlink()
    assert open_product(safe).band_file("B2")[1] == 20
    name, resolution = open_product(safe).band_file("B8A")
    assert name.endswith("R20m/T33TVL_20170116T100000_B8A_20m.jp2") and resolution == 20
    with pytest.raises(TigerbushError) as error:
        open_product(safe).band_file("B10")
    assert str(error.value) == (
        f"{safe}: the file of band B10 is missing; restore it, then run ./tigerbush retry."
    )


def test_a_zip_is_unpacked_without_names_outside_its_folder(safe, tmp_path):
    path = zipped(safe, *EVIL)
    target = tmp_path / "out"
    assert unpack_product(path, target) == target / f"{NAME}.SAFE"
    assert list_files(target / f"{NAME}.SAFE") == list_files(safe)
    assert list_folders(target / f"{NAME}.SAFE") == list_folders(safe)
    assert [child.name for child in target.iterdir()] == [f"{NAME}.SAFE"]
    assert not list(tmp_path.rglob("*evil*"))


def test_a_failed_download_raises_its_reason(tmp_path):
    path = tmp_path / "results" / "downloads" / f"{NAME}.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(FAILED, "the host is gone.")
    assert FAILED == "TIGERBUSH_FAILED.txt"
    with pytest.raises(TigerbushError) as error:
        open_product(path)
    assert str(error.value) == "the host is gone."
    missing = tmp_path / "no" / f"{NAME}.zip"
    with pytest.raises(TigerbushError) as error:
        list_folders(missing)
    assert str(error.value) == (
        f"{missing} does not exist; restore the product, or run ./tigerbush discover to refresh the table."
    )


def test_a_granule_of_no_tile_is_left_out(safe):
    again = safe / "GRANULE" / "other" / "MTD_TL.xml"
    again.parent.mkdir()
    again.write_text("<a/>")
    assert open_product(safe).granule == GRANULE


def test_a_metadata_file_that_is_too_large(safe, monkeypatch):
    path = next(safe.glob("GRANULE/*/MTD_TL.xml"))
    size = max(path.stat().st_size, (safe / "MTD_MSIL1C.xml").stat().st_size)
    assert size == path.stat().st_size
    monkeypatch.setattr("tigerbush.sentinel2.safe.MAX_XML_BYTES", size)
    assert open_product(safe).epsg == 32633
    monkeypatch.setattr("tigerbush.sentinel2.safe.MAX_XML_BYTES", size - 1)
    with pytest.raises(TigerbushError) as error:
        open_product(safe)
    assert str(error.value) == f"{path} has {size} bytes, more than any Sentinel-2 metadata file."


WHOLE = Grid(1000, 5000, 20, 30, 18)


@pytest.mark.parametrize(
    ("target", "margin", "part"),
    [
        # column, row, width, height of the window
        (Grid(1000, 5000, 10, 4, 6), 0, (0, 0, 2, 3)),
        (Grid(1010, 4990, 10, 4, 6), 0, (0, 0, 3, 4)),
        (Grid(1020, 4980, 10, 4, 6), 0, (1, 1, 2, 3)),
        (Grid(1100, 4900, 10, 4, 6), 1, (4, 4, 4, 5)),
        (Grid(1100, 4900, 10, 4, 6), 2, (3, 3, 6, 7)),
        (Grid(1580, 4660, 60, 4, 6), 1, (28, 16, 2, 2)),
        (Grid(900, 5100, 10, 4, 6), 0, (0, 0, 1, 1)),
        (Grid(1600, 4640, 10, 4, 6), 0, (29, 17, 1, 1)),
        (Grid(0, 9000, 100, 900, 900), 3, (0, 0, 30, 18)),
    ],
)
def test_pixels_that_a_target_touches(target, margin, part):
    covered = WHOLE.covering(target, margin)
    column, row, width, height = part
    assert covered == Grid(1000 + 20 * column, 5000 - 20 * row, 20, width, height)
    assert WHOLE.pixels(covered) == part


@pytest.fixture
def image(tmp_path):
    """A GeoTIFF of the window of WHOLE at column 4 and row 2, 10 by 8 pixels."""
    data = np.arange(80, dtype=np.uint16).reshape(8, 10)
    place = rasterio.Affine(20, 0, 1080, 0, -20, 4960)
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=10, height=8, count=1, dtype="uint16", transform=place
    ) as out:
        out.write(data, 1)
    with rasterio.open(path) as opened:
        yield data, opened


@pytest.mark.parametrize("part", [(4, 2, 10, 8), (5, 4, 3, 2), (13, 9, 1, 1)])
def test_windows_of_a_cropped_image(image, part):
    data, opened = image
    column, row, width, height = part
    source = Grid(1000 + 20 * column, 5000 - 20 * row, 20, width, height)
    expected = data[row - 2 : row - 2 + height, column - 4 : column - 4 + width]
    np.testing.assert_array_equal(read_part(opened, "a.tif", WHOLE, source, "MTD_TL.xml")[0], expected)


@pytest.mark.parametrize(
    ("grid", "source"),
    [
        (WHOLE, Grid(1060, 4960, 20, 3, 3)),
        (WHOLE, Grid(1080, 4980, 20, 3, 3)),
        (WHOLE, Grid(1080, 4960, 20, 11, 3)),
        (WHOLE, Grid(1080, 4960, 20, 3, 9)),
        (WHOLE, Grid(1090, 4960, 20, 3, 3)),
        (WHOLE, Grid(1080, 4950, 20, 3, 3)),
        (Grid(1000, 5000, 10, 60, 36), Grid(1080, 4960, 10, 3, 3)),
    ],
)
def test_windows_outside_a_cropped_image(image, grid, source):
    with pytest.raises(TigerbushError) as error:
        read_part(image[1], "a.tif", grid, source, "MTD_TL.xml")
    assert str(error.value) == (
        "a.tif does not contain the window needed; report this product, or delete its line from the table of products to leave it out."
    )


def test_the_halo_that_is_read_depends_on_the_method(safe):
    opened = open_product(safe)
    name, _ = opened.band_file("B12")
    target = Grid(SMALL["x"] + 100, SMALL["y"] - 60, 10, 4, 4)
    for method, part in (("Nearest", (5, 3, 2, 2)), ("Bilinear", (4, 2, 4, 4)), ("Bicubic", (3, 1, 6, 6))):
        data, source = read_window(opened, name, opened.grids[20], target, method)
        assert opened.grids[20].pixels(source) == part
        assert data.shape == (1, *part[:1:-1])


def test_only_damage_in_the_window_matters(tmp_path):
    """Two tiles of 1024 pixels side by side, of which the second is damaged."""
    width = 1100
    place = CORNER | {"width": width, "height": 30}
    bands = {"B4": np.random.default_rng(0).integers(1, 9000, (30, width)).astype(np.uint16)}
    safe = write_product(tmp_path, NAME, Scene(bands, **place, offsets={}))
    path = next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"))
    content = path.read_bytes()
    path.write_bytes(content[:-300] + bytes(298) + content[-2:])
    opened = open_product(safe)
    edge = CORNER["x"] + 10 * 1024
    opened.check_band("B4", Grid(edge - 100, CORNER["y"], 10, 10, 5))
    assert opened.codestreams == {opened.band_file("B4")[0]: "unchecked"}
    for target in (None, Grid(edge - 100, CORNER["y"], 10, 11, 5), Grid(edge - 20, CORNER["y"], 20, 2, 2)):
        with pytest.raises(TigerbushError, match=r"_B04\.jp2 is damaged: tile 1 holds"):
            opened.check_band("B4", target)


def test_one_unchecked_strip_makes_a_file_unchecked(safe):
    """Some strips of a scene may be checked and others not."""
    opened = open_product(safe)
    name, _ = opened.band_file("B4")
    with rasterio.open(safe / name) as image:
        data = image.read()
        keys = ("driver", "width", "height", "count", "dtype", "crs", "transform")
        profile = {key: image.profile[key] for key in keys} | {"reversible": "YES", "quality": 100}
    for before, lengths, after in (("unchecked", "YES", "unchecked"), ("checked", "YES", "checked"), ("checked", "NO", "unchecked")):  # fmt: skip
        (safe / name).unlink()
        with rasterio.open(
            safe / name, "w", **profile | {"reversible": "YES", "quality": 100, "plt": lengths}
        ) as out:
            out.write(data)
        opened = open_product(safe)
        opened.codestreams[name] = before
        opened.check_band("B4")
        assert opened.codestreams == {name: after}
    opened.codestreams["another"] = "checked"
    assert opened.codestream == "unchecked"


def test_a_truncated_band_is_refused_before_it_is_decoded(safe):
    opened = open_product(safe)
    name, _ = opened.band_file("B4")
    (safe / name).write_bytes((safe / name).read_bytes()[:-3])
    with pytest.raises(TigerbushError, match=r"_B04\.jp2 is not a complete JP2 file"):
        open_product(safe).check_band("B4")
