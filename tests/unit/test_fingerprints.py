"""What a result was made with, and how two of them differ."""

import hashlib
import json
from itertools import permutations

import pytest
import yaml
from jsonschema import Draft202012Validator

from fabricate import ROOT, name_of
from tigerbush.planning.fingerprints import (
    ADDED_KEYS,
    NULLABLE_KEYS,
    changed_added_keys,
    differences,
    keys_of_rules,
    parameters_of,
    recorded,
    scene_parameters,
    summary_differences,
    text_differences,
    text_of,
    value_of,
)

CONFIG = {
    "sites": "s.tsv", "plan": {"vm_size": "x"}, "on_gone": "stop", "mode": "default",
    "source": {"kind": "s3", "hosts": ["h"], "level": None},
    "scene": {"engine": "rasterio", "bands": ["B2"], "mpi": {"ranks": None}},
    "subimages": {"size": 50}, "composite": {"resolution": 10},
}  # fmt: skip


def test_what_a_scene_is_made_with():
    assert scene_parameters(CONFIG) == {"engine": "rasterio", "bands": ["B2"]}


def scene_with(**keys):
    scene = {"engine": "rasterio", "upsampling": "Nearest", "geo_region": None, "snap_masks": False} | keys
    return CONFIG | {"scene": scene}


@pytest.mark.parametrize(
    ("keys", "listed"),
    [
        ({}, False),
        ({"snap_masks": True}, True),
        ({"upsampling": "Bilinear"}, True),
        ({"upsampling": {"B1": "Bicubic", "B5": "Nearest"}}, True),
        ({"upsampling": {"B1": "Nearest"}}, False),
        ({"downsampling": "Mean"}, False),
        ({"geo_region": "POLYGON((1 1, 2 1, 2 2, 1 1))"}, True),
        ({"engine": "gpt", "upsampling": "Bilinear"}, False),
        ({"engine": "snap", "geo_region": "POLYGON((1 1, 2 1, 2 2, 1 1))"}, False),
        ({"engine": "gpt", "snap_masks": True}, True),
    ],
)
def test_scenes_whose_pixels_changed_with_the_key_of_the_masks(keys, listed):
    """Other results from before it have the same parameters."""
    config = scene_with(**keys)
    scene = dict(config["scene"])
    if not listed:
        del scene["snap_masks"]
    assert scene_parameters(config) == scene
    assert config["scene"]["snap_masks"] is keys.get("snap_masks", False)


def test_what_a_summary_records():
    assert recorded(CONFIG) == {
        "sites": "s.tsv", "mode": "default", "source": {"kind": "s3", "level": None},
        "scene": {"engine": "rasterio", "bands": ["B2"], "mpi": {"ranks": None}},
        "subimages": {"size": 50}, "composite": {"resolution": 10},
    }  # fmt: skip
    assert CONFIG["source"]["hosts"] == ["h"]


def with_indices(*names):
    return CONFIG | {"composite": {"resolution": 10, "indices": list(names), "method": "median"}}


def test_a_later_key_is_no_parameter_and_not_recorded_while_it_has_its_default():
    key = "composite.indices"
    # nor where it is not there, as in a summary from before
    for config in (CONFIG, with_indices("ndvi")):
        assert changed_added_keys(config, key) == {}
        assert "indices" not in recorded(config)["composite"]
    other = with_indices("ndvi", "msavi")
    assert changed_added_keys(other, key) == {key: ["ndvi", "msavi"]}
    assert changed_added_keys(other) == {}
    assert list(recorded(other)["composite"].items()) == list(other["composite"].items())
    without = {"resolution": 10, "method": "median"}
    assert list(recorded(with_indices("ndvi"))["composite"].items()) == list(without.items())
    assert list(recorded(with_indices("ndvi"))) == list(recorded(CONFIG))


def test_later_keys_have_the_defaults_of_the_schema():
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    for key, default in ADDED_KEYS.items():
        child = schema
        for part in key.split("."):
            child = child["properties"][part]
        assert child["default"] == default


