"""Invented secrets, one of each kind, and a search for them in files, responses and processes."""

import base64
import re
import threading
from collections.abc import Iterable
from pathlib import Path

# long enough not to occur anywhere by chance
ENVIRONMENT = {
    name: f"canary-{name.lower().replace('_', '-')}-5f2c"
    for name in (
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY",
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY",
        "SNAKEMAKE_STORAGE_S3_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_STORAGE_KEY",
        "CDSE_PASSWORD",
    )
}


def encodings(value: str) -> list[bytes]:
    """Return a text as it is and as it appears within base64, which depends on the number of bytes before it."""
    raw = value.encode()
    base64_forms = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        # the first and last digits also hold bits of the neighbours
        base64_forms.append(encoded[-(-before * 8 // 6) : len(encoded) // 4 * 4 - 4])
    return [raw, *base64_forms, *(form.translate(bytes.maketrans(b"+/", b"-_")) for form in base64_forms)]


class Search:
    """A search for secrets, given by name, in whatever a run leaves."""

    def __init__(self, secrets: dict[str, str]):
        self.encodings = {name: encodings(value) for name, value in secrets.items()}

    def secrets_in(self, content: bytes | str) -> set[str]:
        """Return the names of the secrets in a text."""
        content = content.encode() if isinstance(content, str) else content
        return {name for name, forms in self.encodings.items() if any(form in content for form in forms)}

    def files(self, *folders: Path, but: Iterable[str] = ()) -> dict[str, set[str]]:
        """Return the files below folders that contain secrets, and which; files named in `but` are not searched."""
        secrets = {}
        for path in (path for folder in folders for path in folder.rglob("*")):
            if path.name in but or not path.is_file() or path.is_symlink():
                continue
            if names := self.secrets_in(path.read_bytes()) | self.secrets_in(path.name):
                secrets[str(path)] = names
        return secrets


class Processes:
    """A watch of this machine's processes during a block: secrets in command lines, and in the environments of jobs.

    `jobs` is a regular expression for the beginning of the command lines of jobs; other tests may run at the same time.

    Attributes
    ----------
    shown : set of (str, str)
        Secrets in command lines, with the command lines.
    inherited : set of str
        Secrets in the environments of jobs.
    seen : set of str
        Process ids of the jobs that were seen.
    """

    def __init__(self, search: Search, jobs: str):
        self.search, self.jobs = search, re.compile(jobs.encode())
        self.shown: set[tuple[str, str]] = set()
        self.inherited: set[str] = set()
        self.seen: set[str] = set()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def _watch(self):
        while not self.ended.wait(0.1):
            for path in Path("/proc").iterdir():
                if path.name.isdigit():
                    self._inspect(path)

    def _inspect(self, path: Path):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ")
            self.shown |= {
                (name, command.decode(errors="replace")) for name in self.search.secrets_in(command)
            }
            if self.jobs.match(command):
                self.seen.add(path.name)
                self.inherited |= self.search.secrets_in((path / "environ").read_bytes())
        except OSError:
            # the process has ended
            return
