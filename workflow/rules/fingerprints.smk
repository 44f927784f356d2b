"""Beside each result what it was made with, so that results of another configuration are never taken for today's.

Snakemake's own records stay in `.snakemake` of one working directory, and are compared only when the rerun trigger `params`
is set. A fingerprint lies beside the result, is written with it, and is compared at the start of every run.
"""

import json
from functools import lru_cache
from pathlib import Path

from snakemake.dag import DAG
from snakemake.settings.types import RerunTrigger

# Of the table of products; no output, because a table of an earlier release would not count as discovered without it.
OF_TABLE = workflow.modifier.path_modifier.replace_prefix(
    str(Path(config["products"]).with_name("fingerprints") / "discover_products.json")
)
SCHEMA = workflow.source_path("../schemas/config.schema.yaml")
# as rules are called when the workflow is a part of another one
KEYS = {
    workflow.modifier.modify_rulename(name): keys
    for name, keys in FINGERPRINTS.keys_of_rules(config, DISCOVERY).items()
}


def fingerprint_of(job):
    """The content of the file that a job leaves beside its results."""
    inputs = [address_in_results(file) for file in job.input]
    made_with = FINGERPRINTS.parameters_of(dict(job.params.items()), inputs, config["source"]["path"])
    return FINGERPRINTS.text_of(made_with)


def write_fingerprint(job):
    """At the end of a job, with its results; whole or not at all."""
    content = fingerprint_of(job)
    if job.rule.name == DISCOVER_PRODUCTS:
        write_result(OF_TABLE, content)
    else:
        write_text(Path(job.output.fingerprint), content)


async def why_outdated(job):
    """How what a finished job was made with differs from today; None when it does not, or nothing is known."""
    today = fingerprint_of(job)
    try:
        if job.rule.name == DISCOVER_PRODUCTS:
            found = read_result(OF_TABLE)
        elif stored() is not None:
            # the content is asked for only when its checksum in the listing is another one
            found = (
                today if has_checksum(job.output.fingerprint, today) else read_stored(job.output.fingerprint)
            )
        else:
            if job.output.fingerprint.is_storage and await job.output.fingerprint.exists():
                await job.output.fingerprint.retrieve_from_storage()
            found = Path(job.output.fingerprint).read_text()
    except (FileNotFoundError, KeyError):
        return summary_differs(job)
    except (OSError, UnicodeDecodeError) as error:
        return f"its fingerprint cannot be read ({error})"
    return FINGERPRINTS.text_differences(found, today)


def summary_differs(job):
    """How the configuration in the summary of a site differs from today's, in the keys that the rule uses."""
    site = getattr(job.wildcards, "site", next(iter(SITES)))
    summary = configuration_of_summary(site)
    if job.rule.name not in KEYS:
        return None
    if summary is None:
        # of scenes and tables nothing is known; of a site, the run was interrupted or is of an earlier release
        return "nothing says what it was made with" if hasattr(job.wildcards, "site") else None
    return FINGERPRINTS.summary_differences(KEYS[job.rule.name], summary, config, SITES[site])


@lru_cache(maxsize=None)
def configuration_of_summary(site):
    """The metadata of a site's summary, with the defaults of keys that were not there yet; None without one."""
    try:
        metadata = json.loads(read_result(f"{RESULTS}/{site}/results_summary.json"))["metadata"]
        validate(metadata["config"], SCHEMA)
        CONFIGURATION.fill_in_mode(metadata["config"])
        return metadata
    except (OSError, ValueError, KeyError, TypeError, WorkflowError):
        return None


@around(DAG, "update_needrun")
async def compare_fingerprints(original, dag, *args, **options):
    """In the process that plans, whatever the rerun triggers are."""
    if workflow.exec_mode == ExecMode.DEFAULT:
        if workflow.iocache.active and stored() is not None:
            fill_inventory(dag)
        for job in dag.jobs:
            # jobs behind a checkpoint are looked at again when it is done
            planned = not any(file.flags.get("checkpoint_target") for file in job.input)
            if ours(job) and planned and not dag.finished(job) and await has_results(job.output):
                if why := why_read_again(job) or await why_outdated(job):
                    dag.reason(job).params_changed = why
                    dag.reason(job).derived = False
    return await original(dag, *args, **options)


@around(Job, "outputs_older_than_script_or_notebook")
async def older_outputs(original, job):
    """Not by the times of scripts, which are new in each checkout, where the parameter `library` tells what is in them."""
    if not (ours(job) and RerunTrigger.PARAMS in workflow.rerun_triggers):
        async for file in original(job):
            yield file


async def has_results(files):
    """Whether an earlier run has left one of some files."""
    for file in files:
        if await file.exists():
            return True
    return False
