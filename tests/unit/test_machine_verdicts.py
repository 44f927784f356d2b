"""Faults of the machine and of a product, by the exceptions of Python and GDAL."""

import errno
import os

import pytest
from rasterio.errors import RasterioIOError

from test_machine_limits import job_ends
from tigerbush.errors import MachineError, RemoteError, TigerbushError, machine_fault
from tigerbush.placeholder import placeholder_on_failure


def of_gdal(kind, text):
    """The error for an image that GDAL cannot read, raised in the same way as by rasterio."""
    from rasterio import _err

    cause = RasterioIOError("Read failed. See previous exception for details.")
    cause.__cause__ = getattr(_err, kind)(3, 2, text)
    error = TigerbushError("a.jp2 does not decode.")
    error.__cause__ = cause
    return error


def raising(error):
    def work():
        raise error

    return work


def outcome(error, **options):
    try:
        return placeholder_on_failure(
            raising(error), lambda reason: f"placeholder: {reason}", True, **options
        )
    except MachineError as fault:
        return str(fault)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "cannot allocate 2097152 bytes",
            "the job ran out of memory (cannot allocate 2097152 bytes); give it more (mem_mb of its rule) and run "
            "again.",
        ),
        ("cannot allocate 2199023255552 bytes", "placeholder: a.jp2 does not decode."),
    ],
)
def test_a_header_that_requires_absurd_memory_is_damage(text, expected):
    assert outcome(of_gdal("CPLE_OutOfMemoryError", text)) == expected


def test_a_memory_error_of_a_decoder_with_memory_left_is_damage():
    error = of_gdal("CPLE_AppDefinedError", "Not enough memory to decode tile")
    assert outcome(error) == "placeholder: a.jp2 does not decode."


MACHINE = {
    "ENOSPC": "fix that",
    "EDQUOT": "fix that",
    "EROFS": "fix that",
    "EFBIG": "fix that",
    "ESTALE": "fix that",
    "ENOTCONN": "fix that",
    "EHOSTDOWN": "fix that",
    "ENODEV": "fix that",
    "EMFILE": "raise the limit of open files (ulimit -n)",
    "ENFILE": "raise the limit of open files (ulimit -n)",
}


@pytest.mark.parametrize("name", MACHINE)
@pytest.mark.parametrize("told_by", ["python", "a wrapped error", "GDAL"])
def test_errors_of_the_machine(name, told_by):
    number = getattr(errno, name)
    text = os.strerror(number)
    error = OSError(number, text)
    if told_by == "GDAL":
        error, text = of_gdal("CPLE_FileIOError", f"write: {text}"), f"write: {text}"
    elif told_by == "a wrapped error":
        cause, error = error, TigerbushError("B4 cannot be read.")
        error.__cause__ = cause
    assert outcome(error) == f"{text}; {MACHINE[name]} and run again."


def test_no_memory_for_a_buffer():
    assert outcome(OSError(errno.ENOMEM, "Cannot allocate memory")) == (
        "the job ran out of memory ([Errno 12] Cannot allocate memory); give it more (mem_mb of its rule) and run "
        "again."
    )


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "Input/output error"), OSError(errno.EACCES, "Permission denied"), OSError("reset")],
    ids=str,
)
def test_errors_of_a_product(error):
    assert outcome(error) == f"placeholder: OSError: {error}".replace(
        "OSError: [Errno 13]", "PermissionError: [Errno 13]"
    )
    with pytest.raises(OSError) as raised:
        placeholder_on_failure(raising(error), str, last_attempt=False)
    assert raised.value is error


@pytest.mark.parametrize("name", ["ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "ECONNREFUSED"])
def test_a_host_that_does_not_respond_is_not_a_fault_of_the_machine(name):
    error = RemoteError("s3://b/k: the store did not answer")
    error.__cause__ = OSError(getattr(errno, name), "no answer")
    assert outcome(error) == "placeholder: RemoteError: s3://b/k: the store did not answer"


def test_a_lack_of_sockets_is_a_fault_of_the_machine():
    error = RemoteError("s3://b/k: the store did not answer")
    error.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert outcome(error) == "Too many open files; raise the limit of open files (ulimit -n) and run again."


def test_memory_ends_a_job_with_a_sentence(tmp_path):
    assert job_ends(tmp_path, raising(MemoryError("Unable to allocate 9 GiB"))) == (
        "ERROR: the job ran out of memory (Unable to allocate 9 GiB); give it more (mem_mb of its rule) and run "
        "again.\n"
    )


def test_an_exception_raised_from_itself():
    error = RemoteError("no answer")
    error.__cause__ = error
    assert machine_fault(error) is None
