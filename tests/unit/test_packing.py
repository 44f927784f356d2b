"""Products as people have packed, copied and linked them: the same files and pixels as of the product as delivered."""

import itertools
import zipfile

import numpy as np
import pytest

from fabricate import CORNER, name_of, scene_of
from tigerbush.errors import TigerbushError
from tigerbush.scenes.snap import _product_folder
from tigerbush.sentinel2.files import list_files, list_folders, unpack_product
from tigerbush.sentinel2.safe import open_product

NAME = name_of()
APPLEDOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(64)


@pytest.fixture
def scene():
    corner = CORNER["x"], CORNER["y"]
    ring = [corner, (corner[0] + 300, corner[1]), (corner[0] + 300, corner[1] - 300)]
    return scene_of(3, clouds=[ring], cloud_percent=12)


@pytest.fixture
def safe(product, scene):
    return product(scene=scene)


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def assert_same_product(path, safe, scene):
    """All that is read of a product is that of the product as it was written."""
    plain, packed = open_product(safe), open_product(path)
    assert packed.files == {name: file.stat().st_size for name, file in files_in(safe).items()}
    assert (packed.granule, packed.cloud_percent, packed.grids) == (plain.granule, 12, plain.grids)
    for band in ("B4", "B1"):
        grid = packed.grids[60 if band == "B1" else 10]
        np.testing.assert_array_equal(packed.read_band(band, grid), scene.bands[band])
        packed.check_band(band)
    mask, name = packed.read_mask(packed.grids[10])
    assert name.endswith("QI_DATA/MSK_CLOUDS_B00.gml")
    assert mask[5, 20] and not mask[100:, 60:].any()


def zipped(safe, prefix, *, separator="/", extra=(), compression=zipfile.ZIP_STORED):
    path = safe.parent / "zips" / f"{NAME}.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in extra:
            archive.writestr(name, content)
        for name, file in sorted(files_in(safe).items()):
            archive.writestr((prefix + name).replace("/", separator), file.read_bytes())
    return path


@pytest.mark.input(
    "Products in a folder",
    "a zip whose `.SAFE` folder is in further folders, has another name, or is missing, or with backslashes in its names",
    "read",
)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("prefix", "separator"),
    [
        (f"{NAME}.SAFE/", "/"), ("", "/"), ("./", "/"), (f"./{NAME}.SAFE/", "/"), (f"{NAME}/", "/"), ("downloads/", "/"),
        (f"{NAME}/{NAME}.SAFE/", "/"), (f"a/b/c/{NAME}.SAFE/", "/"), ("a b/ü/", "/"),
        (f"{NAME}.SAFE/", "\\"), ("", "\\"), (f"{NAME}/{NAME}.SAFE/", "\\"),
        (f"{NAME}.SAFE/{NAME}.SAFE/", "/"), (f"x/{NAME}.SAFE/{NAME}.SAFE/", "/"), (f"{NAME}.SAFE/x/{NAME}.SAFE/", "/"),
        (f"{NAME}.SAFE/{NAME}.SAFE/{NAME}.SAFE/", "\\"), (f"{NAME}.SAFE/{NAME}/", "/"), (f"{NAME}.safe/", "/"),
    ],
)  # fmt: skip
def test_zips_of_any_layout(safe, scene, prefix, separator, compression):
    path = zipped(safe, prefix, separator=separator, compression=compression)
    assert_same_product(path, safe, scene)


@pytest.mark.input(
    "Products in a folder",
    "`._` files, `.DS_Store` and `__MACOSX` in a zip",
    "ignored",
)
def test_a_zip_of_a_mac(safe, scene):
    """Beside each file one of its attributes, in a tree of its own and beside it, and the settings of folders."""
    names = [f"{NAME}.SAFE/{name}" for name in files_in(safe)]
    dotted = ["/".join([*name.split("/")[:-1], "._" + name.rpartition("/")[2]]) for name in names]
    extra = [(name, APPLEDOUBLE) for name in [*dotted, *(f"__MACOSX/{name}" for name in dotted)]]
    extra += [(f"__MACOSX/{name}", b"x") for name in names]
    path = zipped(safe, f"{NAME}.SAFE/", extra=[(f"{NAME}.SAFE/GRANULE/.DS_Store", b"x"), *extra])
    assert_same_product(path, safe, scene)


