"""The configuration beyond its schema, value by value: what null becomes, and what is refused at which bound."""

from datetime import date
from types import SimpleNamespace

import pytest
import yaml

from fabricate import ROOT
from tigerbush.errors import TigerbushError
from tigerbush.planning import configuration
from tigerbush.planning.configuration import (
    RENAMED,
    check_depth,
    check_engine,
    check_price,
    check_region,
    check_renamed,
    check_source,
    check_values,
    check_variables,
    check_weather,
    dotted_values,
    fill_in_kind,
    fill_in_rain,
    prepare,
    schema_sentence,
)
from tigerbush.planning.periods import step_from

SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
SOURCE = {
    "kind": "local", "path": "mine", "bucket": None, "catalogue": None, "level": None, "requester_pays": False, "access": "stream",
}  # fmt: skip
WEATHER = {"path": None, "precipitation": {"path": None}, "temperature": {"path": None}}


def refused(check, *arguments):
    with pytest.raises(TigerbushError) as error:
        check(*arguments)
    return str(error.value)


def test_single_values_and_their_paths():
    config = {"a": {"b": [1, {"c": None}], "d": {}}, 5: "x", "e": []}
    assert list(dotted_values(config)) == [("a.b.0", 1), ("a.b.1.c", None), ("5", "x")]
    assert list(dotted_values(7, "name")) == [("name", 7)]


def variables_of(*indices, primary="ndvi"):
    return {"composite": {"indices": list(indices)}, "analysis": {"primary": {"variable": primary}}}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (variables_of("ndvi", "evi"), "composite.indices: 'evi' is not one of ['ndvi', 'msavi']. See config/README.md."),
        (variables_of("offset50", "ndvi"), "composite.indices: 'offset50' is not one of ['ndvi', 'msavi']. See config/README.md."),
        (variables_of("x" * 100), f"composite.indices: '{'x' * 80}' is not one of ['ndvi', 'msavi']. See config/README.md."),
        (variables_of(), "composite.indices: ndvi is missing, from which images, masks and the pattern are made; add it."),
        (variables_of("msavi"), "composite.indices: ndvi is missing, from which images, masks and the pattern are made; add it."),
        (
            variables_of("ndvi", primary="evi"),
            "analysis.primary.variable: 'evi' is not one of ['offset50', 'ndvi', 'ndvi_veg', 'msavi']. See config/README.md.",
        ),
        (
            variables_of("ndvi", primary="temperature"),
            "analysis.primary.variable: 'temperature' is not one of ['offset50', 'ndvi', 'ndvi_veg', 'msavi']. See config/README.md.",
        ),
        (variables_of("ndvi", primary="msavi"), "analysis.primary.variable: msavi is not computed; add it to composite.indices."),
    ],
)  # fmt: skip
def test_variables_that_there_are_not(config, sentence):
    assert refused(check_variables, config) == sentence


@pytest.mark.parametrize("indices", [["ndvi", "msavi"], ["msavi", "ndvi"]])
def test_the_order_of_indices_has_no_meaning(indices):
    config = variables_of(*indices, primary="msavi")
    check_variables(config)
    assert config == variables_of("ndvi", "msavi", primary="msavi")
    for primary in ("offset50", "ndvi", "ndvi_veg"):
        check_variables(variables_of("ndvi", primary=primary))


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return {"key": value}


def test_so_deep_may_values_be_nested():
    assert list(dotted_values(nested(21))) == [("key" + ".0" * 21, 1)]
    assert refused(lambda: list(dotted_values(nested(22)))) == (
        f"{('key' + '.0' * 21)[:40]}...: the values are nested too deeply. See config/README.md."
    )


def test_so_many_values_may_there_be(monkeypatch):
    monkeypatch.setattr(configuration, "MAX_VALUES", 5)
    check_depth({"a": [1, 2, 3, 4, 5]})
    assert refused(check_depth, {"a": [1, 2, 3, 4, 5, 6]}) == (
        "a.5...: there are more than 5 values. See config/README.md."
    )


