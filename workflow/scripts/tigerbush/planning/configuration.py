"""The configuration beyond its schema: values for null, and checks before the first job.

The rules and ./tigerbush both use it, and refuse the same with the same sentences.
"""

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.planning.bands import check_bands
from tigerbush.planning.paths import QUANTITIES
from tigerbush.planning.periods import read_periods, read_range
from tigerbush.planning.scenes import check_scenes
from tigerbush.polygon import read_polygon
from tigerbush.sensors import sensors, suffixes
from tigerbush.variables import NDVI, VEGETATION, in_collection, index_names, measured
from tigerbush.weather_suffixes import GRIB, format_by_suffix

# keys of source that a kind requires
NEEDED = {"s3": ("bucket", "level"), "stac": ("catalogue", "level")}
# old and new dotted keys
RENAMED = {"plan.prices_of": "plan.price_date"}
# nested aliases of YAML turn a few values into very many
MAX_VALUES = 100_000
# all other numbers of the configuration are integers
FRACTIONS = (
    "analysis.bandwidth",
    "analysis.fdr.q",
    "analysis.window",
    "composite.max_cloud_percent",
    "composite.max_negative_fraction",
    "plan.prices.*.per_hour",
    "scene.bbox.*",
    "subimages.max_masked_fraction",
)
_HOME = re.compile(r"^\$(?:HOME|\{HOME\})(?=/|$)")
# in a name or path only by mistake; surrogates stand for bytes that are not UTF-8
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def prepare(config: dict) -> None:
    """Convert dates that YAML has parsed to text; refuse renamed keys, and numbers that are not finite.

    Parameters
    ----------
    config : dict
        As it was read, before validation; modified in place.

    Raises
    ------
    TigerbushError
    """
    check_renamed(config)
    if isinstance(config.get("period"), dict):
        # YAML parses an unquoted 2016-01-01 as a date
        config["period"] = {key: str(value) for key, value in config["period"].items()}
    for name, value in dotted_values(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise TigerbushError(f"{name}: {value} is not a finite number. See config/README.md.")


def check_renamed(config: Mapping) -> None:
    """Refuse the old name of a key; the error names the new one.

    Raises
    ------
    TigerbushError
    """
    for old, new in RENAMED.items():
        *sections, key = old.split(".")
        section: object = config
        for name in sections:
            section = section.get(name) if isinstance(section, Mapping) else None
        if isinstance(section, Mapping) and key in section:
            raise TigerbushError(f"{old} is now {new}; rename the key (docs/migrating.md).")


def schema_sentence(error: Exception) -> str:
    """Return what the schema refused, with the most similar key for an unknown one.

    Parameters
    ----------
    error : jsonschema.ValidationError
    """
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    text = f"{error.message[:300]}."
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = sorted(str(key) for key in error.instance if key not in known)[0]
        close = difflib.get_close_matches(unknown, known, 1)
        text = f"{unknown[:80]!r} is not a key" + (
            f", did you mean {close[0]!r}?" if close else f" (known: {known})."
        )
    return " ".join(f"{where[:200]}: {text} See config/README.md.".split())


def resolve(config: dict) -> None:
    """Fill in the values for null, and refuse what the schema cannot check.

    Parameters
    ----------
    config : dict
        As validated, with the defaults of the schema; modified in place.

    Raises
    ------
    TigerbushError
    """
    expand_home(config)
    fill_in_kind(config)
    fill_in_mode(config)
    fill_in_rain(config["weather"])
    check_values(config)
    check_sensors(config)
    check_variables(config)
    check_source(config["source"])
    check_weather(config["weather"])
    check_region(config["scene"]["geo_region"])
    check_engine(config["scene"])
    check_detail(config)
    check_scenes(config)
    check_bands(config)
    check_price(config["plan"])
    periods_of(config)


def expand_home(config: dict) -> None:
    """Replace `~` and `$HOME` at the beginning of paths; the shell, which would, does not read the configuration."""
    weather = config["weather"]
    for section, key in (
        (config, "sites"),
        (config, "products"),
        (config["source"], "path"),
        (weather, "path"),
        *((weather[quantity], "path") for quantity in QUANTITIES),
    ):
        if isinstance(section.get(key), str):
            section[key] = _with_home(section[key])


def _with_home(path: str) -> str:
    path = _HOME.sub("~", path)
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        # of an unknown user
        return path


def dotted_values(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield each single value in mappings and lists, after its dotted key.

    Raises
    ------
    TigerbushError
        When a value contains itself, which is possible with aliases of YAML.
    """
    if not isinstance(value, dict | list):
        yield name, value
        return
    if name.count(".") > 20:
        raise TigerbushError(f"{name[:40]}...: the values are nested too deeply. See config/README.md.")
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield from dotted_values(child, f"{name}.{key}" if name else str(key))


def check_depth(config: object) -> None:
    """Refuse values that contain themselves, or others very often, before they are traversed completely.

    Raises
    ------
    TigerbushError
    """
    for number, (name, _) in enumerate(dotted_values(config)):
        if number >= MAX_VALUES:
            raise TigerbushError(
                f"{name[:40]}...: there are more than {MAX_VALUES} values. See config/README.md."
            )


def check_values(config: Mapping) -> None:
    """Refuse invisible characters, and fractions where an integer is expected."""
    for name, value in dotted_values(config):
        if isinstance(value, str) and name != "scene.geo_region" and _CONTROL.search(value):
            raise TigerbushError(
                f"{name}: {value[:80]!r} contains a line break or another invisible character; remove it."
            )
        if isinstance(value, float) and not any(fnmatchcase(name, pattern) for pattern in FRACTIONS):
            raise TigerbushError(f"{name}: {value} is not an integer; write it without a decimal point.")


def check_sensors(config: Mapping) -> None:
    """Refuse resolutions and bands that no sensor has."""
    scene, bands = config["scene"], [band for sensor in sensors() for band in sensor.bands]
    resolutions = sorted({resolution for sensor in sensors() for resolution in sensor.resolutions})
    values = {f"scene.bands.{i}": (band, bands) for i, band in enumerate(scene["bands"])}
    for key in ("upsampling", "downsampling"):
        if isinstance(scene[key], Mapping):
            values |= {f"scene.{key}": (band, bands) for band in scene[key] if band not in bands}
    for key in ("scene", "composite"):
        values[f"{key}.resolution"] = config[key]["resolution"], resolutions
    for key, (value, known) in values.items():
        if value not in known:
            raise TigerbushError(f"{key}: {value!r} is not one of {known}. See config/README.md.")


def check_variables(config: dict) -> None:
    """Refuse variables that do not exist or are not computed; sort the indices in the order of the table."""
    composite, variable = config["composite"], config["analysis"]["primary"]["variable"]
    known = index_names()
    for name in composite["indices"]:
        if name not in known:
            raise TigerbushError(
                f"composite.indices: {name[:80]!r} is not one of {known}. See config/README.md."
            )
    if NDVI not in composite["indices"]:
        raise TigerbushError(
            f"composite.indices: {NDVI} is missing, from which images, masks and the pattern are made; add it."
        )
    composite["indices"] = [name for name in known if name in composite["indices"]]
    if variable not in (names := [row.name for row in in_collection(VEGETATION)]):
        raise TigerbushError(
            f"analysis.primary.variable: {variable[:80]!r} is not one of {names}. See config/README.md."
        )
    if variable not in [row.name for row in measured(composite["indices"])]:
        raise TigerbushError(
            f"analysis.primary.variable: {variable} is not computed; add it to composite.indices."
        )


def fill_in_kind(config: dict) -> None:
    """Fill in what depends on the kind of source: the sample has its own tables and weather."""
    source, weather = config["source"], config["weather"]
    sample = source["kind"] == "sample"
    if sample:
        source["path"] = source["path"] or "data/sample"
        weather["path"] = weather["path"] or f"{source['path']}/weather.csv"
    elif source["kind"] == "local" and source["path"] is None:
        raise TigerbushError(
            f"source.path is null; set it to the folder of your {suffixes()} products. See config/README.md."
        )
    table = "config/sample/products.tsv" if sample else "results/products.tsv"
    config["products"] = config["products"] or table
    if sample:
        config["sites"] = config["sites"] or "config/sample/sites.tsv"


def periods_of(config: Mapping) -> dict[str, tuple[str, str]]:
    """Return (start, end) of each period by its date; without sites there is a single one, and no date.

    Raises
    ------
    TigerbushError
    """
    period = config["period"]
    if config["sites"] is not None:
        return read_periods(**period)
    read_range(period["start"], period["end"])
    return {period["start"]: (period["start"], period["end"])}


def fill_in_mode(config: dict) -> None:
    """Let the analysis use the mode of the run, unless it has its own."""
    config["analysis"]["mode"] = config["analysis"]["mode"] or config["mode"]


def fill_in_rain(weather: dict) -> None:
    """Take rainfall for sums unless its kind is given; refuse GRIB without, which need not say what it holds."""
    rain = weather["precipitation"]
    path = rain["path"] or weather["path"]
    if rain["kind"] is None and path and format_by_suffix(path) == GRIB:
        raise TigerbushError(
            "weather.precipitation.kind is not set, but GRIB does not always say whether rainfall is a sum, a mean or "
            "accumulated; set it to sum, mean_rate or accumulated. See config/README.md."
        )
    rain["kind"] = rain["kind"] or "sum"


def check_source(source: Mapping) -> None:
    """Refuse a source without the keys that its kind requires."""
    for key in NEEDED.get(source["kind"], ()):
        if source[key] is None:
            raise TigerbushError(
                f"source.{key} is not set, but source.kind {source['kind']} requires it; see config/README.md."
            )
    if source["kind"] in NEEDED and source["requester_pays"] and source["access"] == "storage":
        raise TigerbushError(
            "source.requester_pays does not work with source.access storage, whose requests do not say who pays; set "
            "source.access: stream."
        )


def check_weather(weather: Mapping) -> None:
    """Refuse a file for one quantity without weather.path."""
    for quantity in QUANTITIES:
        if weather[quantity]["path"] and not weather["path"]:
            raise TigerbushError(
                f"weather.{quantity}.path is set but weather.path is null, which means no weather; set weather.path "
                "too."
            )


def check_region(text: str | None) -> None:
    """Refuse a region that is not a polygon on the earth."""
    try:
        if text is not None:
            read_polygon(text)
    except ValueError as error:
        raise TigerbushError(region_sentence(text, error)) from None


def region_sentence(text: str, error: ValueError) -> str:
    """Return the error message for a text that is not a polygon."""
    return (
        f"scene.geo_region {' '.join(text.split())[:120]!r} {error}; expected a polygon such as "
        "POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8)). See config/README.md."
    )


def check_engine(scene: Mapping) -> None:
    """Refuse options of the engine `rasterio` that SNAP does not have."""
    if scene["engine"] == "rasterio":
        return
    for key in ("upsampling", "downsampling"):
        if not isinstance(scene[key], str):
            raise TigerbushError(
                f"scene.{key} sets methods per band, but scene.engine {scene['engine']} uses one for all; set one, "
                "or set scene.engine: rasterio."
            )
    metres = max(sensor.tile_metres for sensor in sensors())
    _, _, width, height = scene["region"] or (0, 0, *[metres // scene["resolution"]] * 2)
    # SNAP 14 and later add two masks to each band, and write all of them with 16 bits
    if width * height * len(scene["bands"]) * 3 * 2 >= 2**32:
        raise TigerbushError(
            f"scene.bands has {len(scene['bands'])} bands, for which SNAP might exceed the 4 GiB of a GeoTIFF; choose "
            "fewer, set scene.region or set scene.engine: rasterio."
        )


def check_detail(config: Mapping) -> None:
    """Refuse files of sub-images where dates are measured in memory.

    Raises
    ------
    TigerbushError
    """
    if config["run"]["detail"] == "numbers" and config["subimages"]["write"]:
        raise TigerbushError(
            "subimages.write: true needs the files of each date; set run.detail: files, or subimages.write: false."
        )


def check_price(plan: Mapping) -> None:
    """Refuse a virtual machine without a price."""
    if plan["vm_size"] not in plan["prices"]:
        known = ", ".join(map(str, plan["prices"]))
        raise TigerbushError(
            f"plan.vm_size {plan['vm_size'][:80]!r} has no price in plan.prices ({known[:300]}); add it there, or "
            "choose one of them."
        )
