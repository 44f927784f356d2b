"""Per date: composite, images, NDVI and network centrality."""


rule composite_date:
    input:
        # not newer than what was made of them: other sites share them, and `changed_windows` compares the site's own
        bundles=composited_bundles,
        indexes=lambda wildcards: list(map(index_of, composited_bundles(wildcards))),
    output:
        composite=update("results/{site}/{date}/composite.tif"),
        lost=update("results/{site}/{date}/lost.tif"),
        windows=update("results/{site}/fingerprints/{date}/windows.json"),
        fingerprint="results/{site}/fingerprints/{date}/composite_date.json",
    log:
        "logs/composite_date/{site}/{date}.log",
    benchmark:
        "benchmarks/composite_date/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("composite_date"),
        mask=config["composite"]["mask"],
        mode=config["mode"],
    message:
        "Compositing {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/composite_date.py"


rule render_date:
    input:
        composite=rules.composite_date.output.composite,
    output:
        fingerprint="results/{site}/fingerprints/{date}/render_date.json",
        ndvi="results/{site}/{date}/ndvi.tif",
        rgb_image=report(
            "results/{site}/{date}/rgb.png",
            caption="../report/rgb.rst",
            category="Images",
            subcategory="{site}",
            labels={"date": "{date}", "image": "RGB"},
        ),
        ndvi_image=report(
            "results/{site}/{date}/ndvi.png",
            caption="../report/ndvi.rst",
            category="Images",
            subcategory="{site}",
            labels={"date": "{date}", "image": "NDVI"},
        ),
        black_white=report(
            "results/{site}/{date}/bwndvi.png",
            caption="../report/bwndvi.rst",
            category="Images",
            subcategory="{site}",
            labels={"date": "{date}", "image": "black/white NDVI"},
        ),
    log:
        "logs/render_date/{site}/{date}.log",
    benchmark:
        "benchmarks/render_date/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("render_date"),
        mode=config["mode"],
    message:
        "Rendering {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/render_date.py"


rule compute_ndvi:
    input:
        discovered,
        composite=rules.composite_date.output.composite,
        lost=rules.composite_date.output.lost,
        ndvi=rules.render_date.output.ndvi,
        black_white=rules.render_date.output.black_white,
        rgb=rules.render_date.output.rgb_image,
        ndvi_image=rules.render_date.output.ndvi_image,
    output:
        "results/{site}/{date}/ndvi.json",
        fingerprint="results/{site}/fingerprints/{date}/compute_ndvi.json",
    log:
        "logs/compute_ndvi/{site}/{date}.log",
    benchmark:
        "benchmarks/compute_ndvi/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **SUBIMAGES,
        **changed_added_keys("composite.indices"),
        tiles=tiles_of_site,
        library=library("compute_ndvi"),
    message:
        "Computing the NDVI of the sub-images of {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/compute_ndvi.py"


rule compute_centrality:
    input:
        discovered,
        ndvi=rules.render_date.output.ndvi,
        black_white=rules.render_date.output.black_white,
        rgb=rules.render_date.output.rgb_image,
    output:
        "results/{site}/{date}/centrality.json",
        fingerprint="results/{site}/fingerprints/{date}/compute_centrality.json",
    log:
        "logs/compute_centrality/{site}/{date}.log",
    benchmark:
        "benchmarks/compute_centrality/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        **SUBIMAGES,
        library=library("compute_centrality"),
        network=config["centrality"],
    message:
        "Computing the network centrality of the sub-images of {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/compute_centrality.py"


rule write_subimages:
    input:
        discovered,
        ndvi=rules.render_date.output.ndvi,
        black_white=rules.render_date.output.black_white,
        rgb=rules.render_date.output.rgb_image,
        ndvi_image=rules.render_date.output.ndvi_image,
    output:
        "results/{site}/{date}/subimages.zip",
        fingerprint="results/{site}/fingerprints/{date}/write_subimages.json",
    log:
        "logs/write_subimages/{site}/{date}.log",
    benchmark:
        "benchmarks/write_subimages/{site}/{date}.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **SUBIMAGES,
        library=library("write_subimages"),
    message:
        "Writing the sub-images of {wildcards.site} at {wildcards.date}"
    script:
        "../scripts/write_subimages.py"