def test_days_become_text_before_the_schema():
    config = {"period": {"start": date(2016, 1, 1), "step": "1m"}, "analysis": {"window": 0.5, "seed": 3}}
    prepare(config)
    assert config["period"] == {"start": "2016-01-01", "step": "1m"}
    other = {"period": ["x"], "a": 1.5}
    prepare(other)
    assert other == {"period": ["x"], "a": 1.5}
    for value in (float("nan"), float("inf"), -float("inf")):
        assert (
            refused(prepare, {"a": {"b": value}})
            == f"a.b: {value} is not a finite number. See config/README.md."
        )


def test_renamed_keys(monkeypatch):
    assert configuration.RENAMED == {"plan.prices_of": "plan.price_date"}
    monkeypatch.setattr(configuration, "RENAMED", {"a.b.old": "a.new", "top": "bottom"})
    fine = {"a": {"old": 1, "b": {"new": 2}}, "old": 3, "b": {"old": 4}, "bottom": 5}
    for config in (fine, {"a": 1}, {"a": {"b": "old"}}, {"a": None}, {"a": {"b": ["old"]}}, {}):
        check_renamed(config)
    assert refused(check_renamed, {"a": {"b": {"old": None, "new": 1}}}) == (
        "a.b.old is now a.new; rename the key (docs/migrating.md)."
    )
    assert refused(prepare, {"top": float("nan")}) == "top is now bottom; rename the key (docs/migrating.md)."


def test_the_new_names_are_keys_and_the_old_ones_are_not():
    assert {old for old in RENAMED if has_key(old)} == set()
    assert {new for new in RENAMED.values() if not has_key(new)} == set()


def has_key(name):
    """Whether the schema has a key."""
    schema = SCHEMA
    for part in name.split("."):
        schema = schema["properties"].get(part, {"properties": {}})
    return "description" in schema


def test_characters_that_cannot_be_seen_and_fractions():
    fine = {
        "analysis": {"bandwidth": 0.5, "window": 0.5, "fdr": {"q": 0.05}}, "composite": {"max_cloud_percent": 20.5},
        "plan": {"prices": {"any": {"per_hour": 0.1, "vcpus": 2}}}, "subimages": {"max_masked_fraction": 0.1},
        "scene": {"geo_region": "a\nb"}, "name": "ü ~", "on": True,
    }  # fmt: skip
    check_values(fine)
    for text in ("\x00", "\x1f", "\x7f", "\n", "\udc80", "\ud800"):
        assert refused(check_values, {"a": [f"b{text}" + "c" * 100]}) == (
            f"a.0: {f'b{text}' + 'c' * 78!r} contains a line break or another invisible character; remove it."
        )
    for config, name in (
        ({"analysis": {"seed": 2.0}}, "analysis.seed"),
        ({"plan": {"prices": {"any": {"vcpus": 2.0}}}}, "plan.prices.any.vcpus"),
        ({"window": 2.0}, "window"),
    ):
        assert (
            refused(check_values, config)
            == f"{name}: 2.0 is not an integer; write it without a decimal point."
        )


@pytest.mark.parametrize(
    ("path", "message", "keys", "expected"),
    [
        (["a", 1, "b"], "5 is\n too  much", None, "a.1.b: 5 is too much. See config/README.md."),
        ([], "x" * 301, None, f"the configuration: {'x' * 300}. See config/README.md."),
        (["p" * 201], "m", None, f"{'p' * 200}: m. See config/README.md."),
        ([], "m", ["sizes", "zzz", "size"], "the configuration: 'sizes' is not a key, did you mean 'size'? See config/README.md."),
        (["a"], "m", ["qq", 5], "a: '5' is not a key (known: ['size', 'limit']). See config/README.md."),
        (["a"], "m", ["q" * 81], f"a: '{'q' * 80}' is not a key (known: ['size', 'limit']). See config/README.md."),
        (["a"], "m", ["limit", "limits", "limit_"], "a: 'limit_' is not a key, did you mean 'limit'? See config/README.md."),
    ],
)  # fmt: skip
def test_what_the_schema_refused(path, message, keys, expected):
    validator = "additionalProperties" if keys else "maximum"
    schema = {"properties": {"size": {}, "limit": {}}}
    error = SimpleNamespace(
        absolute_path=path, message=message, validator=validator, schema=schema, instance=keys
    )
    assert schema_sentence(error) == expected


