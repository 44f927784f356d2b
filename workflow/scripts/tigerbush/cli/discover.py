"""Refresh the table of products from the source.

Further options go to snakemake, for example: ./tigerbush discover --configfile config/local.yaml
"""

import argparse

from tigerbush.cli.snakemake import snakemake


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Take no options of its own."""


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """List the source again; the old table stays when that fails."""
    return snakemake(["discover_products", "--forcerun", "discover_products", *rest])
