"""Exceptions whose message is a sentence for the user, and what is to blame for an exception: product or machine."""

import errno
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path


def _error_numbers(names: str) -> set[int]:
    """Return the numbers of error names, leaving out those that this operating system does not have."""
    return {getattr(errno, name) for name in names.split() if hasattr(errno, name)}


# the target of a write is full or read-only
CANNOT_WRITE = _error_numbers("ENOSPC EDQUOT EFBIG EROFS")
_NO_MEMORY = _error_numbers("ENOMEM")
_TOO_MANY_FILES = _error_numbers("EMFILE ENFILE")
# a file system is disconnected or stale
_DISCONNECTED = _error_numbers(
    "ESTALE ENOTCONN EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ETIMEDOUT ECONNABORTED ENODEV ENXIO ENOMEDIUM ENOLINK "
    "ESHUTDOWN ENOKEY EKEYEXPIRED"
)
# the machine is to blame, whichever file it is
_MACHINE = CANNOT_WRITE | _NO_MEMORY | _TOO_MANY_FILES | _DISCONNECTED
# how decoders report a lack of memory, which a damaged header may cause as well
_DECODER_MEMORY = re.compile("memory|alloc|system limits", re.IGNORECASE)
_ALLOCATION = re.compile(r"allocat\w* (\d+) bytes")
# bytes; decoding any file of a product takes less
_MAX_DECODING_MEMORY = 2**29
# a disk with less than this is full
_FULL_BYTES = 2**20
# files; opening a product takes fewer
_MAX_OPEN_FILES = 16
# what to do about a product that is not as expected, when nothing says that another copy would be
LEAVE_OUT = "report this product, or delete its line from the table of products to leave it out"


# longer ones quote something from outside that has no limit
_LONGEST_SENTENCE = 1200


def one_sentence(text: object, limit: int = _LONGEST_SENTENCE) -> str:
    """Return a text as one line of printable characters, without bytes that are not UTF-8, and of limited length."""
    line = " ".join(str(text).split())
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)
    return line if len(line) <= limit else f"{line[:limit]} ..."


def quoted(value: object, limit: int = 120) -> str:
    """Return the repr of a value from outside, of limited length."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]} ..."


class TigerbushError(Exception):
    """A permanent error, usually in the input: a retry would fail again.

    The message is one sentence: which file, which field, what was expected, what to do.
    """

    def __str__(self) -> str:
        """Return the sentence, whatever the texts from outside in it are."""
        return one_sentence(super().__str__())


class KeptError(TigerbushError):
    """A product that can no longer be read, and whose finished result is kept as it is.

    Attributes
    ----------
    reason : str
        Why the product cannot be read.
    """

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class GoneError(TigerbushError):
    """An object that no longer exists, was replaced, or is in archive storage."""


class MachineError(OSError):
    """A fault of the machine or the configuration, never of a product; the message is one sentence."""

    def __str__(self) -> str:
        """Return the sentence, whatever the texts from outside in it are."""
        return one_sentence(super().__str__())


class WriteError(MachineError):
    """A result that cannot be written, which is never the product's fault.

    The message is one sentence that names the file.
    """


class ConfigurationError(MachineError):
    """A value in the configuration that cannot be used, never a product's fault; the message is one sentence."""


class EngineError(MachineError):
    """An engine that does not work on this machine, never a product's fault; the message is one sentence."""


class RemoteError(OSError):
    """A network or server error that may be temporary; the message is one sentence."""

    def __str__(self) -> str:
        """Return the sentence, whatever the texts from outside in it are."""
        return one_sentence(super().__str__())


def machine_fault(error: BaseException, product: Path | None = None) -> str | None:
    """Decide whether an error is the fault of the machine or the configuration, or of the product being processed.

    The machine or the configuration is to blame for

    - a full disk, an exceeded quota, a file that is too large, a read-only file system, wherever it is;
    - a missing permission for, or any other error with, a file that does not belong to the product;
    - a products folder that does not exist, is not a folder, is empty, or cannot be entered or listed;
    - too many open files, a lack of memory (also as GDAL and OpenJPEG report it);
    - a module that is missing or broken;
    - a file system that is disconnected or stale.

    The product is to blame for

    - a file of its own that is missing, damaged, unreadable, or cannot be read from its disk (EIO);
    - whatever its source responds (`RemoteError`), including no response;
    - a header that asks for more memory than any product needs.

    Parameters
    ----------
    error : exception
        Its causes are examined as well.
    product : Path, optional
        Path of the product on this machine.

    Returns
    -------
    str or None
        One sentence; None when the product is to blame, or it is not known what is.
    """
    remote = False
    for cause in _exception_chain(error):
        if isinstance(cause, MachineError):
            return str(cause)
        remote = remote or isinstance(cause, RemoteError)
        if reason := _fault(cause, product, remote):
            return reason
    return _folder_fault(product) if product is not None and not remote else None


def raise_machine_fault(error: BaseException, product: Path | None = None) -> None:
    """Raise MachineError when the machine or the configuration is to blame for an error (see `machine_fault`)."""
    if fault := machine_fault(error, product):
        raise MachineError(fault) from error


