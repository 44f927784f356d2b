"""Per site and over sites: figures, maps and the reports."""

FIGURES = [
    "series",
    "completeness",
    "indicators",
    "sensitivity",
    "weather",
    "recovery",
    "spatial",
    "patches",
    "sub_images",
    "spatial_warning",
]
MAPPED = [row.name for row in VARIABLES.measured(config["composite"]["indices"])]


rule plot_site:
    input:
        summary="results/{site}/results_summary.json",
        analysis=rules.analyse_site.output.analysis,
        rgb=images_of_dates("rgb"),
        black_white=images_of_dates("bwndvi"),
    output:
        **{
            "overview_png": in_report(
                "results/{site}/analysis/overview.png", "overview", "Overview", figure="pattern and series"
            ),
            "overview_svg": "results/{site}/analysis/overview.svg",
        },
        **{
            f"{figure}_png": in_report(
                f"results/{{site}}/analysis/figures/{figure}.png", "figure", "Figures", figure=figure
            )
            for figure in FIGURES
        },
        **{f"{figure}_svg": f"results/{{site}}/analysis/figures/{figure}.svg" for figure in FIGURES},
        fingerprint="results/{site}/fingerprints/plot_site.json",
    log:
        "logs/plot_site/{site}.log",
    benchmark:
        "benchmarks/plot_site/{site}.tsv"
    wildcard_constraints:
        site=SITE_OF_FILES,
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("plot_site"),
    message:
        "Drawing {wildcards.site}"
    script:
        "../scripts/plot_site.py"


rule map_site:
    input:
        discovered,
        summary="results/{site}/results_summary.json",
        # all dates share one grid
        ndvi=lambda wildcards: ndvi_of_dates(wildcards)[:1],
    output:
        **{
            f"{metric}_png": in_report(
                f"results/{{site}}/analysis/maps/{metric}.png", "map", "Maps", figure=f"{metric}, every date"
            )
            for metric in MAPPED
        },
        **{
            f"{metric}_animation": in_report(
                f"results/{{site}}/analysis/maps/{metric}.webp", "map", "Maps", figure=f"{metric}, animation"
            )
            for metric in MAPPED
        },
        **{f"{metric}_svg": f"results/{{site}}/analysis/maps/{metric}.svg" for metric in MAPPED},
        **{f"{metric}_tif": f"results/{{site}}/analysis/maps/{metric}.tif" for metric in MAPPED},
        fingerprint="results/{site}/fingerprints/map_site.json",
    log:
        "logs/map_site/{site}.log",
    benchmark:
        "benchmarks/map_site/{site}.tsv"
    wildcard_constraints:
        site=SITE_OF_FILES,
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("map_site"),
        site=site_window,
        mode=config["mode"],
    message:
        "Mapping the sub-images of {wildcards.site}"
    script:
        "../scripts/map_site.py"


rule report_site:
    input:
        analysis=rules.analyse_site.output.analysis,
        summary="results/{site}/results_summary.json",
        rgb=images_of_dates("rgb"),
        black_white=images_of_dates("bwndvi"),
        figures=[rules.plot_site.output[f"{figure}_svg"] for figure in FIGURES],
        maps=[rules.map_site.output[f"{metric}_{form}"] for metric in MAPPED for form in ("svg", "animation")],
        truth=(
            [rules.compare_truth.output.truth, rules.compare_truth.output.svg]
            if config["source"]["kind"] == "sample"
            else []
        ),
    output:
        in_report("results/{site}/analysis/report.html", "report_site", "Reports", file="report of the site"),
        fingerprint="results/{site}/fingerprints/report_site.json",
    log:
        "logs/report_site/{site}.log",
    benchmark:
        "benchmarks/report_site/{site}.tsv"
    wildcard_constraints:
        site=SITE_OF_FILES,
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("report_site"),
        templates=TEMPLATES,
    message:
        "Writing the report of {wildcards.site}"
    script:
        "../scripts/report_site.py"


rule report_sites:
    input:
        comparison=rules.compare_sites.output.json,
        analyses=rules.compare_sites.input.analyses,
    output:
        fingerprint="results/fingerprints/report_sites.json",
        report=report(
            "results/analysis/report.html",
            caption="../report/report_sites.rst",
            category="Reports",
            labels={"site": "all", "file": "report over sites"},
        ),
        png="results/analysis/figures/sites.png",
        svg="results/analysis/figures/sites.svg",
    log:
        "logs/report_sites.log",
    benchmark:
        "benchmarks/report_sites.tsv"
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    params:
        library=library("report_sites"),
        templates=TEMPLATES,
    message:
        "Writing the report over sites"
    script:
        "../scripts/report_sites.py"
