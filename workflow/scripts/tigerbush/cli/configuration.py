"""The configuration as snakemake reads it: config/config.yaml, then the given files, then single values."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
import yte
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate

from tigerbush.cli.snakemake import CHECKOUT, SNAKEFILE
from tigerbush.errors import TigerbushError
from tigerbush.planning.bands import check_folder
from tigerbush.planning.configuration import check_depth, periods_of, prepare, resolve, schema_sentence
from tigerbush.planning.credentials import refuse_credentials
from tigerbush.planning.fingerprints import changed_added_keys, stale_table_sentence
from tigerbush.planning.paths import check_file, check_files, check_folders, check_table_of_sites
from tigerbush.planning.scenes import selection_parameters
from tigerbush.planning.source import discovery_parameters
from tigerbush.planning.tables import read_sites

DEFAULT = Path("config/config.yaml")
SCHEMA = SNAKEFILE.parent / "schemas" / "config.schema.yaml"


def add_run_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of snakemake that determine the configuration."""
    command.add_argument(
        "--configfile",
        "--configfiles",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="configuration that overrides config/config.yaml, as for snakemake",
    )
    command.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="single values, which override the files",
    )
    command.add_argument(
        "--directory",
        "-d",
        type=Path,
        default=Path(),
        help="working directory of the run (default: the current folder)",
    )
    command.add_argument(
        "--profile",
        type=_profile_folder,
        metavar="FOLDER",
        help="profile of the run, for example profiles/slurm, which is also found in the checkout",
    )


def snakemake_arguments(options: argparse.Namespace) -> list[str]:
    """Return the options in the form of snakemake."""
    arguments = ["--directory", str(options.directory)]
    for name in ("configfile", "config"):
        if values := getattr(options, name):
            arguments += [f"--{name}", *values]
    return arguments


def run_arguments(options: argparse.Namespace) -> list[str]:
    """Return the options of a run, including its profile, in the form of snakemake."""
    return [*snakemake_arguments(options), *(["--profile", options.profile] if options.profile else [])]


def read_configuration(options: argparse.Namespace) -> dict:
    """Read, merge and check the configuration; the schema fills in the defaults.

    Raises
    ------
    TigerbushError
        When a file is missing, a URL contains a password, or the workflow would refuse the configuration.
    """
    _apply_profile(options)
    config: dict = {}
    try:
        for path in map(Path, configuration_files(options)):
            mapping = _read_mapping(path)
            check_depth(mapping)
            update_config(config, mapping)
        for word in options.config:
            update_config(config, _parse_pair(word))
        check_depth(config)
        refuse_credentials(config, "")
        prepare(config)
        validate(config, str(SCHEMA))
        resolve(config)
    except WorkflowError as error:
        raise TigerbushError(schema_sentence(error.__context__)) from None
    return config


def read_run_configuration(options: argparse.Namespace) -> dict:
    """Read the configuration of a run, and refuse files in it that would block the run for ever.

    Raises
    ------
    TigerbushError
    """
    refuse_missing_configuration(options)
    config = read_configuration(options)
    refuse_folders(options)
    sites_of(config, options.directory)
    return config


def refuse_missing_configuration(options: argparse.Namespace) -> None:
    """Refuse a run without a configuration: paths of the default one start in the checkout.

    Raises
    ------
    TigerbushError
    """
    _apply_profile(options)
    if not (options.configfile or (options.directory / DEFAULT).exists()):
        raise TigerbushError(
            f"{options.directory.absolute()} has no {DEFAULT}; name your configuration with --configfile, or start in "
            f"{CHECKOUT}."
        )


def refuse_folders(options: argparse.Namespace) -> None:
    """Refuse a working folder in which the jobs of the profile could not start, as the workflow does.

    Raises
    ------
    TigerbushError
    """
    profile = _local_profile(options)
    shared = profile.get("shared-fs-usage") or "sources"
    submitted = profile.get("executor", "local") != "local" and "sources" in shared
    check_folders(str(options.directory.absolute()), str(SNAKEFILE), sys.executable, submitted)


