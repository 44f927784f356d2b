"""What is fuzzed: valid input of each kind, and the function of the project that reads it."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.random import Generator

import planted
from catalogues_in_memory import Stac, item, listed, page
from fabricate import ROOT, name_of, scene_of
from fuzz.mutations import mutated_bytes, mutated_tree, mutated_xml
from fuzz.weather_files import HOURLY, PYVEG, TABLE, grib, netcdf, read_january
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site
from tigerbush.cli.configuration import read_configuration
from tigerbush.errors import TigerbushError
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.planning.configuration import check_region
from tigerbush.planning.tables import (
    COLUMNS,
    FILE_COLUMNS,
    file_row,
    read_files,
    read_products,
    read_sites,
    table_row,
)
from tigerbush.sensors import parse_name
from tigerbush.sentinel2.stac_item import read_item
from tigerbush.sentinel2.writer import write_product
from tigerbush.site import Site
from tigerbush.sites.product import resample_site
from tigerbush.sources.folder import copy_product, list_local

SITE = Site(14.5593, 45.8694, 0.0037, 20, 10)
L1C, L2A = name_of(), name_of(level="L2A", baseline="0500")
LEVELS = {"L1C": L1C, "L2A": L2A}
# small, for a product is read thousands of times
PLACE = {"x": 465180, "y": 5080260, "epsg": 32633, "width": 60, "height": 60}


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes
    ----------
    prepare : callable
        Writes valid input into a folder, once, and returns what `attempt` needs.
    attempt : callable
        Takes the folder, what `prepare` returned and a random generator; mutates the input and reads it.
    """

    prepare: Callable[[Path], object]
    attempt: Callable[[Path, object, Generator], None]


def of_bytes(content: Callable[[Path], bytes], read: Callable[[Path], object], name: str = "input") -> Target:
    """Return the target of one file whose bytes are mutated."""

    def attempt(folder: Path, valid: bytes, random: Generator) -> None:
        path = folder / name
        path.write_bytes(mutated_bytes(valid, random))
        read(path)

    return Target(content, attempt)


def of_table(
    content: Callable[[Path], bytes], read: Callable[[Path], object], name: str, separator: str
) -> Target:
    """Return the target of a table, of which bytes or whole fields are mutated."""

    def attempt(folder: Path, valid: bytes, random: Generator) -> None:
        if random.random() < 0.3:
            changed = mutated_bytes(valid, random)
        else:
            rows = mutated_tree([line.split(separator) for line in valid.decode().splitlines()], random)
            fields = [
                row if isinstance(row, list) else [row] for row in (rows if isinstance(rows, list) else [])
            ]
            lines = [separator.join(map(str, row)) for row in fields]
            changed = "\n".join(lines).encode(errors="surrogatepass")
        (folder / name).write_bytes(changed)
        read(folder / name)

    return Target(content, attempt)


def of_tree(tree: Callable[[], object], read: Callable[[Path, object], object]) -> Target:
    """Return the target of a JSON tree whose values are mutated."""
    return Target(lambda _: tree(), lambda folder, valid, random: read(folder, mutated_tree(valid, random)))


def table(columns: tuple[str, ...], *rows: dict) -> bytes:
    """Return a tab-separated table."""
    lines = [columns, *([row[column] for column in columns] for row in rows)]
    return "".join("\t".join(map(str, line)) + "\n" for line in lines).encode()


SITES = b"site\tlongitude\tlatitude\tregion_size\nniger\t2.65\t13.2\t0.08\nsudan_2\t27.94\t-11.58\t0.05\n"


def products_table(_: Path) -> bytes:
    """Return a table of two products."""
    rows = [
        table_row(parse_name(name), url=f"/data/{name}.SAFE", granule="g", size_bytes=5, cloud_percent=3.5)
        for name in LEVELS.values()
    ]
    return table(COLUMNS, *rows)


def files_table(_: Path) -> bytes:
    """Return a table of two files of a product."""
    kinds = ("band", "B2"), ("metadata", "")
    return table(FILE_COLUMNS, *(file_row(L1C, kind, f"{kind[0]}.jp2", "a/b.jp2", 7, "5e") for kind in kinds))


def configuration() -> dict:
    """Return the configuration with all keys, and values where the defaults are none."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    config["scene"]["geo_region"] = "POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8))"
    config["scene"]["upsampling"] = {"B11": "Bilinear"}
    config["scene"] |= {
        "prefixes": ["a/b/"],
        "tiles": ["33TVL"],
        "bbox": [14.3, 45.7, 14.8, 46.0],
        "limit": 8,
    }
    config["scene"]["products"] = ["S2A_MSIL1C_20170116T100000_N0204_R122_T33TVL_20170116T110000"]
    config["composite"]["relative_orbits"] = [122]
    config["weather"]["path"] = "rain.csv"
    return config


def read_config(folder: Path, config: object) -> None:
    """Read a configuration as the commands do."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=False))
    read_config_file(path)


def read_config_file(path: Path) -> None:
    """Read a configuration file as the commands do."""
    read_configuration(argparse.Namespace(configfile=[str(path)], config=[], directory=path.parent))


