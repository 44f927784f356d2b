"""The windows of sites in bundles (`tigerbush.bundle`), which all sites of a product share: which of them a run makes.

Snakemake compares files as a whole. So the bundles count as older than what is made of them, and here the windows of each
site are compared: a new site makes its own ones, and nothing of the others.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

from snakemake.io import ancient
from snakemake.settings.types import RerunTrigger
from snakemake_interface_executor_plugins.settings import ExecMode

BUNDLE = from_library("bundle")
WINDOWS = from_library("planning.windows")

# of a module: inputs get it, but parameters do not; later, the modifier is that of the whole workflow
with_prefix = workflow.modifier.path_modifier.replace_prefix
PARTS = config["run"]["batches"]
MEASURE_BATCH = workflow.modifier.modify_rulename("measure_batch")
DOWNLOAD_PRODUCT, STREAM_PRODUCT, RESAMPLE_PRODUCT, SUBSET_PRODUCT = (
    workflow.modifier.modify_rulename(f"{name}_product")
    for name in ("download", "stream", "resample", "subset")
)
COPYING_RULES = {STREAM_PRODUCT: "downloads", RESAMPLE_PRODUCT: "windows", SUBSET_PRODUCT: "windows"}
STREAMS = REMOTE and config["source"]["access"] == "stream"
MASK_OPTIONS = {
    "cirrus": config["composite"]["mask_cirrus"],
    "snow": config["composite"]["mask_snow"],
    "buffer": config["composite"]["mask_buffer"],
}
MAX_NEGATIVE_FRACTION = (
    config["composite"]["max_negative_fraction"] if DATES.MODES[config["mode"]].positive else None
)


def bundles_in(folder, product="{product}"):
    """Return the bundles of a product."""
    return [f"results/{folder}/{product}/{part}.zip" for part in range(PARTS)]


def index_of(bundle):
    """Return the index of a bundle, with its flags."""
    index = str(BUNDLE.index_of(Path(bundle)))
    return ancient(index) if getattr(bundle, "flags", {}).get("ancient") else index


def composited_bundles(wildcards):
    """Return the bundles of the products of a date."""
    part = WINDOWS.part_of(wildcards.site, PARTS)
    products = plan(wildcards.site).get(wildcards.date, {}).get("products", [])
    return [ancient(bundles_in("windows", product)[part]) for product in products]


def copy_of_product(wildcards):
    """Return the local copy of a product, or the simulated one; none of a product read in place: results outlive it."""
    return [] if STREAMS else whole_product(wildcards)


def fetched_bundles(wildcards):
    """Return the bundles of what was fetched of a product for each site."""
    return bundles_in("downloads", wildcards.product) if STREAMS else []


def wanted_sites(folder):
    """Return a function that gives the sites of a product, each with its window and with what that is made of.

    With the argument `input` Snakemake does not compare them: `changed_windows` does, for each site.
    """
    return lambda wildcards, input: windows_of_sites(folder, sites_of_product(wildcards.product))


# the products of a tile share it
@lru_cache(maxsize=None)
def windows_of_sites(folder, sites):
    return {site: (window_of(site), site_fingerprint(folder, site)) for site in sites}


def version_of(folder):
    """Return a function that gives what the windows of a product are made of, beside the settings of each site."""
    return lambda wildcards, input: list(product_version(folder, wildcards.product))


def product_version(folder, product):
    """Return the files of a product where they count, its version, and the version that was recorded first."""
    row = products_table()[product]
    version, first = row.get("etag"), FINGERPRINTS.first_version(row)
    if folder == "windows":
        return None, version, first
    files = WINDOWS.digest(files_table().get(product, []))
    # files of an object store have ETags of their own
    return (files, None, None) if row["url"].startswith("s3://") else (files, version, first)


def stored_indexes(wildcards, input):
    """Return the content of the indexes of a product's windows in Blob storage, for the job; none on a disk."""
    if not in_blob_storage() or workflow.exec_mode == ExecMode.DEFAULT:
        return []
    indexes = (str(BUNDLE.index_of(Path(bundle))) for bundle in bundles_in("windows", wildcards.product))
    return [read_blob(with_prefix(index)) for index in indexes]


def made_of_windows(folder, product):
    """Return the sites that need a product, each with what its window is made of."""
    version = product_version(folder, product)
    return {
        site: WINDOWS.made_of(site_fingerprint(folder, site), *version) for site in sites_of_product(product)
    }


