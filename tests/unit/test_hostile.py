"""Malicious input: it is refused quickly with our own sentences, and nothing is lost."""

import contextlib
import re
import resource
import struct
import time
import zipfile

import numpy as np
import pytest
import rasterio.shutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabricate import CORNER, flat_scene, name_of, scene_of
from tigerbush.errors import RemoteError, TigerbushError, WriteError
from tigerbush.files import atomic_write, write_bytes, write_json
from tigerbush.grid import Grid
from tigerbush.raster import Raster, read_raster, write_raster
from tigerbush.sentinel2.masks import read_mask
from tigerbush.sentinel2.names import SITE_BANDS
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import write_product
from tigerbush.sources.folder import copy_product, list_local
from tigerbush.sources.ranges import check_decodes

METADATA = ("MTD_MSIL1C.xml", "GRANULE/*/MTD_TL.xml", "GRANULE/*/QI_DATA/MSK_CLOUDS_B00.gml")


def read_all(safe):
    """Read everything that the workflow would read of a product."""
    product = open_product(safe)
    read_mask(product, product.grids[10])
    return product.read_band("B4", product.grids[10])


@pytest.fixture
def safe(product):
    x, y = CORNER["x"], CORNER["y"]
    return product(scene=scene_of(clouds=[[(x, y), (x + 500, y), (x + 500, y - 500)]]))


def entity(level):
    return f"&a{level};" if level else "x" * 1000


BOMB = "<!DOCTYPE b [{}]><b>&a8;</b>".format(
    "".join(f'<!ENTITY a{level} "{entity(level - 1) * 20}">' for level in range(1, 9))
)
HOSTILE_XML = {
    "entity expansion": BOMB,
    "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "external dtd": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
    "deep nesting": "<a>" * 1_000_000 + "</a>" * 1_000_000,
    "100 MB": "<a>" * 33_000_000,
    "empty": "",
    "binary": "\x00\x01\x02",
    "another encoding": '<?xml version="1.0" encoding="ebcdic-cp-be"?><x/>',
}


@pytest.mark.parametrize("pattern", METADATA)
@pytest.mark.parametrize("attack", HOSTILE_XML)
def test_hostile_xml(safe, pattern, attack):
    path = next(safe.glob(pattern))
    path.write_text(HOSTILE_XML[attack])
    start = time.process_time()
    with pytest.raises(TigerbushError) as error:
        read_all(safe)
    assert path.name in str(error.value)
    assert "root:" not in str(error.value)
    assert len(str(error.value)) < 1000
    assert time.process_time() - start < 20


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_metadata_is_refused_or_read(tmp_path_factory, data):
    """A fuzz of the three XML readers: a sentence, or the numbers of some product."""
    safe = write_product(tmp_path_factory.mktemp("fuzz"), name_of(), FUZZED)
    path = next(safe.glob(data.draw(st.sampled_from(METADATA))))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 30))
        content[position : position + length] = data.draw(
            st.binary(max_size=8)
            | st.sampled_from([b"<", b">", b"&x;", b"-", b"9" * 30, b"nan", b"1e400", b"\n", b'"'])
        )
    path.write_bytes(content)
    try:
        assert read_all(safe).dtype == np.uint16
    except TigerbushError as error:
        assert "\n" not in str(error).strip()


FUZZED = scene_of(
    place=CORNER | {"width": 12, "height": 12},
    clouds=[[(465180, 5080260), (465200, 5080260), (465200, 5080200)]],
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_image_raises_only_sentences(tmp_path_factory, data):
    """JPEG 2000 has no checksum, so damaged data may decode; only the checksum of a zip or manifest reveals it."""
    safe = write_product(tmp_path_factory.mktemp("fuzz"), name_of(), FUZZED)
    path = next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"))
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position : position + 4] = data.draw(st.binary(min_size=4, max_size=4))
    path.write_bytes(content)
    with contextlib.suppress(TigerbushError):
        assert read_all(safe).shape == (12, 12)


@pytest.mark.parametrize("tile", [0, 1, 3])
def test_a_tile_without_its_header_is_detected(tmp_path, tile):
    """Even when it is read together with others."""
    safe = write_product(tmp_path, name_of(), flat_scene(1800))
    path = next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"))
    content = bytearray(path.read_bytes())
    header = [match.start() for match in re.finditer(rb"\xff\x90\x00\x0a", content)][tile]
    content[header + 2 : header + 12] = bytes(10)
    path.write_bytes(content)
    product = open_product(safe)
    with pytest.raises(TigerbushError, match=r"_B04\.jp2 cannot be decoded"):
        product.read_band("B4", product.grids[10])


@pytest.mark.parametrize("side", [2**31 - 1, 10**6])
def test_an_image_that_claims_an_absurd_size(safe, side):
    path = next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"))
    content = bytearray(path.read_bytes())
    header = content.index(b"ihdr") + 4
    content[header : header + 8] = struct.pack(">II", side, side)
    size = content.index(b"\xff\x51") + 6  # marker SIZ: Xsiz, Ysiz
    content[size : size + 8] = struct.pack(">II", side, side)
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TigerbushError, match="B04"):
        read_all(safe)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


