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
    params:
        # a function, because the folder as it stands would be taken for the start of the input's names
        path=lambda wildcards: config["source"]["path"],
        level=config["source"]["level"],
    message:
        "Listing the products of {params.path}"
    script:
        "../scripts/discover_products.py"


# No library among the inputs: an edit must not fetch everything again.
rule download_product:
    input:
        discovered,
        product=lambda wildcards: simulated_products(wildcards.product),
    output:
        "results/downloads/{product}.zip",
    log:
        "logs/download_product/{product}.log",
    benchmark:
        "benchmarks/download_product/{product}.tsv"
    retries: RETRIES
    conda:
        "../envs/tigerbush.yaml"
    resources:
        attempt=lambda wildcards, attempt: attempt,
        mem_mb=1000,
        runtime=60,
    params:
        path=product_url,
        bands=config["scene"]["bands"],
        retries=RETRIES,
    message:
        "Copying {wildcards.product}"
    script:
        "../scripts/download_product.py"


rule resample_product:
    input:
        product=downloaded_product,
    output:
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
        library=library(
            "errors",
            "failures",
            "files",
            "grid",
            "masks",
            "products",
            "raster",
            "resample",
            "safe",
            "scene",
            "site",
        ),
        path=product_url,
        site=site_window,
        mask_options={
            "cirrus": config["composite"]["mask_cirrus"],
            "snow": config["composite"]["mask_snow"],
            "buffer": config["composite"]["mask_buffer"],
        },
        retries=RETRIES,
    message:
        "Resampling {wildcards.product} for {wildcards.site}"
    script:
        "../scripts/resample_product.py"


rule subset_product:
    input:
        image=rules.resample_product.output.image,
        mask=rules.resample_product.output.mask,
    output:
        image="results/{site}/products/{product}.tif",
        mask="results/{site}/products/{product}_mask.tif",
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
        library=library(
            "errors",
            "files",
            "grid",
            "masks",
            "products",
            "raster",
            "resample",
            "safe",
            "scene",
            "site",
        ),
        site=site_window,
    message:
        "Cutting {wildcards.product} to {wildcards.site}"
    script:
        "../scripts/subset_product.py"