def _exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, in the order in which a traceback is linked."""
    seen: set[int] = set()
    # an exception may be raised from itself
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _fault(error: BaseException, product: Path | None, remote: bool) -> str | None:
    """Return the sentence for a single exception that is not the product's fault, else None."""
    if _is_out_of_memory(error):
        return _memory_sentence(error)
    if isinstance(error, ImportError):
        return _environment_sentence(error)
    if type(error).__module__.startswith("rasterio"):
        return _gdal_fault(error)
    # the NetCDF library's own error numbers are negative
    if isinstance(error, OSError) and (error.errno or 0) > 0:
        return _file_fault(error, product, remote)
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    # the XML parser and OpenCV have their own error numbers
    number = getattr(error, "code", None)
    parser = isinstance(error, SyntaxError) and number == 1
    opencv = type(error).__module__ == "cv2" and number == -4
    return isinstance(error, MemoryError) or parser or opencv


def _gdal_fault(error: BaseException) -> str | None:
    """Judge by GDAL's message: its errors do not carry the operating system's error number."""
    message = _one_line(error)
    for number in _MACHINE:
        if os.strerror(number) in message:
            if number in _NO_MEMORY:
                return _memory_sentence(error)
            return f"{message}; {_advice(number)} and run again."
    if type(error).__name__ == "CPLE_OutOfMemoryError":
        allocation = _ALLOCATION.search(message)
        return None if allocation and int(allocation[1]) > _MAX_DECODING_MEMORY else _memory_sentence(error)
    if _DECODER_MEMORY.search(message) and not _has_memory_left():
        return _memory_sentence(error)
    if "supported file format" in message and not _reads_jp2():
        return _environment_sentence("GDAL has no JP2OpenJPEG driver")
    # GDAL reports a file in a zip as missing when it cannot open the zip
    return (
        None if _can_open_files() else f"{os.strerror(errno.EMFILE)}; {_advice(errno.EMFILE)} and run again."
    )


def _has_memory_left() -> bool:
    try:
        # only mapped, never written to
        mmap.mmap(-1, _MAX_DECODING_MEMORY).close()
    except OSError:
        return False
    return True


def _can_open_files() -> bool:
    descriptors = []
    try:
        for _ in range(_MAX_OPEN_FILES):
            descriptors.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return True


def _reads_jp2() -> bool:
    import rasterio  # not needed by jobs that only read text

    with rasterio.Env() as environment:
        return "JP2OpenJPEG" in environment.drivers()


def _file_fault(error: OSError, product: Path | None, remote: bool) -> str | None:
    number, name = error.errno, error.filename
    path = Path(os.fsdecode(name)) if isinstance(name, (str, bytes, Path)) else None
    # a socket error of a remote host is the source's response
    if number in _MACHINE and not (remote and number in _DISCONNECTED):
        if number in _NO_MEMORY:
            return _memory_sentence(error)
        full = what_is_full(path) if path and number == errno.ENOSPC else ""
        return f"{f'{path}: ' if path else ''}{error.strerror}{full}; {_advice(number)} and run again."
    if path is None or remote or (product is not None and (path == product or product in path.parents)):
        return None
    return f"{path}: {error.strerror}; {_advice(number)} and run again."


def what_is_full(path: Path) -> str:
    """Say for a file that cannot be written whether its disk has no space or no inodes; empty when it has both."""
    folder = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    try:
        state = os.statvfs(folder)
    except OSError:
        return ""
    if state.f_files and not state.f_favail:
        return f": the disk of {folder} has no inodes left, which means too many files"
    return f": the disk of {folder} is full" if state.f_bavail * state.f_frsize < _FULL_BYTES else ""


def _folder_fault(product: Path) -> str | None:
    """Return the sentence for a products folder that cannot be used, also when the product is a link into it."""
    for folder in dict.fromkeys([product.parent, Path(os.path.realpath(product)).parent]):
        try:
            # fails when the folder may not be entered
            (folder / "..").stat()
            with os.scandir(folder) as entries:
                reason = None if next(entries, None) else "it is empty"
        except OSError as error:
            reason = error.strerror
        if reason:
            return (
                f"the products folder {folder} cannot be used ({reason}); mount or restore it, or correct "
                "source.path, then run again."
            )
    return None


def _memory_sentence(error: BaseException) -> str:
    return f"the job ran out of memory ({_one_line(error)}); give it more (mem_mb of its rule) and run again."


def _environment_sentence(reason: object) -> str:
    return f"the environment is incomplete ({reason}); rebuild it (make env), then run again."


def _advice(number: int) -> str:
    return "raise the limit of open files (ulimit -n)" if number in _TOO_MANY_FILES else "fix that"


def _one_line(error: BaseException) -> str:
    return one_sentence(str(error)) or type(error).__name__


def product_sentence(error: BaseException, product: Path | str) -> str:
    """Return what is wrong with a product, in one line: our own sentence, or what a parser raised.

    Parameters
    ----------
    error : exception
    product : Path or str
        Its path or name, for exceptions whose text does not name it.
    """
    if isinstance(error, TigerbushError):
        return one_sentence(str(error))
    if isinstance(error, OSError):
        return one_sentence(f"{type(error).__name__}: {error}")
    return one_sentence(
        f"{product} cannot be read ({type(error).__name__}: {one_sentence(str(error), 300)}); {LEAVE_OUT}."
    )