def test_a_zip_without_a_folder_beside_what_a_mac_adds(safe, scene):
    extra = [
        ("__MACOSX/._MTD_MSIL1C.xml", APPLEDOUBLE),
        ("__MACOSX/MTD_MSIL1C.xml", b"x"),
        (".DS_Store", b"x"),
    ]
    assert_same_product(zipped(safe, "", extra=extra), safe, scene)


def test_the_folders_of_a_zip_and_its_unpacked_product(safe, tmp_path):
    path = zipped(safe, "outer/", separator="\\", extra=[("outer\\DATASTRIP\\", b""), ("outer\\.x\\", b"")])
    assert list_folders(path) == ["DATASTRIP"]
    unpacked = unpack_product(path, tmp_path / "out")
    assert unpacked == tmp_path / "out" / f"{NAME}.SAFE"
    assert list_files(unpacked) == list_files(safe)
    assert {name: file.read_bytes() for name, file in files_in(unpacked).items()} == {
        name: file.read_bytes() for name, file in files_in(safe).items()
    }
    assert (unpacked / "DATASTRIP").is_dir()


@pytest.mark.input(
    "Products in a folder",
    "a zip that holds another product, or several",
    "the product fails: what the zip holds",
)
@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (("one", "two"), "one, two"),
        ((name_of("20170117"),), name_of("20170117")),
        ((f"{name_of('20170117')}.SAFE", "a"), f"{name_of('20170117')}.SAFE, a"),
    ],
)
def test_a_zip_of_another_product_or_of_several(safe, folders, named):
    extra = [(f"{folder}/MTD_MSIL1C.xml", b"<a/>") for folder in folders]
    path = zipped(safe, f"deeper/still/{NAME}.SAFE/", extra=extra)
    with pytest.raises(TigerbushError) as error:
        open_product(path)
    assert str(error.value) == f"{path} holds {named}, not {NAME} alone; unpack it."


def test_the_folder_of_the_product_among_others(safe, scene):
    extra = [(f"{folder}/MTD_MSIL1C.xml", b"<a/>") for folder in ("one", f"{name_of('20170117')}.SAFE")]
    assert_same_product(zipped(safe, f"{NAME}/", extra=extra), safe, scene)


@pytest.mark.input(
    "Products in a folder",
    "a file `._NAME` beside every file, and other names that begin with a dot",
    "ignored",
)
def test_a_folder_with_files_of_a_mac(safe, scene, product, tmp_path):
    copy = product(scene=scene, folder=tmp_path / "mac")
    for file in list(files_in(copy).values()):
        file.with_name("._" + file.name).write_bytes(APPLEDOUBLE)
    (copy / "GRANULE/.DS_Store").write_bytes(b"x")
    (copy / ".Spotlight").mkdir()
    (copy / ".Spotlight" / "MTD_TL.xml").write_bytes(b"x")
    assert_same_product(copy, safe, scene)
    assert list_folders(copy) == list_folders(safe)


@pytest.mark.input(
    "Products in a folder",
    "a `.SAFE` folder that is a link, or made of links to folders or files",
    "read",
)
@pytest.mark.parametrize("level", ["the folder", "folders", "files", "the granules"])
def test_a_product_of_links(safe, scene, tmp_path, level):
    link = tmp_path / "links" / f"{NAME}.SAFE"
    link.parent.mkdir()
    if level == "the folder":
        link.symlink_to(safe, target_is_directory=True)
    elif level in ("folders", "the granules"):
        link.mkdir()
        for child in safe.iterdir():
            (link / child.name).symlink_to(child)
        if level == "the granules":
            (link / "GRANULE").unlink()
            (link / "GRANULE").mkdir()
            for child in (safe / "GRANULE").iterdir():
                (link / "GRANULE" / child.name).symlink_to(child)
    else:
        for name, file in files_in(safe).items():
            (link / name).parent.mkdir(parents=True, exist_ok=True)
            (link / name).symlink_to(file)
    assert_same_product(link, safe, scene)


