"""Detail `numbers`: each job measures a date of many sites in memory, and summarises, analyses or reports many sites.

The rules per site and date stay, for the files of single dates; their files of whole sites are made here instead.
"""

from snakemake.rules import Rule

NUMBERED = from_library("planning.batches")
BATCHES = NUMBERED.batches_of(SITES.values(), PARTS)
BATCH_OF = {site: batch for batch, sites in BATCHES.items() for site in sites}
# what all sites are measured with
MEASURES = {
    "mask": config["composite"]["mask"],
    "mode": config["mode"],
    "max_masked_fraction": config["subimages"]["max_masked_fraction"],
    "limit": config["subimages"]["limit"],
    "indices": config["composite"]["indices"],
    "network": config["centrality"],
    "seed": config["analysis"]["seed"],
}


wildcard_constraints:
    batch=NUMBERED.BATCH,


@lru_cache(maxsize=None)
def windows_of_batch(batch):
    """Return the sites of a batch, each with the keyword arguments of `tigerbush.site.Site`: one object for all dates."""
    return {site: window_of(site) for site in BATCHES[batch]}


@lru_cache(maxsize=None)
def tiles_of_batch(batch):
    """Return the sites of a batch, each with the tiles that cover it and one of their products."""
    return {site: tiles_with_product(site) for site in BATCHES[batch]}


def products_at(batch, date):
    """Return the sites of a batch that have products at a date, each with these."""
    planned = {site: plan(site).get(date, {}).get("products") for site in BATCHES[batch]}
    return {site: products for site, products in planned.items() if products}


def measured_bundles(wildcards):
    """Return the bundles of the products of a date that the sites of a batch need."""
    products = sorted(set().union(*products_at(wildcards.batch, wildcards.date).values()))
    part = int(wildcards.batch.rpartition("_")[2])
    return [ancient(bundles_in("windows", product)[part]) for product in products]


def dates_of_batch(batch):
    """Return an input function that gives the measures of all dates of a batch."""
    days = lambda: sorted({day for site in BATCHES[batch] for day in dates_with_products(site)})
    return lambda wildcards: [f"results/batches/{batch}/{day}.zip" for day in days()]


def sites_of_batch(batch, of_site):
    """Return a parameter: of each site of a batch the dates, and what a function returns.

    With the argument `input` Snakemake does not record it with each output; the fingerprint of the job has it once.
    """
    return lambda wildcards, input: {
        site: {"dates": dates_with_products(site)} | of_site(SimpleNamespace(site=site))
        for site in BATCHES[batch]
    }


def files_of_sites(batch, pattern):
    """Return a file of each site of a batch."""
    return [pattern.replace("{site}", site) for site in BATCHES[batch]]


def of_batch(batch, pattern):
    """Return outputs of each site of a batch; a job leaves those as they are of which nothing has changed."""
    return list(map(update, files_of_sites(batch, pattern)))


def made_of_measures(wildcards, made=None):
    """Return what the measures of each site of a batch at a date are made of.

    The digests of windows are read only where `made`, the windows that a run makes, is given and has none of the site's.
    """
    shown = NUMBERED.keeps_images(wildcards.date, PERIODS)
    return {
        site: NUMBERED.made_of_date(
            window_of(site), products, shown, MEASURES, windows_of(site, products, made)
        )
        for site, products in products_at(wildcards.batch, wildcards.date).items()
    }


def windows_of(site, products, made):
    """Return the digests of the windows of a site; None where this run makes one of them."""
    if made is None or any(site in made.get(("windows", product), ()) for product in products):
        return None
    part = WINDOWS.part_of(site, PARTS)
    entries = {product: read_entries(bundles_in("windows", product)[part]).get(site) for product in products}
    return {product: entry.digest if entry else None for product, entry in entries.items()}


async def plan_measures(dag, jobs, made):
    """Find the sites that are measured again at each date of a batch, and mark the jobs."""
    for job in jobs:
        if job.rule.name != MEASURE_BATCH or not await has_results(job.output):
            continue
        sites = measured_again(dag, job, made)
        made["batches", job.wildcards.batch, job.wildcards.date] = sites
        if sites:
            mark(dag, job, f"measures of {names_of(sites)}")


