"""Refresh the table of products from the source.

Further options go to snakemake, for example: ./tigerbush discover --configfile config/local.yaml
"""

import argparse

from tigerbush.cli import configuration
from tigerbush.cli.snakemake import snakemake


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare which run it is."""
    configuration.add_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """List the source again; the old table stays when that fails."""
    configuration.read_run(options)
    forced = ["discover_products", "--forcerun", "discover_products"]
    return snakemake([*forced, *configuration.run_arguments(options), *rest])
