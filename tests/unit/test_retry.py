"""Damaged and failed results are made again, and no others."""

import re
import shutil
import zipfile

import numpy as np
import pytest
import rasterio

from bundles import write_index
from fabricate import name_of
from tigerbush.bundle import read_index
from tigerbush.cli import remedies, retry
from tigerbush.cli.__main__ import main as tigerbush
from tigerbush.placeholder import (
    FAILED,
    failed_outputs,
    kept_results,
    record_path,
)
from tigerbush.planning.scenes import SELECTION_KEYS, scene_results
from tigerbush.planning.tables import COLUMNS, read_products, table_row, write_table
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
    for letter, status in (
        ("a", "ok"),
        ("b", "failed"),
        ("c", "failed"),
        ("d", "ok"),
        ("e", "outside"),
        ("f", "ok"),
    ):
        write_index(folder / "windows" / NAMES[letter] / "0.zip", here=status, there="ok")
    write_index(folder / "windows" / NAMES["c"] / "1.zip", elsewhere="ok")
    for letter, status in (("a", "ok"), ("g", "failed"), ("h", "failed"), ("l", "ok")):
        write_image(folder / "scenes" / f"{NAMES[letter]}.tif", status)
    write_image(folder / "scenes" / "other.tif", "failed")
    write_image(folder / "here" / "2017-02-01" / "composite.tif", "failed")
    for letter, failed, damage in (
        ("a", False, None), ("b", False, None), ("e", False, "cut"), ("h", False, None), ("i", True, None), ("j", False, None), ("k", False, "a byte"),
    ):  # fmt: skip
        write_zip(folder / "downloads" / f"{NAMES[letter]}.zip", failed, damage)
    for letter, status in (("a", "ok"), ("c", "ok"), ("d", "failed"), ("f", "failed"), ("l", "ok")):
        write_index(folder / "downloads" / NAMES[letter] / "0.zip", here="ok", there=status)
    write_zip(folder / "downloads" / "other.zip", failed=True)
    record(folder / "scenes", "l")
    return folder


FORCED = [
    "downloads/b.zip",  # its image has failed
    "downloads/e.zip",
    "downloads/h.zip",
    "downloads/i.zip",
    "downloads/c/here",  # its window has failed
    "downloads/d/there",
    "downloads/f/there",
    "scenes/g.tif",
    "scenes/h.tif",
    "scenes/l.tif",
    "windows/b/here",
    "windows/c/here",
]  # fmt: skip


def named(path):
    """A path with the full name of its product."""
    return re.sub(r"/([a-l])(?=[._/])", lambda match: f"/{NAMES[match[1]]}", path)


def product_in(path):
    return re.search(r"/([a-l])[./]", path)[1]


FILES = [path for path in FORCED if "here" not in path]


def test_what_is_made_again(results):
    assert failed_outputs(results) == sorted(results / named(path) for path in FORCED)
    assert kept_results(results) == {results / named("scenes/l.tif"): "gone."}


def test_nothing_is_made_again_of_good_results(results):
    for path in FORCED:
        if "here" not in path and "there" not in path:
            (results / named(path)).unlink()
    for folder in ("windows", "downloads"):
        for letter in "bcdf":
            shutil.rmtree(results / folder / NAMES[letter], ignore_errors=True)
    record_path(results / named("scenes/l.tif")).unlink()
    assert failed_outputs(results) == []
    assert failed_outputs(results / "elsewhere") == []


def test_records_of_kept_results(results):
    for letter, folder, content in (
        ("k", "downloads", '{"reason": "b"}'), ("h", "downloads", '{"reason": 5}'), ("a", "scenes", "{"),
        ("e", "scenes", "[]"), ("f", "scenes", "{}"), ("i", "here/2017-02-01", '{"reason": "no place"}'),
    ):  # fmt: skip
        record(results / folder, letter, content)
    (results / named("windows/b/there.unreadable.json")).write_text('{"reason": "c"}')
    (results / named("downloads/l/here.unreadable.json")).write_text('{"reason": "d"}')
    damaged = "its record is damaged"
    expected = {
        "downloads/k.zip": "b", "downloads/h.zip": "5", "scenes/a.tif": damaged, "scenes/e.tif": damaged,
        "scenes/f.tif": damaged, "scenes/l.tif": "gone.", "windows/b/there": "c", "downloads/l/here": "d",
    }  # fmt: skip
    reasons = kept_results(results)
    assert reasons == {results / named(path): reason for path, reason in expected.items()}
    assert list(reasons) == sorted(reasons)


