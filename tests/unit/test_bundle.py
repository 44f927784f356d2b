"""Bundles: files of sites that come and go one by one, and stay whole whatever happens."""

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from bundles import write_bundle
from fabricate import ROOT
from tigerbush.bundle import (
    Entry,
    contents_of,
    folder_beside,
    forget,
    gdal_path,
    holds,
    index_at,
    index_of,
    index_text,
    is_bundle,
    pack_folder,
    read_index,
    unpacked,
    update_bundle,
)
from tigerbush.errors import TigerbushError, WriteError


@pytest.fixture
def bundle(tmp_path):
    return tmp_path / "product" / "0.zip"


@pytest.fixture
def add(bundle, tmp_path):
    """`add(site=content)` puts a file `a` of each site into the bundle."""

    def run(made="m", **contents):
        files = {}
        for site, content in contents.items():
            path = tmp_path / site
            path.write_bytes(content)
            files[site] = {"a": path}
        update_bundle(bundle, {site: Entry(made, "ok") for site in contents}, files)

    return run


def members(bundle):
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_files_are_added_and_replaced(bundle, add):
    add(here=b"1", there=b"2")
    add("n", there=b"3", far=b"4")
    assert members(bundle) == {"here/a": b"1", "there/a": b"3", "far/a": b"4"}
    entries = index_at(bundle)
    assert list(entries) == ["far", "here", "there"]
    assert {site: entry.made for site, entry in entries.items()} == {"far": "n", "here": "m", "there": "n"}
    # of the contents alone: sha256 of `3`
    assert entries["there"].digest == "4e07408562bedb8b"


def test_a_bundle_depends_on_its_contents_alone(bundle, add):
    add(here=b"1", there=b"2")
    first = bundle.read_bytes()
    bundle.unlink()
    add(here=b"1", there=b"2")
    assert bundle.read_bytes() == first


def test_nothing_to_add_makes_an_empty_bundle(bundle, add):
    add()
    assert members(bundle) == {} and index_at(bundle) == {} and index_of(bundle).read_text() == "{}\n"


def test_a_bundle_to_which_nothing_is_added_is_not_written(bundle, add):
    add(here=b"1")
    # in its place, where it is elsewhere
    bundle.write_bytes(b"")
    add()
    assert bundle.read_bytes() == b"" and list(index_at(bundle)) == ["here"]
    index_of(bundle).unlink()
    add()
    assert members(bundle) == {} and index_at(bundle) == {}


@pytest.mark.parametrize("damage", ["cut", "empty", "a byte", "gone"])
def test_what_is_damaged_is_left_out_and_made_again(bundle, add, damage):
    add(here=b"content of here", there=b"content of there")
    content = bundle.read_bytes()
    if damage == "gone":
        bundle.unlink()
    else:
        byte = content.replace(b"content of here", b"c0ntent of here")
        bundle.write_bytes({"cut": content[:-30], "empty": b"", "a byte": byte}[damage])
    assert not holds(bundle, "here")
    add(far=b"4")
    whole = {"there": True} if damage == "a byte" else {}
    assert {site: holds(bundle, site) for site in index_at(bundle)} == whole | {"far": True}


