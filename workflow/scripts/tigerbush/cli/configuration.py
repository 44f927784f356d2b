"""The configuration as snakemake reads it: config/config.yaml, the files given, and single values on top."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
import yte
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate

from tigerbush.cli.snakemake import SNAKEFILE
from tigerbush.errors import TigerbushError
from tigerbush.planning.configuration import check_depth, complete, prepare, schema_sentence
from tigerbush.planning.credentials import refuse_credentials
from tigerbush.planning.places import check_file, check_files, check_folders, check_table_of_sites
from tigerbush.planning.tables import read_sites

DEFAULT = Path("config/config.yaml")
SCHEMA = SNAKEFILE.parent / "schemas" / "config.schema.yaml"


def add_run_arguments(command: argparse.ArgumentParser) -> None:
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


def run_arguments(options: argparse.Namespace) -> list[str]:
    """Return the options of a run, its profile too, as snakemake takes them."""
    return [*snakemake_arguments(options), *(["--profile", options.profile] if options.profile else [])]


def read_configuration(options: argparse.Namespace) -> dict:
    """Read, merge and check the configuration; the schema fills in the defaults.

    Raises
    ------
    TigerbushError
        When a file is missing, a URL holds a password or the whole is refused, as the workflow refuses it.
    """
    _take_from_profile(options)
    default = options.directory / DEFAULT
    paths = [default] if default.exists() or not options.configfile else []
    config: dict = {}
    try:
        for path in [*paths, *map(Path, options.configfile)]:
            mapping = _mapping(path)
            check_depth(mapping)
            update_config(config, mapping)
        for word in options.config:
            update_config(config, _pair(word))
        check_depth(config)
        refuse_credentials(config, "")
        prepare(config)
        validate(config, str(SCHEMA))
        complete(config)
    except WorkflowError as error:
        raise TigerbushError(schema_sentence(error.__context__)) from None
    return config


def read_run_configuration(options: argparse.Namespace) -> dict:
    """Read the configuration of a run, and refuse files that it names and that would block a run for ever.

    Raises
    ------
    TigerbushError
    """
    config = read_configuration(options)
    refuse_folders(options)
    sites_of(config, options.directory)
    return config


def refuse_folders(options: argparse.Namespace) -> None:
    """Refuse a working folder in which the jobs of the profile would not start, as the workflow does.

    Raises
    ------
    TigerbushError
    """
    profile = _profile_here(options)
    shared = profile.get("shared-fs-usage") or "sources"
    submitted = profile.get("executor", "local") != "local" and "sources" in shared
    check_folders(str(options.directory.absolute()), str(SNAKEFILE), sys.executable, submitted)


def sites_of(config: dict, directory: Path) -> dict[str, dict]:
    """Read the table of sites; refuse it, other tables and weather that are no files, as the workflow does.

    Raises
    ------
    TigerbushError
    """
    check_table_of_sites(config, directory)
    side = config["subimages"]["size"] * config["composite"]["resolution"]
    sites = read_sites(directory / config["sites"], side)
    check_files(config, sites, directory)
    return sites


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
    try:
        check_file("--profile", found[0])
        content = yte.process_yaml(found[0].read_text(encoding="utf-8"), require_use_yte=True)
    except TigerbushError:
        raise
    except Exception as error:
        # whatever its expressions raise: their text says what is wrong
        text = str(error.__cause__ or error).rpartition("AccountError: ")[2]
        raise TigerbushError(f"{found[0]} cannot be used: {' '.join(text.split())}") from None
    if not isinstance(content or {}, dict):
        raise TigerbushError(f"{found[0]} holds no keys; compare profiles/local/config.yaml.")
    return content or {}


def configuration_files(options: argparse.Namespace) -> Sequence[str]:
    """Name the files that the configuration comes from."""
    default = [str(DEFAULT)] if (options.directory / DEFAULT).exists() else []
    return [*default, *options.configfile]


def _take_from_profile(options: argparse.Namespace) -> None:
    """Let the profile give what the command line does not, as for snakemake."""
    profile = _profile_here(options)
    if not options.configfile:
        files = profile.get("configfile", profile.get("configfiles")) or []
        paths = [files] if isinstance(files, str) else files
        options.configfile = [
            str(path) if (path := Path(options.profile, name)).exists() else name for name in paths
        ]
    if not options.config:
        pairs = profile.get("config") or []
        options.config = (
            [f"{key}={value}" for key, value in pairs.items()] if isinstance(pairs, dict) else pairs
        )


def _profile_here(options: argparse.Namespace) -> dict:
    """Read the profile, unless snakemake looks for its name elsewhere."""
    folder = getattr(options, "profile", None)
    return read_profile(folder) if folder and Path(folder).is_dir() else {}


def _pair(word: str) -> dict:
    """Read a single value of the command line; what is no YAML is text, as for snakemake."""
    key, _, value = word.partition("=")
    try:
        return {key: yaml.safe_load(value)}
    except (yaml.YAMLError, ValueError, RecursionError):
        return {key: value}


def _mapping(path: Path) -> dict:
    """Read a file as snakemake does: JSON, YAML, or YAML with Python in it (`__use_yte__`)."""
    check_file("--configfile", path)
    try:
        return dict(load_configfile(path))
    except Exception as error:
        # whatever Python in it raises; snakemake's own sentence hides that of the parser
        cause = error.__context__ if isinstance(error.__context__, yaml.YAMLError | OSError) else error
        if isinstance(cause, WorkflowError):
            raise TigerbushError(f"{path} holds no keys; see config/README.md.") from None
        raise TigerbushError(
            f"{path} cannot be read as YAML: {' '.join(str(cause).split()).rstrip('.')}."
        ) from None
