"""Write the configuration for a site of your own: a YAML file and a table of sites.

Options that are not given are asked for. Existing files are never overwritten. Each configuration has its own working
directory, with its table of products and its results. For example:
./tigerbush init --site sudan --longitude 27.94 --latitude 11.58 --start 2016-01-01 --end 2020-01-01 --source cdse
./tigerbush init --add config/sudan.yaml --site chad --longitude 19.5 --latitude 13.2
"""

import argparse
import math
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from tigerbush.cli.added_site import add_site
from tigerbush.cli.configuration import read_configuration
from tigerbush.cli.recipe import commands_of_run
from tigerbush.cli.snakemake import CHECKOUT, read_snakemake
from tigerbush.errors import TigerbushError
from tigerbush.files import write_bytes
from tigerbush.planning.configuration import check_values
from tigerbush.planning.paths import check_table_of_sites
from tigerbush.planning.periods import period_warning
from tigerbush.planning.tables import SITE, SITE_BOUNDS, SITE_COLUMNS
from tigerbush.sensors import suffixes

TEMPLATES = CHECKOUT / "config"
OUTPUT = Path("config")
# folder of the working directories
RUNS = Path("runs")
SOURCES = ("local", "cdse", "creodias", "wekeo", "aws-cogs")
STEP = re.compile(r"[1-9][0-9]{0,3}[dwmy]")


def _number(low: float, high: float) -> Callable[[str], float]:
    """Return a parser of numbers within bounds."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"{text[:40]!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def _day(text: str) -> str:
    try:
        # other forms of the same day would not match the schema
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a day such as 2016-01-01") from None


def _word(pattern: re.Pattern, expected: str) -> Callable[[str], str]:
    """Return a parser of words that match a pattern."""

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{text[:80]!r} is not {expected}")
        return text

    return parse


def _folder(text: str) -> str:
    """Return the absolute path of a folder: relative paths of a configuration start at the working directory."""
    try:
        folder = Path(os.path.expandvars(text)).expanduser()
        if folder.is_dir():
            return os.path.abspath(folder)  # noqa: PTH100 - also without ..
    except (OSError, RuntimeError, ValueError):
        # no access, no such user, or a null character
        pass
    raise ValueError(f"{text[:200]!r} is not a folder")


@dataclass(frozen=True)
class Question:
    """A question about the configuration: its name, its wording, the parser of its answer, the default."""

    name: str
    text: str
    parse: Callable[[str], object]
    default: str | None = None

    @property
    def option(self) -> str:
        """The command line option that answers it."""
        return "--" + self.name.replace("_", "-")

    def answer(self, text: str) -> object:
        """Parse an answer.

        Raises
        ------
        TigerbushError
            In one sentence, with what was expected.
        """
        try:
            return self.parse(text)
        except ValueError as error:
            raise TigerbushError(f"{self.option}: {error}; correct it.") from None


QUESTIONS = (
    Question("site", "name of the site", _word(re.compile(SITE), "a name of letters, digits, - and _")),
    Question("longitude", "longitude of its centre, degrees east", _number(*SITE_BOUNDS["longitude"])),
    Question("latitude", "latitude of its centre, degrees north", _number(*SITE_BOUNDS["latitude"])),
    Question("region_size", "side of the site in degrees of latitude", _number(*SITE_BOUNDS["region_size"]), "0.08"),
    Question("start", "first day", _day),
    Question("end", "the day after the last", _day),
    Question("step", "length of a period: 10d, 2w, 1m, 1y", _word(STEP, "a step such as 10d, 2w, 1m or 1y"), "1m"),
    Question(
        "source", f"source of the products: {', '.join(SOURCES)}",
        _word(re.compile("|".join(SOURCES)), f"one of {', '.join(SOURCES)}"),
    ),
)  # fmt: skip
# of a site, whichever configuration it is for
PLACE = QUESTIONS[: len(SITE_COLUMNS)]
FOLDER = Question("path", f"folder of your {suffixes()} products", _folder)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare one option per question."""
    for question in QUESTIONS:
        default = f" (default: {question.default})" if question.default else ""
        command.add_argument(question.option, metavar=question.name.upper(), help=question.text + default)
    command.add_argument(FOLDER.option, metavar="FOLDER", help=f"{FOLDER.text} (source local)")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help=f"folder for SITE.yaml and SITE_sites.tsv (default: {OUTPUT})",
    )
    command.add_argument(
        "--directory",
        type=Path,
        metavar="FOLDER",
        help=f"working directory of the runs, for results and the table of products (default: {RUNS}/SITE)",
    )
    command.add_argument(
        "--add",
        type=Path,
        metavar="CONFIG",
        help="add the site to the table of sites of this configuration instead",
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Ask for what is not given, check all answers as the workflow does, and write two files, or add a row to one."""
    if rest:
        raise TigerbushError(f"init does not know {rest[0]!r}; see ./tigerbush init --help.")
    given = _parse_given(options)
    return _add(options, given) if options.add else _write(options, given)


def _write(options: argparse.Namespace, given: dict[str, object]) -> int:
    """Write the configuration of a new site, and its table of sites."""
    answers = {question.name: _ask(question, given) for question in QUESTIONS}
    if answers["source"] == "local":
        answers["path"] = _ask(FOLDER, given)
    elif "path" in given:
        raise TigerbushError(f"--path is only for --source local, not {answers['source']}; omit it.")
    table, config = (
        (options.output or OUTPUT) / f"{answers['site']}{end}" for end in ("_sites.tsv", ".yaml")
    )
    directory = options.directory or RUNS / answers["site"]
    _refuse_existing(table, config, directory)
    check_values({"--output": str(config.absolute()), "--directory": str(directory.absolute())})
    _check(answers, table)
    _create(directory)
    write_bytes(table, table_of(answers).encode())
    write_bytes(config, config_of(answers, table, config, directory).encode())
    if warning := period_warning(answers["start"], answers["end"], answers["step"]):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"Written: {table} and {config}; results will be in {directory / 'results'}. Check, plan and run:")
    print(*(f"  {command}" for command in commands_of_run(config, directory)), sep="\n")
    return 0


def _add(options: argparse.Namespace, given: dict[str, object]) -> int:
    """Add a site to the table of an existing configuration."""
    allowed = {question.name for question in PLACE}
    for name in (*given, *(["output"] if options.output else [])):
        if name not in allowed:
            raise TigerbushError(f"--{name} is not for --add; change it in {options.add}.")
    usual = RUNS / options.add.stem
    directory = options.directory or (usual if usual.is_dir() else Path())
    config = read_configuration(
        argparse.Namespace(configfile=[str(options.add)], config=[], directory=directory)
    )
    if config["sites"] is None:
        raise TigerbushError(f"{options.add} has no table of sites to add to; set sites to one first.")
    check_table_of_sites(config, directory)
    site = {question.name: _ask(question, given) for question in PLACE}
    table = directory / config["sites"]
    add_site(table, site, config["subimages"]["size"] * config["composite"]["resolution"])
    print(f"Added: {site['site']} to {table}. Check, list the products of the new site, plan and run:")
    print(*(f"  {command}" for command in commands_of_run(options.add, directory)), sep="\n")
    return 0


def _create(directory: Path) -> None:
    """Create a working directory."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TigerbushError(
            f"{directory} cannot be created ({error.strerror}); choose another --directory."
        ) from None