CONFIG = {
    "sites": "sites.tsv",
    "source": {"kind": "local", "path": "products", "level": None, "access": "storage"},
    "period": {"start": "2017-01-01", "end": "2018-01-01", "step": "1m"},
    "composite": {"max_cloud_percent": 50},
    "scene": {**dict.fromkeys(SELECTION_KEYS), "mask": None, "layout": "flat", "bands": ["B4"]},
}


def row_of(product, cloud=0):
    return table_row(
        parse_name(product), url=f"products/{product}.SAFE", granule="", size_bytes=1, cloud_percent=cloud
    )


class Snakemake:
    """Stands in for Snakemake, which retry calls; makes some results again."""

    def __init__(self, folder, made=()):
        self.called, self.folder, self.made = [], folder, made

    def __call__(self, words):
        self.called.append(words)
        self.records = sorted(self.folder.glob("results/**/*.unreadable.json"))
        self.forgotten = forgotten(self.folder / "results")
        for path in self.made:
            write_index(path.parent / "0.zip", here="ok")
        return 7


def outputs_of(config, folder, sites):
    """What a run of all products of the table makes; the real plan is in tests/workflow/test_damage_runs.py."""
    table = read_products(folder / config["products"])
    copies = [f"results/downloads/{product}.zip" for product in table]
    of_sites = [
        f"results/{place}/{product}/{site}"
        for site in sites
        for product in table
        for place in ("windows", "downloads")
    ]
    return {*copies, *of_sites, *map(str, scene_results(table, config))}


@pytest.fixture
def again(results, monkeypatch):
    """`again(letters)` retries with a table of these products; returns the exit status and the arguments for snakemake."""
    folder = results.parent
    # with the configuration itself: test_kept_results.py
    config = {"products": "table.tsv", **CONFIG}
    sites = {"here": {}, "there": {}}
    monkeypatch.setattr(retry, "read_run_configuration", lambda options: config)
    monkeypatch.setattr(retry, "sites_of", lambda config, directory: sites if config["sites"] else {})
    monkeypatch.setattr(
        remedies,
        "wanted_outputs",
        lambda options, config: outputs_of(config, folder, retry.sites_of(config, folder)),
    )
    words = ["--directory", str(folder), "--configfile", "mine.yaml"]

    def run(letters, *rest, first=(), made=()):
        write_table(folder / "table.tsv", [row_of(NAMES[letter]) for letter in letters], COLUMNS)
        snakemake = run.snakemake = Snakemake(folder, made)
        monkeypatch.setattr(retry, "snakemake", snakemake)
        return tigerbush(["retry", *first, *words, *rest]), *snakemake.called

    run.words = words
    run.folder = folder
    run.config = config
    return run


def forced(paths):
    """As retry lists them: windows are no files."""
    return sorted(f"results/{named(path)}" for path in paths)


def files(paths):
    return forced(path for path in paths if path.rpartition("/")[2] not in ("here", "there"))


def forgotten(folder):
    """The windows that are made again, by their indexes."""
    return sorted(
        f"results/{index.parent.relative_to(folder)}/{site}"
        for index in folder.glob("*/*/*.json")
        if not index.name.endswith(".unreadable.json")
        for site, entry in read_index(index.read_bytes()).items()
        if not entry.made
    )


def test_retry_forces_failed_products_of_the_table(again, results, capsys):
    """A product that was replaced by a newer baseline is no longer planned."""
    letters = "abcdefhjkl"
    known = [path for path in FORCED if product_in(path) in letters]
    assert again(letters, "--keep-going") == (
        7,
        [
            "scenes",
            "all",
            "--forcerun",
            *files(known),
            *forced(["downloads/k.zip"]),
            "--rerun-incomplete",
            *again.words,
            "--keep-going",
        ],
    )
    windows = [path for path in known if path not in FILES]
    assert again.snakemake.forgotten == forced(windows)
    others = [path for path in known if path != "scenes/l.tif"]
    passed_over = [path for path in FORCED if path not in known]
    assert capsys.readouterr().out.splitlines() == [
        f"{len(passed_over)} result(s) that this configuration does not want, passed over:",
        *(f"  {path}" for path in forced(passed_over)),
        "1 damaged result(s):",
        *(f"  {path}" for path in forced(["downloads/k.zip"])),
        f"{len(others)} placeholder(s) of failed products:",
        *(f"  {path}" for path in forced(others)),
        "1 kept result(s) of products that could not be read again:",
        f"  results/{named('scenes/l.tif')}",
    ]


