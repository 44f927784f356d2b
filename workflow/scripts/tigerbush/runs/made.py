"""What the files of sites were made of, where a job makes those of many sites and leaves those of the others."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from tigerbush.files import read_json, write_json


def digest_of(*parts: object) -> str:
    """Return the digest of what files are made of: of paths the contents, of all else the representation."""
    state = sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else repr(part).encode()
        state.update(f"{len(content)} ".encode() + content)
    return state.hexdigest()


def make_outdated(
    record: Path,
    wanted: Mapping[str, str],
    files: Mapping[str, Iterable[Path]],
    make: Callable[[str], object],
) -> None:
    """Make the files of the sites of which something has changed or is missing.

    Parameters
    ----------
    record : Path
        JSON, what the files of each site were made of, written once all are complete.
    wanted : mapping of site to str
        What they are made of now, from `digest_of`.
    files : mapping of site to paths
    make : callable
        Makes the files of a site.
    """
    made = read_json(record) if record.exists() else {}
    for site, digest in wanted.items():
        if made.get(site) != digest or not all(file.exists() for file in files[site]):
            make(site)
    write_json(record, wanted)