def measured_again(dag, job, made):
    """Return the sites of a batch that are measured again at a date."""
    wanted = made_of_measures(job.wildcards)
    if is_forced(dag, job) or is_changed(dag, job):
        return set(wanted)
    of_run = {
        site
        for site, products in products_at(job.wildcards.batch, job.wildcards.date).items()
        if any(site in made.get(("windows", product), ()) for product in products)
    }
    if any(is_newer(address_in_results(index), job.output.index) for index in job.input.indexes):
        wanted = made_of_measures(job.wildcards, made)
    return of_run | set(WINDOWS.outdated(read_entries(measures_of(job.wildcards)), wanted))


async def products_of_measures(job, products):
    """Return the sites of a batch whose measures of a date this run would make again without products, with these."""
    used = {}
    batch, date = job.wildcards.batch, job.wildcards.date
    entries = read_entries(measures_of(job.wildcards))
    for site in vars(job.dag)["windows"].get(("batches", batch, date), set()) & entries.keys():
        planned = products_at(batch, date)[site]
        if read := [product for product in planned if product in products]:
            if job.output.measures.is_storage:
                await job.output.measures.retrieve_from_storage()
            try:
                summary = json.loads(BUNDLE.read_member(Path(job.output.measures), site, "summary.json"))
            except from_library("errors").TigerbushError:
                # damaged: there is nothing to lose
                continue
            if lost := products_in_lineage(summary["lineage"], read, planned):
                used[f"results/{site}/{date}"] = lost
    return used


def measures_of(wildcards):
    """Return the measures of a batch at a date."""
    return f"results/batches/{wildcards.batch}/{wildcards.date}.zip"


def forget_measures(job):
    """Before a job is submitted, have the sites measured that this run is to measure, although they seem up to date."""
    sites = vars(job.dag).get("windows", {}).get(("batches", job.wildcards.batch, job.wildcards.date))
    bundle = measures_of(job.wildcards)
    entries = read_entries(bundle) if sites else {}
    if current := {site for site in sites or () if site in entries and entries[site].made}:
        write_result(
            with_prefix(str(BUNDLE.index_of(Path(bundle)))),
            BUNDLE.index_text(BUNDLE.forget(entries, current)),
        )


def weather_files(wildcards):
    """Return the weather files of a site."""
    if not config["weather"]["path"]:
        return []
    return [weather_file(quantity)(wildcards) for quantity in ("precipitation", "temperature")]


@wrap_method(Rule, "is_producer")
def has_output(original, rule, file):
    """Look up a file among outputs without wildcards: Snakemake 9.27 compares a pattern of each of them."""
    return original(rule, file) if rule.wildcard_names else file in outputs_of(rule)


@wrap_method(Rule, "get_wildcards")
def wildcards_of_output(original, rule, file, wildcards_dict=None):
    """Return no wildcards where there are none, without the same comparison."""
    return original(rule, file, wildcards_dict) if rule.wildcard_names else {}


@lru_cache(maxsize=None)
def outputs_of(rule):
    """Return the files of a rule without wildcards, with log and benchmark."""
    return frozenset(product.file for product in rule.products())


rule measure_batch:
    input:
        discovered,
        # as for composites, `plan_measures` compares the windows of each site
        bundles=measured_bundles,
        indexes=lambda wildcards: list(map(index_of, measured_bundles(wildcards))),
    output:
        measures=update("results/batches/{batch}/{date}.zip"),
        index=update("results/batches/{batch}/{date}.json"),
        fingerprint="results/batches/{batch}/fingerprints/{date}/measure_batch.json",
    log:
        "logs/measure_batch/{batch}/{date}.log",
    benchmark:
        "benchmarks/measure_batch/{batch}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1500,
        runtime=lambda wildcards: 20 + len(BATCHES[wildcards.batch]) // 20,
    params:
        library=library("measure_batch"),
        # with the argument `input` Snakemake does not compare them: `plan_measures` does, for each site
        sites=lambda wildcards, input: windows_of_batch(wildcards.batch),
        products=lambda wildcards, input: products_at(wildcards.batch, wildcards.date),
        tiles=lambda wildcards, input: tiles_of_batch(wildcards.batch),
        shown=lambda wildcards, input: NUMBERED.keeps_images(wildcards.date, PERIODS),
        measures=MEASURES,
    message:
        "Measuring the batch {wildcards.batch} at {wildcards.date}"
    script:
        "../scripts/measure_batch.py"