def sites_of_product(product):
    """Return the names of the sites that use a product."""
    return sites_of_products(*products_key()).get(product, ())


@lru_cache(maxsize=None)
def site_fingerprint(folder, site):
    """Return the fingerprint of what the windows of a site are made of, whatever the product."""
    if folder == "downloads":
        return WINDOWS.digest({"site": window_of(site), "buffer": MASK_OPTIONS["buffer"]})
    return WINDOWS.digest(
        {
            "site": window_of(site),
            "mask_options": MASK_OPTIONS,
            "max_negative_fraction": MAX_NEGATIVE_FRACTION,
        }
    )


@lru_cache(maxsize=1)
def sites_of_products(path, time):
    """Return the sites that use each product."""
    sites = {}
    for site in SITES:
        try:
            dates = plan(site)
        except WorkflowError:
            # without products, which the targets of this run do not need
            continue
        for planned in dates.values():
            for product in planned["products"]:
                sites.setdefault(product, []).append(site)
    return {product: tuple(names) for product, names in sites.items()}


def minutes_of_product(minutes, product):
    """Return how long a job of a product may take: a minute more for every 20 of its sites."""
    return minutes + len(sites_of_product(product)) // 20


def entries_of(folder, product):
    """Return what the bundles of a product have of each site."""
    entries = {}
    for bundle in bundles_in(folder, product):
        entries |= read_entries(bundle)
    return entries


def read_entries(bundle):
    """Return what a bundle has of each site; nothing where it or its index does not exist."""
    path = Path(with_prefix(bundle))
    if not in_blob_storage():
        return BUNDLE.index_at(path)
    return BUNDLE.read_index(read_blob(str(BUNDLE.index_of(path))))


def current_bundles(job):
    """Return the bundles of a job in Blob storage to which it has nothing to add."""
    if not in_blob_storage() or job.rule.name not in (STREAM_PRODUCT, SUBSET_PRODUCT):
        return []
    wanted = made_of_windows(COPYING_RULES[job.rule.name], job.wildcards.product)
    names = bundles_in(COPYING_RULES[job.rule.name], job.wildcards.product)
    parts = zip(job.output.bundles, names, WINDOWS.by_part(wanted, PARTS))
    return [
        bundle
        for bundle, name, sites in parts
        if not WINDOWS.outdated(read_entries(name), {site: wanted[site] for site in sites})
    ]


async def plan_windows(dag, jobs):
    """Find the windows that this run makes; mark the jobs that make them, and the dates that are made of them.

    Parameters
    ----------
    jobs : list of Job
        Those whose products are known and that have not run.
    """
    made = vars(dag).setdefault("windows", {})
    made.clear()
    by_product = {}
    for job in jobs:
        if job.rule.name in (DOWNLOAD_PRODUCT, *COPYING_RULES):
            by_product.setdefault(job.wildcards.product, {})[job.rule.name] = job
    for product, of_product in by_product.items():
        all_again = any(is_forced(dag, job) or is_changed(dag, job) for job in of_product.values())
        for rule, folder in ((STREAM_PRODUCT, "downloads"), (SUBSET_PRODUCT, "windows")):
            # the windows alone may be the target of a run
            if job := of_product.get(rule) or (folder == "windows" and of_product.get(RESAMPLE_PRODUCT)):
                fetched = made.get(("downloads", product), set())
                made[folder, product] = fetched | set(windows_made(job, folder, all_again))
                await mark_windows(dag, job, made[folder, product])
        # what it made for a run that failed is of other sites, or a placeholder
        if job := of_product.get(RESAMPLE_PRODUCT):
            await mark_windows(dag, job, made.get(("windows", product), set()))
    if NUMBERS:
        await plan_measures(dag, jobs, made)
    for job in jobs:
        if job.rule.name == COMPOSITE_DATE and await has_results(job.output):
            if reason := changed_windows(made, job):
                mark(dag, job, reason)


async def mark_windows(dag, job, sites):
    """Have a job that makes windows of sites run again, if there are any."""
    if sites and await has_results(job.output):
        mark(dag, job, f"windows of {names_of(sites)}")


def names_of(sites):
    """Write some of the names of sites."""
    return ", ".join(sorted(sites)[:3]) + " and more" * (len(sites) > 3)


