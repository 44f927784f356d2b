"""Files of products against the checksums that the product states: once, and never again."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fabricate import name_of, scene_of
from tigerbush import verification
from tigerbush.errors import TigerbushError
from tigerbush.job import results_folder
from tigerbush.raster import read_tags
from tigerbush.readers import needed_files, stated_files
from tigerbush.scenes.engines import make_scene
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits
from tigerbush.sentinel2.names import role
from tigerbush.sentinel2.safe import Product, open_product
from tigerbush.sources.folder import copy_product
from tigerbush.verification import records_folder, verify_product

NAME = name_of()
ADVICE = "fetch the product again, then run ./tigerbush retry (if it was changed on purpose, set source.verify: never)."
BANDS = ("B4", "B8")


def digest(content, algorithm):
    return hashlib.new({"MD5": "md5", "SHA3-256": "sha3_256"}[algorithm], content).hexdigest()


def write_manifest(safe, algorithm="MD5", upper=False, **changes):
    """Write the manifest as ESA does: names from the product's folder, sizes and checksums."""
    objects = []
    for number, file in enumerate(sorted(path for path in safe.rglob("*") if path.is_file())):
        name = file.relative_to(safe).as_posix()
        if name == "manifest.safe":
            continue
        content = file.read_bytes()
        checksum = digest(content, algorithm) if algorithm else ""
        stated = f'<checksum checksumName="{algorithm}">{checksum.upper() if upper else checksum}</checksum>'
        objects.append(
            f'<dataObject ID="obj_{number}"><byteStream mimeType="application/octet-stream" '
            f'size="{changes.get("size", len(content))}"><fileLocation href="./{name}" locatorType="URL"/>'
            f"{stated if algorithm else ''}</byteStream></dataObject>"
        )
    (safe / "manifest.safe").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" '
        'version="esa/safe/sentinel/1.1/sentinel-2/msi/archive_l1c_user_product"><dataObjectSection>'
        f"{''.join(objects)}</dataObjectSection></xfdu:XFDU>"
    )


@pytest.fixture
def safe(product):
    path = product(scene=scene_of(7, clouds=[]))
    write_manifest(path)
    return path


@pytest.fixture
def reads(monkeypatch):
    """The files that are read from now on, but for the manifest and the metadata of an opened product."""
    names = []
    read = Product.read_bytes

    def record(self, name):
        names.append(name.rpartition("/")[2])
        return read(self, name)

    monkeypatch.setattr(Product, "read_bytes", record)
    return names


def band_of(safe, band="B04"):
    [path] = safe.glob(f"GRANULE/*/IMG_DATA/*_{band}.jp2")
    return path


def flip(path, position=-400):
    """Change one bit; size and time stay."""
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def zipped(safe):
    path = safe.parent / "zips" / f"{NAME}.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(file for file in safe.rglob("*") if file.is_file()):
            archive.write(file, file.relative_to(safe))
    return path


STAMP = "T33TVL_20170116T100000"
READ = ["MTD_MSIL1C.xml", "MTD_TL.xml", "MSK_CLOUDS_B00.gml", f"{STAMP}_B04.jp2", f"{STAMP}_B08.jp2"]


def test_what_a_product_states(safe):
    stated = stated_files(open_product(safe))
    files = [path for path in safe.rglob("*") if path.is_file() and path.name != "manifest.safe"]
    assert len(stated) == len(files) >= 13 + 3
    content = band_of(safe).read_bytes()
    entry = stated[band_of(safe).relative_to(safe).as_posix()]
    assert (entry.size, entry.algorithm, entry.digest) == (
        len(content),
        "md5",
        digest(content, "MD5"),
    )


