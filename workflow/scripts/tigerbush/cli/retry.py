"""Process the failed products again, and what hangs on them; nothing else.

Further options go to snakemake and should be those of the run, for example:
./tigerbush retry --profile profiles/local --configfile config/local.yaml
"""

import argparse
from pathlib import Path

from tigerbush.cli.snakemake import snakemake
from tigerbush.failures import failed_outputs


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare where the results are."""
    command.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of the results (default: %(default)s)"
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Force the placeholders of failed products."""
    failed = failed_outputs(options.results)
    if not failed:
        print(f"No product failed below {options.results}.")
        return 0
    print(f"{len(failed)} placeholder(s) of failed products:", *failed, sep="\n  ")
    scenes = any(path.parent.name == "scenes" for path in failed)
    sites = any(path.parent.name == "products" for path in failed)
    targets = ["scenes"] * scenes + ["all"] * (sites or not scenes)
    return snakemake([*targets, "--forcerun", *(str(path) for path in failed), *_separated(rest)])


def _separated(rest: list[str]) -> list[str]:
    # --forcerun takes every word up to the next option
    return rest if rest and rest[0].startswith("-") else ["--", *rest]