SAMPLE_TABLE, SAMPLE_SITES = "config/sample/products.tsv", "config/sample/sites.tsv"


@pytest.mark.parametrize(
    ("kind", "path", "weather", "products", "expected"),
    [
        ("sample", None, None, None, ("data/sample", "data/sample/weather.csv", SAMPLE_TABLE, SAMPLE_SITES)),
        ("sample", "mine", None, None, ("mine", "mine/weather.csv", SAMPLE_TABLE, SAMPLE_SITES)),
        ("sample", "mine", "w.csv", "t.tsv", ("mine", "w.csv", "t.tsv", SAMPLE_SITES)),
        # the others may be without sites
        ("local", "mine", None, None, ("mine", None, "results/products.tsv", None)),
        ("s3", None, "w.csv", "t.tsv", (None, "w.csv", "t.tsv", None)),
    ],
)
def test_what_null_becomes(kind, path, weather, products, expected):
    config = {
        "source": SOURCE | {"kind": kind, "path": path},
        "weather": WEATHER | {"path": weather},
        "products": products,
        "sites": None,
    }
    fill_in_kind(config)
    assert (
        config["source"]["path"],
        config["weather"]["path"],
        config["products"],
        config["sites"],
    ) == expected


def test_a_local_source_needs_a_path():
    config = {"source": SOURCE | {"path": None}, "weather": WEATHER, "products": None}
    assert refused(fill_in_kind, config) == (
        "source.path is null; set it to the folder of your .SAFE products. See config/README.md."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "s3", "bucket": "b", "level": "L1C"}, None),
        ({"kind": "stac", "catalogue": "c", "level": "L1C"}, None),
        ({"kind": "local", "requester_pays": True, "access": "storage"}, None),
        ({"kind": "s3", "bucket": "b", "level": "L1C", "requester_pays": True}, None),
        ({"kind": "s3", "bucket": "b", "level": "L1C", "access": "storage"}, None),
        ({"kind": "s3", "level": "L1C"}, "source.bucket is not set, but source.kind s3 requires it; see config/README.md."),
        ({"kind": "s3", "bucket": "b"}, "source.level is not set, but source.kind s3 requires it; see config/README.md."),
        ({"kind": "stac", "bucket": "b", "level": "L1C"}, "source.catalogue is not set, but source.kind stac requires it; see config/README.md."),
        *(
            (needed | {"level": "L1C", "requester_pays": True, "access": "storage"}, "source.requester_pays does not work with source.access storage, whose requests do not say who pays; set source.access: stream.")
            for needed in ({"kind": "s3", "bucket": "b"}, {"kind": "stac", "catalogue": "c"})
        ),
    ],
)  # fmt: skip
def test_sources(changes, sentence):
    if sentence is None:
        check_source(SOURCE | changes)
    else:
        assert refused(check_source, SOURCE | changes) == sentence


def test_weather_of_one_quantity():
    for quantity in ("precipitation", "temperature"):
        check_weather(WEATHER | {"path": "a", quantity: {"path": "b"}})
        assert refused(check_weather, WEATHER | {quantity: {"path": "b"}}) == (
            f"weather.{quantity}.path is set but weather.path is null, which means no weather; set weather.path too."
        )


@pytest.mark.input(
    "Weather",
    "GRIB whose rain may be a sum, a mean or accumulated",
    "refused before the first job unless `weather.precipitation.kind` says which",
)
@pytest.mark.parametrize("suffix", [".grib", ".grib2", ".grb", ".grb2", ".GRIB", ".csv", ".nc", ".json", ""])
@pytest.mark.parametrize("kind", [None, "sum", "mean_rate", "accumulated"])
@pytest.mark.parametrize("key", ["path", "precipitation", "temperature"])
def test_the_kind_of_rain(suffix, kind, key):
    """A sum if it is not given, as results have recorded it; of GRIB it must be."""
    file = f"data/{{site}}{suffix}"
    rain = {"path": file if key == "precipitation" else None, "kind": kind}
    weather = {
        "path": file if key == "path" else "data/other.csv",
        "precipitation": rain,
        "temperature": {"path": file if key == "temperature" else None},
    }
    if kind is None and suffix.lower().startswith(".gr") and key != "temperature":
        assert refused(fill_in_rain, weather) == (
            "weather.precipitation.kind is not set, but GRIB does not always say whether rainfall is a sum, a mean or "
            "accumulated; set it to sum, mean_rate or accumulated. See config/README.md."
        )
        return
    fill_in_rain(weather)
    assert weather["precipitation"]["kind"] == (kind or "sum")


