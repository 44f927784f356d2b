"""The configuration as snakemake reads it: config/config.yaml, the files given, and single values on top."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import yaml
import yte
from jsonschema import ValidationError
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate

from tigerbush.cli.credentials import refuse_credentials
from tigerbush.cli.snakemake import SNAKEFILE
from tigerbush.errors import TigerbushError

DEFAULT = Path("config/config.yaml")
SCHEMA = SNAKEFILE.parent / "schemas" / "config.schema.yaml"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of snakemake that make the configuration."""
    command.add_argument(
        "--configfile",
        "--configfiles",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="configuration on top of config/config.yaml, as for snakemake",
    )
    command.add_argument(
        "--config", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="single values"
    )
    command.add_argument(
        "--directory",
        "-d",
        type=Path,
        default=Path(),
        help="working directory of the run (default: this one)",
    )
    command.add_argument("--profile", metavar="FOLDER", help="profile of the run, for example profiles/slurm")


def snakemake_arguments(options: argparse.Namespace) -> list[str]:
    """Return the options as snakemake takes them."""
    arguments = ["--directory", str(options.directory)]
    for name in ("configfile", "config"):
        if values := getattr(options, name):
            arguments += [f"--{name}", *values]
    return arguments


def read_configuration(options: argparse.Namespace) -> dict:
    """Read, merge and check the configuration; the schema fills in the defaults.

    Raises
    ------
    TigerbushError
        When a file is missing, a URL holds a password or the schema refuses the whole.
    """
    default = options.directory / DEFAULT
    paths = [default] if default.exists() or not options.configfile else []
    config: dict = {}
    for path in [*paths, *map(Path, options.configfile)]:
        update_config(config, _mapping(path))
    for word in options.config:
        key, _, value = word.partition("=")
        update_config(config, {key: yaml.safe_load(value)})
    refuse_credentials(config, "")
    if isinstance(config.get("period"), dict):
        # YAML turns an unquoted 2016-01-01 into a date
        config["period"] = {key: str(value) for key, value in config["period"].items()}
    try:
        validate(config, str(SCHEMA))
    except WorkflowError as error:
        raise TigerbushError(_sentence(error.__context__ or error)) from None
    # what null becomes, as fill_in_kind of rules/config.smk has it
    sample = config["source"]["kind"] == "sample"
    config["products"] = config["products"] or ("config/sample" if sample else "results") + "/products.tsv"
    if sample:
        config["source"]["path"] = config["source"]["path"] or "data/sample"
    elif config["source"]["kind"] == "local" and config["source"]["path"] is None:
        raise TigerbushError("source.path is null; set it to the folder of your .SAFE products.")
    return config


def read_profile(folder: str | None) -> dict:
    """Read the settings of a profile; its expressions are evaluated as snakemake does it.

    Raises
    ------
    TigerbushError
        When there is no such profile, or an expression fails.
    """
    if folder is None:
        return {}
    # snakemake prefers the file for its own version
    found = sorted(Path(folder).glob("config*.yaml"), key=lambda path: path.name == "config.yaml")
    if not found:
        raise TigerbushError(f"--profile {folder} is not a folder with a config.yaml; check its name.")
    content = _mapping(found[0])
    if not content.get("__use_yte__"):
        return content
    try:
        return yte.process_yaml(found[0].read_text(encoding="utf-8"), require_use_yte=True)
    except Exception as error:
        # whatever the expressions raise: their text says what is wrong
        text = str(error.__cause__ or error).rpartition("AccountError: ")[2]
        raise TigerbushError(f"{found[0]} cannot be used: {text}") from None


def read_sites(path: Path) -> dict[str, dict]:
    """Read the table of sites for estimates; the workflow itself checks it."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        return {row["site"]: row | {"region_size": float(row["region_size"])} for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise TigerbushError(f"{path} cannot be read as a table of sites ({error}).") from error


def names(options: argparse.Namespace) -> Sequence[str]:
    """Name the files that the configuration comes from."""
    default = [str(DEFAULT)] if (options.directory / DEFAULT).exists() else []
    return [*default, *options.configfile]


def _mapping(path: Path) -> dict:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TigerbushError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content or {}, dict):
        raise TigerbushError(f"{path} holds no keys; see config/README.md.")
    return content or {}


def _sentence(error: BaseException) -> str:
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    return f"{where}: {error.message}; see config/README.md."
