"""Per site: from the summary to early-warning indicators; over sites: their comparison."""


rule analyse_site:
    input:
        discovered,
        summary="results/{site}/results_summary.json",
        ndvi=ndvi_of_dates,
        black_white=images_of_dates("bwndvi"),
    output:
        fingerprint="results/{site}/fingerprints/analyse_site.json",
        analysis="results/{site}/analysis/analysis.json",
        csv="results/{site}/analysis/series.csv",
        parquet="results/{site}/analysis/series.parquet",
        dates="results/{site}/analysis/dates.csv",
    log:
        "logs/analyse_site/{site}.log",
    benchmark:
        "benchmarks/analyse_site/{site}.tsv"
    wildcard_constraints:
        site=SITE_OF_FILES,
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1500,
        runtime=30,
    params:
        library=library("analyse_site"),
        settings=config["analysis"],
        site=site_window,
        mode=config["mode"],
    message:
        "Analysing {wildcards.site}"
    script:
        "../scripts/analyse_site.py"


rule compare_sites:
    input:
        analyses=of_sites("results/{site}/analysis/analysis.json"),
    output:
        fingerprint="results/fingerprints/compare_sites.json",
        csv="results/analysis/sites.csv",
        json="results/analysis/sites.json",
    log:
        "logs/compare_sites.log",
    benchmark:
        "benchmarks/compare_sites.tsv"
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    params:
        library=library("compare_sites"),
        fdr=config["analysis"]["fdr"],
    message:
        "Comparing the sites"
    script:
        "../scripts/compare_sites.py"
