"""Made-up keys, one of each kind, and where they turn up: in files, answers and the lists of processes."""

import base64
import re
import threading
from collections.abc import Iterable
from pathlib import Path

# of no one; long enough that none stands anywhere by chance
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


def forms(value: str) -> list[bytes]:
    """A text, and what it becomes within base64, which depends on how many bytes stand before it."""
    raw = value.encode()
    found = [raw]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        # the first and last digits also hold bits of the neighbours
        found.append(encoded[-(-before * 8 // 6) : len(encoded) // 4 * 4 - 4])
    return [*found, *(one.translate(bytes.maketrans(b"+/", b"-_")) for one in found[1:])]


class Search:
    """Looks for secrets, given by their names, in whatever a run leaves."""

    def __init__(self, secrets: dict[str, str]):
        self.forms = {name: forms(value) for name, value in secrets.items()}

    def named(self, content: bytes | str) -> set[str]:
        content = content.encode() if isinstance(content, str) else content
        return {name for name, found in self.forms.items() if any(form in content for form in found)}

    def files(self, *folders: Path, but: Iterable[str] = ()) -> dict[str, set[str]]:
        """The files below folders that hold a secret, and which; `but` names files that are not looked into."""
        found = {}
        for path in (path for folder in folders for path in folder.rglob("*")):
            if path.name in but or not path.is_file() or path.is_symlink():
                continue
            if named := self.named(path.read_bytes()) | self.named(path.name):
                found[str(path)] = named
        return found


class Processes:
    """The processes of this machine while a block runs: command lines with secrets, and which jobs inherit them.

    `jobs` is an expression for the beginning of the command lines of jobs; other tests may run at the same time.

    Attributes
    ----------
    shown : set of (str, str)
        Secrets in command lines, and the command lines.
    inherited : set of str
        Secrets in the environment of jobs.
    seen : set of str
        The jobs that were seen.
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
                    self._look(path)

    def _look(self, path: Path):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ")
            self.shown |= {(name, command.decode(errors="replace")) for name in self.search.named(command)}
            if self.jobs.match(command):
                self.seen.add(path.name)
                self.inherited |= self.search.named((path / "environ").read_bytes())
        except OSError:
            # it has ended
            return
