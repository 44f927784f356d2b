"""What the files of a site were made of, where a job makes those of many sites and leaves those of the others."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from tigerbush.files import write_bytes


def digest_of(*parts: object) -> str:
    """Return the digest of what files are made of: of paths the contents, of all else the representation."""
    state = sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else repr(part).encode()
        state.update(f"{len(content)} ".encode() + content)
    return state.hexdigest()


def is_made(record: Path, made: str, files: Iterable[Path]) -> bool:
    """Tell whether files are there, and were made of this."""
    return record.exists() and record.read_text() == made and all(file.exists() for file in files)


def record_made(record: Path, made: str) -> None:
    """Record what files were made of, once they are complete."""
    write_bytes(record, made.encode())
