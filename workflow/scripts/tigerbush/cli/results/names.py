"""File names of results, which come from outside: which are accepted, and which other systems cannot store."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from tigerbush.cli.results.storage import Item
from tigerbush.planning.addresses import KEY, MAX_KEY_LENGTH

RESULT = re.compile(
    r"(?:(?P<run>.+)/)?results/(?P<site>[A-Za-z0-9][\w-]*)/(?:(?P<date>\d{4}-\d\d-\d\d)/)?[^/].*"
)
# names shown per reason, and characters per name
_MAX_SHOWN = 5
_MAX_CHARACTERS = 120
# Windows also counts the drive and the folder in which a zip is unpacked (260 in total)
_MAX_PATH = 240
# of a single file or folder, on every system
_MAX_PART = 255
_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])", re.IGNORECASE)


def select_results(items: Iterable[Item]) -> tuple[list[Item], list[str]]:
    """Select results whose names are plain and lead nowhere else.

    Returns
    -------
    results : list of Item
    notes : list of str
        For each reason a line: how many files were left out, and some of their names.
    """
    results: list[Item] = []
    left_out: dict[str, list[str]] = defaultdict(list)
    for item in items:
        reason = _why_left_out(item)
        if reason:
            left_out[reason].append(item.name)
        else:
            results.append(item)
    return results, [
        f"left out, {reason}: {_count_and_examples(names)}" for reason, names in left_out.items()
    ]


def _why_left_out(item: Item) -> str | None:
    if item.left_out:
        return item.left_out
    if len(item.name) > MAX_KEY_LENGTH:
        return f"because their names have more than {MAX_KEY_LENGTH} characters"
    if not KEY.fullmatch(item.name):
        return "because their names lead elsewhere or contain more than letters, digits and _ . = + - /"
    return None if RESULT.fullmatch(item.name) else "because they are not results of a site"


def unportable(names: Sequence[str]) -> list[str]:
    """List the names that cannot be unpacked on every system, one line per reason."""
    names = sorted(names)
    affected = {
        "cannot be unpacked together on Windows and macOS, because they differ only in case": _same_in_case(
            names
        ),
        "cannot be unpacked together, because they are both files and folders": sorted(
            set(names) & _folders(names)
        ),
        "cannot be unpacked on Windows, which forbids such names": [n for n in names if _forbidden(n)],
        "may be too long to be unpacked": [n for n in names if _long(n)],
    }
    return [f"{reason}: {_count_and_examples(group)}" for reason, group in affected.items() if group]


def _folders(names: Iterable[str]) -> set[str]:
    return {str(folder) for name in names for folder in PurePosixPath(name).parents}


def _same_in_case(names: Iterable[str]) -> list[str]:
    """Return the names, and the folders in them, that differ from another one only in case."""
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name in {*names, *_folders(names)}:
        folder, _, last = name.rpartition("/")
        spellings[folder, last.casefold()].add(name)
    return sorted(name for group in spellings.values() if len(group) > 1 for name in group)


def _forbidden(name: str) -> bool:
    return any(_DEVICES.fullmatch(part.partition(".")[0]) or part.endswith(".") for part in name.split("/"))


def _long(name: str) -> bool:
    return len(name) > _MAX_PATH or any(len(part) > _MAX_PART for part in name.split("/"))


def _count_and_examples(names: Sequence[str]) -> str:
    """Return the number of names, and the first ones in quotes and ASCII, as they may contain anything."""
    examples = ", ".join(map(_quote, names[:_MAX_SHOWN]))
    return f"{len(names)} ({examples}{', ...' if len(names) > _MAX_SHOWN else ''})"


def _quote(name: str) -> str:
    return ascii(name[:_MAX_CHARACTERS]) + ("..." if len(name) > _MAX_CHARACTERS else "")
