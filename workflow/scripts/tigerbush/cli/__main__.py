"""`./tigerbush`: what the workflow's user does beside running Snakemake."""

import argparse
import sys

from tigerbush import __version__
from tigerbush.cli import (
    analyse,
    calibrate,
    centrality,
    compare_engines,
    discover,
    doctor,
    init,
    pattern,
    plan,
    results,
    retry,
    status,
)
from tigerbush.errors import TigerbushError, WriteError

COMMANDS = {
    "analyse": analyse,
    "calibrate": calibrate,
    "centrality": centrality,
    "compare-engines": compare_engines,
    "discover": discover,
    "doctor": doctor,
    "init": init,
    "pattern": pattern,
    "plan": plan,
    "results": results,
    "retry": retry,
    "status": status,
}


def parser() -> argparse.ArgumentParser:
    """Build the parser; each subcommand's help is its module's docstring."""
    top = argparse.ArgumentParser(
        prog="tigerbush",
        description="Measure how patterned vegetation changes. The workflow itself runs with snakemake.",
    )
    top.add_argument("--version", action="version", version=f"tigerbush {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        text = module.__doc__
        command = commands.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    options, rest = parser().parse_known_args(arguments)
    try:
        return COMMANDS[options.command].run(options, rest)
    except (TigerbushError, WriteError) as error:
        print(f"tigerbush: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
