"""Names that begin like a product's, and results of runs among products: each is read, or named with what to do."""

import shutil

import pytest

from fabricate import name_of
from test_product_folders import FORM, add, found
from tigerbush.readers import open_product
from tigerbush.sources.folder import list_local
from tigerbush.sources.tree import find_products

NAME, OTHER = name_of(), name_of("20170117")
INCOMPLETE = "it looks like a download that is not complete; finish it, or delete it."
ARCHIVE = "archives of this kind are not read; unpack it."
PART = f"it is a part of a split archive; join all parts into {NAME}.zip, or unpack them."
UNKNOWN = f"files of this kind are not read; if it is the product, unpack it, or rename it to {NAME}.zip."


def rename(suffix):
    return f"only {NAME}{suffix} would be read; rename it to that, or delete it if it is a copy."


@pytest.fixture
def products(tmp_path):
    """A folder with a product of another day."""
    add(tmp_path / "products" / f"{OTHER}.SAFE")
    return tmp_path / "products"


FOLDERS = {
    f"{NAME}.SAFE (1)": rename(".SAFE"),
    f"{NAME} (1)": rename(".SAFE"),
    f"{NAME}.SAFE_old": rename(".SAFE"),
    f"{NAME}-copy": rename(".SAFE"),
    f"{NAME} - Kopie.SAFE": rename(".SAFE"),
    f"Copy of {NAME}": rename(".SAFE"),
    f"{NAME}_2019": rename(".SAFE"),
    f"{NAME}.SAFE.tmp": INCOMPLETE,
    f"{NAME}.zip.download": INCOMPLETE,
    NAME.lower(): f"{NAME.lower()!r} {FORM}",
}
FILES = {
    f"{NAME} (1).zip": rename(".zip"),
    f"{NAME}.SAFE (1).zip": rename(".zip"),
    f"{NAME}.zip (2)": rename(".zip"),
    f"{NAME}.zip.bak": rename(".zip"),
    f"{NAME}_old.ZIP": rename(".zip"),
    f"Copy of {NAME}.zip": rename(".zip"),
    f"{NAME}.zip~": rename(".zip"),
    f"{NAME}.zip.6eF4B2aa": rename(".zip"),
    f"{NAME}.zip.part": INCOMPLETE,
    f"{NAME}.zip.crdownload": INCOMPLETE,
    f"{NAME}.aX3b.zip.part": INCOMPLETE,
    f"{NAME}.tgz.tmp": INCOMPLETE,
    f"{NAME}.SAFE.partial": INCOMPLETE,
    f"{NAME}.zip.aria2": INCOMPLETE,
    f"{NAME}.zip.001": PART,
    f"{NAME}.z01": PART,
    f"{NAME}.7z.002": PART,
    f"{NAME}.tar.gz.aa": PART,
    f"{NAME}.zip.ab": PART,
    f"{NAME}.gz": ARCHIVE,
    f"{NAME}.zip.gz": ARCHIVE,
    f"{NAME}.tar.lz4": ARCHIVE,
    f"{NAME} (1).7z": ARCHIVE,
    f"{NAME}.SAFE.part1.rar": ARCHIVE,
    NAME: UNKNOWN,
    f"{NAME}.data": UNKNOWN,
    f"{NAME.lower()}.zip": f"{NAME.lower()!r} {FORM}",
}


@pytest.mark.input(
    "Products in a folder",
    "copies such as `NAME.SAFE (1)`, `NAME-copy`, `NAME.SAFE_old`, `NAME (1).zip`",
    "each is named in a warning: rename or delete it; of a product that is read, from where",
)
@pytest.mark.parametrize("name", FOLDERS)
def test_folders_that_are_almost_named_after_a_product(products, caplog, name):
    path = add(products / name, NAME)
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    assert caplog.messages == [f"skipped {path}: {FOLDERS[name]}"]


