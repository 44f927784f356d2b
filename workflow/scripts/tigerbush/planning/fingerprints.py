"""What a result was made with: its parameters, and the keys of the configuration that it hangs on."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tigerbush.planning.tables import PRODUCT, SITE_COLUMNS
from tigerbush.variables import NDVI

# Parameters that do not change a result: code has its own fingerprint, the others say how and whence it is read.
UNIMPORTANT = {"library", "templates", "path", "retries", "store", "folder"}
# sections of the configuration that change no result: prices, and what becomes of products that are gone
WITHOUT_RESULT = ("plan", "on_gone")
# Keys that are younger than results which must stay, with their defaults: while a key has its default, it is neither
# recorded nor a parameter, and results from before it are those of today.
LATER = {"composite.indices": [NDVI]}
# Of results without a fingerprint the summary says the configuration: the keys that each rule has a parameter of.
_WINDOW = ["composite.resolution", "subimages.size"]
_MASKS = ["composite.mask_cirrus", "composite.mask_snow", "composite.mask_buffer"]
_CHOICE = [*_WINDOW, "subimages.max_masked_fraction", "subimages.limit", "mode"]
_DATES = [
    "composite.max_cloud_percent",
    "composite.relative_orbits",
    "composite.max_takes",
    "mode",
    "source.level",
]
_KEYS = {
    "download_product": ["scene.bands"],
    "stream_product": [*_WINDOW, "composite.mask_buffer"],
    "resample_product": [*_WINDOW, *_MASKS],
    # what it cuts was temporary, so that it stands for resample_product too
    "subset_product": [*_WINDOW, *_MASKS],
    "composite_date": ["composite.mask", *_DATES],
    "render_date": ["mode"],
    "compute_ndvi": [*_CHOICE, "composite.indices"],
    "compute_centrality": [*_CHOICE, "centrality"],
    "write_subimages": _CHOICE,
    "read_weather": ["weather", "period.start", "period.step"],
    "analyse_site": ["analysis", "composite.resolution"],
    "compare_sites": ["analysis.fdr"],
    "map_site": [*_WINDOW, "mode"],
    "check_products": ["on_failure"],
}


def scene_parameters(config: Mapping) -> dict[str, Any]:
    """Return how a scene is made, whoever makes it."""
    return {key: value for key, value in config["scene"].items() if key != "mpi"}


def keys_of_rules(config: Mapping, discovery: Mapping) -> dict[str, list[str]]:
    """Return the keys of the configuration that the results of each rule hang on.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    discovery : mapping
        What `tigerbush.planning.source.discovery_of` returns.
    """
    scene = [f"scene.{key}" for key in scene_parameters(config)]
    listed = [f"source.{key}" for key in discovery["source"]]
    return _KEYS | {
        "discover_products": listed + ["period"] * bool(discovery["period"]),
        **dict.fromkeys(("resample_scene", "resample_scenes", "publish_scene"), scene),
        "summarise_site": [key for key in config if key not in WITHOUT_RESULT],
    }


def later(config: Mapping, *keys: str) -> dict[str, Any]:
    """Return those of some keys of `LATER` that have not their default, as parameters of a rule."""
    values = {key: value_of(config, key) for key in keys}
    return {key: value for key, value in values.items() if value not in (None, LATER[key])}


def recorded(config: Mapping) -> dict[str, Any]:
    """Return what a summary holds of a configuration.

    Neither which hosts may be asked, which changes no result, nor keys of `LATER` that have their default.
    """
    with_default = [key for key in LATER if not later(config, key)]
    result = {key: value for key, value in config.items() if key not in WITHOUT_RESULT}
    for key in ("source.hosts", *with_default):
        result = _without(result, key)
    return result


def _without(tree: Mapping, key: str) -> dict[str, Any]:
    """Return nested mappings without a dotted key."""
    name, _, rest = key.partition(".")
    if rest and isinstance(tree.get(name), Mapping):
        return {**tree, name: _without(tree[name], rest)}
    return {other: value for other, value in tree.items() if rest or other != name}


def parameters_of(params: Mapping, inputs: Iterable[str], folder: object) -> dict[str, Any]:
    """Return what a job is made with: its parameters, and the names of what it reads beside products.

    Parameters
    ----------
    params : mapping
        Of the job, by name.
    inputs : iterable of str
        Paths or addresses.
    folder : object
        `source.path` of the configuration.
    """
    # not whence products come: a mirror holds the same
    product = re.compile(rf"{re.escape(str(folder))}/{PRODUCT}\.zip")
    read = [name for name in inputs if "://" not in name and not product.fullmatch(name)]
    values = {name: value for name, value in params.items() if name not in UNIMPORTANT}
    return values | {"inputs": hashlib.sha256("\n".join(sorted(read)).encode()).hexdigest()[:16]}


def text_of(parameters: Mapping) -> str:
    """Return the content of the file that a job leaves beside its results."""
    return json.dumps(parameters, sort_keys=True, indent=1, default=sorted) + "\n"


def text_differences(old: str, new: str) -> str | None:
    """Return how the content of such a file differs from another, in a line; None when it does not."""
    if old == new:
        return None
    try:
        return differences(json.loads(old), json.loads(new))
    except (ValueError, AttributeError):
        return "its fingerprint is damaged"


def summary_differences(keys: Iterable[str], summary: Mapping, config: Mapping, site: Mapping) -> str | None:
    """Return how the metadata of a summary differ from a configuration in some keys, in a line; None when they do not.

    Parameters
    ----------
    keys : iterable of str
        Of `keys_of_rules`.
    summary, config : mapping
        The metadata of the summary, and the configuration of today.
    site : mapping
        As it is in the table today.
    """
    keys = list(keys)
    old, new = ({key: value_of(recorded(tree), key) for key in keys} for tree in (summary["config"], config))
    if "subimages.size" in old:
        old |= {key: summary[key] for key in SITE_COLUMNS[1:]}
        new |= {key: site[key] for key in SITE_COLUMNS[1:]}
    return differences(old, json.loads(json.dumps(new))) or None


def value_of(tree: object, key: str) -> object:
    """Return the value of a dotted key in nested mappings; None when it is not there."""
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def differences(old: object, new: object) -> str:
    """Return what has changed between two sets of parameters, in a line."""
    old, new = _flat(old), _flat(new)
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {_shortened(old.get(name))} -> {_shortened(new.get(name))}" for name in names)


def _flat(tree: object, prefix: str = "") -> dict[str, object]:
    """Return the values of nested mappings by their dotted keys."""
    if not isinstance(tree, dict):
        return {prefix.rstrip("."): tree}
    return {
        name: leaf for key, value in tree.items() for name, leaf in _flat(value, f"{prefix}{key}.").items()
    }


def _shortened(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
