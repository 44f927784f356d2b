"""What has changed in a source: versions of products in folders and stores, lines of discovery, warnings of a run."""

import os
import shutil
import zipfile
from datetime import UTC, datetime

import pytest

from fabricate import name_of, scene_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.source import check_table
from tigerbush.planning.tables import by_product, file_row
from tigerbush.runs.changes import folder_difference, left_over, left_over_sentence
from tigerbush.scenes.ranks import forget_replaced
from tigerbush.sentinel2.writer import write_product
from tigerbush.sources.changes import change_lines, file_difference, version_of
from tigerbush.sources.listing import list_products

A, B, C = (name_of(day) for day in ("20170110", "20170120", "20170210"))
SOURCE = {"kind": "local", "level": None}
TODAY = datetime.now(UTC).date().isoformat()


def listed(folder, old=(), old_files=()):
    return list_products(SOURCE | {"path": str(folder)}, [], [], old, old_files)


def told(folder, old, old_files):
    rows, files = listed(folder, old, old_files)
    return change_lines(old, old_files, rows, files)


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    folder = tmp_path_factory.mktemp("changes")
    for seed, name in enumerate((A, B, C)):
        write_product(folder, name, scene_of(seed))
    return folder


@pytest.fixture
def folder(products, tmp_path):
    return shutil.copytree(products, tmp_path / "products")


def pack(safe, compression=zipfile.ZIP_STORED):
    """Replace a product's folder by a zip of it."""
    with zipfile.ZipFile(safe.with_suffix(".zip"), "w", compression) as archive:
        for path in sorted(safe.rglob("*")):
            archive.write(path, path.relative_to(safe.parent))
    shutil.rmtree(safe)


def test_the_first_listing_counts_products(folder):
    assert told(folder, [], []) == ["Products: 3 new, 0 replaced, 0 gone, 0 unchanged."]


def test_columns_of_a_product(folder):
    os.utime(next((folder / f"{A}.SAFE").rglob("*_B04.jp2")), (2**31, 2**31))
    row = next(row for row in listed(folder)[0] if row["product"] == A)
    assert row["time"] == "2038-01-19T03:14:08Z"
    assert row["etag"] == row["first_etag"]
    assert len(row["etag"]) == 16
    assert row["gone"] == ""


UNCHANGED = ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]


def touch(folder):
    for path in folder.rglob("*"):
        os.utime(path, (5, 5))


def copy(folder):
    shutil.copytree(folder, folder.with_name("copy"), copy_function=shutil.copyfile)
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def add_preview(folder):
    (folder / f"{A}.SAFE" / "preview.jpg").write_bytes(b"x")


@pytest.mark.parametrize("change", [touch, copy, add_preview, lambda folder: pack(folder / f"{A}.SAFE")])
def test_what_leaves_a_product_the_same(folder, change):
    """Other times, a copy, a file that is not needed, a zip in place of a folder."""
    tables = listed(folder)
    change(folder)
    assert told(folder, *tables) == UNCHANGED


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"\0")


def rewrite_time(path):
    """Change a digit of the time of processing: the size is the same."""
    path.write_bytes(path.read_bytes().replace(b"2017", b"2018", 1))