@pytest.mark.parametrize("name", [f"{NAME}.SAFE_old", f"{NAME}.SAFE (1)", f"{NAME} (1)", f"{NAME}-copy"])
def test_empty_copies_are_named(products, caplog, name):
    (products / name).mkdir()
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    assert caplog.messages == [f"skipped {products / name}: {rename('.SAFE')}"]


@pytest.mark.parametrize("name", [f"{NAME}.SAFE_old", f"{NAME} (1)", f"{NAME}_2019", "S2A (1)"])
def test_a_copy_that_holds_the_product_is_entered(products, caplog, name):
    add(products / name / f"{NAME}.SAFE")
    assert found(products) == {"20170117": f"{OTHER}.SAFE", "20170116": f"{name}/{NAME}.SAFE"}
    assert caplog.messages == []


@pytest.mark.input(
    "Products in a folder",
    "downloads that are not complete (`NAME.zip.part`, `.crdownload`), parts of split archives (`NAME.zip.001`)",
    "each is named in a warning: finish or delete it; join the parts",
)
@pytest.mark.parametrize("name", FILES)
def test_files_that_are_almost_named_after_a_product(products, caplog, name):
    (products / name).write_bytes(b"x")
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    assert caplog.messages == [f"skipped {products / name}: {FILES[name]}"]


def test_all_odd_names_at_once_are_named_once_each(products, caplog):
    for name in FOLDERS:
        add(products / name, NAME)
    for name in FILES:
        (products / name).write_bytes(b"x")
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    assert sorted(caplog.messages) == sorted(
        f"skipped {products / name}: {reason}" for name, reason in {**FOLDERS, **FILES}.items()
    )


def test_copies_of_a_product_that_is_read(products, caplog):
    """They need not be renamed; a download that is not complete is named as that."""
    read = add(products / "2017" / f"{NAME}.zip")
    copies = [f"{NAME} (1).zip", f"{NAME}.tgz", f"{NAME}.zip.001", NAME]
    for name in (*copies, f"{NAME}.zip.part"):
        (products / name).write_bytes(b"x")
    add(products / f"{NAME}.SAFE (1)", NAME)
    assert found(products) == {"20170117": f"{OTHER}.SAFE", "20170116": f"2017/{NAME}.zip"}
    assert sorted(caplog.messages) == sorted(
        [
            *(f"skipped {products / name}: the same product is read from {read}." for name in (*copies, f"{NAME}.SAFE (1)")),
            f"skipped {products / NAME}.zip.part: {INCOMPLETE}",
        ]
    )  # fmt: skip


BESIDE = [
    "_quicklook.jpg", ".xml", "-ql.jpg", ".SAFE.md5", ".zip.md5", ".json", ".SAFE.xml", "_B04.jp2", "_ndvi.tif", ".tif.aux.xml",
    ".zip.sha256", ".kml", "_resampled.dim", ".txt", ".meta4", ".PNG", "_quicklook (1).jpg", ".xml.gz", ".jpg.part",
    ".tif.zip", ".json~", ".zip.sha3-256.asc", ".tif.tgz", ".xml.bak", ".log", ".geojson.tmp", ".SAFE.html",
]  # fmt: skip


@pytest.mark.input(
    "Products in a folder",
    "pictures, metadata, checksums and images beside products, such as `NAME-ql.jpg`, `NAME.zip.md5`",
    "ignored",
)
def test_what_lies_beside_products_makes_no_noise(products, caplog):
    for name in (NAME, OTHER):
        for suffix in BESIDE:
            (products / f"{name}{suffix}").write_bytes(b"x")
    # and what programs make of products
    for name in (f"{NAME}_resampled.data", f"ndvi_{NAME}", f"{NAME}_tiles", NAME):
        (products / name).mkdir()
        (products / name / "B4.img").write_bytes(b"x")
    for suffix in (".jpg", ".xml", ".zip.md5"):
        (
            products
            / f"S2A_OPER_PRD_MSIL1C_PDMC_20160628T172626_R022_V20160628T101026_20160628T101026{suffix}"
        ).touch()
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    assert caplog.messages == []


