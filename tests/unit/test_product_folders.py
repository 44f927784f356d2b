"""Folders of products as people keep them: every product is read, or named with what to do."""

import logging
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from fabricate import name_of, scene_of
from tigerbush.errors import TigerbushError
from tigerbush.sensors import name_at
from tigerbush.sources.folder import list_local
from tigerbush.sources.tree import MAX_DEPTH, find_products

DAYS = [f"201701{day}" for day in range(10, 31)]
OLD = "S2A_OPER_PRD_MSIL1C_PDMC_20160628T172626_R022_V20160628T101026_20160628T101026"
OLD_ADVICE = (
    "cannot be read: it has the old format of 2015 and 2016, with many tiles in one product, which is not supported; get "
    "the reprocessed products of the same dates instead, whose names contain _N0500_."
)
FORM = "is not a Sentinel-2 product name; expected the form S2A_MSIL1C_<time>_N<baseline>_R<orbit>_T<tile>_<time>."


@pytest.fixture
def products(tmp_path):
    path = tmp_path / "products"
    path.mkdir()
    return path


def add(path, name=None):
    """Add a product that has nothing but its main metadata file, in a folder or a zip."""
    name = name or name_at(path).product
    if path.suffix.lower() == ".zip":
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}.SAFE/MTD_MSIL1C.xml", "<a/>")
    else:
        path.mkdir(parents=True)
        (path / "MTD_MSIL1C.xml").write_text("<a/>")
    return path


def found(folder):
    return {name[11:19]: str(path.relative_to(folder)) for name, path in find_products(folder).items()}


@pytest.mark.input(
    "Products in a folder",
    "products in `NAME/NAME.SAFE`, or in sub-folders by year, month, day or tile",
    "read, up to 8 levels; products are not entered",
)
def test_every_way_to_keep_a_product(products, caplog):
    names = {day: name_of(day) for day in DAYS}
    places = {
        "20170110": f"{names['20170110']}.SAFE",
        "20170111": names["20170111"],
        "20170112": f"{names['20170112']}/{names['20170112']}.SAFE",
        "20170113": f"{names['20170113']}.SAFE/{names['20170113']}.SAFE",
        "20170114": f"{names['20170114']}.ZIP",
        "20170115": f"{names['20170115']}.SAFE.zip",
        "20170116": f"{names['20170116']}/{names['20170116']}.zip",
        "20170117": f"2017/{names['20170117']}.SAFE",
        "20170118": f"33TVL/2017/{names['20170118']}.zip",
        "20170119": f"33/T/VL/2017/1/19/0/{names['20170119']}",
        "20170120": f"Sentinel-2/MSI/L1C/2017/01/20/{names['20170120']}.SAFE",
        "20170121": f"{'/'.join('abcdefgh')}/{names['20170121']}.SAFE",
    }
    for place in places.values():
        add(products / place)
    assert found(products) == places
    assert caplog.messages == []


def test_products_are_not_entered(products):
    """What is in a product is not listed, however large it is."""
    safe = add(products / f"{name_of()}.SAFE")
    add(safe / "GRANULE" / f"{name_of('20170117')}.SAFE")
    assert found(products) == {"20170116": safe.name}


def test_names_that_begin_with_a_dot(products, caplog):
    safe = add(products / f"{name_of()}.SAFE")
    for name in (f"._{safe.name}", f"._{name_of('20170117')}.zip", ".DS_Store", f".{name_of()}.SAFE"):
        (products / name).write_bytes(b"x")
    add(products / ".Trashes" / f"{name_of('20170118')}.SAFE")
    assert found(products) == {"20170116": safe.name}
    assert caplog.messages == []


@pytest.mark.input(
    "Products in a folder",
    "`.tgz`, `.tar`, `.tar.gz`, `.7z` and other archives",
    "each is named in a warning, with the command that unpacks it",
)
def test_archives_that_are_not_read(products, caplog):
    add(products / f"{name_of('20170110')}.SAFE")
    by_tar = (".tgz", ".tar.gz", ".tar", ".SAFE.tar.gz", ".TAR.BZ2", ".txz", ".tar.zst", ".tar.Z", " (1).tgz")
    by_others = (".7z", ".SAFE.rar", ".gz", ".zip.gz", ".tar.lz4", ".zipx")
    paths = [
        products / f"{name_of(day)}{suffix}"
        for day, suffix in zip(DAYS[1:], by_tar + by_others, strict=False)
    ]
    for path in paths:
        path.write_bytes(b"x")
    assert found(products) == {"20170110": f"{name_of('20170110')}.SAFE"}
    what = "archives of this kind are not read; unpack it"
    commands = [f" by: tar -xf {shlex.quote(str(path))} -C {products}" for path in paths[: len(by_tar)]]
    assert sorted(caplog.messages) == [
        f"skipped {path}: {what}{command}"
        for path, command in zip(paths, commands + ["."] * len(by_others), strict=True)
    ]


