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
        bundles=[update(bundle) for bundle in bundles_in("downloads")],
        indexes=[update(index_of(bundle)) for bundle in bundles_in("downloads")],
        fingerprint="results/fingerprints/{product}/stream_product.json",
    log:
        "logs/stream_product/{product}.log",
    benchmark:
        "benchmarks/stream_product/{product}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        connections=4,
        mem_mb=1000,
        runtime=lambda wildcards: minutes_of_product(30, wildcards.product),
    params:
        store=STORE,
        files=files_of([]),
        sites=wanted_sites("downloads"),
        version=version_of("downloads"),
        buffer=config["composite"]["mask_buffer"],
        retries=RETRIES,
    message:
        "Fetching the windows of {wildcards.product}"
    script:
        "../scripts/stream_product.py"


rule resample_product:
    input:
        discovered,
        product=copy_of_product,
        bundles=fetched_bundles,
    output:
        fingerprint="results/fingerprints/{product}/resample_product.json",
        windows=temp("results/windows/{product}/resampled.zip"),
        index=temp("results/windows/{product}/resampled.json"),
    log:
        "logs/resample_product/{product}.log",
    benchmark:
        "benchmarks/resample_product/{product}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        mem_mb=1000,
        runtime=lambda wildcards: minutes_of_product(30, wildcards.product),
    params:
        library=library("resample_product"),
        path=product_url,
        sites=wanted_sites("windows"),
        version=version_of("windows"),
        parts=PARTS,
        indexes=stored_indexes,
        mask_options=MASK_OPTIONS,
        max_negative_fraction=MAX_NEGATIVE_FRACTION,
        retries=RETRIES,
    message:
        "Resampling the windows of {wildcards.product}"
    script:
        "../scripts/resample_product.py"


rule subset_product:
    input:
        discovered,
        windows=rules.resample_product.output.windows,
        index=rules.resample_product.output.index,
    output:
        bundles=[update(bundle) for bundle in bundles_in("windows")],
        indexes=[update(index_of(bundle)) for bundle in bundles_in("windows")],
        fingerprint="results/fingerprints/{product}/subset_product.json",
    log:
        "logs/subset_product/{product}.log",
    benchmark:
        "benchmarks/subset_product/{product}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=lambda wildcards: minutes_of_product(10, wildcards.product),
    params:
        library=library("subset_product"),
        sites=wanted_sites("windows"),
        version=version_of("windows"),
    message:
        "Cutting {wildcards.product} to its sites"
    script:
        "../scripts/subset_product.py"
