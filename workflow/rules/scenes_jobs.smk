"""Scenes by one job per product."""


# Bands are selected and resampled in one pass, so that a whole tile is not written twice.
rule resample_scene:
    input:
        product=whole_product,
    output:
        update(f"results/scenes/{SCENE_FOLDER}{{product}}.tif"),
        fingerprint=f"results/fingerprints/{SCENE_FOLDER}{{product}}/resample_scene.json",
    log:
        f"logs/resample_scene/{SCENE_FOLDER}{{product}}.log",
    benchmark:
        f"benchmarks/resample_scene/{SCENE_FOLDER}{{product}}.tsv"
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


# A job of its own: finished scenes are not made again when masks are wanted later.
rule mask_scene:
    input:
        product=whole_product,
    output:
        update(f"results/scenes/{SCENE_FOLDER}{{product}}_mask.tif"),
        fingerprint=f"results/fingerprints/{SCENE_FOLDER}{{product}}/mask_scene.json",
    log:
        f"logs/mask_scene/{SCENE_FOLDER}{{product}}.log",
    benchmark:
        f"benchmarks/mask_scene/{SCENE_FOLDER}{{product}}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        mem_mb=MASK_MB,
        runtime=30,
    params:
        library=library("mask_scene"),
        path=product_url,
        mask=FINGERPRINTS.mask_parameters(config),
        retries=RETRIES,
    message:
        "Masking {wildcards.product}"
    script:
        "../scripts/mask_scene.py"