def test_the_command_for_an_archive_works(tmp_path, products, caplog):
    folder = products / "a b's"
    safe = add(folder / f"{name_of()}.SAFE")
    archive = safe.with_suffix(".tgz")
    subprocess.run(["tar", "czf", archive, "-C", folder, safe.name], check=True)
    shutil.rmtree(safe)
    assert found(products) == {}
    [message] = caplog.messages
    subprocess.run(shlex.split(message.partition(" by: ")[2]), check=True, cwd=tmp_path)
    assert found(products) == {"20170116": f"a b's/{safe.name}"}


@pytest.mark.input(
    "Products in a folder",
    "products of the old format, `S2A_OPER_PRD_...`",
    "each is named in a warning: the reprocessed products of the same dates (`_N0500_`) take their place",
)
@pytest.mark.parametrize("suffix", ["", ".SAFE", ".zip", ".SAFE.zip", ".tgz"])
def test_the_old_format_is_named(products, caplog, suffix):
    add(products / f"{name_of()}.SAFE")
    path = products / f"2016/{OLD}{suffix}"
    path.parent.mkdir()
    if suffix in ("", ".SAFE"):
        (path / "GRANULE" / "S2A_OPER_MSI_L1C_TL_SGS__20160628T153914_A005310_T33TVL_N02.04").mkdir(
            parents=True
        )
    else:
        path.write_bytes(b"x")
    assert found(products) == {"20170116": f"{name_of()}.SAFE"}
    [message] = caplog.messages
    assert message.startswith(f"skipped {path}: '{OLD}")
    assert message.endswith(f"' {OLD_ADVICE}")


@pytest.mark.input(
    "Products in a folder",
    "`.SAFE` folders and zips of other names, such as `holiday.zip`",
    "each is named in a warning, with the form of a product name",
)
def test_names_that_look_like_products(products, caplog):
    add(products / f"{name_of()}.SAFE")
    names = ["S1A_IW_GRDH_1SDV_20170116T100000.SAFE", "holiday.zip", "S2A_MSIL1C_20170118.SAFE"]
    for name in names:
        add(products / name, name_of())
    assert found(products) == {"20170116": f"{name_of()}.SAFE"}
    stems = [name.removesuffix(".zip") for name in names]
    assert sorted(caplog.messages) == sorted(
        f"skipped {products / name}: {stem!r} {FORM}" for name, stem in zip(names, stems, strict=True)
    )


def test_files_beside_products_are_ignored(products, caplog):
    safe = add(products / f"{name_of()}.SAFE")
    for name in (
        "readme.txt",
        f"{name_of()}.xml",
        f"{name_of()}.jpg",
        f"{name_of()}.SAFE.md5",
    ):
        (products / name).write_bytes(b"x")
    assert found(products) == {"20170116": safe.name}
    assert caplog.messages == []


@pytest.mark.input(
    "Products in a folder",
    "a folder named after a product with something else in it",
    "ignored",
)
def test_results_named_after_a_product_are_not_the_product(products, caplog):
    """A folder without .SAFE counts as product by what is in it."""
    path = add(products / f"{name_of()}.zip")
    (products / name_of()).mkdir()
    (products / name_of() / "ndvi.tif").write_bytes(b"x")
    assert found(products) == {"20170116": path.name}
    # without its main metadata it is a damaged product, and is named later
    (products / name_of("20170117") / "GRANULE").mkdir(parents=True)
    assert found(products) == {"20170116": path.name, "20170117": name_of("20170117")}
    assert caplog.messages == []


@pytest.mark.input(
    "Products in a folder",
    "the same product several times",
    "a folder rather than a zip, then the one in fewer folders; a warning names the others",
)
def test_which_of_several_copies_is_read(products, caplog):
    name = name_of()
    places = [
        f"a/{name}.zip",
        f"a/b/{name}.SAFE",
        f"{name}.zip",
        f"a/{name}",
        f"a/{name}.SAFE",
        f"{name}.SAFE",
    ]
    expected = [places[0], places[1], places[1], places[3], places[4], places[5]]
    for place, best in zip(places, expected, strict=True):
        add(products / place)
        caplog.clear()
        assert found(products) == {"20170116": best}
    assert sorted(caplog.messages) == sorted(
        f"skipped {products / place}: the same product is read from {products / places[-1]}."
        for place in (places[0], places[1], places[3], places[4])
    )


