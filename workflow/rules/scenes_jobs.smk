"""Scenes by one job per product."""


# Bands are selected and resampled in one pass, so that a whole tile is not written twice.
rule resample_scene:
    input:
        product=whole_product,
    output:
        update("results/scenes/{product}.tif"),
        fingerprint="results/fingerprints/{product}/resample_scene.json",
    log:
        "logs/resample_scene/{product}.log",
    benchmark:
        "benchmarks/resample_scene/{product}.tsv"
    retries: RETRIES
    conda:
        SCENE_ENVIRONMENT
    threads: SCENE_THREADS
    resources:
        attempt=lambda wildcards, attempt: attempt,
        mem_mb=scene_memory,
        runtime=60,
    params:
        library=library("resample_scene"),
        path=product_url,
        scene=scene_parameters(),
        retries=RETRIES,
    message:
        "Resampling {wildcards.product}"
    script:
        "../scripts/resample_scene.py"