def test_no_weather_has_a_kind_of_rain():
    weather = {"path": None, "precipitation": {"path": None, "kind": None}, "temperature": {"path": None}}
    fill_in_rain(weather)
    assert weather["precipitation"]["kind"] == "sum"


def test_a_region_that_is_none(monkeypatch):
    def read(text):
        if text != "good":
            raise ValueError("is none")

    monkeypatch.setattr(configuration, "read_polygon", read)
    check_region(None)
    check_region("good")
    assert refused(check_region, "a\n " + "b" * 200) == (
        f"scene.geo_region 'a {'b' * 118}' is none; expected a polygon such as POLYGON((14.5 45.8, 14.6 45.8, 14.6 "
        "45.9, 14.5 45.8)). See config/README.md."
    )


SCENE = {"engine": "gpt", "upsampling": "Nearest", "downsampling": "First", "resolution": 10, "region": None}


@pytest.mark.parametrize(
    ("bands", "resolution", "region", "fits"),
    [
        # two masks beside each band, of 2 bytes a pixel: 10980 ** 2 * 3 * 2 is 723 MB
        (5, 10, None, True), (6, 10, None, False), (13, 20, None, True), (13, 60, None, True),
        # 2 ** 32 / 6 / 2 are 357913941.3 pixels
        (2, 10, [7, 9, 1, 357_913_941], True), (2, 10, [7, 9, 1, 357_913_942], False), (2, 10, [0, 0, 357_913_942, 1], False),
        # 2 ** 32 itself is too much
        (1, 10, [0, 0, 2**31, 1], False), (4096, 10, [0, 0, 2**18, 1], False),
    ],
)  # fmt: skip
def test_what_snap_can_write(bands, resolution, region, fits):
    scene = SCENE | {"bands": ["B2"] * bands, "resolution": resolution, "region": region}
    check_engine(scene | {"engine": "rasterio", "upsampling": {"B11": "Bicubic"}})
    if fits:
        check_engine(scene)
        return
    assert refused(check_engine, scene) == (
        f"scene.bands has {bands} bands, for which SNAP might exceed the 4 GiB of a GeoTIFF; choose fewer, set "
        "scene.region or set scene.engine: rasterio."
    )


def test_methods_of_snap():
    for key in ("upsampling", "downsampling"):
        assert refused(check_engine, SCENE | {"bands": ["B2"], key: {"B11": "Bicubic"}}) == (
            f"scene.{key} sets methods per band, but scene.engine gpt uses one for all; set one, or set "
            "scene.engine: rasterio."
        )


def test_prices():
    check_price({"vm_size": "a", "prices": {"a": {}}})
    assert refused(check_price, {"vm_size": "x" * 90, "prices": {"a": {}, 5: {}}}) == (
        f"plan.vm_size '{'x' * 80}' has no price in plan.prices (a, 5); add it there, or choose one of them."
    )


@pytest.mark.parametrize(
    ("day", "step", "expected"),
    [
        ("2016-02-28", "1d", "2016-02-29"), ("2016-12-31", "3d", "2017-01-03"), ("2017-02-22", "2w", "2017-03-08"),
        ("2016-01-31", "1m", "2016-02-29"), ("2016-11-30", "1m", "2016-12-30"), ("2016-12-15", "1m", "2017-01-15"),
        ("2016-01-31", "13m", "2017-02-28"), ("2016-10-31", "25m", "2018-11-30"), ("2016-02-29", "1y", "2017-02-28"),
        ("2016-02-29", "4y", "2020-02-29"), ("2015-12-31", "12m", "2016-12-31"),
    ],
)  # fmt: skip
def test_steps(day, step, expected):
    assert step_from(date.fromisoformat(day), step).isoformat() == expected
