"""Faults of a product result in a placeholder, those of the machine or the configuration are raised."""

import contextlib
import os
import runpy
import shutil
import tempfile
import zipfile
from pathlib import Path

import pytest

from fabricate import ROOT, name_of, scene_of
from tigerbush.errors import EngineError, MachineError, WriteError
from tigerbush.masks import MaskOptions
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.planning.windows import Made
from tigerbush.raster import REASON, STATUS
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits, write_snap_scene
from tigerbush.sentinel2.writer import write_product
from tigerbush.site import Site
from tigerbush.sites.bundles import read_window
from tigerbush.sources.folder import list_local

SCRIPTS = ROOT / "workflow" / "scripts"
RESAMPLE = runpy.run_path(str(SCRIPTS / "resample_product.py"))["main"]
SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
SAFE = f"{name_of()}.SAFE"
NOBODY = 65534


@contextlib.contextmanager
def without_privileges():
    """Drop the permissions that only root has: in CI everything runs as root."""
    if os.geteuid():
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def place():
    """A folder that everyone may enter and write to; pytest's own is private."""
    folder = Path(tempfile.mkdtemp(prefix="tigerbush-test-"))
    folder.chmod(0o777)
    (folder / "products").mkdir()
    write_product(folder / "products", name_of(), scene_of())
    yield folder
    with contextlib.suppress(FileNotFoundError):
        (folder / "products").chmod(0o755)
    shutil.rmtree(folder)


def zip_of(safe):
    path = safe.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in safe.rglob("*"):
            archive.write(file, file.relative_to(safe.parent))
    return path


def resampled(path, folder, *, last_attempt=True, buffer=0):
    """Run the script resample_product; return the tags of its window."""
    windows = folder / "windows" / "resampled.zip"
    RESAMPLE(
        windows,
        product=name_of(),
        path=Path(path),
        fetched=[],
        available={},
        sites={"here": (SITE, Made("made"))},
        options=MaskOptions(cirrus=True, snow=False, buffer=buffer),
        max_negative_fraction=0.05,
        last_attempt=last_attempt,
    )
    return read_window(windows, "here")[0].tags


def refused(path, folder, **options):
    """Return the sentence of a job that fails at its first attempt, and check that it wrote nothing."""
    with pytest.raises(MachineError) as error:
        resampled(path, folder, last_attempt=False, **options)
    assert not list(folder.glob("windows/*"))
    return str(error.value)


def closed(folder, reason):
    return (
        f"the products folder {folder} cannot be used ({reason}); mount or restore it, or correct source.path, "
        "then run again."
    )


@pytest.mark.parametrize("kind", ["SAFE", "zip"])
@pytest.mark.parametrize("mode", [0o000, 0o600, 0o100], ids=["closed", "not entered", "not listed"])
def test_a_source_folder_without_permission(place, kind, mode):
    path = place / "products" / SAFE
    if kind == "zip":
        path = zip_of(path)
    if mode == 0o100:
        # a folder that may only be entered still gives access to its products, but does not reveal missing ones
        shutil.rmtree(path) if kind == "SAFE" else path.unlink()
    (place / "products").chmod(mode | mode >> 6)
    with without_privileges():
        assert refused(path, place) == closed(place / "products", "Permission denied")


def test_a_folder_above_the_source_without_permission(place):
    (place / "disk").mkdir()
    (place / "products").rename(place / "disk" / "products")
    (place / "disk").chmod(0o000)
    with without_privileges():
        path = place / "disk" / "products" / SAFE
        assert refused(path, place) == closed(path.parent, "Permission denied")
    (place / "disk").chmod(0o755)


@pytest.mark.parametrize("kind", ["SAFE", "zip"])
def test_a_source_folder_that_does_not_exist(place, kind):
    path = place / "elsewhere" / f"{name_of()}.{kind}"
    assert refused(path, place) == closed(path.parent, "No such file or directory")


def test_a_source_folder_that_is_a_file(place):
    (place / "file").write_text("not a folder")
    assert refused(place / "file" / SAFE, place) == closed(place / "file", "Not a directory")