def test_folders_that_are_too_deep(products, caplog):
    deep = Path(*"abcdefghi")
    add(products / deep / f"{name_of()}.SAFE")
    assert len(deep.parts) == MAX_DEPTH + 1
    assert found(products) == {}
    assert caplog.messages == [
        f"skipped {products / deep}: it is more than 8 folders below source.path; choose a folder that is nearer."
    ]


def test_links_among_folders(products, tmp_path):
    """Each folder is listed once; links lead out of the folder, and in circles."""
    elsewhere = tmp_path / "disk"
    add(elsewhere / "2017" / f"{name_of()}.SAFE")
    (products / "archive").symlink_to(elsewhere)
    (elsewhere / "2017" / "up").symlink_to(products)
    (products / "self").symlink_to(products / "self")
    (products / f"{name_of('20170117')}.SAFE").symlink_to(tmp_path / "gone")
    (products / f"{name_of('20170118')}.SAFE").symlink_to(add(tmp_path / "other" / name_of("20170118")))
    assert found(products) == {
        "20170116": f"archive/2017/{name_of()}.SAFE",
        "20170117": f"{name_of('20170117')}.SAFE",
        "20170118": f"{name_of('20170118')}.SAFE",
    }


def test_rows_of_a_tree(product, tmp_path, caplog):
    folder = tmp_path / "products"
    safe = product("20170116", folder=folder / "33TVL" / "2017")
    bare = product("20170117", folder=folder)
    bare.rename(bare.with_suffix(""))
    caplog.set_level(logging.WARNING)
    rows, files = list_local(folder)
    assert [row["url"] for row in rows] == [str(safe), str(bare.with_suffix(""))]
    assert {row["granule"] for row in rows} == {
        "L1C_T33TVL_A000001_20170116T100000",
        "L1C_T33TVL_A000001_20170117T100000",
    }
    assert len(files) == 2 * (13 + 2)
    assert caplog.messages == []


def test_only_products_of_the_old_format(products, caplog):
    (products / f"{OLD}.SAFE").mkdir()
    with pytest.raises(TigerbushError, match="contains no products"):
        list_local(products)
    assert "_N0500_" in caplog.text


# baselines

ANY = {"made": "20230101T000000"}


@pytest.mark.input(
    "Products in a folder",
    "L2A of baseline 99.99 (Sen2Cor outside ESA's production)",
    "read, with the offset in its metadata or none; any other baseline of the same data takes its place",
)
@pytest.mark.parametrize(
    ("baselines", "kept"),
    [
        (("9999",), ["9999"]), (("9999", "0500"), ["0500"]), (("0204", "9999"), ["0204"]),
        (("0204", "0500", "9999"), ["0500"]), (("0500", "0511"), ["0511"]),
    ],
)  # fmt: skip
def test_any_real_baseline_replaces_the_one_that_is_none(product, tmp_path, baselines, kept):
    for baseline in baselines:
        product(level="L2A", baseline=baseline, scene=scene_of(level="L2A", offset=-1000))
    replaced = {}
    rows, files = list_local(tmp_path / "products", replaced=replaced)
    names = [name_of(level="L2A", baseline=baseline) for baseline in kept]
    assert [row["product"] for row in rows] == names
    assert {row["product"] for row in files} == set(names)
    assert replaced == {
        name_of(level="L2A", baseline=baseline): names[0] for baseline in baselines if baseline not in kept
    }


@pytest.mark.input(
    "Hostile input",
    "a zip with names that are not UTF-8",
    "that product fails",
)
def test_a_failed_parser_does_not_end_the_listing(product, tmp_path, caplog):
    """A zip with a name that is not UTF-8."""
    product()
    path = tmp_path / "products" / f"{name_of('20170117')}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ä", b"")
    path.write_bytes(path.read_bytes().replace("ä".encode(), b"\xff\xfe"))
    rows, files = list_local(tmp_path / "products")
    assert [(row["product"], row["size_bytes"] == "0") for row in rows] == [
        (name_of(), False),
        (name_of("20170117"), True),
    ]
    assert {row["product"] for row in files} == {name_of()}
    assert caplog.messages == [
        f"{path} is not a readable zip file ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); "
        "look what it is, and put an intact copy in its place."
    ]


def test_files_whose_names_no_table_can_hold(product, tmp_path):
    safe = product()
    [granule] = (safe / "GRANULE").iterdir()
    granule.rename(granule.with_name(f"{granule.name} (2)"))
    rows, files = list_local(tmp_path / "products")
    assert rows[0]["granule"].endswith(" (2)")
    assert [row["name"] for row in files] == ["MTD_MSIL1C.xml"]
