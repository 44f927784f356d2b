"""Beside each result what it was made with, so that results of another configuration are never taken for today's.

Snakemake's own records stay in `.snakemake` of one working directory, and are compared only when the rerun trigger `params`
is set. A fingerprint lies beside the result, is written with it, and is compared at the start of every run.
"""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

from snakemake.dag import DAG
from snakemake.settings.types import RerunTrigger

# Of the table of products; no output, because a table of an earlier release would not count as discovered without it.
OF_TABLE = workflow.modifier.path_modifier.replace_prefix(
    str(Path(config["products"]).with_name("fingerprints") / "discover_products.json")
)
SCHEMA = workflow.source_path("../schemas/config.schema.yaml")
# Parameters that do not change a result: code has its own fingerprint, the others say how and whence it is read.
UNIMPORTANT = {"library", "templates", "path", "retries", "store", "folder"}
# sections of the configuration that change no result: prices, and what becomes of products that are gone
WITHOUT_RESULT = ("plan", "on_gone")
# Of results without a fingerprint the summary says the configuration: the keys that each rule has a parameter of.
WINDOW = ["composite.resolution", "subimages.size"]
MASKS = ["composite.mask_cirrus", "composite.mask_snow", "composite.mask_buffer"]
CHOICE = [*WINDOW, "subimages.max_masked_fraction", "subimages.limit", "mode"]
DATES = [
    "composite.max_cloud_percent",
    "composite.relative_orbits",
    "composite.max_takes",
    "mode",
    "source.level",
]
KEYS = {
    "discover_products": [*(f"source.{key}" for key in DISCOVERY["source"]), *(["period"] if REMOTE else [])],
    "download_product": ["scene.bands"],
    **dict.fromkeys(
        ("resample_scene", "resample_scenes", "publish_scene"), [f"scene.{key}" for key in scene_parameters()]
    ),
    "stream_product": [*WINDOW, "composite.mask_buffer"],
    "resample_product": [*WINDOW, *MASKS],
    # what it cuts was temporary, so that it stands for resample_product too
    "subset_product": [*WINDOW, *MASKS],
    "composite_date": ["composite.mask", *DATES],
    "render_date": ["mode"],
    "compute_ndvi": CHOICE,
    "compute_centrality": [*CHOICE, "centrality"],
    "write_subimages": CHOICE,
    "read_weather": ["weather", "period.start", "period.step"],
    "summarise_site": [key for key in config if key not in WITHOUT_RESULT],
    "analyse_site": ["analysis", "composite.resolution"],
    "compare_sites": ["analysis.fdr"],
    "map_site": [*WINDOW, "mode"],
    "check_products": ["on_failure"],
}

# as rules are called when the workflow is a part of another one
KEYS = {workflow.modifier.modify_rulename(name): keys for name, keys in KEYS.items()}


def recorded(tree):
    """What a summary holds of a configuration; which hosts may be asked changes no result either."""
    source = {key: value for key, value in tree["source"].items() if key != "hosts"}
    return {key: value for key, value in tree.items() if key not in WITHOUT_RESULT} | {"source": source}


def parameters_of(job):
    """What a job is made with: its parameters, and the names of what it reads beside products."""
    inputs = [address_in_results(file) for file in job.input]
    # not whence products come: a mirror holds the same
    product = re.compile(rf"{re.escape(str(config['source']['path']))}/{PRODUCT}\.zip")
    read = [name for name in inputs if "://" not in name and not product.fullmatch(name)]
    values = {name: value for name, value in job.params.items() if name not in UNIMPORTANT}
    return values | {"inputs": hashlib.sha256("\n".join(sorted(read)).encode()).hexdigest()[:16]}


def fingerprint_of(job):
    """The content of the file that a job leaves beside its results."""
    return json.dumps(parameters_of(job), sort_keys=True, indent=1, default=sorted) + "\n"


def write_fingerprint(job):
    """At the end of a job, with its results; whole or not at all."""
    content = fingerprint_of(job)
    if job.rule.name == DISCOVER_PRODUCTS:
        write_result(OF_TABLE, content)
    else:
        write_text(Path(job.output.fingerprint), content)


def differences(old, new):
    """What has changed between two sets of parameters, in a line."""
    old, new = flat(old), flat(new)
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {shortened(old.get(name))} -> {shortened(new.get(name))}" for name in names)


def flat(tree, prefix=""):
    """The values of nested mappings by their dotted keys."""
    if not isinstance(tree, dict):
        return {prefix.rstrip("."): tree}
    return {
        name: leaf for key, value in tree.items() for name, leaf in flat(value, f"{prefix}{key}.").items()
    }


def shortened(value):
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
    if found == today:
        return None
    try:
        return differences(json.loads(found), json.loads(today))
    except (ValueError, AttributeError):
        return "its fingerprint is damaged"


def summary_differs(job):
    """How the configuration in the summary of a site differs from today's, in the keys that the rule uses."""
    site = getattr(job.wildcards, "site", next(iter(SITES)))
    summary = configuration_of_summary(site)
    if job.rule.name not in KEYS:
        return None
    if summary is None:
        # of scenes and tables nothing is known; of a site, the run was interrupted or is of an earlier release
        return "nothing says what it was made with" if hasattr(job.wildcards, "site") else None
    old, new = (
        {key: value_of(recorded(tree), key) for key in KEYS[job.rule.name]}
        for tree in (summary["config"], config)
    )
    if "subimages.size" in old:
        old |= {key: summary[key] for key in SITE_COLUMNS[1:]}
        new |= {key: SITES[site][key] for key in SITE_COLUMNS[1:]}
    return differences(old, json.loads(json.dumps(new))) or None


def value_of(tree, key):
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


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