def test_a_disk_that_is_not_mounted_leaves_an_empty_folder(place):
    (place / "disk").mkdir()
    assert refused(place / "disk" / SAFE, place) == closed(place / "disk", "it is empty")


def test_a_link_to_a_disk_that_is_not_mounted(place):
    link = place / "products" / f"{name_of('20170210')}.SAFE"
    link.symlink_to(place / "disk" / link.name)
    assert refused(link, place) == closed(place / "disk", "No such file or directory")


def test_a_product_that_no_longer_exists_fails(place):
    (place / "products" / "another").touch()
    shutil.rmtree(place / "products" / SAFE)
    tags = resampled(place / "products" / SAFE, place, last_attempt=False)
    assert tags[STATUS] == "failed"
    assert tags[REASON] == (
        f"{place}/products/{SAFE} does not exist; restore the product, or run ./tigerbush discover to refresh the table."
    )


def test_a_file_of_a_product_without_permission_is_its_failure(place):
    path = next((place / "products" / SAFE).glob("GRANULE/*/IMG_DATA/*_B03.jp2"))
    path.chmod(0o000)
    with without_privileges():
        with pytest.raises(PermissionError):
            resampled(place / "products" / SAFE, place, last_attempt=False)
        tags = resampled(place / "products" / SAFE, place)
    assert tags[STATUS] == "failed"
    assert tags[REASON] == f"PermissionError: [Errno 13] Permission denied: '{path}'"


@pytest.mark.parametrize("kind", ["SAFE", "zip"])
def test_a_product_without_permission_fails(place, kind):
    path = place / "products" / SAFE
    if kind == "zip":
        path = zip_of(path)
    path.chmod(0o000)
    with without_privileges():
        tags = resampled(path, place)
    path.chmod(0o755)
    assert tags[STATUS] == "failed"
    assert tags[REASON] == f"PermissionError: [Errno 13] Permission denied: '{path}'"


def test_a_product_folder_without_permission_is_not_empty(place):
    """A product whose masks cannot be listed does not count as one without masks."""
    safe = write_product(place / "more", name_of(), scene_of(clouds=[]))
    masks = next(safe.glob("GRANULE/*/QI_DATA"))
    masks.chmod(0o000)
    with without_privileges():
        tags = resampled(safe, place)
    masks.chmod(0o755)
    assert tags[STATUS] == "failed"
    assert tags[REASON] == f"PermissionError: [Errno 13] Permission denied: '{masks}'"


def test_a_listing_distinguishes_an_unreadable_product_from_an_unmounted_disk(place):
    (place / "products" / SAFE / "MTD_MSIL1C.xml").chmod(0o000)
    with without_privileges():
        rows, _ = list_local(place / "products")
        assert [(row["product"], row["cloud_percent"]) for row in rows] == [(name_of(), "")]
    (place / "products" / f"{name_of('20170210')}.SAFE").symlink_to(place / "disk" / "a.SAFE")
    with pytest.raises(MachineError) as error:
        list_local(place / "products")
    assert str(error.value) == closed(place / "disk", "No such file or directory")


def test_results_without_write_permission(place):
    (place / "windows").mkdir(mode=0o555)
    with without_privileges(), pytest.raises(WriteError) as error:
        resampled(place / "products" / SAFE, place)
    assert str(error.value) == (
        f"{place}/windows/.resampled/here/image.tif cannot be written (Permission denied); fix that and run again."
    )


SCENE = SceneOptions(["B4"], 60, engine="gpt")


def test_temporary_files_without_write_permission(place, monkeypatch):
    (place / "closed").mkdir(mode=0o555)
    monkeypatch.setattr(tempfile, "tempdir", str(place / "closed"))
    with without_privileges(), pytest.raises(WriteError) as error:
        placeholder_on_failure(
            lambda: write_snap_scene(place / "products" / SAFE, place / "a.tif", SCENE, Limits(1, 1000)),
            str,
            last_attempt=True,
            source=place / "products" / SAFE,
        )
    assert str(error.value) == (
        "the folder for temporary files (TMPDIR) cannot be written (Permission denied); fix that and run again."
    )


