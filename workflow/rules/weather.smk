"""Per date: rainfall and temperature."""


rule read_weather:
    input:
        precipitation=weather_file("precipitation"),
        temperature=weather_file("temperature"),
    output:
        "results/{site}/{date}/weather.json",
        fingerprint="results/{site}/fingerprints/{date}/read_weather.json",
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
        library=library("read_weather"),
        period=lambda wildcards: PERIODS[wildcards.date],
        site=site_row,
    message:
        "Reading the weather of {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/read_weather.py"
