"""Which products the target `scenes` takes, with or without sites, and where their scenes are written."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.source import is_remote
from tigerbush.planning.tables import why_unused
from tigerbush.polygon import Corner
from tigerbush.product import Sensor
from tigerbush.sensors import parse_name, sensor_of, sensors

# keys of `scene` that choose products
SELECTION_KEYS = ("prefixes", "tiles", "bbox", "products", "limit")
# west, south, east and north, in degrees
Box = tuple[float, float, float, float]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Selection:
    """The products that the keys of `scene` choose: those that fit every key that is set.

    Attributes
    ----------
    prefixes : tuple of str
        Beginnings of the address of a product, whole ones: `s3://bucket/...` or the path of a folder.
    tiles, products : frozenset of str
        Names; empty for any.
    bbox : (west, south, east, north) or None
        In degrees; tiles that reach it are chosen.
    limit : int or None
        Largest number of products, the first ones by name that are not too cloudy.
    max_cloud_percent : float
        From which a product is too cloudy.
    """

    prefixes: tuple[str, ...] = ()
    tiles: frozenset[str] = frozenset()
    bbox: Box | None = None
    products: frozenset[str] = frozenset()
    limit: int | None = None
    max_cloud_percent: float = 100

    @classmethod
    def of(cls, keys: Mapping[str, Any], source: Mapping[str, Any]) -> "Selection":
        """Return the selection of a configuration.

        Parameters
        ----------
        keys : mapping
            `selection_parameters` of the configuration.
        source : mapping
            Its `source`.
        """
        if is_remote(source):
            prefixes = [f"s3://{source['bucket']}/{prefix}" for prefix in keys["prefixes"] or ()]
        else:
            prefixes = [f"{PurePath(source['path'], prefix)}/" for prefix in keys["prefixes"] or ()]
        return cls(
            prefixes=tuple(prefixes),
            tiles=frozenset(keys["tiles"] or ()),
            bbox=tuple(keys["bbox"]) if keys["bbox"] else None,
            products=frozenset(keys["products"] or ()),
            limit=keys["limit"],
            max_cloud_percent=keys.get("max_cloud_percent", 100),
        )

    def includes(self, row: Row) -> bool:
        """Tell whether a product is chosen, given its row in the table of products, regardless of clouds and limit."""
        return (
            (not self.prefixes or row["url"].startswith(self.prefixes))
            and (not self.tiles or row["tile"] in self.tiles)
            and (not self.products or row["product"] in self.products)
            and (self.bbox is None or tile_reaches(sensor_of(row["product"]), row["tile"], self.bbox))
        )

    def is_clear(self, row: Row) -> bool:
        """Tell whether a product is not too cloudy; an unknown cloud cover counts as none."""
        return float(row["cloud_percent"] or 0) <= self.max_cloud_percent

    @property
    def tiles_of_products(self) -> frozenset[str]:
        """The tiles that all chosen products are of; empty when only a box, or nothing, says so."""
        return self.tiles or frozenset(parse_name(product).tile for product in self.products)

    def tiles_in_reach(self, sensor: Sensor) -> frozenset[str]:
        """Return the tiles of a sensor that may have chosen products; empty when nothing says which."""
        return self.tiles_of_products or frozenset(tiles_reaching(sensor, self.bbox) if self.bbox else ())

    @property
    def boxes(self) -> list[Box | None]:
        """The areas in which a catalogue is searched, in degrees from -180 to 180; None for the whole earth."""
        if self.tiles_of_products:
            corners = (corners_of(tile) for tile in sorted(self.tiles_of_products))
            return [box for tile in corners if tile for box in boxes_around(tile)] or [None]
        return [self.bbox]


def selection_parameters(config: Mapping) -> dict[str, Any]:
    """Return what the table of products of a remote source depends on, beside sites and period; empty without a key.

    Cloud cover only decides which products are listed when their number is limited.
    """
    scene = config["scene"]
    if all(scene[key] is None for key in SELECTION_KEYS):
        return {}
    keys = {key: scene[key] for key in SELECTION_KEYS}
    limited = scene["limit"] is not None
    return keys | ({"max_cloud_percent": config["composite"]["max_cloud_percent"]} if limited else {})


def select_scenes(products: Mapping[str, Row], config: Mapping) -> dict[str, Any]:
    """Return which products of the table become scenes, and why others that the keys of `scene` choose do not.

    Parameters
    ----------
    products : mapping
        As `tigerbush.planning.tables.read_products` returns them.
    config : mapping
        The resolved configuration.

    Returns
    -------
    dict
        `products`, sorted by name, and `left_out`, the reasons by product.
    """
    scene, level, period = config["scene"], config["source"]["level"], config["period"]
    maximum = config["composite"]["max_cloud_percent"]
    keys = {key: scene[key] for key in SELECTION_KEYS}
    selection = Selection.of(keys | {"max_cloud_percent": maximum}, config["source"])
    chosen = [
        row
        for _, row in sorted(products.items())
        if level in (None, row["level"])
        and period["start"] <= row["sensing_time"][:10] < period["end"]
        and selection.includes(row)
    ]
    cloudy = f"more than {maximum:g} % cloud (composite.max_cloud_percent)"
    reasons = {
        row["product"]: why_unused(row) or (None if selection.is_clear(row) else cloudy) for row in chosen
    }
    used = [product for product, reason in reasons.items() if reason is None]
    left_out = {product: reason for product, reason in reasons.items() if reason}
    return {"products": used[: selection.limit], "left_out": left_out}


def refuse_empty_selection(selected: Mapping[str, Any], products: Mapping[str, Row], config: Mapping) -> None:
    """Refuse a target `scenes` without a scene, and named products that the table lacks.

    Parameters
    ----------
    selected : mapping
        From `select_scenes`.
    products, config : mapping
        As for `select_scenes`.

    Raises
    ------
    TigerbushError
    """
    table, period = config["products"], f"{config['period']['start']} to {config['period']['end']}"
    if missing := sorted(set(config["scene"]["products"] or ()) - products.keys()):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise TigerbushError(
            f"scene.products: {missing[0]}{more} not in {table}: the source does not have it in the period {period}, "
            "or has a newer baseline of it; correct scene.products or period, or run ./tigerbush discover."
        )
    if not selected["products"]:
        counts = Counter(selected["left_out"].values())
        left_out = "".join(f", {count} left out: {reason}" for reason, count in counts.items())
        keys = ", ".join(f"scene.{key}" for key in SELECTION_KEYS[:-1] if config["scene"][key])
        raise TigerbushError(
            f"none of the {len(products)} products of {table} is chosen for the target scenes{left_out}; check "
            f"{keys or 'source.level'}, the period {period} and composite.max_cloud_percent "
            f"({config['composite']['max_cloud_percent']:g})."
        )


def scene_folder(row: Row, layout: str) -> str:
    """Return the folder of a scene, below that of all scenes: empty, or tile and day of observation."""
    return f"{row['tile']}/{row['sensing_time'][:10]}/" if layout == "by_tile_and_date" else ""


def makes_masks(config: Mapping) -> bool:
    """Tell whether a cloud mask is written beside each scene."""
    mask = config["scene"]["mask"]
    # only runs without sites: no earlier version had these, so that no finished scene of one lacks its mask
    return config["sites"] is None if mask is None else mask


def is_scene(result: PurePath) -> bool:
    """Tell whether a result is a scene or the mask of one, given its path in the working directory."""
    return result.suffix == ".tif" and result.parts[:2] == ("results", "scenes")


def scene_results(products: Mapping[str, Row], config: Mapping) -> set[PurePath]:
    """Return the scenes and masks that a configuration wants, as paths in the working directory.

    Parameters
    ----------
    products, config : mapping
        As for `select_scenes`.
    """
    suffixes = [".tif"] + ["_mask.tif"] * makes_masks(config)
    folders = {
        product: PurePath("results/scenes", scene_folder(products[product], config["scene"]["layout"]))
        for product in select_scenes(products, config)["products"]
    }
    return {folder / f"{product}{suffix}" for product, folder in folders.items() for suffix in suffixes}


def check_scenes(config: dict) -> None:
    """Refuse keys that choose products for scenes wrongly, or a remote source of which nothing chooses any.

    Names of products lose the suffix of their folder; `config` is modified in place.

    Raises
    ------
    TigerbushError
    """
    scene, source = config["scene"], config["source"]
    for tile in scene["tiles"] or ():
        if not any(sensor.tile_corners is None or sensor.tile_corners(tile) for sensor in sensors()):
            raise TigerbushError(
                f"scene.tiles: {tile!r} is not the name of a tile, such as 33TVL; correct it."
            )
    if scene["products"]:
        try:
            scene["products"] = [parse_name(name).product for name in scene["products"]]
        except TigerbushError as error:
            raise TigerbushError(f"scene.products: {error}") from None
    if scene["bbox"]:
        check_box(scene["bbox"])
    if scene["prefixes"] and is_remote(source) and source["bucket"] is None:
        raise TigerbushError(
            "scene.prefixes are prefixes in source.bucket, which is not set; use scene.tiles, scene.bbox or "
            "scene.products."
        )
    if is_remote(source) and config["sites"] is None and not selection_parameters(config):
        raise TigerbushError(
            "sites is null, and nothing chooses products for the target scenes; set scene.prefixes, scene.tiles, "
            "scene.bbox or scene.products, or name a table of sites."
        )


def check_box(box: Sequence[float]) -> None:
    """Refuse a box that is empty, or that would cross the antimeridian.

    Raises
    ------
    TigerbushError
    """
    west, south, east, north = box
    if not south < north:
        raise TigerbushError(
            f"scene.bbox: south {south:g} must be less than north {north:g}; write [west, south, east, north]."
        )
    if not west < east:
        raise TigerbushError(
            f"scene.bbox: west {west:g} must be less than east {east:g}; write [west, south, east, north], and for a "
            "box across the antimeridian (180 degrees) use one run on each side, or scene.tiles."
        )


def corners_of(tile: str) -> Sequence[Corner] | None:
    """Return the corners of a tile of any sensor; None when its place is unknown."""
    known = (sensor.tile_corners(tile) for sensor in sensors() if sensor.tile_corners)
    return next(filter(None, known), None)


def boxes_around(corners: Sequence[Corner]) -> Iterator[Box]:
    """Yield the box around corners in degrees; two on the antimeridian, one on each side."""
    west, east = min(x for x, _ in corners), max(x for x, _ in corners)
    south, north = min(y for _, y in corners), max(y for _, y in corners)
    for shift in (-360, 0, 360):
        if west + shift < 180 and east + shift > -180:
            yield max(west + shift, -180.0), south, min(east + shift, 180.0), north


def tiles_reaching(sensor: Sensor, box: Box) -> set[str]:
    """Return the tiles of a sensor that reach a box in degrees."""
    west, south, east, north = box
    step, tiles = 0.4, set()
    latitude = max(south, -80.0)
    while latitude < min(north, 84.0) + step:
        row = min(latitude, north, 84.0)
        width = step / max(math.cos(math.radians(row)), 0.1)
        # tiles of the neighbouring zones reach into the box, too
        for i in range(-4, math.ceil((east - west) / width) + 5):
            longitude = (west + i * width + 180) % 360 - 180
            tiles |= sensor.site_tiles(longitude, row, 2 * step)
        latitude += step
    return {tile for tile in tiles if tile_reaches(sensor, tile, box)}


def tile_reaches(sensor: Sensor, tile: str, box: Box) -> bool:
    """Tell whether the area of a tile reaches a box; False when its place is unknown."""
    corners = sensor.tile_corners(tile) if sensor.tile_corners else None
    return corners is not None and any(
        _overlap([(x + shift, y) for x, y in corners], box) for shift in (-360, 0, 360)
    )


def _overlap(corners: Sequence[Corner], box: Box) -> bool:
    """Tell whether a convex quadrilateral and a box overlap: no line along an edge of either separates them."""
    west, south, east, north = box
    rectangle = [(west, south), (east, south), (east, north), (west, north)]
    for shape in (corners, rectangle):
        for (x, y), (next_x, next_y) in pairwise([*shape, shape[0]]):
            normal = (next_y - y, x - next_x)
            first, second = (_span(points, normal) for points in (corners, rectangle))
            if first[1] <= second[0] or second[1] <= first[0]:
                return False
    return True


def _span(points: Iterable[Corner], normal: Corner) -> tuple[float, float]:
    """Return the extent of points along a direction."""
    along = [x * normal[0] + y * normal[1] for x, y in points]
    return min(along), max(along)
