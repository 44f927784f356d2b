"""Estimate a run without starting it: products, dates, jobs, transfer, CPU hours, disk space, cost.

The jobs are those of snakemake's own dry run. CPU and disk are estimated by the model in tigerbush.cli.plan.cost;
prices are those of `plan` in the configuration. Targets are named as for snakemake. For example:
./tigerbush plan all scenes --configfile config/cdse.yaml
"""

import argparse
import json
import re
import sys
from pathlib import Path

from tigerbush.cli.configuration import (
    add_run_arguments,
    read_profile,
    read_run_configuration,
    sites_of,
    snakemake_arguments,
    stale_table,
    targets_of,
)
from tigerbush.cli.plan.cost import Output, estimate, report, submitted_jobs
from tigerbush.cli.snakemake import read_snakemake
from tigerbush.errors import TigerbushError
from tigerbush.planning.periods import period_warning
from tigerbush.planning.tables import PRODUCT, read_rows

# a profile makes no difference here, and its logger would change the output that is parsed
_QUIET = ("--cores", "1", "--workflow-profile", "none")
_STATS = re.compile(r"^([a-z_]+) +([0-9]+)$", re.MULTILINE)
_PRODUCT = re.compile(
    rf"results/(?:([^/]+)/)?(?:products|scenes(?:/[^/]+/[^/]+)?|downloads)/({PRODUCT})(?:_mask|\.window.*)?\.\w+"
)
_DATE = re.compile(r"results/([^/]+)/([0-9]{4}-[0-9]{2}-[0-9]{2})/[^/]+")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the targets, the configuration, and the output format."""
    command.add_argument("targets", nargs="*", metavar="TARGET", help="as for snakemake (default: all)")
    command.add_argument("--json", action="store_true", help="print JSON")
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Run snakemake dry, estimate, print."""
    if rest:
        raise TigerbushError(f"plan does not know {' '.join(rest)!r}; see ./tigerbush plan --help.")
    config = read_run_configuration(options)
    table = options.directory / config["products"]
    if not table.exists():
        raise TigerbushError(
            f"{table} does not exist yet; run ./tigerbush discover with the same options first."
        )
    sites = sites_of(config, options.directory)
    if stale := stale_table(config, sites, options.directory):
        raise TigerbushError(stale)
    arguments = [*targets_of(options, config), *_QUIET, *snakemake_arguments(options)]
    jobs = jobs_of(read_snakemake(["--dry-run", *arguments]))
    outputs = outputs_of(read_snakemake(["--summary", *arguments]))
    profile = read_profile(options.profile)
    starts = submitted_jobs(jobs, profile) if profile.get("executor", "local") != "local" else 0
    total = estimate(config, sites, jobs, outputs, file_sizes(table), starts=starts)
    print(json.dumps(total, indent=1) if options.json else report(total))
    days = [row["sensing_time"][:10] for row in read_rows(table)]
    if warning := period_warning(**config["period"], days=days):
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def jobs_of(output: str) -> dict[str, int]:
    """Return the number of jobs per rule from the table of a dry run; empty if there is nothing to do."""
    text = output.partition("Job stats:")[2].partition("\n\n")[0]
    return {rule: int(count) for rule, count in _STATS.findall(text) if rule != "total"}


def outputs_of(output: str) -> list[Output]:
    """Return the files of products and dates that `snakemake --summary` lists.

    Raises
    ------
    TigerbushError
        When the output is not the expected table.
    """
    lines = [line.split("\t") for line in output.splitlines()]
    if not (lines and lines[0][0] == "output_file"):
        raise TigerbushError(f"snakemake --summary printed {output[:200]!r} instead of a table.")
    header = lines[0]
    outputs = {}
    for line in lines[1:]:
        row = dict(zip(header, line, strict=True))
        product, date = _PRODUCT.fullmatch(row["output_file"]), _DATE.fullmatch(row["output_file"])
        if product or date:
            site, name = (product or date).groups()
            key = row["rule"], site or "", name
            outputs[key] = Output(*key, pending="pending" in row["plan"])
    return list(outputs.values())


def file_sizes(table: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of files.tsv per product."""
    sizes: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(table.with_name("files.tsv")):
        sizes.setdefault(row["product"], []).append(row)
    return sizes
