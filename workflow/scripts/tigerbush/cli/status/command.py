"""Show the progress of a run: jobs done, running, waiting, failed, and those that cannot run, by rule and by site.

It reads Snakemake's own records, and the queue of SLURM or the tasks of Azure Batch. It locks and changes nothing, so
it can be used at any time. The exit status is 1 if anything failed. For example:
./tigerbush status --profile profiles/slurm --configfile config/local.yaml
"""

import argparse
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from rich import box
from rich.console import Console
from rich.table import Table

from tigerbush.cli.configuration import (
    add_run_arguments,
    read_profile,
    read_run_configuration,
    snakemake_arguments,
    targets_of,
)
from tigerbush.cli.snakemake import read_snakemake
from tigerbush.cli.status.queue_azure import azure_queue
from tigerbush.cli.status.records import (
    Job,
    Run,
    is_discovering,
    read_jobs,
    read_run,
    unfinished,
    wanted_windows,
)
from tigerbush.errors import TigerbushError
from tigerbush.placeholder import failed_outputs, is_window, kept_results, product_of
from tigerbush.planning.notes import SKIPPED_LINE, read_notes
from tigerbush.planning.scenes import is_scene, scene_results
from tigerbush.planning.source import is_remote
from tigerbush.planning.tables import RESERVED, read_products, read_rows
from tigerbush.runs.changes import FINISHED, left_over, left_over_sentence
from tigerbush.runs.queue_slurm import QueueJob, slurm_queue

# prints Snakemake's plan as JSON; a separate program, because it changes Snakemake in memory
PLAN = (str(Path(__file__).with_name("jobs.py")),)
# states of a job in a queue
ENDED = ("succeeded", "failed")
STATES = ("done", "running", "waiting", "failed", "cannot run")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the targets, the run, and the output format."""
    command.add_argument("targets", nargs="*", metavar="TARGET", help="as for snakemake (default: all)")
    command.add_argument("--json", action="store_true", help="print JSON")
    add_run_arguments(command)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Read the jobs and records, classify the jobs, print the report."""
    if rest:
        raise TigerbushError(f"status does not know {' '.join(rest)!r}; see ./tigerbush status --help.")
    config = read_run_configuration(options)
    profile = read_profile(options.profile)
    latest = read_run(options.directory)
    arguments = [*targets_of(options, config), *snakemake_arguments(options)]
    if profile.get("default-storage-provider"):
        # the outputs are in remote storage, which the profile names
        arguments += ["--profile", options.profile]
    jobs = read_jobs(read_snakemake(arguments, PLAN))
    queue, queue_error = _queue(latest, profile)
    active = latest.alive or any(job.state not in ENDED for job in queue)
    states = classify(jobs, latest.failed, unfinished(options.directory) if active else set())
    failed, kept = results_of_failures(options.directory, config, jobs)
    report = {
        "run": run_state(latest, queue),
        "discovered": (options.directory / config["products"]).exists() and not is_discovering(jobs),
        "rules": _counts((job.rule, state) for job, state in zip(jobs, states, strict=True)),
        "sites": _counts((_site(job), state) for job, state in zip(jobs, states, strict=True)),
        "failed": [
            _failure(options.directory, job.rule, latest.failed[min(job.outputs & set(latest.failed))])
            for job, state in zip(jobs, states, strict=True)
            if state == "failed"
        ],
        "failed_products": sorted(set(map(product_of, failed)) - set(map(product_of, kept))),
        "kept_products": {product_of(path): reason for path, reason in kept.items()},
        "left_over": results_left_over(options, jobs),
        "gone_products": sorted(
            row["product"] for row in read_rows(options.directory / config["products"]) if row.get("gone")
        ),
        "skipped_items": len(read_notes(options.directory / config["products"], SKIPPED_LINE)),
        "queue": [asdict(job) for job in queue],
        "slurm": {"failed": latest.slurm_failed, "refused_for_now": latest.slurm_refused},
        "advice": advice(latest, queue, queue_error),
    }
    print(json.dumps(report, indent=1)) if options.json else _print(report)
    return 1 if any(report[key] for key in ("failed", "failed_products", "kept_products")) else 0


