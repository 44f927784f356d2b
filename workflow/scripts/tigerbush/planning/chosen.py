"""The products that the target `scenes` takes; the run ends where it cannot be made."""

from collections.abc import Mapping
from typing import Any

from tigerbush.planning.bands import refuse_scene_bands
from tigerbush.planning.scenes import Row, refuse_empty_selection, select_scenes


def choose_scenes(products: Mapping[str, Row], config: Mapping) -> dict[str, Any]:
    """Return what `select_scenes` does; refuse a target `scenes` that cannot be made.

    Raises
    ------
    TigerbushError
        When no product is chosen, a named one is missing, or chosen ones never have a band of `scene.bands`.
    """
    selected = select_scenes(products, config)
    refuse_empty_selection(selected, products, config)
    refuse_scene_bands([products[name] for name in selected["products"]], config)
    return selected
