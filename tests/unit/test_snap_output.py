"""GeoTIFFs written by SNAP: names in its private tag, bands in any order and number, truncated files."""

import struct

import numpy as np
import pytest
import rasterio

from fabricate import CORNER, scene_of
from tigerbush.errors import EngineError, TigerbushError
from tigerbush.raster import read_raster
from tigerbush.scenes.snap_output import _tag, band_names, rewrite_output
from tigerbush.sentinel2.safe import open_product

SMALL = CORNER | {"width": 36, "height": 24}


def dimap(*bands):
    """SNAP's header: index and name of each band."""
    parts = "".join(
        f"<Spectral_Band_Info><BAND_INDEX>{index}</BAND_INDEX><BAND_NAME>{name}</BAND_NAME></Spectral_Band_Info>"
        for index, name in bands
    )
    return f"<Dimap_Document><Image_Interpretation>{parts}</Image_Interpretation></Dimap_Document>".encode()


def tiff(entries, order=">", place=8):
    """A classic TIFF with one directory: tags, and the content to which each points."""
    body = b"\0" * (place - 8) + struct.pack(f"{order}H", len(entries))
    after = place + 2 + 12 * len(entries)
    tail = b""
    for tag, content in entries:
        body += struct.pack(f"{order}HHII", tag, 2, len(content), after + len(tail))
        tail += content
    head = {">": b"MM\0*", "<": b"II*\0"}[order]
    return head + struct.pack(f"{order}I", place) + body + tail


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("place", [8, 20])
def test_band_names_are_in_the_order_of_their_indices(tmp_path, order, place):
    path = tmp_path / "a.tif"
    header = dimap((2, "B_nodata_B2"), (10, "B4"), (0, "B2"), (1, "B3"))
    path.write_bytes(tiff([(64_999, b"<no/>"), (65_000, header + b"\0\0"), (65_001, b"other")], order, place))
    assert band_names(path) == ["B2", "B3", "B_nodata_B2", "B4"]
    assert _tag(path, 65_000) == header
    assert _tag(path, 65_001) == b"other"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"II+\0" + bytes(20), "it is not a classic TIFF"),
        (b"", "it is not a classic TIFF"),
        (tiff([(64_999, b"<a/>  ")]), "it has no tag 65000"),
        # up to four bytes stand in the directory itself
        (tiff([(65_000, b"<a/>")]), "it has no tag 65000"),
        (tiff([(65_000, dimap())])[:-1], "it has no tag 65000"),
        (tiff([(65_000, b"<a><b>")]), "no element found: line 1, column 6"),
        (tiff([(65_000, b'<!DOCTYPE a [<!ENTITY b "c">]><a/>')]), None),
        (tiff([(65_000, b"<!DOCTYPE a><a></a>")]), None),
        (tiff([(65_000, dimap(("x", "B2")))]), "invalid literal for int() with base 10: 'x'"),
        (tiff([(65_000, b"<a><Spectral_Band_Info/></a>")]), None),
        (b"MM\0*\0\0\0\x08\0", "unpack requires a buffer of 2 bytes"),
    ],
)
def test_files_not_written_by_snap(tmp_path, content, reason):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(TigerbushError) as error:
        band_names(path)
    sentence = str(error.value)
    assert sentence.startswith(f"{path} is not a GeoTIFF written by SNAP (") and sentence.endswith(
        "); run again."
    )
    if reason:
        assert sentence == f"{path} is not a GeoTIFF written by SNAP ({reason}); run again."


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """Write an image as SNAP does; its band names are patched in, because GDAL does not write private tags."""

    def write(data, names, dtype="uint16"):
        path = tmp_path / "plain.tif"
        size = {"count": len(data), "height": data.shape[1], "width": data.shape[2], "dtype": dtype}
        place = rasterio.Affine(20, 0, CORNER["x"] + 40, 0, -20, CORNER["y"] - 60)
        with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=place, **size) as out:
            out.write(data)
        monkeypatch.setattr("tigerbush.scenes.snap_output.band_names", lambda path: names)
        return path

    return write


@pytest.fixture
def safe(product):
    return product(baseline="0400", scene=scene_of(offset=-1000, place=SMALL))


@pytest.mark.parametrize("rows", [1, 2, 7, 1024])
def test_bands_are_rewritten_in_order_and_strip_by_strip(plain, safe, tmp_path, monkeypatch, rows):
    monkeypatch.setattr("tigerbush.scenes.snap_output._ROWS", rows)
    data = np.random.default_rng(0).integers(0, 9000, (3, 7, 5)).astype(np.uint16)
    path = plain(data, ["B2", "B_nodata_B2", "B8A"])
    rewrite_output(path, tmp_path / "a.tif", open_product(safe), ["B8A", "B2"])
    raster = read_raster(tmp_path / "a.tif")
    np.testing.assert_array_equal(raster.data, data[[2, 0]])
    assert raster.bands == ("B8A", "B2")
    assert (raster.grid.x, raster.grid.y, raster.grid.resolution) == (CORNER["x"] + 40, CORNER["y"] - 60, 20)
    assert (raster.grid.width, raster.grid.height) == (5, 7)
    assert (raster.scale, raster.offset, raster.epsg) == ((1e-4,) * 2, (-0.1,) * 2, 32633)


def test_files_without_the_requested_bands(plain, safe, tmp_path):
    product, target = open_product(safe), tmp_path / "a.tif"
    path = plain(np.ones((2, 3, 4), np.uint16), ["B2", "B3"])
    with pytest.raises(TigerbushError) as error:
        rewrite_output(path, target, product, ["B2", "B4", "B8"])
    assert str(error.value) == f"{safe}: SNAP wrote 2 bands (B2, B3), without B4, B8; check scene.bands."
    path = plain(np.ones((2, 3, 4), np.uint16), ["B2", "B3", "B4"])
    with pytest.raises(TigerbushError, match=r"SNAP wrote 2 bands \(B2, B3, B4\), but names 3; check"):
        rewrite_output(path, target, product, ["B2"])
    for values, dtype in ((1.5, "float32"), (-1, "int16"), (65_536, "int32")):
        path = plain(np.full((1, 3, 4), values, dtype), ["B2"], dtype)
        with pytest.raises(TigerbushError) as error:
            rewrite_output(path, target, product, ["B2"])
        assert (
            str(error.value)
            == f"{path}: SNAP wrote {dtype} values that are not DN; set scene.engine: rasterio."
        )
    rewrite_output(plain(np.full((1, 3, 4), 7, "float32"), ["B2"], "float32"), target, product, ["B2"])
    assert read_raster(target).data.tolist() == [[[7] * 4] * 3]
    path.write_bytes(b"MM\0*")
    with pytest.raises(TigerbushError) as error:
        rewrite_output(path, target, product, ["B2"])
    assert str(error.value).startswith(f"{safe}: the output of SNAP cannot be read (")


def test_a_truncated_file_is_the_fault_of_the_machine(plain, safe, tmp_path):
    path = plain(np.random.default_rng(0).integers(0, 9000, (1, 300, 300)).astype(np.uint16), ["B2"])
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(EngineError) as error:
        rewrite_output(path, tmp_path / "a.tif", open_product(safe), ["B2"])
    assert str(error.value).startswith(f"{path}: SNAP did not write the whole file (")
    assert not (tmp_path / "a.tif").exists()