def test_what_is_said_of_a_later_key():
    summary = SITE | {"config": json.loads(json.dumps(CONFIG))}
    keys = keys_of_rules(CONFIG, {"source": {}, "period": []})
    more = with_indices("ndvi", "msavi")
    line = 'composite.indices: null -> ["ndvi", "msavi"]'
    assert summary_differences(keys["compute_ndvi"], summary, more, SITE) == line
    for other in ("composite_date", "render_date", "compute_centrality", "map_site", "analyse_site"):
        assert summary_differences(keys[other], summary, more, SITE) is None
    assert summary_differences(keys["compute_ndvi"], summary, with_indices("ndvi"), SITE) is None
    back = SITE | {"config": json.loads(json.dumps(recorded(more)))}
    line = 'composite.indices: ["ndvi", "msavi"] -> null'
    assert summary_differences(keys["compute_ndvi"], back, with_indices("ndvi"), SITE) == line
    params = {"mode": "default"}
    old, new = (
        text_of(parameters_of(params | changed_added_keys(config, *ADDED_KEYS), [], None))
        for config in (CONFIG, more)
    )
    assert text_differences(old, new) == 'composite.indices: null -> ["ndvi", "msavi"]'


SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())


def leaves(schema, prefix=""):
    """The dotted key and the schema of every value."""
    for name, child in schema["properties"].items():
        if "properties" in child:
            yield from leaves(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


LEAVES = dict(leaves(SCHEMA))
NULLABLE = [key for key, child in LEAVES.items() if Draft202012Validator(child).is_valid(None)]
# no result of a site depends on them, so that its summary does not record them
OF_SCENES = ["scene.prefixes", "scene.tiles", "scene.bbox", "scene.products", "scene.limit", "scene.mask"]


def defaults():
    """The whole configuration with every default; what has none is left out."""
    config = {}
    for key, child in LEAVES.items():
        if "default" in child:
            set_value(config, key, child["default"])
    return config


def set_value(config, key, value):
    *sections, name = key.split(".")
    for section in sections:
        config = config.setdefault(section, {})
    config[name] = value


def without_key(config, key):
    """As a release recorded it that did not have the key."""
    config = json.loads(json.dumps(config))
    *sections, name = key.split(".")
    section = config
    for part in sections:
        section = section[part]
    section.pop(name, None)
    return config


def test_keys_that_may_be_null():
    assert len(NULLABLE) > 20
    assert {key for key in ADDED_KEYS if key in NULLABLE} == set(NULLABLE_KEYS)


@pytest.mark.parametrize("key", NULLABLE)
def test_null_is_recorded_and_is_another_value_than_any_other(key):
    child = LEAVES[key]
    example = next(value for value in [*child["examples"], *child.get("enum", ())] if value is not None)
    values = [None, example] + [child["default"]] * (child["default"] is not None)
    for old, new in permutations(values, 2):
        before, after = defaults(), defaults()
        set_value(before, key, old)
        set_value(after, key, new)
        # as files have them: the fingerprint and the metadata of a summary
        made, today = (json.loads(text_of({"config": recorded(config)})) for config in (before, after))
        line = f"{key}: {json.dumps(old)} -> {json.dumps(new)}"
        if key in OF_SCENES:
            assert made == today
            continue
        assert text_differences(json.dumps(made), json.dumps(today)) == f"config.{line}"
        assert value_of(made["config"], key, child["default"]) == old
        summary = SITE | {"config": made["config"]}
        assert summary_differences([key], summary, after, SITE) == line
        assert summary_differences([key.partition(".")[0]], summary, after, SITE) == line
        assert summary_differences([key], summary, before, SITE) is None
    # earlier results, whose release did not have the key, were made with its default
    made = {"config": without_key(recorded(defaults()), key)}
    assert text_differences(text_of(made), text_of({"config": recorded(defaults())})) in (None, "")
    assert summary_differences([key], SITE | made, defaults(), SITE) is None


WINDOW = ["composite.resolution", "subimages.size"]
PIXELS = [
    "composite.mask_cirrus", "composite.mask_snow", "composite.mask_buffer", "composite.max_negative_fraction", "mode",
]  # fmt: skip
CHOICE = [*WINDOW, "subimages.max_masked_fraction", "subimages.limit", "mode"]


def test_keys_of_each_rule():
    scene = ["scene.engine", "scene.bands"]
    expected = {
        "discover_products": ["source.kind", "source.level", "period"],
        "download_product": ["scene.bands"],
        "resample_scene": scene, "resample_scenes": scene, "publish_scene": scene,
        "stream_product": [*WINDOW, "composite.mask_buffer"],
        "resample_product": [*WINDOW, *PIXELS],
        "subset_product": [*WINDOW, *PIXELS],
        "composite_date": [
            "composite.mask", "composite.max_cloud_percent", "composite.relative_orbits", "composite.max_takes", "mode",
            "source.level",
        ],
        "render_date": ["mode"],
        "compute_ndvi": [*CHOICE, "composite.indices"], "compute_centrality": [*CHOICE, "centrality"], "write_subimages": CHOICE,
        "read_weather": ["weather", "period.start", "period.step"],
        "summarise_site": ["sites", "mode", "source", "scene", "subimages", "composite"],
        "analyse_site": ["analysis", *WINDOW, "mode"],
        "compare_sites": ["analysis.fdr"],
        "map_site": [*WINDOW, "mode"],
        "check_products": ["on_failure"],
    }  # fmt: skip
    discovery = {"source": {"kind": "s3", "level": None}, "period": ["2017-01-01", "2017-02-01"]}
    assert keys_of_rules(CONFIG, discovery) == expected
    folder = {"source": {"path": "x"}, "period": []}
    assert keys_of_rules(CONFIG, folder) == expected | {"discover_products": ["source.path"]}


def digest(*names):
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def test_what_a_job_is_made_with():
    params = {
        "library": "x", "templates": "x", "path": "x", "retries": 2, "store": {}, "folder": "x", "mode": "default", "limit": None,
    }  # fmt: skip
    # neither products of the folder nor what lies elsewhere; a mirror holds the same
    inputs = [
        "b.tif",
        f"data.d/{name_of()}.zip",
        "s3://bucket/x",
        "a.json",
        f"data-d/{name_of()}.zip",
        "data.d/x.zip",
    ]
    expected = digest("a.json", "b.tif", f"data-d/{name_of()}.zip", "data.d/x.zip")
    made_with = parameters_of(params, inputs, "data.d")
    assert made_with == {"mode": "default", "limit": None, "inputs": expected}
    assert parameters_of({}, [], None) == {"inputs": digest()}


def test_the_file_beside_a_result():
    text = text_of({"b": {2, 1}, "a": {"c": None}})
    assert text == '{\n "a": {\n  "c": null\n },\n "b": [\n  1,\n  2\n ]\n}\n'
    assert text_differences(text, text) is None
    assert text_differences('{"a": {"c": 1}, "b": [1, 2]}', text) == "a.c: 1 -> null"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"c": 2}, "a": 1}, ""),
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 2, "b": {"c": 2, "e": "x"}}, 'a: 1 -> 2, b.d: 3 -> null, b.e: null -> "x"'),
        ({"a": [1]}, {"a": {"b": 1}}, "a: [1] -> null, a.b: null -> 1"),
        # 60 characters with the quotes are shown, of more the first 57
        ({"a": "x" * 58}, {"a": "x" * 59}, f'a: "{"x" * 58}" -> "{"x" * 56}...'),
    ],
)  # fmt: skip
def test_what_has_changed(old, new, line):
    assert differences(old, new) == line


