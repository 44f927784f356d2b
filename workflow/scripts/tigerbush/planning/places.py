"""Files and folders of a run that are refused before anything opens them or a job starts there."""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError

# quantities of the weather, each of which may have a file of its own
QUANTITIES = ("precipitation", "temperature")
# lone surrogates stand for bytes that are no UTF-8
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
# what is in braces Snakemake takes for a wildcard of an environment
_WILDCARD = re.compile(r"[{}\ud800-\udfff]")
# between quotes these still mean something to the shells that a command passes through, or to SLURM in names of logs
_EXPANDED = re.compile(r"[$`\\\x00-\x1f\x7f]|%[%0-9AaJjNnstux]|\{.*\}|'.*\"|\".*'", re.DOTALL)
# and these to Python's lists of folders, to Snakemake, and to the launchers that pip writes
_NO_CHECKOUT = re.compile(r"[:{}\"$`\\\x00-\x1f\x7f\ud800-\udfff]")
_NAMES = {"\n": "a line break", "\t": "a tab"}
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def check_table_of_sites(config: Mapping, directory: Path = Path()) -> None:
    """Refuse a table of sites that is no file, before it is opened: a device or a pipe would block for ever.

    Raises
    ------
    TigerbushError
    """
    path = directory / config["sites"]
    check_file("sites", path)
    if not path.exists():
        raise TigerbushError(
            f"sites: {path} cannot be read as a table, because it is not there; write it or correct sites."
        )


def check_files(config: Mapping, sites: Iterable[str], directory: Path = Path()) -> None:
    """Refuse tables of products and files of weather that are there and are no files that can be read.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    sites : iterable of str
        Their names.
    directory : Path
        The working directory of the run.

    Raises
    ------
    TigerbushError
    """
    table = directory / config["products"]
    check_file("products", table)
    check_file("products", table.with_name("files.tsv"))
    weather = config["weather"]
    for key, path in (
        ("weather.path", weather["path"]),
        *((f"weather.{quantity}.path", weather[quantity]["path"]) for quantity in QUANTITIES),
    ):
        names = sites if path and "{site}" in path else [""]
        for site in names if path else ():
            check_file(key, directory / path.replace("{site}", site))


def check_file(key: str, path: Path) -> None:
    """Refuse what is there and is no regular file that can be read, without opening it.

    Raises
    ------
    TigerbushError
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TigerbushError(
            f"{key}: {str(path)[:200]} cannot be read ({error.strerror}); correct {key}."
        ) from None
    if kind != stat.S_IFREG:
        raise TigerbushError(
            f"{key}: {path} is {_KINDS.get(kind, 'no file')}, not a file; name a file that can be read."
        )
    if not os.access(path, os.R_OK, effective_ids=True):
        raise TigerbushError(f"{key}: {path} may not be read by this user; change its permissions.")


def check_folders(folder: str, workflow: str, python: str, submitted: bool) -> None:
    """Refuse places whose names Snakemake, or the shells that start its jobs, take for something else.

    Parameters
    ----------
    folder : str
        The working folder, absolute.
    workflow : str
        A file of the workflow.
    python : str
        Python's own path.
    submitted : bool
        Whether jobs are commands that are submitted, as on SLURM, and find these places there.

    Raises
    ------
    TigerbushError
    """
    places = [
        ("working folder", folder, _NO_TEXT),
        ("folder of the workflow", workflow, _WILDCARD),
    ]
    if submitted:
        places += [
            ("working folder", folder, _EXPANDED),
            ("folder of the workflow", workflow, _EXPANDED),
            ("folder of Python", python, _EXPANDED),
        ]
    job = "a submitted job" if submitted else "a job"
    for what, path, pattern in places:
        if sentence := _refusal(what, path, pattern, f"{job} cannot start"):
            raise TigerbushError(sentence)


def checkout_refusal(folder: str) -> str | None:
    """Say why the environment of a checkout cannot be made in a folder; None when it can. `make env` asks."""
    return _refusal(
        "folder of the checkout", folder, _NO_CHECKOUT, "the environment or its jobs cannot start"
    )


def _refusal(what: str, path: str, pattern: re.Pattern, fault: str) -> str | None:
    match = pattern.search(path)
    if match is None:
        return None
    character = _NAMES.get(match[0], ascii(match[0]))
    return f"the {what} {path!a} has {character} in its path, with which {fault}; rename or move it."
