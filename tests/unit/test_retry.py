"""Damaged and failed results are made again, and no others."""

import shutil
import zipfile

import numpy as np
import pytest
import rasterio

from fabricate import name_of
from tigerbush.cli import retry
from tigerbush.cli.__main__ import main as tigerbush
from tigerbush.placeholder import (
    FAILED,
    failed_outputs,
    kept_results,
    record_path,
)
from tigerbush.planning.scenes import SELECTION_KEYS
from tigerbush.planning.tables import COLUMNS, table_row, write_table
from tigerbush.raster import STATUS
from tigerbush.sensors import parse_name

DAYS = [f"201702{day:02}" for day in range(1, 13)]
NAMES = dict(zip("abcdefghijkl", map(name_of, DAYS), strict=True))


def write_image(path, status=None, damage=None):
    """A GeoTIFF of several blocks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "width": 40,
        "height": 40,
        "count": 1,
        "dtype": "uint16",
        "compress": "DEFLATE",
    }
    place = rasterio.Affine(10, 0, 465180, 0, -10, 5080260)
    with rasterio.open(
        path, "w", **profile, blockxsize=16, blockysize=16, tiled=True, transform=place
    ) as image:
        image.write(np.random.default_rng(0).integers(0, 4000, (1, 40, 40), np.uint16))
        if status:
            image.update_tags(**{STATUS: status})
    spoil(path, damage)


def write_zip(path, failed=False, damage=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(FAILED if failed else "a.SAFE/MTD_MSIL1C.xml", "content " * 40)
    spoil(path, damage)


def spoil(path, damage):
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "a byte":
        # in the pixels, or in the member of a zip whose directory is intact
        start = 60 if path.suffix == ".zip" else -300
        path.write_bytes(content[:start] + bytes(20) + content[start + 20 :])


def record(folder, letter, content='{"reason": "gone."}'):
    (folder / f"{NAMES[letter]}.unreadable.json").write_text(content)


@pytest.fixture
def results(tmp_path):
    """Results of each kind and in each folder, more bad ones than good."""
    folder = tmp_path / "results"
    for letter, status, damage in (
        ("a", "ok", None), ("b", "failed", None), ("c", "ok", "cut"), ("d", "ok", "empty"), ("e", "outside", None), ("f", None, None),
    ):  # fmt: skip
        write_image(folder / "here" / "products" / f"{NAMES[letter]}.tif", status, damage)
        # masks are made with their image
        write_image(folder / "here" / "products" / f"{NAMES[letter]}_mask.tif", "failed", damage)
    for letter, status in (("a", "ok"), ("g", "failed"), ("h", "failed"), ("l", "ok")):
        write_image(folder / "scenes" / f"{NAMES[letter]}.tif", status)
    write_image(folder / "scenes" / "other.tif", "failed")
    write_image(folder / "here" / "2017-02-01" / "composite.tif", "failed")
    for letter, failed, damage in (
        ("a", False, None), ("b", False, None), ("e", False, "cut"), ("h", False, None), ("i", True, None), ("j", False, None), ("k", False, "a byte"),
    ):  # fmt: skip
        write_zip(folder / "downloads" / f"{NAMES[letter]}.zip", failed, damage)
    for letter, failed, damage in (
        ("a", False, None),
        ("c", False, None),
        ("d", True, None),
        ("f", False, "empty"),
        ("l", False, None),
    ):
        write_zip(folder / "there" / "downloads" / f"{NAMES[letter]}.zip", failed, damage)
    write_zip(folder / "downloads" / "other.zip", failed=True)
    record(folder / "scenes", "l")
    return folder


FORCED = [
    "downloads/b.zip",  # its image has failed
    "downloads/e.zip",
    "downloads/h.zip",
    "downloads/i.zip",
    "here/products/b.tif",
    "here/products/c.tif",
    "here/products/d.tif",
    "scenes/g.tif",
    "scenes/h.tif",
    "scenes/l.tif",
    "there/downloads/c.zip",
    "there/downloads/d.zip",
    "there/downloads/f.zip",
    "there/downloads/l.zip",  # its scene was kept
]  # fmt: skip


def named(path):
    """A path with the full name of its product."""
    head, _, last = path.rpartition("/")
    return f"{head}/{NAMES[last[0]]}{last[1:]}"


def test_what_is_made_again(results):
    assert failed_outputs(results) == [results / named(path) for path in FORCED]
    assert kept_results(results) == {results / named("scenes/l.tif"): "gone."}


def test_nothing_is_made_again_of_good_results(results):
    for path in FORCED:
        (results / named(path)).unlink()
    record_path(results / named("scenes/l.tif")).unlink()
    assert failed_outputs(results) == []
    assert failed_outputs(results / "elsewhere") == []


def test_records_of_kept_results(results):
    for letter, folder, content in (
        ("k", "downloads", '{"reason": "b"}'), ("j", "there/downloads", '{"reason": 5}'), ("a", "here/products", "{"),
        ("e", "here/products", "[]"), ("f", "here/products", "{}"), ("i", "here/2017-02-01", '{"reason": "no place"}'),
    ):  # fmt: skip
        record(results / folder, letter, content)
    (results / "there" / "products").mkdir()
    record(results / "there" / "products", "b", '{"reason": "c"}')
    damaged = "its record is damaged"
    expected = {
        "downloads/k.zip": "b", "here/products/a.tif": damaged, "here/products/e.tif": damaged,
        "here/products/f.tif": damaged, "scenes/l.tif": "gone.", "there/downloads/j.zip": "5", "there/products/b.tif": "c",
    }  # fmt: skip
    reasons = kept_results(results)
    assert reasons == {results / named(path): reason for path, reason in expected.items()}
    assert list(reasons) == sorted(reasons)


CONFIG = {
    "sites": "sites.tsv",
    "source": {"kind": "local", "path": "products", "level": None},
    "period": {"start": "2017-01-01", "end": "2018-01-01", "step": "1m"},
    "composite": {"max_cloud_percent": 50},
    "scene": {**dict.fromkeys(SELECTION_KEYS), "mask": None, "layout": "flat"},
}


def row_of(product, cloud=0):
    return table_row(
        parse_name(product), url=f"products/{product}.SAFE", granule="", size_bytes=1, cloud_percent=cloud
    )


class Snakemake:
    """Stands in for Snakemake, which retry calls."""

    def __init__(self):
        self.called = []

    def __call__(self, words):
        self.called.append(words)
        return 7


@pytest.fixture
def again(results, monkeypatch):
    """`again(letters)` retries with a table of these products; returns the exit status and the arguments for snakemake."""
    folder = results.parent
    # with the configuration itself: test_kept_results.py
    config = {"products": "table.tsv", **CONFIG}
    sites = {"here": {}, "there": {}}
    monkeypatch.setattr(retry, "read_run_configuration", lambda options: config)
    monkeypatch.setattr(retry, "sites_of", lambda config, directory: sites if config["sites"] else {})
    words = ["--directory", str(folder), "--configfile", "mine.yaml"]

    def run(letters, *rest, first=()):
        write_table(folder / "table.tsv", [row_of(NAMES[letter]) for letter in letters], COLUMNS)
        snakemake = Snakemake()
        monkeypatch.setattr(retry, "snakemake", snakemake)
        return tigerbush(["retry", *first, *words, *rest]), *snakemake.called

    run.words = words
    run.folder = folder
    run.config = config
    return run


def forced(paths):
    return [f"results/{named(path)}" for path in paths]


def test_retry_forces_failed_products_of_the_table(again, results, capsys):
    """A product that was replaced by a newer baseline is no longer planned."""
    letters = "abcdefhjkl"
    known = [path for path in FORCED if path.rpartition("/")[2][0] in letters]
    assert again(letters, "--keep-going") == (
        7,
        ["scenes", "all", "--forcerun", *forced(known), "--rerun-incomplete", *again.words, "--keep-going"],
    )
    others = [path for path in known if path != "scenes/l.tif"]
    assert capsys.readouterr().out.splitlines() == [
        f"{len(others)} placeholder(s) of failed products:",
        *(f"  {path}" for path in forced(others)),
        "1 kept result(s) of products that could not be read again:",
        f"  results/{named('scenes/l.tif')}",
    ]
    # jobs that fail again write it again
    assert not record_path(results / named("scenes/l.tif")).exists()


@pytest.mark.parametrize(
    ("letters", "targets", "paths"),
    [
        ("bcd", ["all"], ["downloads/b.zip", "here/products/b.tif", "here/products/c.tif", "here/products/d.tif", "there/downloads/c.zip", "there/downloads/d.zip"]),
        ("g", ["scenes"], ["scenes/g.tif"]),
        ("hi", ["scenes"], ["downloads/h.zip", "downloads/i.zip", "scenes/h.tif"]),
        # for a copy alone, its purpose is not known
        ("i", ["all"], ["downloads/i.zip"]),
        ("bg", ["scenes", "all"], ["downloads/b.zip", "here/products/b.tif", "scenes/g.tif"]),
    ],
)  # fmt: skip
def test_only_dependent_outputs_are_requested(again, results, letters, targets, paths):
    assert again(letters) == (7, [*targets, "--forcerun", *forced(paths), "--rerun-incomplete", *again.words])
    assert record_path(results / named("scenes/l.tif")).exists()
    manifest = results / "scenes_mpi" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    more = ["results/scenes_mpi/manifest.json"] if "scenes" in targets else []
    assert again(letters) == (
        7,
        [*targets, "--forcerun", *forced(paths), *more, "--rerun-incomplete", *again.words],
    )


@pytest.mark.parametrize(
    ("rest", "given"),
    [
        (["results/x.json"], True),
        (["scenes", "--cores", "4"], True),
        (["--keep-going", "--cores", "4", "all"], True),
        # the value of an option
        (["--until", "all"], False),
        (["--cores", "4"], False),
    ],
)
def test_targets_take_the_place_of_everything(again, rest, given):
    words = ["--forcerun", *forced(["scenes/g.tif"]), "--rerun-incomplete", *again.words]
    assert again("g", first=rest) == (7, [*rest, *words] if given else ["scenes", *words, *rest])


def test_sites_that_are_not_in_the_table_are_passed_over(again, monkeypatch, capsys):
    monkeypatch.setattr(retry, "sites_of", lambda config, directory: {"there": {}})
    paths = ["downloads/b.zip", "there/downloads/c.zip"]
    others = forced(["here/products/b.tif", "here/products/c.tif"])
    assert again("bc") == (7, ["all", "--forcerun", *forced(paths), "--rerun-incomplete", *again.words])
    passed_over = [
        "2 result(s) of sites that sites.tsv does not have, passed over:",
        *(f"  {name}" for name in others),
    ]
    assert capsys.readouterr().out.splitlines()[:3] == passed_over


def test_there_may_be_nothing_to_retry(again, capsys):
    assert again("ajk") == (0,)
    assert capsys.readouterr().out == f"No product of {again.folder / 'table.tsv'} failed.\n"
    shutil.rmtree(again.folder / "results")
    assert again("abc") == (0,)


def test_a_missing_table(again, capsys):
    again("a")
    (again.folder / "table.tsv").unlink()
    capsys.readouterr()
    assert tigerbush(["retry", *again.words]) == 1
    assert capsys.readouterr().err == (
        f"tigerbush: {again.folder / 'table.tsv'} does not exist; run the workflow first, with the same options.\n"
    )
