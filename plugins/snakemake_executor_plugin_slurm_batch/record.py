"""What SLURM said in a run, beside Snakemake's own records: `./tigerbush status` reads it."""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path


class Record:
    """A small file, written anew with every change.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._refusals: Counter[str] = Counter()
        self._content: dict[str, object] = {}

    def refused(self, answer: str) -> None:
        """Count a refusal for now."""
        with self._lock:
            self._refusals[answer] += 1
        self.write(refused_for_now=dict(self._refusals))

    def write(self, **values: str | Mapping[str, int]) -> None:
        """Note the run's name in SLURM (`run`), or why so many jobs of it failed (`failed`).

        What cannot be written is not worth the run.
        """
        with self._lock:
            self._content |= values
            temporary = self._path.with_name(f".{self._path.name}")
            try:
                temporary.write_text(json.dumps(self._content))
                temporary.replace(self._path)
            except OSError:
                temporary.unlink(missing_ok=True)
