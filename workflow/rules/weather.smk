"""Per date: rainfall and temperature."""


rule read_weather:
    input:
        table=lambda wildcards: config["weather"]["path"].replace("{site}", wildcards.site),
        library=library("errors", "files", "weather"),
    output:
        "results/{site}/{date}/weather.json",
    log:
        "logs/read_weather/{site}/{date}.log",
    benchmark:
        "benchmarks/read_weather/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        **{key: config["weather"][key] for key in ("date", "precipitation", "temperature")},
        period=lambda wildcards: PERIODS[wildcards.date],
    message:
        "Weather of {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/read_weather.py"
