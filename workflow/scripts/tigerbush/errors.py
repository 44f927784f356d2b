"""The exceptions that carry a sentence for the user, and whose fault an exception is."""

import errno
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path


def _numbers(names: str) -> set[int]:
    """Return the numbers of error names, as far as the operating system has them."""
    return {getattr(errno, name) for name in names.split() if hasattr(errno, name)}


# of a place that is written to
NO_ROOM = _numbers("ENOSPC EDQUOT EFBIG EROFS")
_NO_MEMORY = _numbers("ENOMEM")
_NO_FILES = _numbers("EMFILE ENFILE")
# of a file system that is not there (any more)
_NO_DISK = _numbers(
    "ESTALE ENOTCONN EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ETIMEDOUT ECONNABORTED ENODEV ENXIO ENOMEDIUM ENOLINK "
    "ESHUTDOWN ENOKEY EKEYEXPIRED"
)
_ALWAYS = NO_ROOM | _NO_MEMORY | _NO_FILES | _NO_DISK
# how decoders say that they got no memory, which they also say of a damaged header
_DECODER_MEMORY = re.compile("memory|alloc|system limits", re.IGNORECASE)
_ALLOCATION = re.compile(r"allocat\w* (\d+) bytes")
# more than any file of a product takes to decode
_LARGEST_NEED = 2**29
# more than one product opens at once
_MOST_FILES = 16


class TigerbushError(Exception):
    """Input that stays wrong however often it is tried again.

    The message is one sentence: which file, which field, what was expected, what to do.
    """


class KeptError(TigerbushError):
    """A product that cannot be read again: its finished result is kept as it is.

    Attributes
    ----------
    reason : str
        Why it cannot be read.
    """

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class GoneError(TigerbushError):
    """An object that is no longer there, is another one, or lies in an archive."""


class MachineError(OSError):
    """A fault of the machine or of the configuration, never of a product; the message is one sentence."""


class WriteError(MachineError):
    """A result that cannot be written: the machine's fault, never that of a product.

    The message is one sentence that names the file.
    """


class ConfigurationError(MachineError):
    """A value of the configuration that cannot be used: never the fault of a product; the message is one sentence."""


class EngineError(MachineError):
    """An engine that does not work on this machine: never the fault of a product; the message is one sentence."""


class RemoteError(OSError):
    """Trouble of the network or the server that may pass; the message is one sentence."""


def machine_fault(error: BaseException, product: Path | None = None) -> str | None:
    """Decide whether the machine or the configuration is to blame for an error, or the product that was worked on.

    Of the machine or the configuration:

    - no space, quota used up, file too large, read-only file system, wherever it is;
    - no permission for, or trouble with, any file that is not the product's;
    - a folder of products that is not there, is no folder, is empty, or may not be entered or listed;
    - too many open files, memory used up (GDAL's and OpenJPEG's words for it included);
    - a module that is missing or broken;
    - a file system that is disconnected or stale.

    Of the product:

    - a file of it that may not be read, is missing, damaged, or cannot be read from its disk (EIO);
    - whatever its source answers (`RemoteError`), also when it does not answer;
    - a header that asks for more memory than any product needs.

    Parameters
    ----------
    error : exception
        With what it was raised from.
    product : Path, optional
        Where the product lies on this machine.

    Returns
    -------
    str or None
        One sentence; None when the product is to blame, or nobody known.
    """
    remote = False
    for link in _chain(error):
        if isinstance(link, MachineError):
            return str(link)
        remote = remote or isinstance(link, RemoteError)
        if reason := _fault(link, product, remote):
            return reason
    return _folder_fault(product) if product is not None and not remote else None