@pytest.mark.parametrize(
    ("algorithm", "upper"), [("MD5", False), ("MD5", True), ("SHA3-256", False), ("SHA3-256", True)]
)
@pytest.mark.parametrize("pack", [lambda safe: safe, zipped])
def test_a_whole_product_is_verified_once(safe, tmp_path, reads, algorithm, upper, pack):
    write_manifest(safe, algorithm, upper)
    path = pack(safe)
    for _ in range(3):
        verify_product(path, BANDS, tmp_path / "records")
    assert sorted(reads) == sorted(["manifest.safe", *READ])
    # another band of it, and the same files by their record
    verify_product(path, ("B4", "B2"), tmp_path / "records")
    assert reads[len(READ) + 1 :] == ["manifest.safe", f"{STAMP}_B02.jp2"]
    verify_product(path, ("B4", "B8", "B2"), tmp_path / "records")
    assert len(reads) == len(READ) + 3
    assert [child.name for child in (tmp_path / "records").iterdir()] == [f"{NAME}.checked.json"]


@pytest.mark.input(
    "Damage",
    "one flipped bit in a band, of which `manifest.safe` has a checksum",
    "the product fails: fetch it again (`source.verify`)",
)
@pytest.mark.parametrize("algorithm", ["MD5", "SHA3-256"])
def test_one_flipped_bit_is_noticed(safe, tmp_path, algorithm):
    """GDAL decodes such a file, and its pixels differ."""
    write_manifest(safe, algorithm)
    path = band_of(safe)
    before = open_product(safe).read_band("B4", open_product(safe).grids[10])
    flip(path)
    after = open_product(safe).read_band("B4", open_product(safe).grids[10])
    assert (before != after).any()
    for _ in range(2):
        with pytest.raises(TigerbushError) as error:
            verify_product(safe, BANDS, tmp_path / "records")
        assert str(error.value) == (
            f"{path} is damaged: its checksum is not the one that the product states; {ADVICE}"
        )
    # the damage of a band that is not read is no reason
    verify_product(safe, ("B8", "B2"), tmp_path / "records")


def test_masks_are_verified(safe, tmp_path):
    [path] = safe.glob("GRANULE/*/QI_DATA/MSK_CLOUDS_B00.gml")
    path.write_bytes(path.read_bytes() + b" ")
    size = path.stat().st_size
    with pytest.raises(TigerbushError) as error:
        verify_product(safe, BANDS, tmp_path)
    assert str(error.value) == f"{path} has {size} bytes, but the product states {size - 1}; {ADVICE}"


@pytest.mark.input(
    "Damage",
    "metadata that were corrected by hand, of another size or checksum than `manifest.safe` states",
    "used as they are, with a warning; every field that is used is checked",
)
@pytest.mark.parametrize("name", ["MTD_MSIL1C.xml", "GRANULE/*/MTD_TL.xml"])
def test_changed_metadata_are_warned_of(safe, tmp_path, name, caplog):
    [path] = safe.glob(name)
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    verify_product(safe, BANDS, tmp_path)
    size = len(content)
    checksum = f"{path} is damaged: its checksum is not the one that the product states; it is used as it is"
    assert caplog.messages == [
        f"{path} has {size + 1} bytes, but the product states {size}; it is used as it is",
        checksum,
    ]
    path.write_bytes(content.replace(b"\n", b" ", 1))
    caplog.clear()
    verify_product(safe, BANDS, tmp_path / "again")
    assert caplog.messages == [checksum]


def test_a_changed_file_is_verified_again(safe, tmp_path, reads):
    verify_product(safe, BANDS, tmp_path)
    path = band_of(safe)
    flip(path)
    verify_product(safe, BANDS, tmp_path)
    # of another time
    os.utime(path, (1, 1))
    with pytest.raises(TigerbushError, match=r"B04\.jp2 is damaged"):
        verify_product(safe, BANDS, tmp_path)
    flip(path)
    verify_product(safe, BANDS, tmp_path)
    assert sorted(reads) == sorted(["manifest.safe", *READ, *["manifest.safe", f"{STAMP}_B04.jp2"] * 2])


