"""Refresh the table of products from the source.

Other options are passed on to snakemake. For example: ./tigerbush discover --configfile config/local.yaml
"""

import argparse

from tigerbush.cli.configuration import add_run_arguments, read_run_configuration, run_arguments
from tigerbush.cli.snakemake import snakemake


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of the run."""
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """List the source again; if that fails, the old table is kept."""
    read_run_configuration(options)
    forced = ["discover_products", "--forcerun", "discover_products"]
    return snakemake([*forced, *run_arguments(options), *rest])
