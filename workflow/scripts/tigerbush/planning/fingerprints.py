"""What a result was made with: its parameters, and the keys of the configuration that it depends on."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tigerbush.planning.scenes import SELECTION_KEYS
from tigerbush.planning.tables import PRODUCT, SITE_COLUMNS
from tigerbush.variables import NDVI

# Parameters that do not change a result: code and products have their own fingerprints, tiles only explain why numbers
# are missing; the others say where and how data are read.
UNIMPORTANT = {
    "library", "templates", "path", "retries", "store", "folder", "mask_folder", "tiles", "versions", "results",
    "indexes",
}  # fmt: skip
# key of the versions of the products that a job has read
VERSIONS = "versions"
# sections of the configuration that change no result: prices, and what happens when products are gone
WITHOUT_RESULT = ("plan", "on_gone")
# keys of `scene` that change no pixel of a scene: which products become scenes, where these are written, and whether
# with masks, which have parameters of their own
SCENE_KEYS_WITHOUT_RESULT = ("mpi", "layout", "mask", *SELECTION_KEYS)
# those of ADDED_KEYS for which null is another value than their default, so that it is recorded
NULLABLE_KEYS = {"composite.max_negative_fraction": 0.05}
# Keys that were added after results that must remain valid, with their defaults: a key with its default is neither
# recorded nor a parameter, so that results from before it are up to date.
ADDED_KEYS = {
    **NULLABLE_KEYS,
    "composite.indices": [NDVI],
    "scene.snap_masks": False,
    "source.verify": "once",
}
# For results without a fingerprint the summary has the configuration: the keys that are parameters of each rule.
_WINDOW = ["composite.resolution", "subimages.size"]
_PIXELS = [
    "composite.mask_cirrus",
    "composite.mask_snow",
    "composite.mask_buffer",
    "composite.max_negative_fraction",
    "mode",
]
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
    "resample_product": [*_WINDOW, *_PIXELS],
    # its input was temporary, so that it also stands for resample_product
    "subset_product": [*_WINDOW, *_PIXELS],
    "composite_date": ["composite.mask", *_DATES],
    "render_date": ["mode"],
    "compute_ndvi": [*_CHOICE, "composite.indices"],
    "compute_centrality": [*_CHOICE, "centrality"],
    "write_subimages": _CHOICE,
    "read_weather": ["weather", "period.start", "period.step"],
    "analyse_site": ["analysis", *_WINDOW, "mode"],
    "compare_sites": ["analysis.fdr"],
    "map_site": [*_WINDOW, "mode"],
    "check_products": ["on_failure"],
}


def scene_parameters(config: Mapping) -> dict[str, Any]:
    """Return the parameters of a scene, whichever rule makes it.

    The key `snap_masks` is one of them when it is set. With its default, it also sets results of the release that added
    it apart from earlier ones where pixels differ: those interpolated from lost pixels, and those of a polygon over the
    edge of a product.
    """
    scene = {key: value for key, value in config["scene"].items() if key not in SCENE_KEYS_WITHOUT_RESULT}
    upsampling = scene.get("upsampling", ())
    methods = {upsampling} if isinstance(upsampling, str) else set(dict(upsampling).values())
    differs = methods & {"Bilinear", "Bicubic"} or scene.get("geo_region")
    by_arrays = scene["engine"] == "rasterio"
    if not changed_added_keys(config, "scene.snap_masks") and not (by_arrays and differs):
        scene.pop("snap_masks", None)
    return scene


def mask_parameters(config: Mapping) -> dict[str, Any]:
    """Return the parameters of the cloud mask of a scene, whichever rule makes it: its grid, and what is masked."""
    scene, composite = config["scene"], config["composite"]
    return {
        "grid": {key: scene[key] for key in ("resolution", "region", "geo_region")},
        "masks": {key: composite[f"mask_{key}"] for key in ("cirrus", "snow", "buffer")},
    }


def keys_of_rules(config: Mapping, discovery: Mapping) -> dict[str, list[str]]:
    """Return the keys of the configuration that the results of each rule depend on.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    discovery : mapping
        What `tigerbush.planning.source.discovery_parameters` returns.
    """
    scene = [f"scene.{key}" for key in scene_parameters(config)]
    listed = [f"source.{key}" for key in discovery["source"]]
    return _KEYS | {
        "discover_products": listed + ["period"] * bool(discovery["period"]),
        **dict.fromkeys(("resample_scene", "resample_scenes", "publish_scene"), scene),
        "summarise_site": [key for key in config if key not in WITHOUT_RESULT],
    }


def changed_added_keys(config: Mapping, *keys: str) -> dict[str, Any]:
    """Return the given keys of `ADDED_KEYS` that differ from their default, as parameters of a rule."""
    values = {key: value_of(config, key, ADDED_KEYS[key]) for key in keys}
    return {key: value for key, value in values.items() if value != ADDED_KEYS[key]}


def recorded(config: Mapping) -> dict[str, Any]:
    """Return the part of a configuration that a summary records.

    Left out are keys that change no result of a site: the allowed hosts, the products and masks of scenes, and keys of
    `ADDED_KEYS` with their default.
    """
    with_default = [key for key in ADDED_KEYS if not changed_added_keys(config, key)]
    result = {key: value for key, value in config.items() if key not in WITHOUT_RESULT}
    of_scenes = [f"scene.{key}" for key in SCENE_KEYS_WITHOUT_RESULT if key != "mpi"]
    for key in ("source.hosts", "run.batches", "run.detail", *of_scenes, *with_default):
        result = _without(result, key)
    return result


def _without(tree: Mapping, key: str) -> dict[str, Any]:
    """Return nested mappings without a dotted key."""
    name, _, rest = key.partition(".")
    if rest and isinstance(tree.get(name), Mapping):
        return {**tree, name: _without(tree[name], rest)}
    return {other: value for other, value in tree.items() if rest or other != name}


def parameters_of(params: Mapping, inputs: Iterable[str], folder: object) -> dict[str, Any]:
    """Return what a job depends on: its parameters, and the names of its inputs other than products.

    Parameters
    ----------
    params : mapping
        Of the job, by name.
    inputs : iterable of str
        Paths or addresses.
    folder : object
        `source.path` of the configuration.
    """
    # not where products come from: a mirror has the same ones
    product = re.compile(rf"{re.escape(str(folder))}/{PRODUCT}\.zip")
    read = [name for name in inputs if "://" not in name and not product.fullmatch(name)]
    values = {name: value for name, value in params.items() if name not in UNIMPORTANT}
    return values | {"inputs": hashlib.sha256("\n".join(sorted(read)).encode()).hexdigest()[:16]}


def with_versions(made_with: Mapping, products: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a job depends on with the versions of the products that it reads, as far as they are known.

    Parameters
    ----------
    made_with : mapping
        From `parameters_of`.
    products : mapping of str to row of products.tsv
    """
    versions = {name: row["etag"] for name, row in products.items() if row.get("etag")}
    return {**made_with, **({VERSIONS: versions} if versions else {})}


