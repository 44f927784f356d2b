"""The configuration beyond its schema: what null becomes, and what is refused before the first job.

The rules load this file by itself, and so does ./tigerbush: both refuse the same in the same words. It imports nothing
but the standard library.
"""

import difflib
import math
import os
import re
import stat
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

# keys of source that a kind cannot do without
NEEDED = {"s3": ("bucket", "level"), "stac": ("catalogue", "level")}
QUANTITIES = ("precipitation", "temperature")
MOST_DATES = 5000
# an alias of an alias of ... of YAML makes many of few
MOST_VALUES = 100_000
# every other number of the configuration is a whole one
FRACTIONS = (
    "analysis.bandwidth",
    "analysis.fdr.q",
    "analysis.window",
    "composite.max_cloud_percent",
    "plan.prices.*.per_hour",
    "subimages.max_masked_fraction",
)
# what neither a name nor a path has, unless by mistake; surrogates stand for bytes that are no UTF-8
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# lone surrogates stand for bytes that are no UTF-8
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
# what is in braces Snakemake takes for a wildcard of an environment
_WILDCARD = re.compile(r"[{}\ud800-\udfff]")
# between quotes these still mean something to the shells that a command passes through, or to SLURM in names of logs
_EXPANDED = re.compile(r"[$`\\\x00-\x1f\x7f]|%[%0-9AaJjNnstux]|\{.*\}|'.*\"|\".*'", re.DOTALL)
# and these without quotes
_SPECIAL = re.compile(r"[ '\"\\$`;&|<>()*?\[\]{}\x00-\x1f\x7f]")
_NAMES = {" ": "a space", "\n": "a line break", "\t": "a tab"}
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


class RefusedError(ValueError):
    """The configuration cannot be used; the message is one sentence that names the key."""