@pytest.mark.parametrize(
    ("letters", "targets", "paths"),
    [
        ("bc", ["scenes", "all"], ["downloads/b.zip", "downloads/c/here", "windows/b/here", "windows/c/here"]),
        ("d", ["scenes", "all"], ["downloads/d/there"]),
        ("g", ["scenes"], ["scenes/g.tif"]),
        ("h", ["scenes"], ["downloads/h.zip", "scenes/h.tif"]),
        # for a copy alone, its purpose is not known
        ("i", ["scenes", "all"], ["downloads/i.zip"]),
        ("k", ["scenes", "all"], ["downloads/k.zip"]),
        ("hi", ["scenes", "all"], ["downloads/h.zip", "downloads/i.zip", "scenes/h.tif"]),
        ("bg", ["scenes", "all"], ["downloads/b.zip", "scenes/g.tif", "windows/b/here"]),
    ],
)  # fmt: skip
def test_only_dependent_outputs_are_requested(again, results, letters, targets, paths):
    words = ["--forcerun", *files(paths)] if files(paths) else []
    assert again(letters) == (7, [*targets, *words, "--rerun-incomplete", *again.words])
    assert again.snakemake.forgotten == [path for path in forced(paths) if path not in files(paths)]
    # nothing of it was made
    assert forgotten(results) == []
    assert record_path(results / named("scenes/l.tif")).exists()
    manifest = results / "scenes_mpi" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    words = [*files(paths), *(["results/scenes_mpi/manifest.json"] if "scenes" in targets else [])]
    forcing = ["--forcerun", *words] if words else []
    assert again(letters) == (7, [*targets, *forcing, "--rerun-incomplete", *again.words])


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


def test_sites_that_are_not_in_the_table_are_passed_over(again, results, monkeypatch, capsys):
    monkeypatch.setattr(retry, "sites_of", lambda config, directory: {"there": {}})
    shutil.rmtree(results / "scenes")
    # l has not failed without its scene
    others = forced(["downloads/c/here", "downloads/f/there", "windows/b/here", "windows/c/here"])
    for path in (results / "downloads").glob("*.zip"):
        path.unlink()
    assert again("cd") == (7, ["all", "--rerun-incomplete", *again.words])
    assert again.snakemake.forgotten == forced(["downloads/d/there"])
    assert capsys.readouterr().out.splitlines() == [
        "4 result(s) that this configuration does not want, passed over:",
        *(f"  {name}" for name in others),
        "1 placeholder(s) of failed products:",
        *(f"  {name}" for name in forced(["downloads/d/there"])),
    ]


@pytest.mark.parametrize("words", [(), ("--dry-run",), ("-n", "scenes"), ("--unlock",)])
def test_records_of_results_that_are_not_made_again_come_back(again, results, words):
    """The run must not see them (`on_gone: keep`); with other options, or after an error, it makes nothing."""
    records = [
        results / named(path) for path in ("windows/e/here.unreadable.json", "scenes/l.unreadable.json")
    ]
    records[0].write_text('{"reason": "not UTF-8: \u00e9"}')
    before = [path.read_bytes() for path in records]
    assert again("el", *words)[0] == 7
    assert again.snakemake.records == []
    assert [path.read_bytes() for path in records] == before
    # what was made again needs none any more
    assert again("el", made=[results / named("windows/e/here.tif")])[0] == 7
    assert [path.exists() for path in records] == [False, True]


def test_there_may_be_nothing_to_retry(again, capsys):
    assert again("aj") == (0,)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "13 result(s) that this configuration does not want, passed over:"
    assert lines[14:] == [f"No product of {again.folder / 'table.tsv'} failed."]
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