def with_first_versions(old: str, new: str, products: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the content of the file that a job has written, completed by versions that it does not record.

    Parameters
    ----------
    old, new : str
        The content of the file, and what a job would write now.
    products : mapping of str to row of products.tsv
        Those that the job reads. Results without a record were made of the version that was recorded first.
    """
    try:
        recorded, today = json.loads(old), json.loads(new)
        known = recorded.pop(VERSIONS, {})
        versions = {name: known.get(name, first_version(products[name])) for name in today.get(VERSIONS, {})}
    except (ValueError, AttributeError, TypeError):
        return old
    return text_of(recorded | ({VERSIONS: versions} if versions else {}))


def first_version(row: Mapping[str, Any]) -> str | None:
    """Return the version of a product that was recorded first; today's in a table without that column."""
    return row.get("first_etag", row.get("etag"))


def replaced_products(products: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return which products were replaced since versions were recorded, in one line; None if none of these were."""
    replaced = [name for name, row in products.items() if row.get("etag") != first_version(row)]
    return f"replaced: {', '.join(replaced)}" if replaced else None


def text_of(parameters: Mapping) -> str:
    """Return the content of the file that a job writes beside its results."""
    return json.dumps(parameters, sort_keys=True, indent=1, default=sorted) + "\n"


def text_differences(old: str, new: str) -> str | None:
    """Return how the content of such a file differs from another, in one line; None if it does not."""
    if old == new:
        return None
    try:
        return differences(json.loads(old), json.loads(new))
    except (ValueError, AttributeError):
        return "its fingerprint is damaged"


def table_fingerprint(products: Path) -> Path:
    """Return where discovery records the settings that it has listed products with, beside their table."""
    return products.with_name("fingerprints") / "discover_products.json"


def stale_table_sentence(products: Path, discovery: Mapping, folder: object) -> str | None:
    """Return why a table of products is not that of a configuration; None if it is, or if there is no record.

    Parameters
    ----------
    products : Path
        The table.
    discovery : mapping
        What `tigerbush.planning.source.discovery_parameters` returns.
    folder : object
        `source.path` of the configuration.
    """
    try:
        recorded = table_fingerprint(products).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    changes = text_differences(recorded, text_of(parameters_of(discovery, [], folder)))
    if not changes:
        return None
    return f"{products} was made with other settings ({changes}); run ./tigerbush discover with the same options first."


def summary_differences(keys: Iterable[str], summary: Mapping, config: Mapping, site: Mapping) -> str | None:
    """Return how a summary differs from a configuration in some keys, in one line; None if it does not.

    Parameters
    ----------
    keys : iterable of str
        From `keys_of_rules`.
    summary, config : mapping
        The metadata of the summary, and the current configuration.
    site : mapping
        Its current row in the table.
    """
    keys = list(keys)
    old, new = (
        {key: value_of(recorded(tree), key, NULLABLE_KEYS.get(key)) for key in keys}
        for tree in (summary["config"], config)
    )
    if "subimages.size" in old:
        old |= {key: summary[key] for key in SITE_COLUMNS[1:]}
        new |= {key: site[key] for key in SITE_COLUMNS[1:]}
    return differences(old, json.loads(json.dumps(new))) or None


def value_of(tree: object, key: str, missing: object = None) -> object:
    """Return the value of a dotted key in nested mappings; `missing` if it does not exist."""
    for part in key.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return missing
        tree = tree[part]
    return tree


def differences(old: object, new: object) -> str:
    """Return the differences between two sets of parameters, in one line."""
    old, new = _flat(old), _flat(new)
    values = {name: (_leaf(old, name), _leaf(new, name)) for name in sorted({*old, *new})}
    return ", ".join(
        f"{name}: {_shortened(first)} -> {_shortened(second)}"
        for name, (first, second) in values.items()
        if first != second
    )


def _leaf(values: Mapping[str, object], name: str) -> object:
    """Return a value by its dotted key; where there is none, None, or the default that is not recorded."""
    default = next((NULLABLE_KEYS[key] for key in NULLABLE_KEYS if f".{name}".endswith(f".{key}")), None)
    return values.get(name, default)


def _flat(tree: object, prefix: str = "") -> dict[str, object]:
    """Return the values of nested mappings by dotted key."""
    if not isinstance(tree, dict):
        return {prefix.rstrip("."): tree}
    return {
        name: leaf for key, value in tree.items() for name, leaf in _flat(value, f"{prefix}{key}.").items()
    }


def _shortened(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
