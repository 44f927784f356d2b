"""A disk without space, and one without inodes: the sentence says which."""

import errno
import os
import subprocess

import numpy as np
import pytest

from skipping import skip_unless_ci
from tigerbush.errors import WriteError, machine_fault
from tigerbush.files import write_bytes
from tigerbush.grid import Grid
from tigerbush.raster import Raster, write_raster

NO_SPACE = os.strerror(errno.ENOSPC)


@pytest.fixture
def disk(tmp_path):
    """`disk(options)` mounts a small disk in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True)
        if done.returncode:
            skip_unless_ci("a disk cannot be mounted without root")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True)


def test_a_disk_without_space(disk):
    folder = disk("size=2m")
    target = folder / "results" / "a.json"
    write_bytes(target, b"old")
    with pytest.raises(WriteError) as error:
        write_bytes(target, bytes(3_000_000))
    assert str(error.value) == (
        f"{target} cannot be written ({NO_SPACE}: the disk of {folder}/results is full); fix that and run again."
    )
    assert target.read_bytes() == b"old"
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


def test_a_disk_without_space_for_an_image(disk):
    folder = disk("size=2m")
    data = np.random.default_rng(0).integers(1, 60_000, (4, 600, 600)).astype(np.uint16)
    with pytest.raises(WriteError) as error:
        write_raster(folder / "a.tif", Raster(data, Grid(0, 0, 10, 600, 600), 32633, ("a", "b", "c", "d"), 0))
    assert str(error.value).startswith(f"{folder}/a.tif cannot be written (")
    assert str(error.value).endswith(f": the disk of {folder} is full); fix that and run again.")
    assert list(folder.iterdir()) == []


@pytest.mark.input(
    "Damage",
    "a disk without space, or without inodes",
    "which of the two, and the folder; nothing finished is lost",
)
def test_a_disk_without_inodes(disk):
    folder = disk("size=20m,nr_inodes=5")
    for number in range(4):
        write_bytes(folder / f"{number}", b"x")
    with pytest.raises(WriteError) as error:
        write_bytes(folder / "one more", b"x")
    assert str(error.value) == (
        f"{folder}/one more cannot be written ({NO_SPACE}: the disk of {folder} has no inodes left, which means too many "
        "files); fix that and run again."
    )


def test_files_that_are_not_written_atomically(disk):
    folder = disk("size=20m,nr_inodes=2")
    (folder / "one").mkdir()
    with pytest.raises(OSError, match=NO_SPACE) as error:
        (folder / "one" / "two").mkdir()
    assert machine_fault(error.value) == (
        f"{folder}/one/two: {NO_SPACE}: the disk of {folder}/one has no inodes left, which means too many files; fix that "
        "and run again."
    )