def test_a_bundle_that_cannot_be_written_stays_as_it_is(bundle, add, monkeypatch):
    add(here=b"1")
    before = {path.name: path.read_bytes() for path in bundle.parent.iterdir()}
    monkeypatch.setattr(
        "tigerbush.files.os.fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(WriteError, match=r"0\.zip cannot be written \(No space left"):
        add(there=b"2")
    assert {path.name: path.read_bytes() for path in bundle.parent.iterdir()} == before


ADD = """
import sys
from pathlib import Path
from tigerbush.bundle import Entry, update_bundle
bundle, content = map(Path, sys.argv[1:])
for number in range(1000):
    print(number, flush=True)
    update_bundle(bundle, {f"site{number}": Entry("m", "ok")}, {f"site{number}": {"a": content}})
"""


@pytest.mark.parametrize("milliseconds", [0, 3, 7, 13, 24, 41])
def test_a_job_that_is_killed_while_it_adds_leaves_whole_files(bundle, tmp_path, milliseconds):
    """Whatever the index names is in the bundle, and all that was added before is in both."""
    content = tmp_path / "content"
    content.write_bytes(bytes(300_000))
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    with subprocess.Popen(
        [sys.executable, "-c", ADD, bundle, content], stdout=subprocess.PIPE, env=environment, text=True
    ) as child:
        for _ in range(5):
            number = int(child.stdout.readline())
        time.sleep(milliseconds / 1000)
        child.kill()
        number = max([number, *map(int, child.stdout.read().split())])
    entries = index_at(bundle)
    assert {f"site{each}" for each in range(number)} <= entries.keys()
    assert all(holds(bundle, site) for site in entries)
    update_bundle(bundle, {"last": Entry("m", "ok")}, {"last": {"a": content}})
    assert index_at(bundle).keys() == entries.keys() | {"last"}


@pytest.mark.parametrize("content", ["", "{", "[]", "[1]", '{"here": 5}', '{"here": {"made": 1, "more": 2}}'])
def test_a_damaged_index_is_that_of_an_empty_bundle(content):
    assert read_index(content) == {}


def test_files_are_forgotten_without_being_touched():
    entries = {"here": Entry("m", "ok", "", "d"), "there": Entry("n", "failed", "why", "e")}
    forgotten = forget(entries, ["there", "nowhere"])
    assert forgotten == {"here": entries["here"], "there": Entry("", "failed", "why", "e")}
    assert read_index(index_text(forgotten)) == forgotten
    assert json.loads(index_text(forgotten))["there"] == {
        "made": "",
        "status": "failed",
        "reason": "why",
        "digest": "e",
    }


def test_a_site_is_held_with_all_of_its_files(tmp_path):
    bundle = tmp_path / "0.zip"
    write_bundle(bundle, here={"a": b"1", "b": b"the second"}, here_too={"a": b"3"})
    assert holds(bundle, "here") and holds(bundle, "here_too")
    assert not holds(bundle, "her") and not holds(tmp_path / "1.zip", "here")
    bundle.write_bytes(bundle.read_bytes().replace(b"the second", b"the 2econd"))
    assert not holds(bundle, "here") and holds(bundle, "here_too")


def test_a_file_is_unpacked_for_a_while(tmp_path):
    bundle = tmp_path / "0.zip"
    write_bundle(bundle, here={"a.zip": b"1"})
    with unpacked(bundle, "here", "a.zip") as path:
        assert (path.name, path.read_bytes(), path.parent.parent) == ("a.zip", b"1", tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["0.json", "0.zip"]
    for site, name in (("there", "a.zip"), ("here", "b.zip")):
        with (
            pytest.raises(
                TigerbushError, match=rf"0\.zip does not have {site}/{name} intact .*; delete it and run"
            ),
            unpacked(bundle, site, name),
        ):
            pass


def test_a_folder_beside_is_removed(bundle):
    with pytest.raises(ValueError, match="x"), folder_beside(bundle) as folder:
        folder.mkdir(parents=True)
        (folder / "a").touch()
        raise ValueError("x")
    assert list(bundle.parent.iterdir()) == []


def test_what_is_a_bundle(tmp_path):
    for name in (
        "windows/p/0.zip",
        "downloads/p/1.zip",
        "windows/p/0.json",
        "windows/p/2.zip",
        "other/p/0.zip",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        if name != "windows/p/2.zip":
            index_of(tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if is_bundle(path)]
    assert sorted(found) == ["downloads/p/1.zip", "windows/p/0.zip"]
    assert not is_bundle(Path("0.zip"))


def test_how_gdal_names_a_file(tmp_path):
    assert gdal_path(tmp_path / "0.zip", "here", "image.tif") == f"/vsizip/{tmp_path}/0.zip/here/image.tif"


def test_the_contents_of_sites_are_told_apart(bundle, add):
    add(here=b"1", there=b"2")
    first = contents_of(bundle)
    assert first.keys() == {"here", "there"}
    # the times of files and the order of sites do not count
    add(far=b"3")
    assert {site: digest for site, digest in contents_of(bundle).items() if site != "far"} == first
    add(there=b"4")
    assert contents_of(bundle)["here"] == first["here"]
    assert contents_of(bundle)["there"] != first["there"]


def test_a_damaged_bundle_has_no_contents(bundle, add):
    add(here=b"1")
    bundle.write_bytes(bundle.read_bytes()[:-5])
    with pytest.raises(TigerbushError, match=r"0\.zip is damaged \(File is not a zip file\); delete it"):
        contents_of(bundle)


def test_a_folder_in_a_zip(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder / "b").mkdir(parents=True)
        for name in ("b/c.svg", "a.png") if folder == "one" else ("a.png", "b/c.svg"):
            (tmp_path / folder / name).write_text(name * 100)
        pack_folder(tmp_path / folder, tmp_path / f"{folder}.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {member.filename: member.compress_type for member in archive.infolist()} == {
            "a.png": zipfile.ZIP_STORED, "b/c.svg": zipfile.ZIP_DEFLATED
        }  # fmt: skip
        assert archive.read("b/c.svg") == b"b/c.svg" * 100
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
