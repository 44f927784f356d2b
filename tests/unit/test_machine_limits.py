"""A lack of disk space, open files, memory or modules is never a product's fault."""

import contextlib
import json
import os
import resource
import subprocess
import sys

import pytest

from fabricate import ROOT, flat_scene, name_of, scene_of
from test_machine_faults import SAFE, SCRIPTS, refused, resampled, zip_of
from test_machine_faults import place as place
from tigerbush.errors import MachineError, WriteError
from tigerbush.files import scratch_folder
from tigerbush.job import job_log
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.sentinel2.files import unpack_product
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import write_product
from tigerbush.sources.folder import copy_product


@contextlib.contextmanager
def small_disk(size=4096):
    """No file larger than `size` bytes can be written, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk(place):
    with small_disk():
        sentence = refused(place / "products" / SAFE, place)
    # GDAL's message in brackets names a temporary file
    start, _, end = sentence.partition(" (")
    assert start == f"{place}/windows/.resampled/here/image.tif cannot be written"
    assert end.endswith("); fix that and run again.")


def test_a_full_disk_of_temporary_files(place):
    """Products for SNAP are unpacked there."""
    path = zip_of(place / "products" / SAFE)
    with scratch_folder("tigerbush-test-") as folder, small_disk(), pytest.raises(MachineError) as error:
        placeholder_on_failure(lambda: unpack_product(path, folder), str, last_attempt=True, source=path)
    assert str(error.value) == "File too large; fix that and run again."


def test_a_full_disk_under_a_copy(place):
    path, target = place / "products" / SAFE, place / "copies" / f"{name_of()}.zip"
    with small_disk(), pytest.raises(WriteError) as error:
        placeholder_on_failure(lambda: copy_product(path, target, None), str, last_attempt=True, source=path)
    assert str(error.value) == f"{target} cannot be written (File too large); fix that and run again."
    assert not list(target.parent.iterdir())


@contextlib.contextmanager
def files_left(number):
    """Let the process open only so many more files."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, old[1]))
    held = []
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(number):
            os.close(held.pop())
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, old)


@pytest.mark.parametrize(("kind", "left"), [("SAFE", 0), ("zip", 0), ("zip", 1)])
def test_too_many_open_files(place, kind, left):
    """GDAL reports a file in a zip as missing when it cannot open the zip."""
    path = place / "products" / SAFE
    if kind == "zip":
        path = zip_of(path)
    product = open_product(path)
    with files_left(left), pytest.raises(MachineError) as error:
        placeholder_on_failure(
            lambda: product.read_band("B4", product.grids[10]), str, last_attempt=True, source=path
        )
    sentence = str(error.value).removeprefix(f"{product.path}: ")
    sentence = sentence.removeprefix(f"{path}/{product.band_file('B4')[0]}: ")
    assert sentence == "Too many open files; raise the limit of open files (ulimit -n) and run again."


MEMORY = """
import json, os, re, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tigerbush.errors import MachineError
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.sentinel2.safe import open_product
path = Path(sys.argv[2])
product = open_product(path)
grid = product.grids[10]
# everything that is loaded late
small = open_product(Path(sys.argv[3]))
small.read_band("B4", small.grids[10])
for more in range(0, 39, 3):
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        print(json.dumps([more, os.read(reader, 10000).decode()]))
        os.wait()
        continue
    size = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size + more * 2**20,) * 2)
    try:
        done = placeholder_on_failure(lambda: product.read_band("B8", grid), str, True, source=path)
        text = f"placeholder {done}" if isinstance(done, str) else f"done {(done == 300).all()}"
    except (MachineError, MemoryError) as error:
        text = f"{type(error).__name__} {error}"
    os.write(writer, text.encode())
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc are Linux's")
def test_running_out_of_memory(tmp_path):
    """Wherever memory runs out, in numpy, in GDAL's blocks or in OpenJPEG's tiles, there is never a placeholder.

    A window of more than 4 million pixels, as this one, is decoded by GDAL.
    """
    safe = write_product(tmp_path, name_of(), flat_scene(2100))
    small = write_product(tmp_path / "small", name_of(), scene_of())
    command = [sys.executable, "-c", MEMORY, *map(str, (SCRIPTS, safe, small))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    outcomes = [json.loads(line)[1] for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(outcomes) == 13
    assert {text.partition(" ")[0] for text in outcomes} - {"_ArrayMemoryError"} == {"MachineError", "done"}
    assert "done False" not in outcomes
    for text in outcomes:
        if text.startswith("MachineError"):
            assert text.startswith("MachineError the job ran out of memory (")
            assert text.endswith("); give it more (mem_mb of its rule) and run again.")


def job_ends(tmp_path, work):
    """Return the log of a job that ends with status 1."""
    with pytest.raises(SystemExit) as end, job_log(tmp_path / "job.log"):
        work()
    assert end.value.code == 1
    return (tmp_path / "job.log").read_text()


def test_a_missing_module_ends_the_job(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    safe = write_product(place / "more", name_of(), scene_of(clouds=[]))
    log = job_ends(place, lambda: resampled(safe, place, buffer=1))
    assert log == (
        "ERROR: the environment is incomplete (import of cv2 halted; None in sys.modules); rebuild it (make env), then "
        "run again.\n"
    )
    assert not list(place.glob("windows/*"))


def test_a_gdal_without_jpeg_2000(place):
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1:3]\n"
        "import test_machine_faults as t; t.resampled(Path(sys.argv[3]), Path(sys.argv[4]))"
    )
    paths = [ROOT / "tests" / "unit", ROOT / "tests", place / "products" / SAFE, place]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n{code}", *map(str, paths)],
        env=os.environ | {"GDAL_SKIP": "JP2OpenJPEG"},
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1] == (
        "tigerbush.errors.MachineError: the environment is incomplete (GDAL has no JP2OpenJPEG driver); rebuild it "
        "(make env), then run again."
    )
    assert not list(place.glob("windows/*"))
