"""Chosen products as one GeoTIFF each, with their cloud masks: the target `scenes`."""

# not where an earlier version may have checked the same scenes: its results are up to date
LEFT_OUT_SCENES = (
    {"left_out": lambda wildcards: selected_scenes()["left_out"]}
    if config["sites"] is None or SCENES.selection_parameters(config)
    else {}
)


use rule check_products as check_scenes with:
    input:
        scenes=lambda wildcards: scene_files(".tif"),
        masks=lambda wildcards: scene_files("_mask.tif") if MASKS else [],
    output:
        "results/scenes_checked.txt",
        fingerprint="results/fingerprints/check_scenes.json",
    log:
        "logs/check_scenes.log",
    benchmark:
        "benchmarks/check_scenes.tsv"
    localrule: True
    params:
        **LEFT_OUT_SCENES,
    message:
        "Checking the scenes for failed products"
