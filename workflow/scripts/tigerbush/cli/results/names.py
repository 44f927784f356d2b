"""Names among results, which come from outside: which are taken, and which other systems cannot keep."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from tigerbush.cli.results.places import Item
from tigerbush.planning.addresses import KEY, LONGEST_KEY

RESULT = re.compile(
    r"(?:(?P<run>.+)/)?results/(?P<site>[A-Za-z0-9][\w-]*)/(?:(?P<date>\d{4}-\d\d-\d\d)/)?[^/].*"
)
# of each kind, so many are named
_NAMED = 5
_LONGEST_SHOWN = 120
# Windows counts the drive and the folder that a zip is unpacked in, too (260 in all)
_LONGEST_PATH = 240
# of a file or folder, on every system
_LONGEST_PART = 255
_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])", re.IGNORECASE)


def sort_out(items: Iterable[Item]) -> tuple[list[Item], list[str]]:
    """Take results whose names are plain and lead nowhere else.

    Returns
    -------
    good : list of Item
    left : list of str
        For each reason a line: how many files were left out, and some of their names.
    """
    good: list[Item] = []
    left: dict[str, list[str]] = defaultdict(list)
    for item in items:
        reason = _why_not(item)
        if reason:
            left[reason].append(item.name)
        else:
            good.append(item)
    return good, [f"left out, {reason}: {_some(names)}" for reason, names in left.items()]


def _why_not(item: Item) -> str | None:
    if item.left_out:
        return item.left_out
    if len(item.name) > LONGEST_KEY:
        return f"as their names have more than {LONGEST_KEY} characters"
    if not KEY.fullmatch(item.name):
        return "as their names lead elsewhere or hold more than letters, digits and _ . = + - /"
    return None if RESULT.fullmatch(item.name) else "as they are no results of a site"


def unportable(names: Sequence[str]) -> list[str]:
    """Name what cannot be unpacked everywhere, one line for each reason."""
    names = sorted(names)
    kinds = {
        "not to be unpacked side by side on Windows and macOS, as they differ only in case": _same_in_case(
            names
        ),
        "not to be unpacked side by side, as they are files and folders": sorted(
            set(names) & _folders(names)
        ),
        "not to be unpacked on Windows, as it forbids such names": [n for n in names if _forbidden(n)],
        "perhaps not to be unpacked, as their names are long": [n for n in names if _long(n)],
    }
    return [f"{reason}: {_some(found)}" for reason, found in kinds.items() if found]


def _folders(names: Iterable[str]) -> set[str]:
    return {str(folder) for name in names for folder in PurePosixPath(name).parents}


def _same_in_case(names: Iterable[str]) -> list[str]:
    """Return names, and the folders that they lie in, of which there is one more beside but for case."""
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name in {*names, *_folders(names)}:
        folder, _, last = name.rpartition("/")
        spellings[folder, last.casefold()].add(name)
    return sorted(name for group in spellings.values() if len(group) > 1 for name in group)


def _forbidden(name: str) -> bool:
    return any(_DEVICES.fullmatch(part.partition(".")[0]) or part.endswith(".") for part in name.split("/"))


def _long(name: str) -> bool:
    return len(name) > _LONGEST_PATH or any(len(part) > _LONGEST_PART for part in name.split("/"))


def _some(names: Sequence[str]) -> str:
    """Return how many names there are, and the first of them as Python writes them: they may hold anything."""
    shown = ", ".join(_shown(names))
    return f"{len(names)} ({shown}{', ...' if len(names) > _NAMED else ''})"


def _shown(names: Sequence[str]) -> Iterator[str]:
    for name in names[:_NAMED]:
        yield ascii(name[:_LONGEST_SHOWN]) + ("..." if len(name) > _LONGEST_SHOWN else "")