@pytest.mark.parametrize(
    ("pattern", "change", "sentence"),
    [
        ("GRANULE/*/IMG_DATA/*_B08.jp2", lengthen, "{file} has {more} bytes, and had {size}"),
        ("MTD_MSIL1C.xml", rewrite_time, "{file} has another content"),
        ("GRANULE/*/MTD_TL.xml", rewrite_time, "{file} has another content"),
        ("GRANULE/*/IMG_DATA/*_B02.jp2", lambda path: path.unlink(), "{file} is missing"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_makes_it_another_product(folder, pattern, change, sentence, packed):
    tables = listed(folder)
    safe = folder / f"{B}.SAFE"
    path = next(safe.glob(pattern))
    size = path.stat().st_size
    change(path)
    if packed:
        pack(safe)
    reason = sentence.format(file=path.relative_to(safe).as_posix(), size=size, more=size + 1)
    assert told(folder, *tables) == [
        f"replaced: {B} ({reason})",
        "Products: 0 new, 1 replaced, 0 gone, 2 unchanged.",
    ]


def test_a_band_that_arrives_later_makes_it_another_product(folder):
    band = next((folder / f"{A}.SAFE").rglob("*_B03.jp2"))
    band.rename(folder.parent / "kept.jp2")
    tables = listed(folder)
    (folder.parent / "kept.jp2").rename(band)
    assert told(folder, *tables) == [
        f"replaced: {A} (its content is another one)",
        "Products: 0 new, 1 replaced, 0 gone, 2 unchanged.",
    ]


def test_products_that_come_and_go(folder):
    """One line each, by name; a newer baseline takes the place of an older one."""
    tables = listed(folder)
    shutil.rmtree(folder / f"{A}.SAFE")
    newer = name_of("20170120", baseline="0500")
    write_product(folder, newer, scene_of(5, offset=-1000))
    rows, files = listed(folder, *tables)
    assert change_lines(*tables, rows, files) == [
        f"gone: {A} (no longer at {folder}/{A}.SAFE; its row is kept)",
        f"dropped: {B} (outside of what is listed now, or another baseline is used)",
        f"new: {newer}",
        "Products: 1 new, 0 replaced, 1 gone, 1 dropped, 1 unchanged.",
    ]
    assert {row["product"]: row["gone"] for row in rows} == {A: TODAY, newer: "", C: ""}
    assert A in by_product(files)
    write_product(folder, A, scene_of(0))
    assert told(folder, rows, files) == [
        f"back: {A}",
        "Products: 0 new, 0 replaced, 0 gone, 1 back, 2 unchanged.",
    ]


def test_a_product_that_is_gone_counts_by_what_was_made_of_it(folder):
    """The day is that when it was missed first; results that are deleted later no longer count."""
    made = {A: ["results/windows/a/here"], B: []}

    def listing(old, old_files):
        source = SOURCE | {"path": str(folder)}
        rows, files = list_products(source, [], [], old, old_files, results_of=made.get)
        return change_lines(old, old_files, rows, files, made.get), rows, files

    _, rows, files = listing([], [])
    for name in (A, B):
        shutil.rmtree(folder / f"{name}.SAFE")
    lines, rows, files = listing(rows, files)
    assert lines == [
        f"gone: {A} (no longer at {folder}/{A}.SAFE; kept: results/windows/a/here)",
        f"gone: {B} (no longer at {folder}/{B}.SAFE; nothing was made of it, and it is left out)",
        "Products: 0 new, 0 replaced, 2 gone, 1 unchanged.",
    ]
    assert {row["product"]: row["gone"] for row in rows} == {A: TODAY, B: f"{TODAY} unused", C: ""}
    for row in rows[:2]:
        row["gone"] = row["gone"].replace(TODAY, "2026-01-02")
    made[A] = []
    _, rows, files = listing(rows, files)
    assert [row["gone"] for row in rows] == ["2026-01-02 unused", "2026-01-02 unused", ""]
    write_product(folder, B, scene_of(1))
    lines, rows, _ = listing(rows, files)
    assert lines == [f"back: {B}", "Products: 0 new, 0 replaced, 0 gone, 1 back, 2 unchanged."]
    assert [row["gone"] for row in rows] == ["2026-01-02 unused", "", ""]


def test_an_older_baseline_takes_the_place_of_a_product_that_is_gone(folder):
    """If nothing was made of the newer one; else its results stay, and the older product is left out."""
    newer = name_of("20170110", baseline="0500")
    write_product(folder, newer, scene_of(5, offset=-1000))
    source = SOURCE | {"path": str(folder)}
    rows, files = list_products(source, [], [], [], [], results_of=lambda name: [])
    assert {row["product"] for row in rows} == {newer, B, C}
    shutil.rmtree(folder / f"{newer}.SAFE")
    for results, listed_now in (([], {A, B, C}), (["x"], {newer, B, C})):
        replaced = {}
        again, _ = list_products(
            source, [], [], rows, files, results_of={newer: results}.get, replaced=replaced
        )
        assert {row["product"] for row in again} == listed_now
        assert replaced == ({} if not results else {A: newer})


def test_rows_of_the_last_release_count_as_they_are(folder):
    """Without versions, sizes decide; the version of a product that is the same becomes its first one."""
    rows, files = listed(folder)
    old = [
        {key: row[key] for key in row if key not in ("time", "etag", "first_etag", "gone")} for row in rows
    ]
    old_files = [row | {"etag": ""} for row in files]
    assert told(folder, old, old_files) == UNCHANGED
    assert [row["first_etag"] for row in listed(folder, old, old_files)[0]] == [row["etag"] for row in rows]
    lengthen(next((folder / f"{C}.SAFE").rglob("*_B04.jp2")))
    changed = listed(folder, old, old_files)[0][2]
    assert changed["product"] == C
    assert (changed["first_etag"], changed["etag"] != rows[2]["etag"]) == ("", True)
    # and the next listing says nothing more
    tables = listed(folder, old, old_files)
    assert told(folder, *tables) == UNCHANGED


def test_sizes_and_etags_that_are_not_known():
    def row(size, etag):
        return [file_row(A, ("band", "B4"), "b.jp2", "b.jp2", size, etag)]

    assert file_difference(row(0, ""), row(7, "x")) is None
    assert file_difference(row(7, "x"), row(0, "")) is None
    assert file_difference(row(7, "x"), row(7, "y")) == "b.jp2 has another content"
    assert file_difference(row(7, "x"), row(8, "x")) == "b.jp2 has 8 bytes, and had 7"
    assert file_difference(row(7, "x"), []) == "b.jp2 is missing"
    assert file_difference([], row(7, "x")) is None
    assert version_of(row(7, "x")) != version_of(row(7, "y")) != version_of(row(7, "y"), "more")


def test_an_unreadable_product_that_is_replaced(folder):
    """It has failed; a good one in its place is another product."""
    shutil.rmtree(folder / f"{B}.SAFE")
    (folder / f"{B}.zip").write_bytes(b"half a zip")
    tables = listed(folder)
    (folder / f"{B}.zip").unlink()
    write_product(folder, B, scene_of(1))
    assert told(folder, *tables)[0] == f"replaced: {B} (its content is another one)"


def test_scenes_of_ranks_are_forgotten_when_their_product_was_replaced(tmp_path):
    paths = {name: tmp_path / f"{name}.tif" for name in (A, B, C)}

    def remaining(now):
        for path in paths.values():
            path.write_bytes(b"")
        forget_replaced(tmp_path, now)
        return [name for name, path in paths.items() if path.exists()]

    # no record: those that were replaced before
    assert remaining({A: ("v1", "v1"), B: ("v1", "v2"), C: ("", "v1")}) == [A]
    assert remaining({A: ("v1", "v1"), B: ("v1", "v2"), C: ("", "v1")}) == [A, B, C]
    assert remaining({A: ("v1", "v3"), B: ("v1", "v2"), C: ("", "v1")}) == [B, C]
    # a table without versions
    assert remaining({}) == [A, B, C]


DIFFERS = (
    "The folder {folder} differs from the table of products: {new} new, {changed} with other sizes or times, {gone} "
    "gone; the run uses the table as it is: ./tigerbush discover brings it up to date."
)


def difference(folder, rows, files, level=None):
    return folder_difference(folder, level, {row["product"]: row for row in rows}, by_product(files))


def test_a_folder_that_is_as_it_was_listed(folder):
    write_product(folder, name_of("20170120", baseline="0203"), scene_of(1))
    write_product(folder, name_of("20170120", level="L2A"), scene_of(1, level="L2A"))
    (folder / "notes.txt").write_text("x")
    (folder / "other.zip").write_text("x")
    pack(folder / f"{A}.SAFE")
    rows, files = list_products(SOURCE | {"path": str(folder), "level": "L1C"}, [], [], [], [])
    assert len(rows) == 3
    assert difference(folder, rows, files, "L1C") is None


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_that_differs(folder, packed):
    if packed:
        pack(folder / f"{A}.SAFE")
    tables = listed(folder)
    os.utime(
        next(folder.glob(f"{A}.zip")) if packed else next(folder.rglob(f"{A}.SAFE/MTD_*.xml")), (2e9, 2e9)
    )
    assert difference(folder, *tables) == DIFFERS.format(folder=folder, new=0, changed=1, gone=0)
    shutil.rmtree(folder / f"{B}.SAFE")
    for day in ("20170301", "20170311"):
        write_product(folder, name_of(day), scene_of(1))
    assert difference(folder, *tables) == DIFFERS.format(folder=folder, new=2, changed=1, gone=1)
    # products that are marked as gone do not count again, until they are back
    tables = listed(folder, *tables)
    assert difference(folder, *tables) is None
    write_product(folder, B, scene_of(1))
    assert difference(folder, *tables) == DIFFERS.format(folder=folder, new=1, changed=0, gone=0)
    shutil.rmtree(folder)
    assert difference(folder, *tables) == (
        f"The folder {folder} cannot be read (No such file or directory), so that changes in it are not noticed."
    )


def test_no_product_is_opened_to_compare_a_folder(folder, monkeypatch):
    tables = listed(folder)
    monkeypatch.setattr("builtins.open", None)
    monkeypatch.setattr("io.open", None)
    assert difference(folder, *tables) is None


def test_a_folder_and_a_table_of_the_last_release(folder):
    """Without times, names and the sizes of files in folders count."""
    rows, files = listed(folder)
    old = [{key: row[key] for key in row if key != "time"} for row in rows]
    touch(folder)
    assert difference(folder, old, files) is None
    lengthen(next((folder / f"{C}.SAFE").rglob("*_B04.jp2")))
    assert difference(folder, old, files) == DIFFERS.format(folder=folder, new=0, changed=1, gone=0)


def test_left_over_results():
    finished = [
        "here/2017-01-16/composite.tif", "here/2017-02-15/composite.tif", "here/results_summary.json", "there/results_summary.json",
        "there/2017-01-16/composite.tif", "there/2017-02-15/composite.tif", "old/2017-01-16/composite.tif", "analysis/x/composite.tif",
    ]  # fmt: skip
    assert left_over(finished, {"here": ["2017-02-15"], "old": []}) == [
        "results/here/2017-01-16", "results/old/2017-01-16", "results/there"
    ]  # fmt: skip
    assert left_over(finished[:3], {"here": ["2017-01-16", "2017-02-15"]}) == []
    names = [f"results/{number:02}" for number in range(12)]
    assert left_over_sentence(names) == (
        "12 result(s) are left over from sites or dates that this configuration does not want: results/00, results/01, "
        "results/02, results/03, results/04, results/05, results/06, results/07, results/08, results/09 and 2 more; they "
        "are kept as they are, delete what nobody needs."
    )


S3 = {"kind": "s3", "bucket": "eodata", "catalogue": None, "path": None}
STAC = {"kind": "stac", "bucket": None, "catalogue": "https://stac.example/v1/", "path": None}
FOLDER = {"kind": "local", "bucket": None, "catalogue": None, "path": "products"}


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (S3, "s3://eodata/a/x.SAFE"),
        (STAC, "https://stac.example/v1/collections/c/items/x"),
        (STAC | {"bucket": "eodata"}, "s3://eodata/a/x.SAFE"),
        (FOLDER, "products/x.SAFE"),
        (FOLDER, "products/2017/x.SAFE"),
        (FOLDER | {"path": "products/"}, "products/x.SAFE"),
        (FOLDER | {"path": "."}, "x.SAFE"),
        (FOLDER | {"path": "/data"}, "/data/x.zip"),
        (FOLDER | {"kind": "sample"}, "elsewhere/x.zip"),
    ],
)
def test_tables_of_the_source(source, url):
    check_table("t.tsv", {A: {"url": url}}, source)
    # some of another source, whose results are kept
    check_table("t.tsv", {B: {"url": "s3://other/x"}, A: {"url": url}, C: {"url": "other/x"}}, source)
    check_table("t.tsv", {}, source)


@pytest.mark.parametrize(
    ("source", "url", "there", "here"),
    [
        (S3, "products/x.SAFE", "products", "s3://eodata"),
        (S3, "x.SAFE", ".", "s3://eodata"),
        (S3, "s3://eodata-2/a/x.SAFE", "s3://eodata-2/a", "s3://eodata"),
        (STAC, "s3://eodata/a/x.SAFE", "s3://eodata/a", "https://stac.example/v1"),
        (STAC, "https://stac.example/v10/x", "https://stac.example/v10", "https://stac.example/v1"),
        (STAC | {"bucket": "b"}, "/data/x.SAFE", "/data", "https://stac.example/v1 or s3://b"),
        (FOLDER, "s3://products/x.SAFE", "s3://products", "products"),
        (FOLDER, "products2/x.SAFE", "products2", "products"),
        (FOLDER | {"path": "."}, "s3://b/x.SAFE", "s3://b", "."),
    ],
)
def test_tables_of_another_source(source, url, there, here):
    with pytest.raises(TigerbushError) as error:
        check_table("t.tsv", {A: {"url": url}, B: {"url": url}}, source)
    assert str(error.value) == (
        f"t.tsv was made of another source: its products are in {there}, and the source is {here}; run ./tigerbush "
        "discover to list that, or set products to another table."
    )
