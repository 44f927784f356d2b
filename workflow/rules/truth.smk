"""Of the sample alone: its measurements compared with the simulated truth."""


rule compare_truth:
    input:
        analysis=rules.analyse_site.output.analysis,
        truth=rules.simulate_products.output.truth,
        ndvi=lambda wildcards: ndvi_of_dates(wildcards)[:1],
    output:
        fingerprint="results/{site}/fingerprints/compare_truth.json",
        truth="results/{site}/analysis/truth.json",
        png=report(
            "results/{site}/analysis/figures/truth.png",
            caption="../report/truth.rst",
            category="Figures",
            labels={"site": "{site}", "figure": "truth"},
        ),
        svg="results/{site}/analysis/figures/truth.svg",
    log:
        "logs/compare_truth/{site}.log",
    benchmark:
        "benchmarks/compare_truth/{site}.tsv"
    wildcard_constraints:
        site=SITE_OF_FILES,
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("compare_truth"),
    message:
        "Comparing {wildcards.site} with the truth of the simulation"
    script:
        "../scripts/compare_truth.py"
