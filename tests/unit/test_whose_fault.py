"""Exceptions one by one: faults of the machine with their sentence, or not; without reading a product."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import ParseError

import pytest

from tigerbush import errors
from tigerbush.errors import (
    MachineError,
    RemoteError,
    TigerbushError,
    WriteError,
    machine_fault,
    raise_machine_fault,
)

MEMORY = "the job ran out of memory ({}); give it more (mem_mb of its rule) and run again."
FILES = "Too many open files; raise the limit of open files (ulimit -n) and run again."


def of(name, path=None):
    number = getattr(errno, name)
    return OSError(number, os.strerror(number), path)


def caused(error, cause, hidden=False):
    """An error raised from another one, or while another one was handled."""
    if hidden:
        error.__context__ = cause
    else:
        error.__cause__ = cause
    return error


def numbered(kind, **numbers):
    error = kind("x")
    for name, number in numbers.items():
        setattr(error, name, number)
    return error


def gdal(name, text, module="rasterio._err"):
    return type(name, (Exception,), {"__module__": module})(text)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MachineError("as it is."), "as it is."), (WriteError("as it is."), "as it is."),
        (caused(TigerbushError("a"), WriteError("b.")), "b."), (caused(caused(KeyError("a"), KeyError("b"), True), WriteError("c.")), "c."),
        (MemoryError(), MEMORY.format("MemoryError")), (MemoryError("a\n b"), MEMORY.format("a b")),
        (numbered(ParseError, code=1), MEMORY.format("x")), (numbered(ParseError, code=2), None), (numbered(KeyError, code=1), None),
        (numbered(type("error", (Exception,), {"__module__": "cv2"}), code=-4), MEMORY.format("x")),
        (numbered(type("error", (Exception,), {"__module__": "cv2"}), code=-5), None), (numbered(KeyError, code=-4), None),
        (ImportError("no cv2"), "the environment is incomplete (no cv2); rebuild it (make env), then run again."),
        *((of(name, "/a/b"), f"/a/b: {os.strerror(getattr(errno, name))}; fix that and run again.") for name in (
            "ENOSPC", "EDQUOT", "EFBIG", "EROFS", "ESTALE", "ENOTCONN", "EHOSTUNREACH", "ENETDOWN", "ETIMEDOUT", "ENXIO", "EACCES", "ENOENT", "EIO",
        )),
        (of("ENOSPC"), "No space left on device; fix that and run again."), (of("EMFILE"), FILES), (of("ENFILE", "/a"), "/a: Too many open files in system; raise the limit of open files (ulimit -n) and run again."),
        (of("ENOMEM", "/a"), MEMORY.format("[Errno 12] Cannot allocate memory: '/a'")),
        (of("EACCES"), None), (OSError("reset"), None), (OSError(-101, "NetCDF: HDF error", "/a"), None), (OSError(0, "x", "/a"), None),
        (of("EACCES", b"/a"), "/a: Permission denied; fix that and run again."), (of("EACCES", 5), None),
        (TigerbushError("a"), None), (KeyError("a"), None),
    ],
)  # fmt: skip
def test_errors_without_a_product(error, expected):
    assert machine_fault(error) == expected


@pytest.mark.parametrize("hidden", [False, True])
def test_causes_of_an_error(hidden):
    """As Python prints it: the cause, else the exception being handled, unless that is suppressed."""
    assert machine_fault(caused(TigerbushError("a"), of("ENOSPC", "/b"), hidden)) == "/b: No space left on device; fix that and run again."  # fmt: skip
    error = caused(TigerbushError("a"), of("ENOSPC", "/b"), hidden)
    error.__suppress_context__ = True
    assert (machine_fault(error) is None) == hidden


@pytest.mark.parametrize(
    ("path", "product", "faulty"),
    [
        ("/d/p.SAFE", "/d/p.SAFE", False), ("/d/p.SAFE/a/b", "/d/p.SAFE", False), ("/d/p.SAFE-2", "/d/p.SAFE", True), ("/d", "/d/p.SAFE", True),
        ("/e/p.SAFE", "/d/p.SAFE", True),
    ],
)  # fmt: skip
def test_files_of_the_product_itself(monkeypatch, path, product, faulty):
    monkeypatch.setattr(errors, "_folder_fault", lambda product: f"folder of {product}")
    fault = machine_fault(of("EACCES", path), Path(product))
    assert fault == (
        f"{path}: Permission denied; fix that and run again." if faulty else f"folder of {product}"
    )
    # a full disk is the machine's wherever it is
    assert (
        machine_fault(of("ENOSPC", path), Path(product))
        == f"{path}: No space left on device; fix that and run again."
    )


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (of("ETIMEDOUT"), None), (of("ENETUNREACH", "/socket"), None), (of("EACCES", "/socket"), None), (of("ECONNREFUSED"), None),
        (of("EMFILE"), FILES), (of("ENOSPC"), "No space left on device; fix that and run again."), (MemoryError(), MEMORY.format("MemoryError")),
    ],
)  # fmt: skip
def test_responses_of_a_source_are_not_faults_of_the_machine(cause, expected):
    """Nor faults of the folder, such as an unmounted disk; but a lack of resources is a fault of the machine."""
    assert machine_fault(caused(RemoteError("no answer"), cause), Path("/nowhere/p")) == expected


def test_the_folder_of_a_product(tmp_path):
    sentence = "the products folder {} cannot be used ({}); mount or restore it, or correct source.path, then run again."
    error, folder = TigerbushError("x"), tmp_path / "products"
    product = folder / "p.SAFE"
    assert machine_fault(error, product) == sentence.format(folder, "No such file or directory")
    folder.mkdir()
    assert machine_fault(error, product) == sentence.format(folder, "it is empty")
    (folder / "other").touch()
    assert machine_fault(error, product) is None
    assert machine_fault(error) is None
    # of a link both folders count
    link = tmp_path / "links" / "p.SAFE"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "gone" / "p.SAFE")
    assert machine_fault(error, link) == sentence.format(tmp_path / "gone", "No such file or directory")
    file = tmp_path / "file"
    file.touch()
    assert machine_fault(error, file / "p.SAFE") == sentence.format(file, "Not a directory")


def test_a_fault_of_the_machine_is_raised_with_its_sentence():
    raise_machine_fault(TigerbushError("a"))
    cause = of("ENOSPC", "/a")
    with pytest.raises(MachineError) as error:
        raise_machine_fault(cause)
    assert (str(error.value), error.value.__cause__) == (
        "/a: No space left on device; fix that and run again.",
        cause,
    )


LARGEST = 2**29


@pytest.mark.parametrize(
    ("name", "text", "memory", "files", "jp2", "expected"),
    [
        ("RasterioIOError", "write: No space left on device", True, True, True, "write: No space left on device; fix that and run again."),
        ("RasterioIOError", "a\n Too many open files", True, True, True, f"a {FILES}"),
        ("RasterioIOError", "Cannot allocate memory", True, True, True, MEMORY.format("Cannot allocate memory")),
        ("CPLE_OutOfMemoryError", f"cannot allocate {LARGEST} bytes", True, True, True, MEMORY.format(f"cannot allocate {LARGEST} bytes")),
        ("CPLE_OutOfMemoryError", f"cannot allocate {LARGEST + 1} bytes", False, False, True, None),
        ("CPLE_OutOfMemoryError", "x", True, True, True, MEMORY.format("x")),
        ("CPLE_AppDefinedError", "Not enough Memory", True, True, True, None), ("CPLE_AppDefinedError", "Not enough Memory", False, True, True, MEMORY.format("Not enough Memory")),
        ("CPLE_AppDefinedError", "failed to alloc", False, True, True, MEMORY.format("failed to alloc")), ("CPLE_AppDefinedError", "system limits", False, True, True, MEMORY.format("system limits")),
        ("RasterioIOError", "not recognized as being in a supported file format", True, True, True, None),
        ("RasterioIOError", "not recognized as being in a supported file format", True, True, False, "the environment is incomplete (GDAL has no JP2OpenJPEG driver); rebuild it (make env), then run again."),
        ("RasterioIOError", "no such file", False, False, True, FILES), ("RasterioIOError", "no such file", False, True, False, None),
    ],
)  # fmt: skip
def test_messages_of_gdal(monkeypatch, name, text, memory, files, jp2, expected):
    for function, answer in (("_has_memory_left", memory), ("_can_open_files", files), ("_reads_jp2", jp2)):
        monkeypatch.setattr(errors, function, lambda answer=answer: answer)
    assert machine_fault(gdal(name, text)) == expected
    # an error of another module is not the machine's fault
    assert machine_fault(gdal(name, text, "elsewhere")) is None


def test_memory_and_files_left(monkeypatch):
    """As much memory as decoding may need, and sixteen files; all are released."""
    assert (errors._has_memory_left(), errors._can_open_files(), errors._reads_jp2()) == (True, True, True)
    opened, closed, mapped = [], [], []

    def open_one(path, flags):
        opened.append((path, flags))
        if len(opened) == 16 and not errors._MAX_OPEN_FILES > 16:
            raise of("EMFILE")
        return len(opened)

    fake = SimpleNamespace(open=open_one, close=closed.append, devnull="/dev/null", O_RDONLY=0)
    monkeypatch.setattr(errors, "os", fake)
    assert not errors._can_open_files()
    assert (opened, closed) == ([("/dev/null", 0)] * 16, list(range(1, 16)))
    monkeypatch.setattr(
        errors.mmap,
        "mmap",
        lambda *size: mapped.append(size) or SimpleNamespace(close=lambda: closed.append("map")),
    )
    assert errors._has_memory_left()
    assert (mapped, closed[-1]) == ([(-1, LARGEST)], "map")

    def full(*_):
        raise of("ENOMEM")

    monkeypatch.setattr(errors.mmap, "mmap", full)
    assert not errors._has_memory_left()
