"""`./tigerbush`: everything a user does besides running Snakemake."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from tigerbush.errors import RemoteError, TigerbushError, WriteError
from tigerbush.version import __version__

COMMANDS = (
    "analyse",
    "centrality",
    "compare-engines",
    "discover",
    "doctor",
    "findings",
    "init",
    "pattern",
    "plan",
    "results",
    "retry",
    "status",
)


def module_of(command: str) -> ModuleType:
    """Import the module or folder of one subcommand; all of them would import half of the environment."""
    module = import_module(f"tigerbush.cli.{command.replace('-', '_')}")
    return import_module(f"{module.__name__}.command") if hasattr(module, "__path__") else module


def parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """Build the parser of the subcommands; the help of each is the docstring of its module."""
    top = argparse.ArgumentParser(
        prog="tigerbush",
        description="Measure how patterned vegetation changes. The workflow itself is run with snakemake.",
    )
    top.add_argument("--version", action="version", version=f"tigerbush {__version__}")
    parsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in commands:
        module = module_of(name)
        text = module.__doc__
        command = parsers.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand and return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    # when the command is known, only its module is imported
    chosen = [word for word in words[:1] if word in COMMANDS]
    options, rest = parser(chosen or COMMANDS).parse_known_args(words)
    try:
        return module_of(options.command).run(options, rest)
    except (TigerbushError, RemoteError, WriteError) as error:
        print(f"tigerbush: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
