"""Files of many sites in one stored zip, each with a record of what made it, in an index beside.

A new site adds its files; those of the others are copied as they are. The zip is replaced before the index, so that
a file that the index names is always there; a job that dies in between makes a file twice.
"""

import hashlib
import json
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tigerbush.errors import TigerbushError, raise_machine_fault
from tigerbush.files import atomic_write, write_bytes

# What zipfile raises for a damaged file: its own error, those of the decompressors, RuntimeError or a subclass for
# unknown compression and for encryption, and others for impossible headers and names.
ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError, EOFError, KeyError, UnicodeError
)  # fmt: skip
# of all members, so that a bundle depends on its contents alone
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Entry:
    """What a bundle has of a site.

    Attributes
    ----------
    made : str
        Fingerprint of everything that the files were made with.
    status : {"ok", "outside", "failed"}
    reason : str
        Why there is nothing, one sentence; empty for `ok`.
    digest : str
        Of the contents of the files.
    """

    made: str
    status: str
    reason: str = ""
    digest: str = ""


def index_of(bundle: Path) -> Path:
    """Return the path of the index of a bundle."""
    return bundle.with_suffix(".json")


def is_bundle(path: Path) -> bool:
    """Tell whether a zip is a bundle of a run: beside its index, in the folder of a product."""
    return (
        path.suffix == ".zip"
        and path.parent.parent.name in ("windows", "downloads")
        and index_of(path).exists()
    )


