"""Per date and per site: the summaries, and the final check for failed products."""


rule summarise_date:
    input:
        composite=rules.composite_date.output.composite,
        ndvi=rules.compute_ndvi.output[0],
        centrality=rules.compute_centrality.output[0],
        weather=weather_of(lambda wildcards: wildcards.date),
        subimages="results/{site}/{date}/subimages.zip" if config["subimages"]["write"] else [],
    output:
        "results/{site}/{date}/summary.json",
        fingerprint="results/{site}/fingerprints/{date}/summarise_date.json",
    log:
        "logs/summarise_date/{site}/{date}.log",
    benchmark:
        "benchmarks/summarise_date/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        library=library("summarise_date"),
    message:
        "Summarising {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/summarise_date.py"


rule summarise_site:
    input:
        dates=lambda wildcards: expand(
            "results/{site}/{date}/summary.json",
            site=wildcards.site,
            date=dates_with_products(wildcards.site),
        ),
        weather=weather_of(dates_without_products),
    output:
        fingerprint="results/{site}/fingerprints/summarise_site.json",
        summary=report(
            "results/{site}/results_summary.json",
            caption="../report/results_summary.rst",
            category="Results",
            labels={"site": "{site}", "file": "results_summary.json"},
        ),
        missing=report(
            "results/{site}/missing.tsv",
            caption="../report/missing.rst",
            category="Results",
            labels={"site": "{site}", "file": "missing.tsv"},
        ),
    log:
        "logs/summarise_site/{site}.log",
    benchmark:
        "benchmarks/summarise_site/{site}.tsv"
    wildcard_constraints:
        site=SITE_OF_FILES,
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    params:
        library=library("summarise_site"),
        site=site_row,
        periods=list(PERIODS),
        left_out=lambda wildcards: left_out_of(wildcards.site),
        config=FINGERPRINTS.recorded(config),
        config_files=[Path(path).name for path in workflow.configfiles],
    message:
        "Summarising {wildcards.site}"
    script:
        "../scripts/summarise_site.py"


# The last job: when it fails, everything else is finished and the exit code says so.
rule check_products:
    input:
        summaries=of_sites("results/{site}/results_summary.json"),
    output:
        "results/products_checked.txt",
        fingerprint="results/fingerprints/check_products.json",
    log:
        "logs/check_products.log",
    benchmark:
        "benchmarks/check_products.tsv"
    retries: 0
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    params:
        library=library("check_products"),
        on_failure=config["on_failure"],
    message:
        "Checking the sites for failed products"
    script:
        "../scripts/check_products.py"