def refuse_fault(error: BaseException, product: Path | None = None) -> None:
    """Raise MachineError when an error is no fault of the product (see `machine_fault`)."""
    if fault := machine_fault(error, product):
        raise MachineError(fault) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what it was raised from, as Python would print them."""
    seen: set[int] = set()
    # an exception may be raised from itself
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _fault(error: BaseException, product: Path | None, remote: bool) -> str | None:
    """Return the sentence for one link of a chain that is not the product's fault, else None."""
    if _lacks_memory(error):
        return _no_memory(error)
    if isinstance(error, ImportError):
        return _no_module(error)
    if type(error).__module__.startswith("rasterio"):
        return _gdal_fault(error)
    # NetCDF numbers its own errors below zero
    if isinstance(error, OSError) and (error.errno or 0) > 0:
        return _file_fault(error, product, remote)
    return None


def _lacks_memory(error: BaseException) -> bool:
    # the XML parser and OpenCV have numbers of their own
    number = getattr(error, "code", None)
    parser = isinstance(error, SyntaxError) and number == 1
    opencv = type(error).__module__ == "cv2" and number == -4
    return isinstance(error, MemoryError) or parser or opencv


def _gdal_fault(error: BaseException) -> str | None:
    """Judge by what GDAL says: its errors have no number of the operating system."""
    text = _words(error)
    for number in _ALWAYS:
        if os.strerror(number) in text:
            return _no_memory(error) if number in _NO_MEMORY else f"{text}; {_advice(number)} and run again."
    if type(error).__name__ == "CPLE_OutOfMemoryError":
        asked = _ALLOCATION.search(text)
        return None if asked and int(asked[1]) > _LARGEST_NEED else _no_memory(error)
    if _DECODER_MEMORY.search(text) and not _memory_left():
        return _no_memory(error)
    if "supported file format" in text and not _reads_jp2():
        return _no_module("GDAL has no driver JP2OpenJPEG")
    # inside a zip GDAL takes what it cannot open for missing
    return None if _files_left() else f"{os.strerror(errno.EMFILE)}; {_advice(errno.EMFILE)} and run again."


def _memory_left() -> bool:
    try:
        # mapped, but not touched
        mmap.mmap(-1, _LARGEST_NEED).close()
    except OSError:
        return False
    return True


def _files_left() -> bool:
    held = []
    try:
        for _ in range(_MOST_FILES):
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    finally:
        for number in held:
            os.close(number)
    return True


def _reads_jp2() -> bool:
    import rasterio  # jobs that read text do without it

    with rasterio.Env() as environment:
        return "JP2OpenJPEG" in environment.drivers()


def _file_fault(error: OSError, product: Path | None, remote: bool) -> str | None:
    number, name = error.errno, error.filename
    path = Path(os.fsdecode(name)) if isinstance(name, (str, bytes, Path)) else None
    # what a socket says of a remote host is the answer of the source
    if number in _ALWAYS and not (remote and number in _NO_DISK):
        if number in _NO_MEMORY:
            return _no_memory(error)
        return f"{f'{path}: ' if path else ''}{error.strerror}; {_advice(number)} and run again."
    if path is None or remote or (product is not None and (path == product or product in path.parents)):
        return None
    return f"{path}: {error.strerror}; {_advice(number)} and run again."


def _folder_fault(product: Path) -> str | None:
    """Return the sentence for the folder of a product, or the one that a link leads to, when it is at fault."""
    for folder in dict.fromkeys([product.parent, Path(os.path.realpath(product)).parent]):
        try:
            # that it may be entered
            (folder / "..").stat()
            with os.scandir(folder) as entries:
                reason = None if next(entries, None) else "it is empty"
        except OSError as error:
            reason = error.strerror
        if reason:
            return (
                f"the folder of products {folder} cannot be used ({reason}); mount or restore it, or correct "
                "source.path, then run again."
            )
    return None


def _no_memory(error: BaseException) -> str:
    return f"the memory of the job is used up ({_words(error)}); give it more (mem_mb of its rule) and run again."


def _no_module(what: object) -> str:
    return f"the environment is incomplete ({what}); make it again (make env), then run again."


def _advice(number: int) -> str:
    return "raise the limit of open files (ulimit -n)" if number in _NO_FILES else "mend that"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