def test_records_of_jobs_at_the_same_time_are_kept(safe, tmp_path, monkeypatch):
    """Another job of the product finishes while this one reads."""
    record = tmp_path / f"{NAME}.checked.json"
    check = verification.check_content

    def slowly(product, name, content, stated):
        if name.endswith("_B08.jp2"):
            verify_product(safe, ("B2",), tmp_path)
        check(product, name, content, stated)

    monkeypatch.setattr(verification, "check_content", slowly)
    verify_product(safe, BANDS, tmp_path)
    names = json.loads(record.read_text())
    assert sorted(name.rpartition("/")[2] for name in names) == sorted([*READ, f"{STAMP}_B02.jp2"])


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', "\0"])
def test_a_damaged_record_has_the_files_verified_again(safe, tmp_path, content, reads):
    (tmp_path / f"{NAME}.checked.json").write_text(content)
    verify_product(safe, BANDS, tmp_path)
    verify_product(safe, BANDS, tmp_path)
    assert sorted(reads) == sorted(["manifest.safe", *READ])


@pytest.mark.input(
    "Damage",
    "a product without `manifest.safe`",
    "read",
)
def test_products_without_a_manifest_or_with_one_of_no_use(safe, tmp_path, caplog):
    """They are read as before."""
    path = safe / "manifest.safe"
    flip(band_of(safe))
    for content, warning in (
        (None, ""),
        ("<a/>", ""),
        ("<a", f"{path} cannot be read, and the product is not verified"),
        ("", f"{path} cannot be read, and the product is not verified"),
        ("<a><byteStream/><byteStream size='x'><fileLocation/><checksum/></byteStream></a>", ""),
    ):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
        caplog.clear()
        verify_product(safe, BANDS, tmp_path)
        assert caplog.messages == ([warning] if warning else [])


def test_files_that_the_manifest_does_not_name_or_of_unknown_checksums(safe, tmp_path):
    path = safe / "manifest.safe"
    text = path.read_text()
    flip(band_of(safe))
    path.write_text(text.replace("_B04.jp2", "_B99.jp2"))
    verify_product(safe, BANDS, tmp_path)
    path.write_text(text.replace("MD5", "BLAKE3"))
    verify_product(safe, BANDS, tmp_path / "again")


def test_a_manifest_of_sizes_alone(safe, tmp_path, reads):
    """Nothing needs to be read for them."""
    write_manifest(safe, None)
    verify_product(safe, BANDS, tmp_path)
    assert reads == ["manifest.safe"]
    with band_of(safe).open("ab") as file:
        file.write(b"x")
    with pytest.raises(
        TigerbushError, match=r"B04.jp2 has \d+ bytes, but the product states \d+; fetch the product again"
    ):
        verify_product(safe, BANDS, tmp_path)


@pytest.mark.input(
    "Damage",
    "a product that was cropped or compressed again, with its old `manifest.safe`",
    "read, with a warning that it is not verified",
)
def test_the_manifest_of_a_product_that_was_processed_again(safe, tmp_path, caplog):
    """It states the sizes of other files: of most of the 16 that may be read."""
    files = sorted(path for path in safe.rglob("*") if role(path.relative_to(safe).as_posix()))
    assert len(files) == 16
    for number, file in enumerate(files, 1):
        with file.open("ab") as out:
            out.write(b" ")
        caplog.clear()
        if number <= 8:
            with pytest.raises(TigerbushError, match="but the product states"):
                verify_product(safe, ("B1", "B2", "B8", "B12"), tmp_path)
            assert caplog.messages == []
        else:
            verify_product(safe, BANDS, tmp_path)
            assert caplog.messages == [
                f"{safe}/manifest.safe states no size, or another one, of {number} of 16 files: the product was changed after it "
                "was delivered, and is not verified"
            ]


def test_the_manifest_of_files_of_other_names(safe, tmp_path, caplog):
    """As those of a product that Sen2Cor renamed; a lack of files is no contradiction."""
    for path in safe.rglob("*.jp2"):
        path.rename(path.with_name(path.name.replace("T33TVL", "L1C_T33TVL")))
    verify_product(safe, BANDS, tmp_path)
    assert caplog.messages == [
        f"{safe}/manifest.safe states no size, or another one, of 13 of 16 files: the product was changed after it was "
        "delivered, and is not verified"
    ]


