"""Per product: discover, download, resample, subset."""


checkpoint discover_products:
    input:
        simulated_products(),
    output:
        products=update(config["products"]),
        files=update(str(Path(config["products"]).with_name("files.tsv"))),
    log:
        "logs/discover_products.log",
    benchmark:
        "benchmarks/discover_products.tsv"
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    resources:
        connections=4,
    params:
        **changed_added_keys("scene.snap_masks"),
        # only where products are chosen for scenes
        **{key: value for key, value in DISCOVERY.items() if key == "scenes"},
        # a function: Snakemake would take a plain string for a prefix of input files
        source=lambda wildcards: DISCOVERY["source"],
        sites=DISCOVERY["sites"],
        period=DISCOVERY["period"],
        # None in remote storage, where the job cannot see them; with `input` Snakemake does not compare it
        results=lambda wildcards, input: (
            None if workflow.storage_settings.default_storage_provider else str(RESULTS)
        ),
    message:
        "Listing the products of the source"
    script:
        "../scripts/discover_products.py"


# No parameter `library` for rules that fetch: an edit of the code must not fetch everything again.
rule download_product:
    input:
        stored=stored_files,
        product=lambda wildcards: simulated_products(wildcards.product),
    output:
        update("results/downloads/{product}.zip"),
        fingerprint="results/fingerprints/{product}/download_product.json",
    log:
        "logs/download_product/{product}.log",
    benchmark:
        "benchmarks/download_product/{product}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        connections=1,
        mem_mb=1000,
        runtime=60,
    params:
        **changed_added_keys("scene.snap_masks"),
        path=product_url,
        bands=None if SNAP else config["scene"]["bands"],
        store=STORE,
        files=files_of(config["scene"]["bands"], SCENE_MASKS),
        retries=RETRIES,
    message:
        "Copying {wildcards.product}"
    script:
        "../scripts/download_product.py"


rule stream_product:
    input:
        discovered,
    output:
        update("results/{site}/downloads/{product}.zip"),
        fingerprint="results/{site}/fingerprints/{product}/stream_product.json",
    log:
        "logs/stream_product/{site}/{product}.log",
    benchmark:
        "benchmarks/stream_product/{site}/{product}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        connections=4,
        mem_mb=1000,
        runtime=30,
    params:
        store=STORE,
        files=files_of([]),
        site=site_window,
        buffer=config["composite"]["mask_buffer"],
        retries=RETRIES,
    message:
        "Fetching the windows of {wildcards.product} for {wildcards.site}"
    script:
        "../scripts/stream_product.py"


rule resample_product:
    input:
        product=product_of_site,
    output:
        fingerprint="results/{site}/fingerprints/{product}/resample_product.json",
        image=temp("results/{site}/products/{product}.window.tif"),
        mask=temp("results/{site}/products/{product}.window_mask.tif"),
    log:
        "logs/resample_product/{site}/{product}.log",
    benchmark:
        "benchmarks/resample_product/{site}/{product}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        mem_mb=1000,
        runtime=30,
    params:
        library=library("resample_product"),
        path=product_url,
        site=site_window,
        mask_options={
            "cirrus": config["composite"]["mask_cirrus"],
            "snow": config["composite"]["mask_snow"],
            "buffer": config["composite"]["mask_buffer"],
        },
        max_negative_fraction=(
            config["composite"]["max_negative_fraction"] if DATES.MODES[config["mode"]].positive else None
        ),
        retries=RETRIES,
    message:
        "Resampling {wildcards.product} for {wildcards.site}"
    script:
        "../scripts/resample_product.py"


rule subset_product:
    input:
        discovered,
        image=rules.resample_product.output.image,
        mask=rules.resample_product.output.mask,
    output:
        fingerprint="results/{site}/fingerprints/{product}/subset_product.json",
        image=update("results/{site}/products/{product}.tif"),
        mask=update("results/{site}/products/{product}_mask.tif"),
    log:
        "logs/subset_product/{site}/{product}.log",
    benchmark:
        "benchmarks/subset_product/{site}/{product}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("subset_product"),
        site=site_window,
    message:
        "Cutting {wildcards.product} to {wildcards.site}"
    script:
        "../scripts/subset_product.py"