@pytest.mark.input(
    "Products in a folder",
    "`NAME.safe`, `NAME.safe.zip`",
    "read",
)
@pytest.mark.parametrize("suffix", [".safe", ".Safe", ".SAfe"])
def test_the_suffix_of_a_product_in_any_letter_case(product, tmp_path, suffix, caplog):
    safe = product()
    lower = safe.rename(safe.with_suffix(suffix))
    [row], files = list_local(tmp_path / "products")
    assert (row["product"], row["url"], len(files)) == (NAME, str(lower), 13 + 2)
    files_of_folder = open_product(lower).files
    zipped = shutil.make_archive(str(lower), "zip", lower.parent, lower.name)
    assert zipped == f"{lower}.zip"
    assert open_product(lower.with_name(f"{lower.name}.zip")).files == files_of_folder
    shutil.rmtree(lower)
    assert [row["url"] for row in list_local(tmp_path / "products")[0]] == [zipped]
    assert caplog.messages == []


def test_a_folder_of_a_product_that_holds_others(products, caplog):
    """It is entered; the product that it is named after is not there."""
    inner = add(products / f"{NAME}.SAFE" / f"{name_of('20170118')}.SAFE")
    assert find_products(products) == {OTHER: products / f"{OTHER}.SAFE", name_of("20170118"): inner}
    assert caplog.messages == [
        f"skipped {products / NAME}.SAFE: it holds other products, and not this one; rename it."
    ]


def test_a_product_in_folders_of_its_own_name(products, caplog):
    """With files beside it; and such a folder that holds itself by a link."""
    inner = add(products / f"{NAME}.SAFE" / "x" / f"{NAME}.SAFE")
    for name in ("readme.txt", f"._{NAME}.SAFE"):
        (products / f"{NAME}.SAFE" / name).write_bytes(b"x")
    circle = products / f"{name_of('20170118')}.SAFE"
    circle.mkdir()
    (circle / circle.name).symlink_to(circle)
    assert find_products(products) == {OTHER: products / f"{OTHER}.SAFE", NAME: inner, circle.stem: circle}
    assert caplog.messages == []


def test_folders_of_one_name_in_each_other(products):
    """Too deep to be found, so that the first counts as a product without its files; judged in a moment."""
    path = products / "/".join([f"{NAME}.SAFE"] * 40)
    path.mkdir(parents=True)
    add(path / "inner", NAME)
    assert find_products(products) == {NAME: products / f"{NAME}.SAFE", OTHER: products / f"{OTHER}.SAFE"}


# one printable line


@pytest.mark.parametrize(
    "name",
    [f"{NAME}\n.zip", f"{NAME}.zip\x1b[2J.part", f"{NAME}.SAFE\r\nERROR: (1)", f"a\n/{NAME}.tgz", f"\x1b]0;a\x07/{NAME} (1).zip"],
)  # fmt: skip
def test_warnings_are_printable_lines(products, caplog, name):
    path = products / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    [message] = caplog.messages
    assert message.isprintable() and NAME in message
    assert "tar -xf" not in message


def test_other_warnings_are_printable_lines(products, caplog):
    deep = products / "a\nb" / "/".join("bcdefghij")
    deep.mkdir(parents=True)
    for place in ("1\n", "2\x1b[1m"):
        add(products / place / f"{NAME}.SAFE")
    add(products / "holiday\n.SAFE", NAME)
    find_products(products)
    assert len(caplog.messages) == 3
    assert all(message.isprintable() for message in caplog.messages)


# results of runs


def add_copy(results, product, rule):
    """Add the copy of a product as a run leaves it."""
    fingerprint = results / "fingerprints" / product / f"{rule}.json"
    fingerprint.parent.mkdir(parents=True)
    fingerprint.write_text("{}")
    return add(results / "downloads" / f"{product}.zip")