def prepare(config: dict) -> None:
    """Turn what YAML reads as a day into text, and refuse numbers that no bound of the schema would stop.

    Parameters
    ----------
    config : dict
        As it is read, before the schema; changed in place.

    Raises
    ------
    RefusedError
    """
    if isinstance(config.get("period"), dict):
        # YAML turns an unquoted 2016-01-01 into a date
        config["period"] = {key: str(value) for key, value in config["period"].items()}
    for name, value in leaves(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise RefusedError(f"{name}: {value} is not a finite number. See config/README.md.")


def schema_sentence(error: Exception) -> str:
    """Return what the schema refused, and the key that was meant, if one is close.

    Parameters
    ----------
    error : jsonschema.ValidationError
    """
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    what = f"{error.message[:300]}."
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = sorted(str(key) for key in error.instance if key not in known)[0]
        close = difflib.get_close_matches(unknown, known, 1)
        what = f"{unknown[:80]!r} is not a key" + (
            f", did you mean {close[0]!r}?" if close else f" (known: {known})."
        )
    return " ".join(f"{where[:200]}: {what} See config/README.md.".split())


def complete(config: dict, read_polygon: Callable[[str], object]) -> None:
    """Fill in what null becomes, and refuse what the schema cannot tell.

    Parameters
    ----------
    config : dict
        As the schema leaves it; changed in place.
    read_polygon : callable
        That of `tigerbush.polygon`, which the rules load by itself, too.

    Raises
    ------
    RefusedError
    """
    fill_in_kind(config)
    fill_in_mode(config)
    check_leaves(config)
    check_source(config["source"])
    check_weather(config["weather"])
    check_region(config["scene"]["geo_region"], read_polygon)
    check_engine(config["scene"])
    check_price(config["plan"])
    read_periods(**config["period"])


def leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield the path of every single value in mappings and lists, and the value.

    Raises
    ------
    RefusedError
        When a value holds itself, which aliases of YAML can.
    """
    if not isinstance(value, dict | list):
        yield name, value
        return
    if name.count(".") > 20:
        raise RefusedError(f"{name[:40]}...: it is nested too deeply. See config/README.md.")
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(child, f"{name}.{key}" if name else str(key))


def check_depth(config: object) -> None:
    """Refuse a value that holds itself, or holds others very often, before anything walks through all of it.

    Raises
    ------
    RefusedError
    """
    for number, (name, _) in enumerate(leaves(config)):
        if number >= MOST_VALUES:
            raise RefusedError(
                f"{name[:40]}...: there are more than {MOST_VALUES} values. See config/README.md."
            )


def check_leaves(config: Mapping) -> None:
    """Refuse characters that cannot be seen, and fractions where a count is expected."""
    for name, value in leaves(config):
        if isinstance(value, str) and name != "scene.geo_region" and _CONTROL.search(value):
            raise RefusedError(
                f"{name}: {value[:80]!r} has a line break or another character that cannot be seen; take it out."
            )
        if isinstance(value, float) and not any(fnmatchcase(name, pattern) for pattern in FRACTIONS):
            raise RefusedError(f"{name}: {value} is not a whole number; write it without a point.")


def fill_in_kind(config: dict) -> None:
    """Fill in what depends on the kind of source: the sample brings tables and weather of its own."""
    source, weather = config["source"], config["weather"]
    sample = source["kind"] == "sample"
    if sample:
        source["path"] = source["path"] or "data/sample"
        weather["path"] = weather["path"] or f"{source['path']}/weather.csv"
    elif source["kind"] == "local" and source["path"] is None:
        raise RefusedError(
            "source.path is null; set it to the folder of your .SAFE products. See config/README.md."
        )
    table = "config/sample/products.tsv" if sample else "results/products.tsv"
    config["products"] = config["products"] or table


def fill_in_mode(config: dict) -> None:
    """Let the analysis follow the mode of the run, unless it has one of its own."""
    config["analysis"]["mode"] = config["analysis"]["mode"] or config["mode"]


def check_source(source: Mapping) -> None:
    """Refuse a source without what its kind needs."""
    for key in NEEDED.get(source["kind"], ()):
        if source[key] is None:
            raise RefusedError(
                f"source.{key} is not set, but source.kind {source['kind']} needs it; see config/README.md."
            )
    if source["kind"] in NEEDED and source["requester_pays"] and source["access"] == "storage":
        raise RefusedError(
            "source.requester_pays cannot go with source.access storage, whose requests do not say who pays; set "
            "source.access: stream."
        )


def check_weather(weather: Mapping) -> None:
    """Refuse a file for one quantity where no weather is asked for."""
    for quantity in QUANTITIES:
        if weather[quantity]["path"] and not weather["path"]:
            raise RefusedError(
                f"weather.{quantity}.path is set but weather.path is null, which means no weather; set weather.path "
                "too."
            )


def check_region(text: str | None, read_polygon: Callable[[str], object]) -> None:
    """Refuse a region that is no polygon on the earth."""
    try:
        if text is not None:
            read_polygon(text)
    except ValueError as error:
        raise RefusedError(region_sentence(text, error)) from None


def region_sentence(text: str, error: ValueError) -> str:
    """Return the sentence for a text that is no polygon."""
    return (
        f"scene.geo_region {' '.join(text.split())[:120]!r} {error}; expected a polygon as "
        "POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8)). See config/README.md."
    )


def check_engine(scene: Mapping) -> None:
    """Refuse what the engine `rasterio` does and SNAP does not."""
    if scene["engine"] == "rasterio":
        return
    for key in ("upsampling", "downsampling"):
        if not isinstance(scene[key], str):
            raise RefusedError(
                f"scene.{key} names methods per band, but scene.engine {scene['engine']} takes one for all; name one, "
                "or set scene.engine: rasterio."
            )
    _, _, width, height = scene["region"] or (0, 0, *[109_800 // scene["resolution"]] * 2)
    # SNAP 14 and later adds two masks to each band, and all are written with 16 bits
    if width * height * len(scene["bands"]) * 3 * 2 >= 2**32:
        raise RefusedError(
            f"scene.bands names {len(scene['bands'])} bands, for which SNAP might write more than the 4 GiB of a "
            "GeoTIFF; name fewer, set scene.region or set scene.engine: rasterio."
        )


def check_price(plan: Mapping) -> None:
    """Refuse a virtual machine without a price."""
    if plan["vm_size"] not in plan["prices"]:
        known = ", ".join(map(str, plan["prices"]))
        raise RefusedError(
            f"plan.vm_size {plan['vm_size'][:80]!r} has no price in plan.prices ({known[:300]}); add it there, or "
            "name one of them."
        )


def step_from(day: date, step: str) -> date:
    """Return the day one step later, as pyveg counts: months keep the day where the month has it."""
    number, unit = int(step[:-1]), step[-1]
    if unit in "dw":
        return day + timedelta(days=number * (7 if unit == "w" else 1))
    months = day.year * 12 + day.month - 1 + number * (12 if unit == "y" else 1)
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def read_periods(start: str, end: str, step: str) -> dict[str, tuple[str, str]]:
    """Return date (middle day) to (start, end) of each period of [start, end); an incomplete last one is dropped.

    Raises
    ------
    RefusedError
        When there is none, or more than MOST_DATES.
    """
    try:
        day, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError as error:
        raise RefusedError(f"period.start {start!r} and period.end {end!r} must be days: {error}.") from None
    if day >= last:
        raise RefusedError(f"period.end {end} must be after period.start {start}.")
    periods: dict[str, tuple[str, str]] = {}
    while len(periods) <= MOST_DATES:
        try:
            following = step_from(day, step)
        except (ValueError, OverflowError):
            break
        if following > last:
            break
        middle = day + (following - day) // 2
        periods[middle.isoformat()] = (day.isoformat(), following.isoformat())
        day = following
    cuts = f"period.step {step} cuts {start} to {end} into"
    if not periods:
        raise RefusedError(f"{cuts} 0 dates; choose a wider period or a shorter step.")
    if len(periods) > MOST_DATES:
        raise RefusedError(
            f"{cuts} more than {MOST_DATES:,} dates; choose a narrower period or a longer step."
        )
    return periods


def check_table_of_sites(config: Mapping, directory: Path = Path()) -> None:
    """Refuse a table of sites that is no file, before it is opened: a device or a pipe would block for ever.

    Raises
    ------
    RefusedError
    """
    path = directory / config["sites"]
    check_file("sites", path)
    if not path.exists():
        raise RefusedError(
            f"sites: {path} cannot be read as a table, because it is not there; write it or correct sites."
        )


def check_files(config: Mapping, sites: Iterable[str], directory: Path = Path()) -> None:
    """Refuse tables of products and files of weather that are there and are no files that can be read.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    sites : iterable of str
        Their names.
    directory : Path
        The working directory of the run.

    Raises
    ------
    RefusedError
    """
    table = directory / config["products"]
    check_file("products", table)
    check_file("products", table.with_name("files.tsv"))
    weather = config["weather"]
    for key, path in (
        ("weather.path", weather["path"]),
        *((f"weather.{quantity}.path", weather[quantity]["path"]) for quantity in QUANTITIES),
    ):
        names = sites if path and "{site}" in path else [""]
        for site in names if path else ():
            check_file(key, directory / path.replace("{site}", site))


def check_file(key: str, path: Path) -> None:
    """Refuse what is there and is no regular file that can be read, without opening it.

    Raises
    ------
    RefusedError
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RefusedError(
            f"{key}: {str(path)[:200]} cannot be read ({error.strerror}); correct {key}."
        ) from None
    if kind != stat.S_IFREG:
        raise RefusedError(
            f"{key}: {path} is {_KINDS.get(kind, 'no file')}, not a file; name a file that can be read."
        )
    if not os.access(path, os.R_OK, effective_ids=True):
        raise RefusedError(f"{key}: {path} may not be read by this user; change its permissions.")


def check_folders(folder: str, workflow: str, python: str, submitted: bool) -> None:
    """Refuse places whose names Snakemake, or the shells that start its jobs, take for something else.

    Parameters
    ----------
    folder : str
        The working folder, absolute.
    workflow : str
        A file of the workflow.
    python : str
        Python's own path, which Snakemake writes into the command of a job without quotes.
    submitted : bool
        Whether jobs are commands that are submitted, as on SLURM, and find these places there.

    Raises
    ------
    RefusedError
    """
    places = [
        ("working folder", folder, _NO_TEXT),
        ("folder of the workflow", workflow, _WILDCARD),
        ("folder of Python", python, _SPECIAL),
    ]
    if submitted:
        places += [("working folder", folder, _EXPANDED), ("folder of the workflow", workflow, _EXPANDED)]
    for what, path, pattern in places:
        if match := pattern.search(path):
            character = _NAMES.get(match[0], ascii(match[0]))
            job = "a submitted job" if submitted else "a job"
            raise RefusedError(
                f"the {what} {path!a} has {character} in its path, with which {job} cannot start; rename or move it."
            )