@pytest.mark.parametrize(
    ("recorded", "line"),
    [
        ('{"a": 2}', "a: 2 -> 1"),
        ("{", "its fingerprint is damaged"),
        ("", "its fingerprint is damaged"),
        ('{"a":  1}', ""),
    ],
)
def test_a_fingerprint_that_is_found(recorded, line):
    assert text_differences(recorded, '{"a": 1}') == line
    assert text_differences(recorded, recorded) is None


def test_values_by_their_keys():
    tree = {"a": {"b": [1]}, "c": 2}
    assert value_of(tree, "a.b") == [1]
    assert value_of(tree, "a") == {"b": [1]}
    assert [value_of(tree, key) for key in ("a.x", "x.y", "c.d", "a.b.c")] == [None, None, None, None]


SITE = {"site": "a", "longitude": 1.0, "latitude": 2.0, "region_size": 0.1}


def test_a_summary_of_another_configuration():
    summary = SITE | {"config": json.loads(json.dumps(CONFIG))}
    keys = ["mode", "subimages.size", "source"]
    assert summary_differences(keys, summary, CONFIG, SITE) is None
    other = CONFIG | {"mode": "pyveg", "subimages": {"size": 25}, "source": CONFIG["source"] | {"hosts": []}}
    assert summary_differences(keys, summary, other, SITE) == (
        'mode: "default" -> "pyveg", subimages.size: 50 -> 25'
    )
    assert summary_differences(iter(["mode"]), summary, other, SITE) == 'mode: "default" -> "pyveg"'
    # where a site is counts for whatever has windows
    moved = SITE | {"longitude": 1.5}
    assert summary_differences(keys, summary, CONFIG, moved) == "longitude: 1.0 -> 1.5"
    assert summary_differences(["mode"], summary, CONFIG, moved) is None