def stac_item() -> dict:
    """Return an item whose assets are GeoTIFFs."""
    grid = {
        "proj:shape": [126, 126],
        "proj:transform": [10, 0, 465180, 0, -10, 5080260],
        "raster:bands": [{"scale": 0.0001, "offset": -0.1}],
    }
    properties = {"s2:product_uri": f"{L2A}.SAFE", "eo:cloud_cover": 12.25, "proj:epsg": 32633}
    assets = {
        key: {"href": f"https://data.example/{key}.tif", "file:size": 9} | grid
        for key in ("blue", "green", "red", "nir", "scl")
    }
    return item("S2A_33TVL", **properties) | {"assets": assets}


def read_stac_item(_: Path, tree: object) -> None:
    """Read the item of a product."""
    read_item(json.dumps(tree).encode(), "stac.json", parse_name(L2A))


def search_catalogue(_: Path, tree: object) -> None:
    """Find a good item beside a mutated one."""
    with pytest.MonkeyPatch.context() as patch:
        rows, _ = listed(patch, Stac(page([tree, item(name_of("20170202", level="L2A", baseline="0500"))])))
    assert "20170202" in {row["product"][11:19] for row in rows}


def small_product(folder: Path, level: str) -> Path:
    """Write a product with a mask."""
    options = {"scl": np.full((30, 30), 4, np.uint8)} if level == "L2A" else {}
    scene = scene_of(level=level, place=PLACE, offset=-1000 if level == "L2A" else 0, **options)
    return write_product(folder / "products", LEVELS[level], scene)


def read_product(path: Path) -> None:
    """List a product's folder, and resample its window as the job does; a placeholder's reason is raised."""

    def fail(reason: str) -> None:
        raise TigerbushError(reason)

    list_local(path.parent)
    placeholder_on_failure(
        lambda: resample_site(path, SITE, max_negative_fraction=0.05), fail, last_attempt=True, source=path
    )


def of_product(level: str, pattern: str, mutated: Callable[[bytes, Generator], bytes]) -> Target:
    """Return the target of one file of a product folder."""

    def attempt(_: Path, safe: Path, random: Generator) -> None:
        files = sorted(file for file in safe.rglob(pattern) if file.is_file())
        file = files[random.integers(0, len(files))]
        content = file.read_bytes()
        try:
            file.write_bytes(mutated(content, random))
            read_product(safe)
        finally:
            file.write_bytes(content)

    return Target(lambda folder: small_product(folder, level), attempt)


def zipped_product(folder: Path) -> bytes:
    """Return a product as a zip."""
    copy_product(small_product(folder, "L1C"), folder / f"{L1C}.zip", None)
    return (folder / f"{L1C}.zip").read_bytes()


def read_weather_json(folder: Path, tree: object) -> None:
    """Read pyveg's weather."""
    path = folder / "weather.json"
    path.write_text(json.dumps(tree))
    read_january(path)


SETTINGS = configuration()["analysis"] | {"mode": "default", "surrogates": 99, "repetitions": 1}


def read_summary(_: Path, tree: object) -> None:
    """Analyse a results_summary.json."""
    analyse_site(read_series(tree, "results_summary.json"), SETTINGS)


TARGETS = {
    "table of sites": of_table(lambda _: SITES, lambda path: read_sites(path, 500), "sites.tsv", "\t"),
    "table of products": of_table(products_table, read_products, "products.tsv", "\t"),
    "table of files": of_table(files_table, read_files, "files.tsv", "\t"),
    "configuration": of_tree(configuration, read_config),
    "configuration file": of_bytes(
        lambda _: (ROOT / "config" / "config.yaml").read_bytes(), read_config_file, "config.yaml"
    ),
    "polygon": of_bytes(
        lambda _: b"POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9, 14.5 45.8))",
        lambda path: check_region(path.read_bytes().decode("latin-1")),
    ),
    "STAC item": of_tree(stac_item, read_stac_item),
    "STAC search": of_tree(stac_item, search_catalogue),
    "XML of L1C": of_product("L1C", "*.xml", mutated_xml),
    "XML of L2A": of_product("L2A", "*.xml", mutated_xml),
    "images of a product": of_product("L2A", "*.jp2", mutated_bytes),
    "zip": of_bytes(zipped_product, read_product, f"zips/{L1C}.zip"),
    "weather in CSV": of_table(lambda _: TABLE.encode(), read_january, "weather.csv", ","),
    "weather by the hour": of_table(lambda _: HOURLY.encode(), read_january, "hours.csv", ";"),
    "weather of pyveg": of_tree(lambda: PYVEG, read_weather_json),
    "weather in NetCDF 3": of_bytes(lambda folder: netcdf(folder, "NETCDF3_64BIT"), read_january, "3.nc"),
    "weather in NetCDF 4": of_bytes(lambda folder: netcdf(folder, "NETCDF4"), read_january, "4.nc"),
    "weather in GRIB 1": of_bytes(lambda _: grib(1), read_january, "1.grib"),
    "weather in GRIB 2": of_bytes(lambda _: grib(2), read_january, "2.grib"),
    "summary of a site": of_tree(planted.long_summary, read_summary),
}
