"""Scenes by one MPI job over all chosen products (scene.mpi.ranks)."""

import hashlib
import json
from types import SimpleNamespace

if workflow.storage_settings.default_storage_provider:
    raise WorkflowError(
        "scene.mpi.ranks must be null with a storage provider: the ranks of an MPI job need a file system that all nodes "
        "share."
    )

RANKS = config["scene"]["mpi"]["ranks"]
# the launcher starts the second script, which no import names
SCENE_SCRIPTS = ("resample_scenes", "resample_scenes_rank")


def scenes_paths():
    """Return the local copy of every product, or where it is in the source."""
    return {
        name: [
            *map(with_prefix, whole_product(SimpleNamespace(product=name))),
            products_table()[name]["url"],
        ][0]
        for name in scenes()
    }


def ranks_folder(parameters):
    """Return the folder that ranks write to, one for each set of parameters, so that files in it are always valid."""
    key = json.dumps(
        [parameters, code_of(*SCENE_SCRIPTS, sensors=sensors_of_products(scenes()))], sort_keys=True
    )
    return f"{RESULTS}/scenes_mpi/{hashlib.sha256(key.encode()).hexdigest()[:16]}"


# parameters of the masks, if they are wanted; finished scenes are not made again when they are wanted later
MASKS_OF_RANKS = {
    "mask": FINGERPRINTS.mask_parameters(config),
    "mask_folder": lambda wildcards: ranks_folder({"mask": FINGERPRINTS.mask_parameters(config)}),
}


# Ranks do not write declared outputs, which Snakemake would delete when a rank is lost.
rule resample_scenes:
    input:
        products=lambda wildcards: [
            path for name in scenes() for path in whole_product(SimpleNamespace(product=name))
        ],
    output:
        manifest="results/scenes_mpi/manifest.json",
        fingerprint="results/fingerprints/resample_scenes.json",
    log:
        "logs/resample_scenes.log",
    benchmark:
        "benchmarks/resample_scenes.tsv"
    retries: RETRIES
    conda:
        SCENE_ENVIRONMENT
    threads: SCENE_THREADS
    resources:
        attempt=lambda wildcards, attempt: attempt,
        mpi="mpirun",
        tasks=RANKS,
        # memory of a node: all ranks may be on one
        mem_mb=lambda wildcards, attempt: RANKS * scene_memory(wildcards, attempt),
        # a scene of three bands takes a minute
        runtime=lambda wildcards: 60 + 2 * len(scenes()) // RANKS,
    params:
        **(MASKS_OF_RANKS if MASKS else {}),
        library=library(*SCENE_SCRIPTS),
        products=lambda wildcards: scenes_paths(),
        folder=lambda wildcards: ranks_folder(scene_parameters()),
        scene=scene_parameters(),
        # with `input` Snakemake does not compare it; the fingerprint does
        versions=lambda wildcards, input: {
            name: (FINGERPRINTS.first_version(row), row["etag"])
            for name, row in products_table().items()
            if row.get("etag")
        },
        retries=RETRIES,
    message:
        "Resampling the chosen products with {resources.tasks} MPI ranks"
    script:
        "../scripts/resample_scenes.py"


# Cheap: it hard-links the file of the rank. `ancient(manifest)` would keep a new manifest from triggering it.
rule publish_scene:
    input:
        discovered,
        manifest=rules.resample_scenes.output.manifest,
    output:
        update(f"results/scenes/{SCENE_FOLDER}{{product}}.tif"),
        fingerprint=f"results/fingerprints/{SCENE_FOLDER}{{product}}/publish_scene.json",
    log:
        f"logs/publish_scene/{SCENE_FOLDER}{{product}}.log",
    benchmark:
        f"benchmarks/publish_scene/{SCENE_FOLDER}{{product}}.tsv"
    localrule: True
    conda:
        "../envs/tigerbush.yaml"
    params:
        folder=lambda wildcards: ranks_folder(scene_parameters()),
    message:
        "Publishing {wildcards.product}"
    script:
        "../scripts/publish_scene.py"


use rule publish_scene as publish_mask with:
    output:
        update(f"results/scenes/{SCENE_FOLDER}{{product}}_mask.tif"),
        fingerprint=f"results/fingerprints/{SCENE_FOLDER}{{product}}/publish_mask.json",
    log:
        f"logs/publish_mask/{SCENE_FOLDER}{{product}}.log",
    benchmark:
        f"benchmarks/publish_mask/{SCENE_FOLDER}{{product}}.tsv"
    localrule: True
    message:
        "Publishing the mask of {wildcards.product}"
