"""Checks of the files and folders of a run, before anything opens them or a job starts there."""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError

# weather quantities; each may have its own file
QUANTITIES = ("precipitation", "temperature")
# lone surrogates stand for bytes that are not UTF-8
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
# Snakemake takes names in braces for wildcards
_WILDCARD = re.compile(r"[{}\ud800-\udfff]")
# special even in quotes: for the shells that a command passes through, or for SLURM in names of logs
_EXPANDED = re.compile(r"[$`\\\x00-\x1f\x7f]|%[%0-9AaJjNnstux]|\{.*\}|'.*\"|\".*'", re.DOTALL)
# special in Python's search path, for Snakemake, or in the launchers that pip writes
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
    """Refuse a table of sites that is not a regular file, before it is opened: a device or pipe would block for ever.

    Without sites there is none.

    Raises
    ------
    TigerbushError
    """
    if config["sites"] is None:
        return
    path = directory / config["sites"]
    check_file("sites", path)
    if not path.exists():
        raise TigerbushError(f"sites: {path} does not exist; write this table, or correct sites.")


def check_files(
    config: Mapping, sites: Iterable[str], directory: Path = Path(), results: Path = Path("results")
) -> None:
    """Refuse tables of products and weather files that are not readable regular files, and weather that does not exist.

    The table of products is written by discovery. Weather that was read in an earlier run outlives its file.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    sites : iterable of str
        Their names.
    directory : Path
        The working directory of the run.
    results : Path
        The folder of its results, relative to that.

    Raises
    ------
    TigerbushError
    """
    table = directory / config["products"]
    check_file("products", table)
    check_file("products", table.with_name("files.tsv"))
    weather = config["weather"]
    keys = {"weather.path": weather["path"]}
    keys |= {f"weather.{quantity}.path": weather[quantity]["path"] for quantity in QUANTITIES}
    for key, path in keys.items():
        for site in _sites_with_file(path, sites):
            check_file(key, directory / path.replace("{site}", site))
    if weather["path"] and config["source"]["kind"] != "sample":
        for quantity in QUANTITIES:
            key = f"weather.{quantity}.path" if weather[quantity]["path"] else "weather.path"
            check_weather_exists(key, keys[key], sites, directory, results)


def check_weather_exists(key: str, path: str, sites: Iterable[str], directory: Path, results: Path) -> None:
    """Refuse a weather file that does not exist, unless weather of its sites was read in an earlier run.

    Raises
    ------
    TigerbushError
    """
    for site in _sites_with_file(path, sites):
        file = directory / path.replace("{site}", site)
        if not file.exists() and not any((directory / results).glob(f"{site or '*'}/*/weather.json")):
            raise TigerbushError(f"{key}: {file} does not exist; correct {key}, or set it to null.")


def _sites_with_file(path: str | None, sites: Iterable[str]) -> Iterable[str]:
    """Return the sites that have a weather file of their own; one without name when all have the same."""
    if not path:
        return ()
    return sites if "{site}" in path else ("",)


def check_file(key: str, path: Path) -> None:
    """Refuse what exists but is not a readable regular file, without opening it.

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
            f"{key}: {path} is {_KINDS.get(kind, 'something else')}, not a file; name a readable file."
        )
    if not os.access(path, os.R_OK, effective_ids=True):
        raise TigerbushError(f"{key}: {path} is not readable for this user; change its permissions.")


def check_folders(folder: str, workflow: str, python: str, submitted: bool) -> None:
    """Refuse folders whose names Snakemake, or the shells that start its jobs, would misinterpret.

    Parameters
    ----------
    folder : str
        The working folder, absolute.
    workflow : str
        Path of a file of the workflow.
    python : str
        Path of the Python executable.
    submitted : bool
        Whether jobs are submitted as commands, as on SLURM, and use these folders.

    Raises
    ------
    TigerbushError
    """
    folders = [
        ("working folder", folder, _NOT_UTF8),
        ("folder of the workflow", workflow, _WILDCARD),
    ]
    if submitted:
        folders += [
            ("working folder", folder, _EXPANDED),
            ("folder of the workflow", workflow, _EXPANDED),
            ("folder of Python", python, _EXPANDED),
        ]
    job = "a submitted job" if submitted else "a job"
    for name, path, pattern in folders:
        if sentence := _refusal(name, path, pattern, f"{job} cannot start"):
            raise TigerbushError(sentence)


def checkout_refusal(folder: str) -> str | None:
    """Return why the environment of a checkout cannot be created in a folder, for `make env`; None if it can."""
    return _refusal(
        "folder of the checkout", folder, _NO_CHECKOUT, "the environment or its jobs cannot start"
    )


def _refusal(name: str, path: str, pattern: re.Pattern, fault: str) -> str | None:
    """Return the sentence for a folder whose path matches a pattern; None if it does not."""
    match = pattern.search(path)
    if match is None:
        return None
    character = _NAMES.get(match[0], ascii(match[0]))
    return f"the {name} {path!a} has {character} in its path, with which {fault}; rename or move it."