@pytest.mark.data
def test_a_real_product_that_was_cropped_is_read(shared_data, tmp_path, caplog):
    [safe] = (shared_data / "sentinel2" / "l2a_cropped").glob("*.SAFE")
    verify_product(safe, ("B2", "B8"), tmp_path)
    assert caplog.messages == [
        f"{safe}/manifest.safe states no size, or another one, of 28 of 29 files: the product was changed after it was "
        "delivered, and is not verified"
    ]
    for safe in (shared_data / "sentinel2" / "l1c_5dates").glob("*.SAFE"):
        verify_product(safe, BANDS, tmp_path)


# where products are verified


@pytest.mark.parametrize("bands", [["B4", "B8"], None])
def test_copies_are_verified_as_they_are_made(safe, tmp_path, bands):
    target = tmp_path / "copies" / f"{NAME}.zip"
    flip(band_of(safe))
    with pytest.raises(TigerbushError, match=r"_B04.jp2 is damaged: its checksum is not"):
        copy_product(safe, target, bands)
    assert not list(tmp_path.glob("copies/*"))
    copy_product(safe, target, bands, verify=False)
    copied = open_product(target)
    assert copied.read_bytes(band_of(safe).relative_to(safe).as_posix()) == band_of(safe).read_bytes()
    flip(band_of(safe))
    copy_product(safe, target, bands)


def test_a_scene_of_a_damaged_product_is_a_placeholder(safe, tmp_path):
    options, limits = SceneOptions(["B4"], 20), Limits(1, 1000)

    def make(records):
        target = tmp_path / "scene.tif"
        target.unlink(missing_ok=True)
        make_scene(safe, target, NAME, options, limits=limits, last_attempt=True, records=records)
        return read_tags(target)

    assert make(tmp_path / "records")["TIGERBUSH_STATUS"] == "ok"
    flip(band_of(safe))
    os.utime(band_of(safe))
    assert make(None)["TIGERBUSH_STATUS"] == "ok"
    tags = make(tmp_path / "records")
    assert tags["TIGERBUSH_STATUS"] == "failed"
    assert tags["TIGERBUSH_REASON"] == (
        f"{band_of(safe)} is damaged: its checksum is not the one that the product states; {ADVICE}"
    )


def test_the_folder_of_records():
    for results in (Path("results"), Path("veg/results")):
        assert records_folder({"verify": "once"}, results) == results / "downloads"
        assert records_folder({"verify": "never"}, results) is None


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("results/fingerprints/X/resample_scene.json", "results"),
        ("results/fingerprints/33TVL/2017-01-10/X/mask_scene.json", "results"),
        ("veg/results/fingerprints/resample_scenes.json", "veg/results"),
        ("veg/results/here/fingerprints/X/resample_product.json", "veg/results/here"),
        # of a module whose prefix is another word, and of one that has such a folder in it
        ("veg/here/fingerprints/X/resample_product.json", "veg/here"),
        ("/a/fingerprints/results/fingerprints/X/a.json", "/a/fingerprints/results"),
    ],
)
def test_the_folder_of_results_of_a_job(path, folder):
    assert results_folder(path) == Path(folder)


def test_files_that_are_needed(product):
    """Metadata and masks, and bands at their finest resolution as far as they are there."""
    scene = scene_of(level="L2A", scl=np.zeros((63, 63), np.uint8))
    opened = open_product(product(level="L2A", baseline="0214", scene=scene))
    names = [name.rpartition("/")[2] for name in needed_files(opened, ["B8", "B10", "B2"])]
    assert sorted(names[:3]) == ["MTD_MSIL2A.xml", "MTD_TL.xml", f"{STAMP}_SCL_20m.jp2"]
    assert names[3:] == [f"{STAMP}_B08_10m.jp2", f"{STAMP}_B02_10m.jp2"]