@pytest.mark.parametrize(
    "name",
    [
        "..",
        f"../{name_of()}.SAFE",
        f"/etc/{name_of()}.SAFE",
        f"{name_of()}\n.SAFE",
        f"{name_of()};touch evil.SAFE",
        "S2A_" + "x" * 240 + ".SAFE",
        "$(touch evil).SAFE",
    ],
)
def test_names_that_are_not_product_names_are_skipped(product, tmp_path, name):
    product()
    folder = tmp_path / "products"
    if "/" not in name and name != "..":
        (folder / name).mkdir()
    rows, _ = list_local(folder)
    assert [row["product"] for row in rows] == [name_of()]


def test_a_zip_with_names_outside_its_folder(product, tmp_path):
    """Neither reading nor copying ever writes by a name from inside a zip."""
    source = product(scene=scene_of(clouds=[]))
    path = tmp_path / f"{name_of()}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in source.rglob("*"):
            archive.write(file, file.relative_to(source.parent))
        for evil in (
            "../../evil.jp2",
            "/evil.jp2",
            f"{name_of()}.SAFE/GRANULE/../../../IMG_DATA/x_B04.jp2",
        ):
            archive.writestr(evil, b"x")
    copy_product(path, tmp_path / "copy" / f"{name_of()}.zip", ["B4"])
    with zipfile.ZipFile(tmp_path / "copy" / f"{name_of()}.zip") as archive:
        assert all(name.startswith(f"{name_of()}.SAFE/") and ".." not in name for name in archive.namelist())
    assert not list(tmp_path.rglob("*evil*"))


@pytest.fixture
def small_disk():
    """No file larger than 4 kB can be written, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_keeps_the_old_file(tmp_path, small_disk):
    target = tmp_path / "results_summary.json"
    write_json(target, {"old": True})
    with pytest.raises(WriteError, match=r"results_summary\.json cannot be written \(.*too large\)"):
        write_json(target, ["x" * 10_000])
    assert target.read_text() == '{\n "old": true\n}\n'
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_never_leaves_a_truncated_image(tmp_path):
    """Wherever the disk becomes full: either the old file and a sentence, or the complete new file."""
    random = np.random.default_rng(0)
    data = random.integers(1, 4000, (4, 300, 300)).astype(np.uint16)
    raster = Raster(data, Grid(465180, 5080260, 10, 300, 300), 32633, SITE_BANDS, 0)
    write_raster(tmp_path / "whole.tif", raster)
    size = (tmp_path / "whole.tif").stat().st_size
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    target, outcomes = tmp_path / "a.tif", set()
    for limit in [*range(4096, data.nbytes + 8192, 40_000), *range(size - 900, size + 300, 150)]:
        write_bytes(target, b"old")
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
        try:
            write_raster(target, raster)
            outcomes.add("written")
        except WriteError as error:
            assert "a.tif cannot be written" in str(error)
            assert target.read_bytes() == b"old"
            outcomes.add("refused")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        if target.read_bytes() != b"old":
            np.testing.assert_array_equal(read_raster(target).data, data)
        assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "whole.tif"}
    assert outcomes == {"written", "refused"}


def test_a_truncated_copy_is_detected(tmp_path, monkeypatch):
    """GDAL reports success when the last block of a GeoTIFF did not fit on the disk."""

    def cut(source, target, **options):
        copy(source, target, **options)
        with target.open("r+b") as file:
            file.truncate(file.seek(0, 2) - 100)

    copy = rasterio.shutil.copy
    monkeypatch.setattr("rasterio.shutil.copy", cut)
    data = np.random.default_rng(0).integers(1, 4000, (1, 300, 300)).astype(np.uint16)
    with pytest.raises(WriteError, match=r"a\.tif cannot be written"):
        write_raster(tmp_path / "a.tif", Raster(data, Grid(0, 0, 10, 300, 300), 32633, ("B2",), 0))
    assert not list(tmp_path.iterdir())


def vrt(source):
    return (
        '<VRTDataset rasterXSize="126" rasterYSize="126"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>{CORNER['x']}, 10, 0, {CORNER['y']}, 0, -10</GeoTransform>"
        '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{source}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    ).encode()


@pytest.mark.parametrize("suffix", [".tif", ".jp2"])
def test_an_image_cannot_refer_to_other_files(safe, tmp_path, suffix):
    """GDAL would read this one, and with it any file on the machine and any address."""
    [band] = safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2")
    secret = band.rename(tmp_path / "secret.jp2")
    content = vrt(secret)
    with rasterio.MemoryFile(content) as file, file.open() as image, rasterio.open(secret) as plain:
        np.testing.assert_array_equal(image.read(), plain.read())
    disguised = band.with_suffix(suffix)
    disguised.write_bytes(content)
    with pytest.raises(TigerbushError) as error:
        open_product(safe).read_band("B4", open_product(safe).grids[10])
    assert str(disguised) in str(error.value)
    row = {"name": disguised.name, "etag": ""}
    with pytest.raises(RemoteError, match=r"^x: the data received cannot be decoded"):
        check_decodes("x", row, content)


def test_an_impossible_output_folder(tmp_path):
    (tmp_path / "results").write_text("a file, not a folder")
    target = tmp_path / "results" / "a.json"
    with pytest.raises(WriteError, match=r"results/a\.json cannot be written"), atomic_write(target):
        raise AssertionError("not reached")