def test_a_command_without_execute_permission(place, monkeypatch):
    (place / "gpt").write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(place))
    for folder in ("DATASTRIP", "GRANULE"):
        (place / "products" / SAFE / folder).mkdir(exist_ok=True)
    path = place / "products" / SAFE
    with pytest.raises(EngineError) as error:
        placeholder_on_failure(
            lambda: write_snap_scene(path, place / "a.tif", SCENE, Limits(1, 1000)),
            str,
            last_attempt=True,
            source=path,
        )
    assert (
        str(error.value)
        == "gpt cannot be started (Permission denied); docs/snap.md explains how to install it."
    )


SNAP_SAYS = {
    "echo 'Error: Java heap space'; exit 1": "{path}: SNAP ran out of memory; the next attempt gets more, or raise mem_mb of "
    "the rule (Error: Java heap space).",
    "echo 'Error: /t/a.tif (Too many open files)'; exit 1": "{path}: SNAP could not open enough files; raise the limit "
    "(ulimit -n) (Error: /t/a.tif (Too many open files)).",
    "echo 'Error: Disk quota exceeded'; exit 1": "{path}: SNAP found the disk full; free space in the folder for temporary "
    "files (TMPDIR) (Error: Disk quota exceeded).",
    "echo 'Error: Could not create the Java Virtual Machine.'; exit 1": "{path}: SNAP does not start or is incomplete; "
    "check mem_mb of the rule and the installation (docs/snap.md) (Error: Could not create the Java Virtual Machine.).",
    "echo 'Error: Cannot construct DataBuffer.'; exit 1": "{path}: SNAP ran out of memory; the next attempt gets more, or "
    "raise mem_mb of the rule (Error: Cannot construct DataBuffer.).",
    "echo '22%45%67%'": "gpt ended without an error and without a file, as it may with too little memory; run again, with "
    "more mem_mb of the rule if it happens again.",
    "exit 127": "gpt cannot be started (exit status 127, no message); docs/snap.md explains how to install it.",
    "exit 137": "gpt was ended by signal 9; run again.",
    "kill -9 $$": "gpt was ended by signal 9; run again.",
}


@pytest.mark.input(
    "Scenes",
    "SNAP without enough memory or disk, however it words it",
    "the job is retried; never the fault of the product",
)
@pytest.mark.parametrize("script", SNAP_SAYS)
def test_messages_of_snap_about_the_machine(place, monkeypatch, script):
    (place / "gpt").write_text(f"#!/bin/sh\n{script}\n")
    (place / "gpt").chmod(0o755)
    monkeypatch.setenv("PATH", str(place))
    path = place / "products" / SAFE
    (path / "DATASTRIP").mkdir(exist_ok=True)
    with pytest.raises(EngineError) as error:
        placeholder_on_failure(
            lambda: write_snap_scene(path, place / "a.tif", SCENE, Limits(1, 1000)),
            str,
            last_attempt=True,
            source=path,
        )
    assert str(error.value) == SNAP_SAYS[script].format(path=path)


def test_folders_beside_products_that_cannot_be_listed(place, caplog):
    """Such as the lost+found of a disk; a product that cannot be listed is kept, and fails by name."""
    lost, closed = place / "products" / "lost+found", place / "products" / f"{name_of('20170117')}.SAFE"
    for folder in (lost, closed):
        folder.mkdir()
        folder.chmod(0o700)
    with without_privileges():
        rows, files = list_local(place / "products")
    assert [row["product"] for row in rows] == [name_of(), name_of("20170117")]
    assert {row["product"] for row in files} == {name_of()}
    assert caplog.messages == [
        f"skipped {lost}: it cannot be listed (Permission denied).",
        f"PermissionError: [Errno 13] Permission denied: '{closed}'",
    ]