def results_left_over(options: argparse.Namespace, jobs: Collection[Job]) -> list[str]:
    """Return the results that the configuration does not want; none where the jobs do not tell all that it wants."""
    # the dates are known once the products are listed
    if options.targets or is_discovering(jobs):
        return []
    return left_over(finished_results(options.directory / "results"), wanted_dates(jobs))


def results_of_failures(
    directory: Path, config: Mapping, jobs: Iterable[Job]
) -> tuple[list[Path], dict[Path, str]]:
    """Return the results of failed products, and those that were kept, with reasons, as far as they are still wanted.

    Those of a site are wanted if a job makes them, scenes if the configuration chooses them, copies if products are
    copied at all and the table has theirs; others were left by other configurations.
    """
    results = directory / "results"
    outputs, windows = {output for job in jobs for output in job.outputs}, wanted_windows(jobs)
    table = directory / config["products"]
    products = read_products(table) if table.exists() else {}
    scenes = scene_results(products, config)
    is_copied = is_remote(config["source"]) or config["source"]["access"] == "storage"

    def is_wanted(result: Path) -> bool:
        path = result.relative_to(directory)
        if is_window(path):
            return str(path) in windows
        if is_scene(path):
            return path in scenes
        if path.parts[1] in RESERVED:
            return is_copied and path.stem in products
        return str(path) in outputs

    kept = {path: reason for path, reason in kept_results(results).items() if is_wanted(path)}
    return list(filter(is_wanted, failed_outputs(results))), kept


def classify(jobs: list[Job], failed: Iterable[str], unfinished: set[str]) -> list[str]:
    """Return the state of each job.

    Parameters
    ----------
    jobs : list of Job
    failed : iterable of str
        Outputs of jobs that failed in the newest run.
    unfinished : set of str
        Files that jobs are writing now.
    """
    failed = set(failed)
    for job in jobs:
        # an attempt to replace it has failed; Snakemake is content with the older results that depend on it
        job.pending |= job.missing and bool(job.outputs & failed)
    states = ["waiting" if job.pending else "done" for job in jobs]
    made_by = {name: i for i, job in enumerate(jobs) if job.pending for name in job.outputs}
    upstream = [{made_by[name] for name in job.inputs if name in made_by} for job in jobs]
    for i, job in enumerate(jobs):
        if not job.pending:
            continue
        if job.outputs & unfinished:
            states[i] = "running"
        # all jobs of a group are reported as failed; one that waits for another of them has not failed itself
        elif job.outputs & failed and not any(jobs[k].outputs & failed for k in upstream[i]):
            states[i] = "failed"
    blocked = True
    while blocked:
        blocked = [
            i
            for i, state in enumerate(states)
            if state == "waiting" and any(states[k] in ("failed", "cannot run") for k in upstream[i])
        ]
        for i in blocked:
            states[i] = "cannot run"
    return states


def run_state(latest: Run, queue: list[QueueJob]) -> str:
    """Return one word for the run: never, running, orphaned, killed or ended."""
    if latest.alive:
        return "running"
    if latest.locked:
        return "orphaned" if any(job.state not in ENDED for job in queue) else "killed"
    return "ended" if latest.log else "never"


def advice(latest: Run, queue: list[QueueJob], queue_error: str | None) -> str | None:
    """Return what to do before the next run; None when there is nothing to do."""
    if queue_error:
        return queue_error
    state = run_state(latest, queue)
    if state == "orphaned" and latest.slurm_id:
        return (
            f"the main process has died, but {len(queue)} of its jobs are still in SLURM: unlock only when "
            f"`squeue --name {latest.slurm_id}` is empty (or after `scancel --name {latest.slurm_id}`)."
        )
    if state == "orphaned":
        return (
            "the main process has died, but its tasks are still in Batch: run snakemake with --unlock, then as usual; "
            "it terminates them, and deletes the pool at the end."
        )
    if state == "killed":
        return (
            "the folder is locked, and no main process is running on this machine: if none is running elsewhere, run "
            "snakemake with --unlock, then as usual; finished results are kept."
        )
    return None


def _queue(latest: Run, profile: Mapping) -> tuple[list[QueueJob], str | None]:
    """Return the jobs of a run in the queue, or why they are unknown."""
    if not (latest.alive or latest.locked):
        return [], None
    try:
        if profile.get("executor") == "azure":
            return azure_queue(profile), None
        return (slurm_queue(latest.slurm_id) if latest.slurm_id else []), None
    except TigerbushError as error:
        return [], str(error)


