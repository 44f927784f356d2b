"""Every product as one GeoTIFF: the target `scenes`."""


# Resample and subset by bands in one pass: a whole tile is not written twice.
rule resample_scene:
    input:
        product=product_whole,
    output:
        "results/scenes/{product}.tif",
    log:
        "logs/resample_scene/{product}.log",
    benchmark:
        "benchmarks/resample_scene/{product}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        library=library(
            "errors",
            "failures",
            "files",
            "metadata",
            "products",
            "raster",
            "resample",
            "safe",
            "scene",
            "stac_item",
        ),
        path=product_url,
        scene={key: value for key, value in config["scene"].items() if key != "engine"},
        retries=RETRIES,
    message:
        "Resampling {wildcards.product}"
    script:
        "../scripts/resample_scene.py"


use rule check_products as check_scenes with:
    input:
        scenes=lambda wildcards: expand("results/scenes/{product}.tif", product=products_table()),
    output:
        "results/scenes_checked.txt",
    log:
        "logs/check_scenes.log",
    benchmark:
        "benchmarks/check_scenes.tsv"
    message:
        "Checking the scenes for failed products"
