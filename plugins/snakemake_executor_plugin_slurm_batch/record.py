"""What SLURM reported in a run, next to Snakemake's own records: `./tigerbush status` reads it."""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path


class Record:
    """A small file that is rewritten at every change.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._refusals: Counter[str] = Counter()
        self._content: dict[str, object] = {}

    def count_refusal(self, answer: str) -> None:
        """Count a temporary refusal of sbatch."""
        with self._lock:
            self._refusals[answer] += 1
        self.update(refused_for_now=dict(self._refusals))

    def update(self, **values: str | Mapping[str, int]) -> None:
        """Record the run's name in SLURM (`run`), or how many of its jobs failed for which reason (`failed`).

        A file that cannot be written does not stop the run.
        """
        with self._lock:
            self._content |= values
            temporary = self._path.with_name(f".{self._path.name}")
            try:
                temporary.write_text(json.dumps(self._content))
                temporary.replace(self._path)
            except OSError:
                temporary.unlink(missing_ok=True)
