"""Per date and per site: the summary, and the gate that tells whether a product failed."""


rule summarise_date:
    input:
        composite=rules.composite_date.output[0],
        ndvi=rules.compute_ndvi.output[0],
        centrality=rules.compute_centrality.output[0],
        weather=weather_of(lambda wildcards: wildcards.date),
        subimages=rules.write_subimages.output if config["subimages"]["write"] else [],
        library=library("errors", "files", "raster", "resample", "summary"),
    output:
        "results/{site}/{date}/summary.json",
    log:
        "logs/summarise_date/{site}/{date}.log",
    benchmark:
        "benchmarks/summarise_date/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    message:
        "Summarising {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/summarise_date.py"


rule summarise_site:
    input:
        dates=lambda wildcards: expand(
            rules.summarise_date.output,
            site=wildcards.site,
            date=dates_with_products(wildcards.site),
        ),
        weather=weather_of(dates_without_products),
        library=library("errors", "files", "summary"),
    output:
        "results/{site}/results_summary.json",
    log:
        "logs/summarise_site/{site}.log",
    benchmark:
        "benchmarks/summarise_site/{site}.tsv"
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    params:
        site=lambda wildcards: SITES[wildcards.site],
        periods=list(PERIODS),
        left_out=lambda wildcards: {
            day: todo["left_out"] for day, todo in plan(wildcards.site).items() if todo["left_out"]
        },
        config=config,
        config_files=[Path(path).name for path in workflow.configfiles],
    message:
        "Summarising {wildcards.site}"
    script:
        "../scripts/summarise_site.py"


# The last job: everything else is finished when it fails, and the exit code tells the truth.
rule check_products:
    input:
        summaries=expand(rules.summarise_site.output, site=SITES),
        library=library("errors", "files", "raster", "resample"),
    output:
        "results/products_checked.txt",
    log:
        "logs/check_products.log",
    benchmark:
        "benchmarks/check_products.tsv"
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    params:
        on_failure=config["on_failure"],
    message:
        "Checking the sites for failed products"
    script:
        "../scripts/check_products.py"