for _batch in BATCHES:

    rule:
        name:
            f"summarise_batch_of_{_batch}"
        input:
            dates=dates_of_batch(_batch),
            weather=[file for site in BATCHES[_batch] for file in weather_files(SimpleNamespace(site=site))],
        output:
            summary=of_batch(_batch, "results/{site}/results_summary.json"),
            missing=of_batch(_batch, "results/{site}/missing.tsv"),
            record=update(f"results/batches/{_batch}/summarised.json"),
            fingerprint=f"results/batches/{_batch}/fingerprints/summarise_batch.json",
        log:
            f"logs/summarise_batch/{_batch}.log",
        benchmark:
            f"benchmarks/summarise_batch/{_batch}.tsv"
        # the weather is on the machine that started the run
        localrule: on_nodes() and bool(config["weather"]["path"])
        conda:
            "../envs/tigerbush.yaml"
        resources:
            mem_mb=1000,
            runtime=20 + len(BATCHES[_batch]) // 20,
        params:
            library=library("summarise_batch"),
            sites=sites_of_batch(
                _batch,
                lambda wildcards: {
                    "site": site_row(wildcards),
                    "weather": weather_files(wildcards),
                    "left_out": left_out_of(wildcards.site),
                },
            ),
            weather=(
                {key: config["weather"][key] for key in ("date", "precipitation", "temperature")}
                if config["weather"]["path"]
                else None
            ),
            periods=dict(PERIODS),
            about={
                "config": FINGERPRINTS.recorded(config),
                "config_files": [Path(path).name for path in workflow.configfiles],
            },
        message:
            f"Summarising the sites of the batch {_batch}"
        script:
            "../scripts/summarise_batch.py"

    rule:
        name:
            f"analyse_batch_of_{_batch}"
        input:
            dates=dates_of_batch(_batch),
            summaries=files_of_sites(_batch, "results/{site}/results_summary.json"),
        output:
            analysis=of_batch(_batch, "results/{site}/analysis/analysis.json"),
            csv=of_batch(_batch, "results/{site}/analysis/series.csv"),
            parquet=of_batch(_batch, "results/{site}/analysis/series.parquet"),
            dates=of_batch(_batch, "results/{site}/analysis/dates.csv"),
            record=update(f"results/batches/{_batch}/analysed.json"),
            fingerprint=f"results/batches/{_batch}/fingerprints/analyse_batch.json",
        log:
            f"logs/analyse_batch/{_batch}.log",
        benchmark:
            f"benchmarks/analyse_batch/{_batch}.tsv"
        conda:
            "../envs/tigerbush.yaml"
        resources:
            mem_mb=1500,
            runtime=30 + len(BATCHES[_batch]),
        params:
            library=library("analyse_batch"),
            sites=sites_of_batch(_batch, lambda wildcards: {"site": site_window(wildcards)}),
            settings=config["analysis"],
        message:
            f"Analysing the sites of the batch {_batch}"
        script:
            "../scripts/analyse_batch.py"

    rule:
        name:
            f"report_batch_of_{_batch}"
        input:
            dates=dates_of_batch(_batch),
            summaries=files_of_sites(_batch, "results/{site}/results_summary.json"),
            analyses=files_of_sites(_batch, "results/{site}/analysis/analysis.json"),
        output:
            reports=of_batch(_batch, "results/{site}/analysis/report.html"),
            # Snakemake plans each output of each site: the pictures, which the report shows, are one
            pictures=of_batch(_batch, "results/{site}/analysis/pictures.zip"),
            record=update(f"results/batches/{_batch}/reported.json"),
            fingerprint=f"results/batches/{_batch}/fingerprints/report_batch.json",
        log:
            f"logs/report_batch/{_batch}.log",
        benchmark:
            f"benchmarks/report_batch/{_batch}.tsv"
        conda:
            "../envs/tigerbush.yaml"
        resources:
            mem_mb=1500,
            runtime=20 + len(BATCHES[_batch]) // 4,
        params:
            library=library("report_batch"),
            templates=TEMPLATES,
            figures=FIGURES,
            metrics=MAPPED,
            sites=sites_of_batch(_batch, lambda wildcards: {"site": site_window(wildcards)}),
            mode=config["mode"],
        message:
            f"Reporting the sites of the batch {_batch}"
        script:
            "../scripts/report_batch.py"
