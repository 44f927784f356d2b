"""The source of products in the configuration: where they are, and which of their files are fetched."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import SITE_COLUMNS, ZONE, Row
from tigerbush.sensors import sensor_of

# kinds of sources that are a folder on this machine
FOLDERS = ("local", "sample")
# settings that open an object store
STORE_KEYS = ("bucket", "endpoint_url", "region", "anonymous", "requester_pays")
# other settings that decide which products are found there, or in a folder
_LISTED_KEYS = ("level", "prefixes", "catalogue", "collections")
_FOLDER_KEYS = ("kind", "path", "level")


def is_remote(source: Mapping) -> bool:
    """Whether products are in an object store or on web servers, not in a folder."""
    return source["kind"] not in FOLDERS


def store_settings(source: Mapping) -> dict[str, Any]:
    """Return the settings that open a source."""
    return {key: source[key] for key in ("kind", *STORE_KEYS)}


def discovery_parameters(
    source: Mapping,
    sites: Mapping[str, Mapping],
    periods: Mapping[str, tuple[str, str]],
    scenes: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what the table of products depends on; that of a folder is the same for all sites, scenes and dates.

    Parameters
    ----------
    source, sites, periods : mapping
    scenes : mapping
        What `tigerbush.planning.scenes.selection_parameters` returns.

    Returns
    -------
    dict
        The parameters source, sites and period of the rule `discover_products`, and scenes if there are any.
    """
    if not is_remote(source):
        return {"source": {key: source[key] for key in _FOLDER_KEYS}, "sites": [], "period": []}
    return {
        "source": store_settings(source) | {key: source[key] for key in _LISTED_KEYS},
        "sites": [
            {key: site[key] for key in (*SITE_COLUMNS[1:], ZONE) if key in site} for site in sites.values()
        ],
        "period": [min(periods.values())[0], max(periods.values())[1]],
    } | ({"scenes": scenes} if scenes else {})


def check_table(path: object, products: Mapping[str, Row], source: Mapping) -> None:
    """Refuse a table of products that was made of another source.

    A table of this source may have some products of another one, whose results are kept.

    Parameters
    ----------
    path : path of the table
    products : mapping of product to row of products.tsv
    source : mapping
        The keys of `source` in the configuration.

    Raises
    ------
    TigerbushError
        When no product is in the configured source.
    """
    urls = [row["url"] for row in products.values()]
    other = urls[0].rpartition("/")[0][:200] or "." if urls else ""
    if urls and source["kind"] != "sample" and not any(_is_in_source(url, source) for url in urls):
        raise TigerbushError(
            f"{path} was made of another source: its products are in {other}, and the source is "
            f"{' or '.join(_places(source))}; run ./tigerbush discover to list that, or set products to another table."
        )


def _places(source: Mapping) -> list[str]:
    """Return where the products of a source are: its folder, bucket or catalogue."""
    if source["kind"] in FOLDERS:
        return [str(source["path"])]
    bucket = [f"s3://{source['bucket']}"] if source["bucket"] else []
    return bucket if source["kind"] == "s3" else [source["catalogue"].rstrip("/"), *bucket]


def _is_in_source(url: str, source: Mapping) -> bool:
    if source["kind"] in FOLDERS:
        return "://" not in url and Path(url).is_relative_to(source["path"])
    return url.startswith(tuple(f"{place}/" for place in _places(source)))


def address_of(key: str, bucket: str) -> str:
    """Return the whole address for a key of `files.tsv`, which may be one already."""
    return key if "://" in key else f"s3://{bucket}/{key}"


def on_web_server(rows: Iterable[Row]) -> bool:
    """Whether any of the files is on a web server, which needs no keys."""
    return any(row["key"].startswith("http") for row in rows)


def in_object_store(rows: Iterable[Row]) -> bool:
    """Whether any of the files is in an object store."""
    return any(not row["key"].startswith("http") for row in rows)


def select_files(rows: Iterable[Row], bands: Sequence[str], masks: Collection[str] = ()) -> list[Row]:
    """Select the metadata, the masks, and some bands at their finest resolution from the files of a product.

    Parameters
    ----------
    rows : iterable of rows of files.tsv
        Of one product, sorted by name.
    bands : sequence of str
    masks : collection of str
        Bands of which the masks are selected, too.
    """
    others, finest = [], {}
    for row in rows:
        if row["role"] != "band":
            if not row["band"] or row["band"] in masks:
                others.append(row)
        elif row["band"] in bands:
            # sorted by name: R10m is before R20m
            finest.setdefault(row["band"], row)
    return others + [finest[band] for band in dict.fromkeys(bands) if band in finest]


def check_snap_input(product: str, rows: Iterable[Row]) -> None:
    """Refuse a product of single files: SNAP only reads whole folders.

    Raises
    ------
    TigerbushError
    """
    suffix = sensor_of(product).suffix
    if not any(
        row["key"].endswith(f"{product}{suffix}/{row['name']}") and "://" not in row["key"] for row in rows
    ):
        raise TigerbushError(
            f"{product} is not a {suffix} folder in source.bucket, and SNAP reads nothing else; set "
            "scene.engine: rasterio."
        )
