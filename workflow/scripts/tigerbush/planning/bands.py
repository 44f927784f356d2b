"""Bands that products never have: refused before the first job, not product by product."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.source import FOLDERS
from tigerbush.product import Sensor
from tigerbush.sensors import ends_like_product, name_at, sensor_at, sensor_of, sensors
from tigerbush.variables import ROLES, VARIABLES

# a sensor and a processing level; None for an unknown level
Kind = tuple[Sensor, str | None]


def check_bands(config: Mapping) -> None:
    """Refuse bands of scenes, and indices, that no sensor has at the level of the configuration.

    Raises
    ------
    TigerbushError
    """
    kinds = [(sensor, config["source"]["level"]) for sensor in sensors()]
    _refuse_scene_bands(kinds, config, all)
    _refuse_indices(kinds, config, all)


def check_folder(config: Mapping, directory: Path = Path()) -> None:
    """Refuse bands of scenes that no product of a local folder has, to judge from its names, before it is listed.

    Parameters
    ----------
    config : mapping
        The resolved configuration.
    directory : Path
        The working directory of the run.

    Raises
    ------
    TigerbushError
    """
    source = config["source"]
    # the sample is written later; a table says more than names
    if source["kind"] not in FOLDERS or (directory / config["products"]).exists():
        return
    kinds = _kinds_in(directory / source["path"], source["level"])
    if kinds:
        _refuse_scene_bands(kinds, config, all)


def refuse_scene_bands(rows: Iterable[Mapping[str, Any]], config: Mapping) -> None:
    """Refuse bands of scenes that any of the chosen products never has.

    Parameters
    ----------
    rows : rows of products.tsv
    config : mapping

    Raises
    ------
    TigerbushError
    """
    _refuse_scene_bands({(sensor_of(row["product"]), row["level"]) for row in rows}, config, any)


def refuse_site_bands(rows: Iterable[Mapping[str, Any]], config: Mapping) -> None:
    """Refuse indices of bands that any of a site's products never has.

    Parameters
    ----------
    rows : rows of products.tsv
    config : mapping

    Raises
    ------
    TigerbushError
    """
    _refuse_indices({(sensor_of(row["product"]), row["level"]) for row in rows}, config, any)


def _refuse_scene_bands(kinds: Collection[Kind], config: Mapping, quantifier: Any) -> None:
    absent = {kind: _absent(kind, config["scene"]["bands"]) for kind in kinds}
    if not quantifier(absent.values()):
        return

    def strangeness(kind: Kind) -> tuple:
        """Order the sensor that is meant first: it has the bands at another level."""
        return sum(band not in kind[0].bands for band in absent[kind]), len(absent[kind]), kind[0].title

    sensor, level = kind = min((kind for kind in absent if absent[kind]), key=strangeness)
    bands = absent[kind]
    raise TigerbushError(
        f"scene.bands: {_title(sensor, level)} products never have {_list(bands)}; take "
        f"{'it' if len(bands) == 1 else 'them'} out of scene.bands, or use products that have "
        f"{'it' if len(bands) == 1 else 'them'} (source.level)."
    )


def _refuse_indices(kinds: Collection[Kind], config: Mapping, quantifier: Any) -> None:
    for name in config["composite"]["indices"]:
        absent = {kind: _absent_roles(kind, VARIABLES[name].bands) for kind in kinds}
        if quantifier(absent.values()):
            (sensor, level), roles = next(item for item in absent.items() if item[1])
            raise TigerbushError(
                f"composite.indices: {name} needs {', '.join(roles)}, which {_title(sensor, level)} products never "
                "have; remove it."
            )


def _absent(kind: Kind, bands: Iterable[str]) -> list[str]:
    sensor, level = kind
    return [band for band in bands if band not in sensor.bands or band in sensor.absent_bands.get(level, ())]


def _absent_roles(kind: Kind, roles: Iterable[str]) -> list[str]:
    bands = kind[0].site_bands
    absent = _absent(kind, bands)
    there = {role for role, band in zip(ROLES[-len(bands) :], bands, strict=True) if band not in absent}
    return sorted(set(roles) - there)


def _kinds_in(folder: Path, level: str | None) -> set[Kind]:
    """Return sensor and level of the products in a folder; of none when it cannot be listed."""
    kinds = set()
    try:
        for path in folder.iterdir():
            if ends_like_product(path):
                try:
                    kinds.add((sensor_at(path), name_at(path).level))
                except TigerbushError:
                    # skipped with a warning when the folder is listed
                    continue
    except OSError:
        return set()
    return {kind for kind in kinds if level in (None, kind[1])}


def _title(sensor: Sensor, level: str | None) -> str:
    return f"{sensor.title} {level}" if level else sensor.title


def _list(bands: Collection[str]) -> str:
    return f"{'band' if len(bands) == 1 else 'the bands'} {', '.join(bands)}"