def mark(dag, job, reason):
    """Have a job that has results run again, for a reason that Snakemake reports as changed parameters."""
    dag.reason(job).params_changed = reason
    dag.reason(job).derived = False


def is_forced(dag, job):
    """Tell whether the user has forced a job."""
    return (job not in dag.omitforce and job.rule in dag.forcerules) or not dag.forcefiles.isdisjoint(
        job.output
    )


def is_changed(dag, job):
    """Tell whether Snakemake's own records say that a job's code has changed, or whether its copy is fetched again."""
    if job.rule.name == DOWNLOAD_PRODUCT and dag.reason(job):
        return True
    persistence = workflow.persistence
    return (
        RerunTrigger.PARAMS in workflow.rerun_triggers
        and persistence.has_metadata(job)
        and not persistence.has_outdated_metadata(job)
        and bool(persistence.params_changed(job))
    )


def windows_made(job, folder, all_again):
    """Return the sites whose windows of a product are made in this run."""
    product = job.wildcards.product
    wanted = made_of_windows(folder, product)
    if all_again:
        return list(wanted)
    unreadable = {path.name.removesuffix(RECORD) for path in records_of(product)}
    # a blob whose checksum is that of a known content need not be read
    known = in_blob_storage() and has_checksum(job.output.fingerprint, fingerprint_of(job))
    outdated = [] if known else WINDOWS.outdated(entries_of(folder, product), wanted)
    return [*outdated, *(unreadable & wanted.keys())]


def changed_windows(made, job):
    """Return why a date must be made again: a window that this run makes, or that has changed since; None if none."""
    site, image = job.wildcards.site, job.output.composite
    part = WINDOWS.part_of(site, PARTS)
    recorded = None
    for product in plan(site).get(job.wildcards.date, {}).get("products", []):
        if site in made.get(("windows", product), ()):
            return f"the window of {product}"
        bundle = bundles_in("windows", product)[part]
        if is_newer(str(BUNDLE.index_of(Path(bundle))), image):
            if recorded is None:
                recorded = read_windows(job)
            entry = read_entries(bundle).get(site)
            if entry is None or recorded.get(product) != entry.digest:
                return f"the window of {product} has changed"
    return None


def read_windows(job):
    """Return the digests of the windows that a date was made of, by product."""
    try:
        return json.loads(read_result(address_in_results(job.output.windows)))
    except (OSError, KeyError, ValueError):
        return {}


def is_newer(path, result):
    """Tell whether a file was written after a result; both may be in Blob storage."""
    times = [modification_time(name) for name in (with_prefix(path), address_in_results(result))]
    return None not in times and times[0] > times[1]


def modification_time(path):
    """Return the time of a file in results, None if it does not exist."""
    if in_blob_storage():
        blob = stored_blobs().get(f"{STORED}/{path}")
        return blob and blob.last_modified.timestamp()
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None


def forget_windows(job):
    """Before a job is submitted, have the windows made that this run is to make, although they seem up to date."""
    if NUMBERS and job.rule.name == MEASURE_BATCH:
        return forget_measures(job)
    folder = COPYING_RULES.get(job.rule.name)
    sites = vars(job.dag).get("windows", {}).get((folder, getattr(job.wildcards, "product", None)))
    if not sites:
        return
    wanted = made_of_windows(folder, job.wildcards.product)
    for bundle in bundles_in(folder, job.wildcards.product):
        entries = read_entries(bundle)
        current = sites & entries.keys() - set(WINDOWS.outdated(entries, wanted))
        if current:
            index = with_prefix(str(BUNDLE.index_of(Path(bundle))))
            write_result(index, BUNDLE.index_text(BUNDLE.forget(entries, current)))


@wrap_method(DAG, "bfs")
def descendants(original, dag, direction, *jobs, **options):
    """While jobs are compared, leave out what depends on a job by nothing but files that count as older.

    Snakemake 9.27 takes all descendants of a job that runs for outdated without comparing them, and then does not run
    those behind such files.
    """
    if direction is not dag.depending or not vars(dag).get("comparing"):
        yield from original(dag, direction, *jobs, **options)
        return
    queue, visited = list(jobs), set(jobs)
    while queue:
        job = queue.pop()
        yield job
        for other, files in direction[job].items():
            if other not in visited and not all(file.is_ancient for file in files):
                visited.add(other)
                queue.append(other)
