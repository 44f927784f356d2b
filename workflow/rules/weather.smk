"""Per date: rainfall and temperature."""


def weather_file(wildcards):
    return config["weather"]["path"].replace("{site}", wildcards.site)


rule read_weather:
    input:
        table=weather_file,
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
