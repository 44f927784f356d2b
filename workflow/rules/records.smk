"""Of the sample alone: long records of its ecosystem, simulated without images, from the summary to the report."""

# what can be drawn without images
DRAWN = ["series", "completeness", "indicators", "sensitivity", "weather", "recovery", "sub_images"]
# those of tigerbush.sample.records, which not every job has to load
RECORDS = ["drying", "steady"]


wildcard_constraints:
    record="|".join(RECORDS),


rule simulate_record:
    output:
        fingerprint="results/records/{record}/fingerprints/simulate_record.json",
        summary="results/records/{record}/results_summary.json",
    log:
        "logs/simulate_record/{record}.log",
    benchmark:
        "benchmarks/simulate_record/{record}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        library=library("simulate_record"),
        record=lambda wildcards: wildcards.record,
    message:
        "Simulating the record {wildcards.record}"
    script:
        "../scripts/simulate_record.py"


use rule analyse_site as analyse_record with:
    input:
        summary=rules.simulate_record.output.summary,
        ndvi=[],
        black_white=[],
    output:
        fingerprint="results/records/{record}/fingerprints/analyse_record.json",
        analysis="results/records/{record}/analysis/analysis.json",
        csv="results/records/{record}/analysis/series.csv",
        parquet="results/records/{record}/analysis/series.parquet",
        dates="results/records/{record}/analysis/dates.csv",
    log:
        "logs/analyse_record/{record}.log",
    benchmark:
        "benchmarks/analyse_record/{record}.tsv"
    params:
        library=library("analyse_site"),
        # fewer than for a site, since a record is ten times as long and the demo short
        settings=config["analysis"] | {"surrogates": 199},
        site=None,
        mode="default",
    message:
        "Analysing the record {wildcards.record}"


use rule plot_site as plot_record with:
    input:
        summary=rules.simulate_record.output.summary,
        analysis=rules.analyse_record.output.analysis,
        rgb=[],
        black_white=[],
    output:
        **{
            f"{figure}_{form}": f"results/records/{{record}}/analysis/figures/{figure}.{form}"
            for figure in DRAWN
            for form in ("png", "svg")
        },
        fingerprint="results/records/{record}/fingerprints/plot_record.json",
    log:
        "logs/plot_record/{record}.log",
    benchmark:
        "benchmarks/plot_record/{record}.tsv"
    message:
        "Drawing the record {wildcards.record}"


use rule report_site as report_record with:
    input:
        analysis=rules.analyse_record.output.analysis,
        summary=rules.simulate_record.output.summary,
        figures=[rules.plot_record.output[f"{figure}_svg"] for figure in DRAWN],
    output:
        report(
            "results/records/{record}/analysis/report.html",
            caption="../report/report_record.rst",
            category="Reports",
            labels={"site": "{record}", "file": "report of the record"},
        ),
        fingerprint="results/records/{record}/fingerprints/report_record.json",
    log:
        "logs/report_record/{record}.log",
    benchmark:
        "benchmarks/report_record/{record}.tsv"
    message:
        "Writing the report of the record {wildcards.record}"
