"""The products that become scenes, and the paths of these."""

from functools import lru_cache

from snakemake.logging import logger


def selected_scenes():
    """Return which products of the table become scenes, and why others do not."""
    return _selected_scenes(*products_key())


@lru_cache(maxsize=1)
def _selected_scenes(path, time):
    table = _products_table(path, time)
    selected = translate_errors(from_library("planning.chosen").choose_scenes, table, config)
    if selected["left_out"] and is_main_process():
        first, reason = next(iter(selected["left_out"].items()))
        logger.info(
            f"{len(selected['left_out'])} product(s) become no scene, the first is {first}: {reason}."
        )
    return selected


def scenes():
    """List the products of the target `scenes`, without those whose scenes are kept as they are."""
    return [name for name in selected_scenes()["products"] if scene_of(name) not in KEPT]


def scene_of(product):
    """Return the path of a product's scene, without suffix."""
    folder = SCENES.scene_folder(products_table()[product], config["scene"]["layout"])
    return f"results/scenes/{folder}{product}"


def scene_files(suffix):
    """Return the files of all scenes with a suffix."""
    return [f"{scene_of(name)}{suffix}" for name in scenes()]