def sites_of(config: dict, directory: Path) -> dict[str, dict]:
    """Read the table of sites; refuse the same files, and bands of products in a folder, as the workflow does.

    Raises
    ------
    TigerbushError
    """
    check_table_of_sites(config, directory)
    side = config["subimages"]["size"] * config["composite"]["resolution"]
    sites = read_sites(directory / config["sites"], side) if config["sites"] is not None else {}
    check_files(config, sites, directory)
    check_folder(config, directory)
    return sites


def stale_table(config: dict, sites: dict[str, dict], directory: Path) -> str | None:
    """Return why the table of products is not that of the configuration, as far as discovery has recorded it."""
    scenes = selection_parameters(config)
    discovery = discovery_parameters(config["source"], sites, periods_of(config), scenes)
    # as in the rule
    discovery |= changed_added_keys(config, "scene.snap_masks")
    return stale_table_sentence(directory / config["products"], discovery, config["source"]["path"])


def read_profile(folder: str | None) -> dict:
    """Read the settings of a profile, and evaluate its expressions as snakemake does.

    Raises
    ------
    TigerbushError
        When the profile does not exist, or an expression fails.
    """
    if folder is None:
        return {}
    # snakemake prefers the file for its own version
    files = sorted(Path(folder).glob("config*.yaml"), key=lambda path: path.name == "config.yaml")
    if not files:
        raise TigerbushError(f"--profile {folder} is not a folder with a config.yaml; correct the name.")
    try:
        check_file("--profile", files[0])
        content = yte.process_yaml(files[0].read_text(encoding="utf-8"), require_use_yte=True)
    except TigerbushError:
        raise
    except Exception as error:
        # whatever the expressions raise, its text says what is wrong
        text = str(error.__cause__ or error).rpartition("AccountError: ")[2]
        raise TigerbushError(f"{files[0]} cannot be used: {' '.join(text.split())}") from None
    if not isinstance(content or {}, dict):
        raise TigerbushError(f"{files[0]} contains no keys; compare it with profiles/local/config.yaml.")
    return content or {}


def targets_of(options: argparse.Namespace, config: dict) -> list[str]:
    """Return the targets of the command line; without any, and without sites, the only one that works then."""
    return options.targets or (["scenes"] if config["sites"] is None else [])


def configuration_files(options: argparse.Namespace) -> Sequence[str]:
    """Return the files that the configuration is read from: that of the checkout where there is no other."""
    default = options.directory / DEFAULT
    if default.exists():
        return [str(default), *options.configfile]
    return options.configfile or [str(CHECKOUT / DEFAULT)]


def _profile_folder(name: str) -> str:
    """Return the folder of a profile; snakemake looks up what is neither here nor in the checkout."""
    return name if Path(name).exists() or not (CHECKOUT / name).is_dir() else str(CHECKOUT / name)


def _apply_profile(options: argparse.Namespace) -> None:
    """Take options from the profile that the command line does not give, as snakemake does."""
    profile = _local_profile(options)
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


def _local_profile(options: argparse.Namespace) -> dict:
    """Read the profile if it is a folder; other names are looked up by snakemake."""
    folder = getattr(options, "profile", None)
    return read_profile(folder) if folder and Path(folder).is_dir() else {}


def _parse_pair(word: str) -> dict:
    """Parse a single value of the command line; what is not YAML is text, as for snakemake."""
    key, _, value = word.partition("=")
    try:
        return {key: yaml.safe_load(value)}
    except (yaml.YAMLError, ValueError, RecursionError):
        return {key: value}


def _read_mapping(path: Path) -> dict:
    """Read a file as snakemake does: JSON, YAML, or YAML with Python in it (`__use_yte__`)."""
    check_file("--configfile", path)
    try:
        return dict(load_configfile(path))
    except Exception as error:
        # whatever Python in it raises; the message of snakemake hides that of the parser
        cause = error.__context__ if isinstance(error.__context__, yaml.YAMLError | OSError) else error
        if isinstance(cause, WorkflowError):
            raise TigerbushError(f"{path} contains no keys; see config/README.md.") from None
        raise TigerbushError(
            f"{path} cannot be read as YAML: {' '.join(str(cause).split()).rstrip('.')}."
        ) from None