@pytest.mark.input(
    "Products in a folder",
    "links in a circle, or to nothing",
    "each folder is entered once; what is not there counts as missing",
)
def test_links_in_a_circle_and_to_nothing(safe, scene):
    names = list_files(safe)
    (safe / "GRANULE" / "up").symlink_to(safe, target_is_directory=True)
    (safe / "itself").symlink_to(safe / "itself")
    (safe / "nothing").symlink_to(safe / "missing")
    (safe / "GRANULE" / "again").symlink_to(safe / "GRANULE")
    assert list_files(safe) == names
    assert open_product(safe).granule.startswith("L1C_T33TVL_")


def test_folders_that_links_reach_very_often_are_entered_once(safe):
    """A hundred folders, each with ten links to the next, would be walked 10^100 times."""
    names = list_files(safe)
    folders = [safe / f"d{number:03}" for number in range(100)]
    for folder in folders:
        folder.mkdir()
    for folder, following in itertools.pairwise(folders):
        for number in range(10):
            (folder / f"l{number}").symlink_to(following)
    assert list_files(safe) == names


@pytest.mark.input(
    "Products in a folder",
    "a folder without `.SAFE`",
    "read",
)
def test_a_folder_without_its_suffix(safe, scene, tmp_path):
    bare = tmp_path / "bare" / NAME
    bare.parent.mkdir()
    bare.symlink_to(safe)
    assert_same_product(bare, safe, scene)


@pytest.mark.input(
    "Products in a folder",
    "`NAME.ZIP`, `NAME.SAFE.zip`",
    "read",
)
def test_an_upper_case_suffix(safe, scene):
    path = zipped(safe, f"{NAME}.SAFE/")
    for suffix in (".ZIP", ".Zip", ".SAFE.ZIP"):
        assert_same_product(path.rename(path.with_name(NAME + suffix)), safe, scene)
        path = path.with_name(NAME + suffix)


def test_snap_reads_a_folder_by_its_name(safe, tmp_path):
    """One without .SAFE, and a link to a folder of any name."""
    bare = safe.rename(safe.with_suffix(""))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    folder = _product_folder(open_product(bare), scratch)
    assert folder == scratch / safe.name
    assert folder.resolve() == bare.resolve()
    safe.symlink_to(bare.rename(tmp_path / "any name"))
    assert _product_folder(open_product(safe), scratch) == safe


# products that were renamed, or processed twice into one folder


def copied_granule(safe, name):
    [own] = (safe / "GRANULE").iterdir()
    other = safe / "GRANULE" / name
    for file in own.rglob("*"):
        target = other / file.relative_to(own)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            target.write_bytes(file.read_bytes()[:-1] + b"!")
    return own.name


@pytest.mark.input(
    "Products in a folder",
    "two granules of a tile in one product",
    "the one that the main metadata file names is read, with a warning",
)
def test_the_granule_that_the_metadata_name_is_read(safe, scene, caplog):
    own = copied_granule(safe, "L1C_T33TVL_A000000_20170101T000000")
    opened = open_product(safe)
    assert opened.granule == own
    assert opened.band_file("B4")[0].split("/")[1] == own
    np.testing.assert_array_equal(opened.read_band("B4", opened.grids[10]), scene.bands["B4"])
    assert caplog.messages == [f"{safe} has 2 granules; {own} is read"]


def test_granules_of_other_tiles_are_left_out(safe):
    own = copied_granule(safe, "L1C_T33TVM_A000001_20170116T100000")
    path = safe / "MTD_MSIL1C.xml"
    # the metadata name both
    path.write_text(
        path.read_text().replace("</Granule>", "<IMAGE_FILE>GRANULE/L1C_T33TVM_A000001_20170116T100000/a</IMAGE_FILE></Granule>")
    )  # fmt: skip
    assert open_product(safe).granule == own


