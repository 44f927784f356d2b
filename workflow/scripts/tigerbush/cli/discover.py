"""Refresh the table of products from the source.

Further options go to snakemake, for example: ./tigerbush discover --configfile config/local.yaml
"""

import argparse

from tigerbush.cli.configuration import add_run_arguments, read_run_configuration, run_arguments
from tigerbush.cli.snakemake import snakemake


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare which run it is."""
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """List the source again; the old table stays when that fails."""
    read_run_configuration(options)
    forced = ["discover_products", "--forcerun", "discover_products"]
    return snakemake([*forced, *run_arguments(options), *rest])
