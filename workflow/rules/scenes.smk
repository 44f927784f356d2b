"""Every product as one GeoTIFF: the target `scenes`."""


use rule check_products as check_scenes with:
    input:
        scenes=lambda wildcards: expand("results/scenes/{product}.tif", product=scenes()),
    output:
        "results/scenes_checked.txt",
        fingerprint="results/fingerprints/check_scenes.json",
    log:
        "logs/check_scenes.log",
    benchmark:
        "benchmarks/check_scenes.tsv"
    localrule: True
    message:
        "Checking the scenes for failed products"