@pytest.mark.input(
    "Products in a folder",
    "two granules of a tile, both named or neither",
    "the product fails: which granules, and to move the others away",
)
@pytest.mark.parametrize("named", ["both", "none"])
def test_two_granules_that_cannot_be_told_apart(safe, named):
    other = "L1C_T33TVL_A000000_20170101T000000"
    own = copied_granule(safe, other)
    path = safe / "MTD_MSIL1C.xml"
    text = path.read_text()
    more = f"<IMAGE_FILE>GRANULE/{other}/a</IMAGE_FILE></Granule>"
    path.write_text(
        text.replace("</Granule>", more) if named == "both" else text.replace("IMAGE_FILE", "OTHER")
    )
    with pytest.raises(TigerbushError) as error:
        open_product(safe)
    assert str(error.value) == (
        f"{safe} has 2 granules of tile 33TVL ({other}, {own}), and MTD_MSIL1C.xml does not tell which one is the "
        "product's; move the others away, then run ./tigerbush retry."
    )


# L2A of 2017 and 2018

OLD_NAMES = {
    "Product_Info": "L2A_Product_Info",
    "Product_Organisation": "L2A_Product_Organisation",
    "IMAGE_FILE": "IMAGE_FILE_2A",
    "PRODUCT_URI": "PRODUCT_URI_2A",
    "Product_Image_Characteristics": "L2A_Product_Image_Characteristics",
    "QUANTIFICATION_VALUES_LIST": "L1C_L2A_Quantification_Values_List",
    "BOA_QUANTIFICATION_VALUE": "L2A_BOA_QUANTIFICATION_VALUE",
    "Quality_Indicators_Info": "L2A_Quality_Indicators_Info",
}


def rename_as_in_2017(safe):
    """Give a product of L2A the tags and file names of PSD 14.2 (baselines 02.04 to 02.06, Sen2Cor up to 2.5)."""
    path = safe / "MTD_MSIL2A.xml"
    text = path.read_text().replace("psd-14", "psd-12")
    for new, old in OLD_NAMES.items():
        for start in ("<", "</", "<n1:", "</n1:"):
            for end in (">", " "):
                text = text.replace(f"{start}{new}{end}", f"{start}{old}{end}")
    path.write_text(
        text.replace(
            "<L2A_BOA_QUANTIFICATION_VALUE",
            '<L1C_TOA_QUANTIFICATION_VALUE unit="none">9</L1C_TOA_QUANTIFICATION_VALUE><L2A_BOA_QUANTIFICATION_VALUE',
        )
    )
    [path] = safe.glob("GRANULE/*/MTD_TL.xml")
    text = path.read_text()
    clouds = (
        "<L1C_Image_Content_QI><CLOUDY_PIXEL_PERCENTAGE>77</CLOUDY_PIXEL_PERCENTAGE></L1C_Image_Content_QI>"
        "<L2A_Image_Content_QI><CLOUD_COVERAGE_PERCENTAGE>12</CLOUD_COVERAGE_PERCENTAGE></L2A_Image_Content_QI>"
    )
    start, end = text.index("<Image_Content_QI>"), text.index("</Image_Content_QI>")
    path.write_text(text[:start] + clouds + text[end + len("</Image_Content_QI>") :])
    for image in list(safe.rglob("*.jp2")):
        image.rename(image.with_name(f"L2A_{image.name}"))


@pytest.mark.input(
    "Products in a folder",
    "L2A of 2017-03 to 2018-10 and of Sen2Cor up to 2.5, with `L2A_` in tags and names of files",
    "read",
)
def test_level_2a_of_2017(product):
    classes = np.full((63, 63), 4, np.uint8)
    classes[:10] = 9
    scene = scene_of(level="L2A", scl=classes, quantification=5000)
    safe = product(level="L2A", baseline="0205", scene=scene)
    rename_as_in_2017(safe)
    opened = open_product(safe)
    assert opened.cloud_percent == 12
    assert opened.reflectance("B4") == (1 / 5000, 0)
    for band in ("B2", "B8", "B8A"):
        name, resolution = opened.band_file(band)
        assert name.rpartition("/")[2].startswith("L2A_T33TVL_20170116T100000_B")
        np.testing.assert_array_equal(opened.read_band(band, opened.grids[resolution]), scene.bands[band])
    mask, name = opened.read_mask(opened.grids[20])
    assert name.endswith("R20m/L2A_T33TVL_20170116T100000_SCL_20m.jp2")
    assert (mask == (classes == 9)).all()
