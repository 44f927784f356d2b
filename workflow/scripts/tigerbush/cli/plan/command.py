"""Estimate a run without starting it: products, dates, jobs, transfer, CPU hours, disk space, cost.

The jobs are those of snakemake's own dry run. CPU and disk are estimated by the model in tigerbush.cli.plan.cost;
prices are those of `plan` in the configuration. Targets are named as for snakemake. For example:
./tigerbush plan all scenes --configfile config/cdse.yaml
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
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
from tigerbush.cli.status.command import PLAN
from tigerbush.cli.status.records import Job, read_jobs, windows_of_date
from tigerbush.errors import TigerbushError
from tigerbush.planning.periods import period_warning
from tigerbush.planning.tables import PRODUCT, read_rows

# a profile makes no difference here, and its logger would change the output that is parsed
_QUIET = ("--cores", "1", "--workflow-profile", "none")
_STATS = re.compile(r"^([a-z]\w+) +([0-9]+)$", re.MULTILINE)
_PRODUCT = re.compile(
    rf"results/(?:scenes(?:/[^/]+/[^/]+)?/({PRODUCT})(?:_mask)?\.tif|downloads/({PRODUCT})\.zip)"
)
_BUNDLE = re.compile(rf"results/(?:windows|downloads)/({PRODUCT})/\w+\.zip")
_BATCH = re.compile(r"results/batches/[^/]+/([0-9]{4}-[0-9]{2}-[0-9]{2})\.zip")
_SITE = re.compile(r"results/([^/]+)/(?:results_summary\.json|analysis/(?:analysis\.json|report\.html))")
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
    outputs = outputs_of(read_jobs(read_snakemake(arguments, PLAN)))
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
    counts: Counter[str] = Counter()
    for rule, count in _STATS.findall(text):
        # those of batches are named after their script and their batch
        counts[rule.partition("_of_")[0]] += int(count)
    return {rule: count for rule, count in counts.items() if rule != "total"}


def outputs_of(jobs: Sequence[Job]) -> list[Output]:
    """Return what jobs make of products and dates; a window of a site for each job that its product has.

    A window is made if both its product and a date made of it are.
    """
    outputs, of_product = {}, {}
    for job in jobs:
        for name in job.outputs:
            product, date, bundle, batch, site = (
                pattern.fullmatch(name) for pattern in (_PRODUCT, _DATE, _BUNDLE, _BATCH, _SITE)
            )
            if site:
                outputs[job.rule, site[1], ""] = job.pending
            elif batch:
                outputs |= {(job.rule, name, batch[1]): job.pending for name, _ in job.windows}
            elif product or date:
                site, made = date.groups() if date else ("", product[1] or product[2])
                outputs[job.rule, site, made] = job.pending
            elif bundle:
                of_product.setdefault(bundle[1], {})[job.rule] = job.pending
    for job in jobs:
        for site, product in windows_of_date(job):
            for rule, pending in of_product.get(product, {}).items():
                key = rule, site, product
                outputs[key] = outputs.get(key, False) or (pending and job.pending)
    return [Output(*key, pending=pending) for key, pending in outputs.items()]


def file_sizes(table: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of files.tsv per product."""
    sizes: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(table.with_name("files.tsv")):
        sizes.setdefault(row["product"], []).append(row)
    return sizes
