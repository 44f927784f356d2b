"""Reading products that the tests write, intact and damaged."""

import re
import shutil
import zipfile

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from fabricate import CORNER, name_of, scene_of
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import MASKED, MaskOptions
from tigerbush.raster import read_tags
from tigerbush.scenes.scene import SceneOptions, product_raster, scene_grid, write_scene
from tigerbush.sentinel2.masks import read_mask
from tigerbush.sentinel2.names import BANDS
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import Scene, write_product


def zipped(safe):
    path = safe.with_suffix(".SAFE.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(safe.rglob("*")):
            archive.write(file, file.relative_to(safe.parent))
    shutil.rmtree(safe)
    return path


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("pack", [lambda safe: safe, zipped])
def test_round_trip(product, level, pack):
    scene = scene_of(7, offset=-1000, level=level, cloud_percent=12.5)
    opened = open_product(pack(product(level=level, baseline="0510", scene=scene)))
    assert opened.epsg == 32633
    assert opened.quantification == 10000
    assert opened.offsets == dict.fromkeys(BANDS, -1000)
    assert opened.cloud_percent == 12.5
    assert opened.grids == {resolution: scene.grid(resolution) for resolution in (10, 20, 60)}
    for band, data in scene.bands.items():
        np.testing.assert_array_equal(opened.read_band(band, opened.grids[BANDS[band]]), data)


def test_there_is_no_offset_before_baseline_0400(product):
    assert set(open_product(product()).offsets.values()) == {0}


@settings(max_examples=15, deadline=None)
@given(
    side=st.tuples(st.integers(6, 90), st.integers(6, 90)),
    corner=st.tuples(st.integers(10000, 40000), st.integers(10000, 450000)),
    south=st.booleans(),
    offset=st.integers(-2000, -1),
    seed=st.integers(0, 9),
)
def test_round_trip_of_any_size_and_place(tmp_path_factory, side, corner, south, offset, seed):
    place = {"x": corner[0] * 20, "y": corner[1] * 20, "epsg": 32733 if south else 32633}
    shape = (3, -(-side[1] // 6), -(-side[0] // 6))
    classi = np.random.default_rng(seed).integers(0, 2, shape).astype(np.uint8)
    scene = scene_of(seed, offset=offset, place=place | {"width": side[0], "height": side[1]}, classi=classi)
    name = name_of(baseline="0510")
    opened = open_product(write_product(tmp_path_factory.mktemp("products"), name, scene))
    assert opened.epsg == place["epsg"]
    assert set(opened.offsets.values()) == {offset}
    mask, _ = read_mask(opened, opened.grids[60], MaskOptions(cirrus=False))
    np.testing.assert_array_equal(mask == MASKED, classi[0] == 1)
    for band in ("B4", "B8A", "B9"):
        grid = opened.grids[BANDS[band]]
        assert (grid.x, grid.y) == (place["x"], place["y"])
        np.testing.assert_array_equal(opened.read_band(band, grid), scene.bands[band])


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_gdal_opens_written_products(product, level):
    scene = scene_of(3, level=level, offset=-1000)
    metadata = next(product(level=level, baseline="0510", scene=scene).glob("MTD_MSI*.xml"))
    with rasterio.open(metadata) as opened:
        assert opened.driver == "SENTINEL2"
        assert opened.tags()["PROCESSING_BASELINE"] == "05.10"
        names = opened.subdatasets
    with rasterio.open(next(name for name in names if ":10m:" in name)) as image:
        assert (image.crs.to_epsg(), image.transform.c, image.transform.f) == (
            32633,
            CORNER["x"],
            CORNER["y"],
        )
        described = {text.split(",")[0]: i for i, text in enumerate(image.descriptions, 1)}
        for band in ("B2", "B3", "B4", "B8"):
            np.testing.assert_array_equal(image.read(described[band]), scene.bands[band])


def test_a_window_is_a_crop_of_the_whole(product):
    opened = open_product(product(scene=scene_of(5)))
    whole = scene_grid(opened, 10)
    window = Grid(whole.x + 370, whole.y - 590, 10, 31, 23)
    for band in ("B4", "B5", "B1"):
        np.testing.assert_array_equal(
            opened.read_band(band, window), opened.read_band(band, whole)[59:82, 37:68]
        )


def test_covering_is_clamped_and_never_empty():
    grid = Grid(0, 1000, 10, 100, 100)
    assert grid.covering(Grid(55, 945, 10, 2, 2), 1) == Grid(40, 960, 10, 5, 5)
    assert grid.covering(Grid(-500, 5000, 10, 2, 2), 1) == Grid(0, 1000, 10, 1, 1)
    assert grid.covering(Grid(5000, -5000, 10, 2, 2), 1) == Grid(990, 10, 10, 1, 1)


def band_path(safe, number):
    return next(safe.glob(f"GRANULE/*/IMG_DATA/*_{number}.jp2"))


def fails(safe, sentence, band="B4"):
    with pytest.raises(TigerbushError, match=sentence) as error:
        opened = open_product(safe)
        opened.read_band(band, opened.grids[10])
    assert "\n" not in str(error.value)
    assert str(safe) in str(error.value)


def test_a_missing_band_is_refused(product):
    safe = product()
    band_path(safe, "B04").unlink()
    fails(safe, "the file of band B4 is missing")


@pytest.mark.parametrize("keep", [0, 1, 20, 1000, -3, -1])
def test_a_truncated_band_is_refused(product, keep):
    safe = product()
    path = band_path(safe, "B04")
    path.write_bytes(path.read_bytes()[:keep])
    fails(safe, "is not a complete JP2 file")


def test_a_corrupt_band_is_refused(product):
    safe = product()
    path = band_path(safe, "B04")
    content = bytearray(path.read_bytes())
    content[40:200] = bytes(160)
    path.write_bytes(content)
    fails(safe, "cannot be decoded")


def zeros_at_the_end(path):
    """Zero the rest of a tile, which can still be decoded, to other pixels."""
    content = path.read_bytes()
    path.write_bytes(content[:-2002] + bytes(2000) + content[-2:])


@pytest.mark.parametrize("pack", [lambda safe: safe, zipped])
def test_a_band_that_ends_in_zeros_is_refused(product, pack):
    safe = product()
    band = band_path(safe, "B04")
    zeros_at_the_end(band)
    name = band.relative_to(safe)
    path = pack(safe)
    opened = open_product(path)
    for work in (
        lambda: opened.read_band("B4", opened.grids[10]),
        lambda: opened.check_band("B4"),
        lambda: write_scene(path, path.with_name("a.tif"), SceneOptions(["B4"], 10)),
    ):  # fmt: skip
        with pytest.raises(TigerbushError) as error:
            work()
        assert re.fullmatch(
            rf"{re.escape(f'{path}/{name}')} is damaged: tile 0 holds \d\d bytes of 0x00 in a row, \d+ bytes from its "
            r"start; restore it from an intact copy, then run \./tigerbush retry\.",
            str(error.value),
        )
    assert not path.with_name("a.tif").exists()


def test_a_mask_that_ends_in_zeros_is_refused(product):
    classi = np.random.default_rng(0).integers(0, 2, (3, 21, 21)).astype(np.uint8)
    safe = product(scene=scene_of(classi=classi))
    path = next(safe.glob("GRANULE/*/QI_DATA/MSK_CLASSI_B00.jp2"))
    content = path.read_bytes()
    path.write_bytes(content[:-102] + bytes(100) + content[-2:])
    opened = open_product(safe)
    with pytest.raises(TigerbushError, match=r"MSK_CLASSI_B00\.jp2 is damaged: tile 0 holds"):
        read_mask(opened, opened.grids[60])


def with_packet_lengths(path):
    """Rewrite a band with packet lengths, as ESA's encoder does."""
    with rasterio.open(path) as image:
        data, profile = image.read(), image.profile
    path.unlink()
    with rasterio.open(path, "w", **profile | {"reversible": "YES", "quality": 100, "plt": "YES"}) as image:
        image.write(data)


def test_whether_packets_could_be_checked_is_recorded(product):
    """For the files read so far: a single file that does not reveal its packets is enough."""
    safe = product()
    opened = open_product(safe)
    assert opened.codestream is None
    for number in ("B03", "B04"):
        with_packet_lengths(band_path(safe, number))
    opened = open_product(safe)
    for band in ("B3", "B4"):
        opened.read_band(band, opened.grids[10])
    assert opened.codestream == "checked"
    tags = product_raster(opened, ["B3"], opened.grids[10], np.ones((1, 2, 2))).tags
    assert tags["TIGERBUSH_CODESTREAM"] == "checked"
    opened.read_band("B2", opened.grids[10])
    assert opened.codestream == "unchecked"
    for bands, codestream in ((["B4", "B3"], "checked"), (["B4", "B2"], "unchecked")):
        target = safe.with_name("a.tif")
        write_scene(safe, target, SceneOptions(bands, 20))
        assert read_tags(target)["TIGERBUSH_CODESTREAM"] == codestream


def test_a_band_of_another_size_is_refused(product):
    safe = product()
    shutil.copy(band_path(safe, "B05"), band_path(safe, "B04"))
    fails(safe, "has 63 x 63 pixels, but MTD_TL.xml states 126 x 126")


def edited(safe, pattern, old, new):
    path = next(safe.glob(pattern))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("pattern", "old", "new", "sentence"),
    [
        ("MTD_MSIL1C.xml", "<QUANTIFICATION_VALUE", "<X", "MTD_MSIL1C.xml is not well-formed XML"),
        ("MTD_MSIL1C.xml", "QUANTIFICATION_VALUE", "X", "field QUANTIFICATION_VALUE is missing or not a number"),
        ("MTD_MSIL1C.xml", ">10000<", ">ten<", "field QUANTIFICATION_VALUE is missing or not a number"),
        ("MTD_MSIL1C.xml", ">10000<", ">0<", "field QUANTIFICATION_VALUE is 0, expected a whole number"),
        ("MTD_MSIL1C.xml", "RADIO_ADD_OFFSET", "X", "field RADIO_ADD_OFFSET of band_id 0 is missing or not a whole number, though baseline 05.10"),
        ("MTD_MSIL1C.xml", ">-1000<", ">-1e3x<", "field RADIO_ADD_OFFSET of band_id 0 is missing or not a whole number"),
        ("MTD_MSIL1C.xml", 'band_id="3"', 'band_id="13"', "field RADIO_ADD_OFFSET of band_id 3 is missing"),
        ("MTD_MSIL1C.xml", ">-1000<", ">-100000000<", "field RADIO_ADD_OFFSET of band_id 0 is missing or not a whole"),
        ("GRANULE/*/MTD_TL.xml", '<Geoposition resolution="20">\n        <ULX>465180', '<Geoposition resolution="20">\n        <ULX>465200', "Geoposition differs between resolutions"),
        ("GRANULE/*/MTD_TL.xml", "EPSG:32633", "EPSG:4326", "HORIZONTAL_CS_CODE is not the EPSG code of a UTM"),
        ("GRANULE/*/MTD_TL.xml", "EPSG:32633", "EPSG:32661", "HORIZONTAL_CS_CODE is not the EPSG code of a UTM"),
        ("GRANULE/*/MTD_TL.xml", "<NROWS>126<", "<NROWS>999999999<", "Size of resolution 10 is 126 x 1e[+]09"),
        ("GRANULE/*/MTD_TL.xml", 'Size resolution="20"', 'Size resolution="30"', "Size or Geoposition of resolution 20"),
        ("GRANULE/*/MTD_TL.xml", "<ULX>465180<", "<ULX>nan<", "field ULX is missing or not a number"),
    ],
)  # fmt: skip
def test_damaged_metadata(product, pattern, old, new, sentence):
    safe = product(baseline="0510", scene=scene_of(offset=-1000))
    edited(safe, pattern, old, new)
    fails(safe, sentence)


def test_entities_are_not_expanded(product):
    safe = product()
    edited(safe, "MTD_MSIL1C.xml", "<n1:Level", '<!DOCTYPE x [<!ENTITY a "10000">]><n1:Level')
    fails(safe, "is not well-formed XML")


def test_a_missing_metadata_file(product):
    safe = product()
    (safe / "MTD_MSIL1C.xml").unlink()
    fails(safe, "has 0 files MTD_MSIL1C.xml, expected one")


def test_a_product_that_no_longer_exists(tmp_path):
    fails(tmp_path / f"{name_of()}.SAFE", "does not exist; restore the product")


def test_an_invalid_zip(tmp_path):
    path = tmp_path / f"{name_of()}.zip"
    path.write_bytes(b"PK no")
    fails(path, "is not a readable zip file")


def test_names_outside_the_folder_of_a_zip_are_ignored(product):
    path = zipped(product())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{name_of()}.SAFE/../../evil.jp2", b"x")
        archive.writestr("/etc/evil.jp2", b"x")
    assert not any("evil" in name for name in open_product(path).files)


def test_the_writer_refuses_a_band_of_another_size(tmp_path):
    scene = Scene({"B4": np.ones((3, 3))}, **CORNER)
    with pytest.raises(ValueError, match="3 x 3 pixels, expected 126 x 126"):
        write_product(tmp_path, name_of(), scene)


@pytest.mark.parametrize("percent", ["-1", "101", "nan", "many"])
def test_an_invalid_cloud_cover_is_unknown(product, percent):
    safe = product(cloud_percent=7)
    edited(safe, "GRANULE/*/MTD_TL.xml", ">7<", f">{percent}<")
    edited(safe, "MTD_MSIL1C.xml", "<Cloud_Coverage_Assessment>7<", "<Cloud_Coverage_Assessment>1e9<")
    assert open_product(safe).cloud_percent is None


@pytest.mark.parametrize("member", ["MTD_MSIL1C.xml", "_B04.jp2"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_of_a_zip(product, member, compression):
    safe = product()
    path = safe.with_suffix(".SAFE.zip")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(safe.rglob("*")):
            archive.write(file, file.relative_to(safe.parent))
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith(member))
    content = bytearray(path.read_bytes())
    middle = entry.header_offset + 200 + entry.compress_size // 2
    content[middle : middle + 30] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(TigerbushError, match=f"is not a readable zip file|{member}"):
        opened = open_product(path)
        opened.read_band("B4", opened.grids[10])
        opened.read_bytes(opened.band_file("B4")[0])  # as copy_product does


def test_an_encrypted_or_odd_zip(product):
    path = zipped(product())
    content = path.read_bytes()
    # the flags and the method of every entry
    for old, new in (
        (b"\x14\x00\x00\x00\x08\x00", b"\x14\x00\x01\x00\x08\x00"),
        (b"\x14\x00\x00\x00\x08\x00", b"\x14\x00\x00\x00\x55\x00"),
    ):
        path.write_bytes(content.replace(old, new))
        fails(path, "is not a readable zip file")