def read_index(content: str | bytes) -> dict[str, Entry]:
    """Return what a bundle has of each site; nothing from an index that is damaged, so that all is made again."""
    try:
        return {site: Entry(**entry) for site, entry in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def index_at(bundle: Path) -> dict[str, Entry]:
    """Return what a bundle on this machine has of each site; nothing where there is none."""
    try:
        return read_index(index_of(bundle).read_bytes()) if bundle.exists() else {}
    except FileNotFoundError:
        return {}


def index_text(entries: Mapping[str, Entry]) -> str:
    """Return the content of an index."""
    return json.dumps({site: asdict(entries[site]) for site in sorted(entries)}, indent=1) + "\n"


def forget(entries: Mapping[str, Entry], sites: Collection[str]) -> dict[str, Entry]:
    """Return an index by which the files of some sites have to be made again."""
    return {site: replace(entry, made="") if site in sites else entry for site, entry in entries.items()}


def update_bundle(
    bundle: Path, entries: Mapping[str, Entry], files: Mapping[str, Mapping[str, Path | bytes]]
) -> None:
    """Add the files of sites to a bundle, or replace them; the other ones are copied. Without any, it stays as it is.

    Parameters
    ----------
    bundle : Path
        A zip; made if there is none.
    entries : mapping of site to Entry
        Their digests are computed.
    files : mapping of site to mapping of str to Path or bytes
        Of each of these sites, or their contents, by the name in the folder `{site}` of the zip.

    Raises
    ------
    WriteError
        When the bundle cannot be written; it is then as it was before.
    """
    if not entries and bundle.exists() and index_of(bundle).exists():
        return
    index = {site: entry for site, entry in index_at(bundle).items() if site not in entries}
    with atomic_write(bundle) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as target:
        copied = _copy_sites(bundle, target, index)
        for site in sorted(files):
            for name, path in sorted(files[site].items()):
                _add(target, f"{site}/{name}", _content(path))
    index = {site: index[site] for site in copied}
    for site, entry in entries.items():
        index[site] = replace(entry, digest=_digest(files[site]))
    write_bytes(index_of(bundle), index_text(index).encode())


def _copy_sites(bundle: Path, target: zipfile.ZipFile, sites: Collection[str]) -> set[str]:
    """Copy the files of sites from a bundle, and return the sites whose files are intact."""
    intact, damaged = set(), set()
    try:
        with zipfile.ZipFile(bundle) as source:
            for member in source.infolist():
                site = member.filename.partition("/")[0]
                if site not in sites:
                    continue
                try:
                    # checks its CRC
                    content = source.read(member)
                except ZIP_ERRORS:
                    damaged.add(site)
                    continue
                _add(target, member.filename, content)
                intact.add(site)
    except FileNotFoundError:
        return set()
    except ZIP_ERRORS as error:
        raise_machine_fault(error)
        return set()
    return intact - damaged


def pack_folder(folder: Path, out: Path) -> None:
    """Write the files of a folder into a zip, in order and without their times.

    Raises
    ------
    WriteError
        When the zip cannot be written.
    """
    with atomic_write(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            _add(archive, path.relative_to(folder).as_posix(), path.read_bytes())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file to a zip; rasters and images are compressed already."""
    method = zipfile.ZIP_DEFLATED if name.endswith((".json", ".svg")) else zipfile.ZIP_STORED
    archive.writestr(zipfile.ZipInfo(name, _TIME), content, method)


def _content(file: Path | bytes) -> bytes:
    return file if isinstance(file, bytes) else file.read_bytes()


def _digest(files: Mapping[str, Path | bytes]) -> str:
    content = b"".join(_content(file) for _, file in sorted(files.items()))
    return hashlib.sha256(content).hexdigest()[:16]


def holds(bundle: Path, site: str) -> bool:
    """Tell whether all files that a bundle has of a site are intact, and there are any.

    Raises
    ------
    MachineError
        When the machine prevents it from being read, so that its state is unknown.
    """
    try:
        with zipfile.ZipFile(bundle) as source:
            members = [member for member in source.infolist() if member.filename.startswith(f"{site}/")]
            for member in members:
                source.read(member)
            return bool(members)
    except FileNotFoundError:
        return False
    except (*ZIP_ERRORS, OSError) as error:
        raise_machine_fault(error)
        return False


def gdal_path(bundle: Path, site: str, name: str) -> str:
    """Return the path by which GDAL reads a file in a bundle."""
    return f"/vsizip/{bundle}/{site}/{name}"


@contextmanager
def folder_beside(bundle: Path) -> Iterator[Path]:
    """Yield a hidden folder beside a bundle for the files that are put into it; it is removed at the end."""
    folder = bundle.with_name(f".{bundle.stem}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def contents_of(bundle: Path) -> dict[str, str]:
    """Return a digest of the names, sizes and checksums of the files of each site in a bundle.

    Raises
    ------
    TigerbushError
        When the bundle is damaged.
    """
    digests = {}
    try:
        with zipfile.ZipFile(bundle) as source:
            for member in sorted(source.infolist(), key=lambda member: member.filename):
                state = digests.setdefault(member.filename.partition("/")[0], hashlib.sha256())
                state.update(f"{member.filename} {member.file_size} {member.CRC}\n".encode())
    except (*ZIP_ERRORS, FileNotFoundError) as error:
        raise_machine_fault(error)
        raise TigerbushError(f"{bundle} is damaged ({error}); delete it and run again.") from error
    return {site: state.hexdigest() for site, state in digests.items()}


def read_member(bundle: Path, site: str, name: str) -> bytes:
    """Return a file of a site in a bundle.

    Raises
    ------
    TigerbushError
        When the bundle does not have it intact.
    """
    try:
        with zipfile.ZipFile(bundle) as source:
            return source.read(f"{site}/{name}")
    except (*ZIP_ERRORS, FileNotFoundError) as error:
        raise_machine_fault(error)
        raise TigerbushError(
            f"{bundle} does not have {site}/{name} intact ({error}); delete it and run again."
        ) from error


@contextmanager
def unpacked(bundle: Path, site: str, name: str) -> Iterator[Path]:
    """Yield a file of a bundle as a file of its own, in a hidden folder beside, until the block ends.

    Raises
    ------
    TigerbushError
        When the bundle does not have it intact.
    """
    folder, content = bundle.with_name(f".{site}"), read_member(bundle, site, name)
    try:
        write_bytes(folder / name, content)
        yield folder / name
    finally:
        shutil.rmtree(folder, ignore_errors=True)