def _refuse_existing(table: Path, config: Path, directory: Path) -> None:
    """Refuse to overwrite files, and to share the results of another configuration."""
    for target in (table, config):
        if target.exists():
            raise TigerbushError(
                f"{target} exists and is not overwritten; choose another --site or --output, edit that file, or add a "
                f"site to it with --add."
            )
    if (directory / "results").exists():
        raise TigerbushError(f"{directory} has results of another configuration; choose another --directory.")


def table_of(answers: dict) -> str:
    """Return the table of sites, with one row."""
    rows = SITE_COLUMNS, [str(answers[column]) for column in SITE_COLUMNS]
    return "".join("\t".join(row) + "\n" for row in rows)


def config_of(answers: dict, table: Path, config: Path, directory: Path) -> str:
    """Return the configuration: only what differs from the default, with the source of the ready-made file.

    Its paths are absolute, so that it works in any working directory.
    """
    template = (TEMPLATES / f"{answers['source']}.yaml").read_text(encoding="utf-8")
    source = template[template.index("\nsource:") + 1 :]
    if "path" in answers:
        path = yaml.safe_dump({"path": answers["path"]}, allow_unicode=True, width=float("inf"))
        source = re.sub("path: .*\n", lambda _: path, source)
    sites = yaml.safe_dump({"sites": str(table.absolute())}, allow_unicode=True, width=float("inf"))
    options = shlex.join(["--configfile", str(config), "--directory", str(directory)])
    return (
        f"# Site {answers['site']}, products of {answers['source']}; written by ./tigerbush init:\n"
        f"#   snakemake --profile profiles/local {options}\n"
        "# Only what differs from config/config.yaml; every key is explained in config/README.md.\n"
        "# Relative paths start at the working directory.\n\n"
        f"{sites}\n"
        f'period:\n  start: "{answers["start"]}"\n  end: "{answers["end"]}"       # the day after the last\n'
        f"  step: {answers['step']}\n\n{source}"
    )


def _parse_given(options: argparse.Namespace) -> dict[str, object]:
    return {
        question.name: question.answer(text)
        for question in (*QUESTIONS, FOLDER)
        if (text := getattr(options, question.name)) is not None
    }


def _ask(question: Question, given: dict[str, object]) -> object:
    """Return the given answer, the default where there is no terminal, or what the user types."""
    if question.name in given:
        return given[question.name]
    if not sys.stdin.isatty():
        if question.default is None:
            raise TigerbushError(f"{question.option} is missing ({question.text}); add it.")
        return question.answer(question.default)
    while True:
        default = f" [{question.default}]" if question.default else ""
        try:
            text = input(f"{question.text}{default}: ").strip() or question.default or ""
        except (EOFError, KeyboardInterrupt):
            print()
            raise TigerbushError(
                "init was interrupted before all answers were given; nothing was written."
            ) from None
        try:
            return question.answer(text)
        except TigerbushError as error:
            print(f"  {error}")


def _check(answers: dict, table: Path) -> None:
    """Let the schema and the workflow itself read the files that would be written."""
    if answers["start"] >= answers["end"]:
        raise TigerbushError(
            f"--end {answers['end']} must be after --start {answers['start']}; correct one of them."
        )
    with tempfile.TemporaryDirectory() as folder:
        draft, config = Path(folder, "sites.tsv"), Path(folder, "config.yaml")
        draft.write_text(table_of(answers), encoding="utf-8")
        config.write_text(config_of(answers, draft, config, Path(folder)), encoding="utf-8")
        options = argparse.Namespace(configfile=[str(config)], config=[], directory=Path(folder))
        try:
            read_configuration(options)
            read_snakemake(
                ["--configfile", str(config), "--directory", folder, "--list-target-rules", "--quiet"]
            )
        except TigerbushError as error:
            raise TigerbushError(str(error).replace(str(draft), str(table))) from None
