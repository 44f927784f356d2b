"""Tell what a run would do and cost, without doing it: products, dates, jobs, bytes, CPU hours, disk, money.

Jobs are those of snakemake's own dry run. CPU and disk come from the model of tigerbush.cli.plan.cost, the price from
`plan` in the configuration. Name targets as for snakemake, for example:
./tigerbush plan all scenes --configfile config/cdse.yaml
"""

import argparse
import json
import re
from pathlib import Path

from tigerbush.cli.configuration import (
    add_run_arguments,
    read_profile,
    read_run_configuration,
    sites_of,
    snakemake_arguments,
)
from tigerbush.cli.plan.cost import Output, estimate, report, submitted_jobs
from tigerbush.cli.snakemake import read_snakemake
from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import PRODUCT, read_rows

# nothing of a profile counts here, and its logger would change what is read
_QUIET = ("--cores", "1", "--workflow-profile", "none")
_STATS = re.compile(r"^([a-z_]+) +([0-9]+)$", re.MULTILINE)
_PRODUCT = re.compile(
    rf"(?:results/(?:([^/]+)/)?(?:products|scenes|downloads)/)({PRODUCT})(?:_mask|\.window.*)?\.\w+"
)
_DATE = re.compile(r"results/([^/]+)/([0-9]{4}-[0-9]{2}-[0-9]{2})/[^/]+")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the targets, the configuration, and the form of the answer."""
    command.add_argument("targets", nargs="*", metavar="TARGET", help="as for snakemake (default: all)")
    command.add_argument("--json", action="store_true", help="print JSON")
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Ask snakemake, add up, print."""
    if rest:
        raise TigerbushError(f"plan does not know {' '.join(rest)!r}; see ./tigerbush plan --help.")
    config = read_run_configuration(options)
    table = options.directory / config["products"]
    if not table.exists():
        raise TigerbushError(
            f"{table} does not exist yet; run ./tigerbush discover with the same options first."
        )
    arguments = [*options.targets, *_QUIET, *snakemake_arguments(options)]
    jobs = jobs_of(read_snakemake(["--dry-run", *arguments]))
    outputs = outputs_of(read_snakemake(["--summary", *arguments]))
    profile = read_profile(options.profile)
    starts = submitted_jobs(jobs, profile) if profile.get("executor", "local") != "local" else 0
    sites = sites_of(config, options.directory)
    total = estimate(config, sites, jobs, outputs, file_sizes(table), starts=starts)
    print(json.dumps(total, indent=1) if options.json else report(total))
    return 0


def jobs_of(output: str) -> dict[str, int]:
    """Return the number of jobs per rule from the table of a dry run; empty when there is nothing to do."""
    text = output.partition("Job stats:")[2].partition("\n\n")[0]
    return {rule: int(count) for rule, count in _STATS.findall(text) if rule != "total"}


def outputs_of(output: str) -> list[Output]:
    """Return what `snakemake --summary` lists of products and dates.

    Raises
    ------
    TigerbushError
        When it lists nothing that is understood.
    """
    lines = [line.split("\t") for line in output.splitlines()]
    if not (lines and lines[0][0] == "output_file"):
        raise TigerbushError(f"snakemake --summary gave no table but {output[:200]!r}.")
    head = lines[0]
    found = {}
    for line in lines[1:]:
        row = dict(zip(head, line, strict=True))
        product, date = _PRODUCT.fullmatch(row["output_file"]), _DATE.fullmatch(row["output_file"])
        if product or date:
            site, name = (product or date).groups()
            key = row["rule"], site or "", name
            found[key] = Output(*key, pending="pending" in row["plan"])
    return list(found.values())


def file_sizes(table: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of files.tsv per product."""
    sizes: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(table.with_name("files.tsv")):
        sizes.setdefault(row["product"], []).append(row)
    return sizes
