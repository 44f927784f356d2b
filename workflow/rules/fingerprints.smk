"""A fingerprint beside each result, so that results of another configuration or other code are never taken for current.

Snakemake's own records stay in `.snakemake` of one working directory, and are compared only with the rerun trigger `params`.
A fingerprint is stored with the result, is written when it is, and is compared at the start of every run.
"""

import json
from functools import lru_cache
from pathlib import Path

from snakemake.dag import DAG
from snakemake.settings.types import RerunTrigger

# Not an output of discovery: a table made by a release without fingerprints would then count as not yet discovered.
TABLE_FINGERPRINT = workflow.modifier.path_modifier.replace_prefix(
    str(FINGERPRINTS.table_fingerprint(Path(config["products"])))
)
SCHEMA = workflow.source_path("../schemas/config.schema.yaml")
# rules by the names they have when the workflow is used as a module
KEYS = {
    workflow.modifier.modify_rulename(name): keys
    for name, keys in FINGERPRINTS.keys_of_rules(config, DISCOVERY).items()
}


def fingerprint_of(job):
    """Return the content of a job's fingerprint."""
    return FINGERPRINTS.text_of(FINGERPRINTS.with_versions(made_with(job), rows_read(job)))


def made_with(job):
    """Return what a job depends on, without the versions of the products that it reads."""
    inputs = [address_in_results(file) for file in job.input]
    return FINGERPRINTS.parameters_of(dict(job.params.items()), inputs, config["source"]["path"])


def rows_read(job):
    """Return the rows of the products that a job reads, without those in a store: its `files` have their ETags."""
    rows = {name: products_table()[name] for name in products_read(job)}
    return {name: row for name, row in rows.items() if not row["url"].startswith("s3://")}


def write_fingerprint(job):
    """Write the fingerprint of a job that succeeded."""
    content = fingerprint_of(job)
    if job.rule.name == DISCOVER_PRODUCTS:
        write_result(TABLE_FINGERPRINT, content)
    else:
        write_text(Path(job.output.fingerprint), content)


async def why_outdated(job):
    """Return how the recorded fingerprint of a finished job differs from today's; None if not, or if none is known."""
    today = fingerprint_of(job)
    try:
        if job.rule.name == DISCOVER_PRODUCTS:
            recorded = read_result(TABLE_FINGERPRINT)
        elif stored_blobs() is not None:
            # a blob whose checksum in the listing is that of a known content is not downloaded
            known = (today, FINGERPRINTS.text_of(made_with(job)))
            same = next((text for text in known if has_checksum(job.output.fingerprint, text)), None)
            recorded = same or read_result(address_in_results(job.output.fingerprint))
        else:
            if job.output.fingerprint.is_storage and await job.output.fingerprint.exists():
                await job.output.fingerprint.retrieve_from_storage()
            recorded = Path(job.output.fingerprint).read_text()
    except (FileNotFoundError, KeyError):
        return summary_differences(job) or FINGERPRINTS.replaced_products(rows_read(job))
    except (OSError, UnicodeDecodeError) as error:
        return f"its fingerprint cannot be read ({error})"
    recorded = FINGERPRINTS.with_first_versions(recorded, today, rows_read(job))
    return FINGERPRINTS.text_differences(recorded, today)


def summary_differences(job):
    """Return how the configuration in a site's summary differs from today's, in the keys that the rule uses."""
    site = getattr(job.wildcards, "site", next(iter(SITES), None))
    summary = configuration_of_summary(site)
    if job.rule.name not in KEYS:
        return None
    if summary is None:
        # scenes and tables have none; a site lacks it after an interrupted run, or one of an early release
        return "there is no record of how it was made" if hasattr(job.wildcards, "site") else None
    return FINGERPRINTS.summary_differences(KEYS[job.rule.name], summary, config, SITES[site])


@lru_cache(maxsize=None)
def configuration_of_summary(site):
    """Return the metadata of a site's summary, with defaults for keys added since; None without a valid summary."""
    try:
        metadata = json.loads(read_result(f"{RESULTS}/{site}/results_summary.json"))["metadata"]
        validate(metadata["config"], SCHEMA)
        CONFIGURATION.fill_in_mode(metadata["config"])
        return metadata
    except (OSError, ValueError, KeyError, TypeError, WorkflowError):
        return None


@wrap_method(DAG, "update_needrun")
async def compare_fingerprints(original, dag, *args, **options):
    """Mark outdated jobs, whatever the rerun triggers are; in the process that plans."""
    if workflow.exec_mode == ExecMode.DEFAULT:
        if workflow.iocache.active and stored_blobs() is not None:
            fill_inventory(dag)
        # jobs behind a checkpoint are compared once it has run
        known = [
            job
            for job in dag.jobs
            if is_own_job(job)
            and not any(file.flags.get("checkpoint_target") for file in job.input)
            and not dag.finished(job)
        ]
        for job in known:
            if job.rule.name not in (*COPYING_RULES, MEASURE_BATCH) and await has_results(job.output):
                if reason := why_reread(job) or await why_outdated(job):
                    mark(dag, job, reason)
        await plan_windows(dag, known)
    vars(dag)["comparing"] = True
    try:
        return await original(dag, *args, **options)
    finally:
        vars(dag)["comparing"] = False


@wrap_method(Job, "outputs_older_than_script_or_notebook")
async def older_outputs(original, job):
    """Ignore the times of scripts, which are new in each checkout, where the parameter `library` covers their code."""
    if not (is_own_job(job) and RerunTrigger.PARAMS in workflow.rerun_triggers):
        async for file in original(job):
            yield file


async def has_results(files):
    """Tell whether an earlier run has left any of these files."""
    for file in files:
        if await file.exists():
            return True
    return False
