"""Per site: from the summary to pictures."""


rule plot_site:
    input:
        summary="results/{site}/results_summary.json",
        rgb=images_of_dates("rgb"),
        black_white=images_of_dates("bwndvi"),
    output:
        report(
            "results/{site}/analysis/overview.png",
            caption="../report/overview.rst",
            category="Overview",
            labels={"site": "{site}", "figure": "pattern and series"},
        ),
    log:
        "logs/plot_site/{site}.log",
    benchmark:
        "benchmarks/plot_site/{site}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        library=library("errors", "figures", "files", "images", "raster", "resample", "summary"),
    message:
        "Drawing {wildcards.site}"
    script:
        "../scripts/plot_site.py"
