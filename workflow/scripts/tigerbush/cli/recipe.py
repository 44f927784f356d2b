"""The commands of a run, as they can be copied into a shell in the current folder."""

import shlex
from pathlib import Path

from tigerbush.cli.snakemake import CHECKOUT, SNAKEFILE

PROFILE = Path("profiles/local")


def commands_of_run(config: Path, directory: Path) -> list[str]:
    """Return the commands that check, list, plan and run a configuration.

    Parameters
    ----------
    config : Path
        Its file.
    directory : Path
        The working directory of its runs; `Path()` for the current folder.
    """
    options = ["--configfile", str(config)]
    if directory != Path():
        options += ["--directory", str(directory)]
    return [
        *(shlex.join([program(), command, *options]) for command in ("doctor", "discover", "plan")),
        run_command(options),
    ]


def run_command(options: list[str]) -> str:
    """Return the command that starts a run."""
    if _is_checkout():
        return shlex.join([".venv/bin/snakemake", "--profile", str(PROFILE), *options])
    snakemake, profile = CHECKOUT / ".venv" / "bin" / "snakemake", CHECKOUT / PROFILE
    return shlex.join([str(snakemake), "--snakefile", str(SNAKEFILE), "--profile", str(profile), *options])


def program() -> str:
    """Return the path of ./tigerbush."""
    return "./tigerbush" if _is_checkout() else str(CHECKOUT / "tigerbush")


def _is_checkout() -> bool:
    return Path.cwd().resolve() == CHECKOUT.resolve()