def _site(job: Job) -> str:
    """Return the site of a job, `scenes`, or `all` for what belongs to no site."""
    # fingerprints lie in a folder of their own
    name = min(job.outputs, key=lambda path: ("/fingerprints/" in path, path))
    parts = PurePosixPath(_path_in_results(name)).parts
    if parts[:1] != ("results",) or len(parts) < 3:
        return "all"
    if parts[1].startswith("scenes"):
        return "scenes"
    return "all" if parts[1] in RESERVED else parts[1]


def _path_in_results(output: str) -> str:
    """Return the path of an output; in remote storage it is az://container/run/results/..."""
    return output.partition("://")[2].partition("/")[2].partition("/")[2] or output


def wanted_dates(jobs: Iterable[Job]) -> dict[str, set[str]]:
    """Return the dates of each site that jobs make, with the names of other folders of the site."""
    folders = (PurePosixPath(_path_in_results(name)).parts for job in jobs for name in job.outputs)
    wanted: dict[str, set[str]] = {}
    for root, *parts in filter(None, folders):
        if root == "results" and len(parts) > 1:
            wanted.setdefault(parts[0], set()).add(parts[1])
    return wanted


def finished_results(results: Path) -> list[str]:
    """List the results of dates and sites in a folder."""
    return [path.relative_to(results).as_posix() for pattern in FINISHED for path in results.glob(pattern)]


def _counts(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter] = {}
    for name, state in pairs:
        counts.setdefault(name, Counter())[state] += 1
    return {name: {state: count[state] for state in STATES if count[state]} for name, count in counts.items()}


def _failure(directory: Path, rule: str, log: str) -> dict[str, str]:
    """Return a failed job with its log and the first line in it that mentions an error."""
    path = directory / log
    text = path.read_text(errors="replace") if path.is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines
    return {
        "rule": rule,
        "log": log,
        "error": (errors or ["the log is empty: see the log of the queue"])[0][:300],
    }


def _print(report: dict) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"run: {report['run']}", markup=False)
    if not report["discovered"]:
        console.print(
            "The products have not been listed with these settings; the jobs, and which products failed, will be known "
            "after ./tigerbush discover."
        )
    for title in ("rules", "sites"):
        table = Table(title[:-1], *STATES, box=box.SIMPLE)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, counts in report[title].items():
            table.add_row(name, *(str(counts.get(state, "")) for state in STATES))
        console.print(table)
    for job in report["failed"]:
        console.print(f"failed: {job['rule']}: {job['error']}\n  {job['log']}", markup=False)
    _print_products(console, report)
    if report["left_over"]:
        console.print(left_over_sentence(report["left_over"]), markup=False)
    for reason, number in report["slurm"]["failed"].items():
        # 0: no job was submitted at all
        console.print(f"{number} job(s) failed in SLURM: {reason}" if number else reason, markup=False)
    for reason, number in report["slurm"]["refused_for_now"].items():
        console.print(
            f"SLURM refused a job {number} time(s), and submission was retried: {reason}", markup=False
        )
    for job in report["queue"]:
        console.print(f"{job['number']}: {job['state'].lower()}, {job['name']}, {job['place']}", markup=False)
    if report["advice"]:
        console.print(report["advice"], markup=False)


def _print_products(console: Console, report: dict) -> None:
    """Print the products that failed, are kept or gone, and how many items of a catalogue were of no use."""
    if products := report["failed_products"]:
        console.print(
            f"{len(products)} product(s) failed, the first is {products[0]}; ./tigerbush retry processes them again.",
            markup=False,
        )
    if kept := report["kept_products"]:
        product, reason = next(iter(kept.items()))
        console.print(
            f"{len(kept)} product(s) could not be read again, the first is {product} ({reason.rstrip('.')}); results "
            "of an earlier run are kept; ./tigerbush retry processes them again.",
            markup=False,
        )
    if products := report["gone_products"]:
        console.print(
            f"{len(products)} product(s) are gone from the source, the first is {products[0]}; what was made of them "
            "is kept.",
            markup=False,
        )
    if number := report["skipped_items"]:
        console.print(
            f"{number} item(s) of the catalogue could not be used when it was searched last; the last lines of the "
            "table of products name them.",
            markup=False,
        )