@pytest.mark.input(
    "Products in a folder",
    "copies of products that a run has made, in its results below `source.path`",
    "not read, because they may lack bands; one warning counts them",
)
def test_copies_of_runs_are_not_read(products, caplog):
    results = products / "run" / "results"
    for day in ("20170118", "20170119"):
        add_copy(results, name_of(day), "download_product")
    add_copy(results / "here", name_of("20170118"), "stream_product")
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    advice = "they are the copies of a run, which may lack bands; to read them nevertheless, set source.path to that folder."
    assert sorted(caplog.messages) == [
        f"skipped 2 product(s) in {results}/downloads: {advice}",
        f"skipped 1 product(s) in {results}/here/downloads: {advice}",
    ][::-1]  # fmt: skip
    caplog.clear()
    assert sorted(found(results / "downloads")) == ["20170118", "20170119"]
    assert caplog.messages == []


def test_results_without_copies_make_no_noise(products, caplog):
    results = products / "run" / "results"
    for path in (
        f"scenes/{NAME}.tif", f"scenes/{NAME}_mask.tif", f"here/products/{NAME}.tif", f"downloads/{NAME}.checked.json",
        f"downloads/{NAME}.unreadable.json", f"fingerprints/{NAME}/publish_scene.json", "products.tsv", "files.tsv",
        f"../logs/download_product/{NAME}.log", f"../benchmarks/download_product/{NAME}.tsv",
    ):  # fmt: skip
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        (results / path).write_text("x")
    assert found(products) == {"20170117": f"{OTHER}.SAFE"}
    assert caplog.messages == []


@pytest.mark.input(
    "Products in a folder",
    "own products in a folder `results/downloads`, or beside a table `products.tsv` of one's own",
    "read",
)
@pytest.mark.parametrize(
    "place", ["results/downloads", "results/downloads/33TVL", "results/here/downloads", "mine", "downloads"]
)
@pytest.mark.parametrize("is_below", [True, False])
def test_folders_that_are_called_like_results(tmp_path, caplog, place, is_below):
    folder = tmp_path / "data" / place
    path = add(folder / "a" / f"{NAME}.zip")
    (folder / "products.tsv").write_text("my products\n")
    (folder.parent / "products.tsv").write_text("my products\n")
    assert find_products(tmp_path / "data" if is_below else folder) == {NAME: path}
    path = add(folder / f"{OTHER}.SAFE")
    assert find_products(tmp_path / "data" if is_below else folder)[OTHER] == path
    assert caplog.messages == []


@pytest.mark.input(
    "Products in a folder",
    "a folder with the files of a product, under a name of its own",
    "named in a warning, with the form of a product name",
)
@pytest.mark.parametrize("name", ["scene1", f"my{NAME}", "S2"])
def test_a_product_under_another_name(products, product, caplog, name):
    shutil.move(product("20170118"), products / name)
    assert list(find_products(products)) == [OTHER]
    assert caplog.messages == [
        f"skipped {products / name}: it holds the files of a product, but {name!r} {FORM}"
    ]


def test_files_with_the_suffix_of_folders(products, caplog):
    """A manifest.safe is in every product, and in those of other missions."""
    other = products / "S1A_IW_GRDH_1SDV_20170110T050000_20170110T050025_014774_0180D5_1234.SAFE"
    other.mkdir()
    (other / "manifest.safe").write_text("x")
    (products / "holiday.SAFE").write_text("x")
    find_products(products)
    assert sorted(caplog.messages) == [
        f"skipped {path}: {path.name!r} {FORM}" for path in sorted((products / "holiday.SAFE", other))
    ]


def test_which_of_several_is_read(products, product, caplog):
    """An empty folder, as a stopped program leaves it, is no product; nor may a copy of a run be a whole one."""
    (products / f"{NAME}.SAFE").mkdir()
    (products / f"{NAME}.zip").write_bytes(b"x")
    day = name_of("20170118")
    copy = products / "results" / "downloads" / f"{day}.zip"
    whole = products / "a" / "b" / "c" / f"{day}.zip"
    for path in (copy, whole):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    places = find_products(products)
    assert places[NAME] == products / f"{NAME}.zip"
    assert places[day] == whole
    assert caplog.messages == [f"skipped {copy}: the same product is read from {whole}."]
