"""What the configuration says of the source of products: where they are, and which of their files are fetched."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import SITE_COLUMNS, Row
from tigerbush.sensors import sensor_of

# kinds of sources that are a folder on this machine
FOLDERS = ("local", "sample")
# what opens an object store
STORE_KEYS = ("bucket", "endpoint_url", "region", "anonymous", "requester_pays")
# and what else decides which products are found there, or in a folder
_LISTED_KEYS = ("level", "prefixes", "catalogue", "collections")
_FOLDER_KEYS = ("kind", "path", "level")


def is_remote(source: Mapping) -> bool:
    """Tell whether products are in an object store or on web servers, not in a folder."""
    return source["kind"] not in FOLDERS


def store_of(source: Mapping) -> dict[str, Any]:
    """Return the keys of a source that open it."""
    return {key: source[key] for key in ("kind", *STORE_KEYS)}


def discovery_of(
    source: Mapping, sites: Mapping[str, Mapping], periods: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Return what the table of products depends on; a folder is listed for all sites and dates alike.

    Returns
    -------
    dict
        source, sites, period: parameters of the rule `discover_products`.
    """
    if not is_remote(source):
        return {"source": {key: source[key] for key in _FOLDER_KEYS}, "sites": [], "period": []}
    return {
        "source": store_of(source) | {key: source[key] for key in _LISTED_KEYS},
        "sites": [{key: site[key] for key in SITE_COLUMNS[1:]} for site in sites.values()],
        "period": [min(periods.values())[0], max(periods.values())[1]],
    }


def address_of(key: str, bucket: str) -> str:
    """Return the whole address of a row of `files.tsv`, whose key may be one already."""
    return key if "://" in key else f"s3://{bucket}/{key}"


def is_web(rows: Iterable[Row]) -> bool:
    """Tell whether a file lies on a web server, where nobody needs a key."""
    return any(row["key"].startswith("http") for row in rows)


def in_store(rows: Iterable[Row]) -> bool:
    """Tell whether a file lies in an object store."""
    return any(not row["key"].startswith("http") for row in rows)


def chosen_files(rows: Iterable[Row], bands: Sequence[str]) -> list[Row]:
    """Choose of a product's files metadata, masks, and some bands at their finest resolution.

    Parameters
    ----------
    rows : iterable of rows of files.tsv
        Of one product, sorted by name.
    bands : sequence of str
    """
    others, finest = [], {}
    for row in rows:
        if row["role"] != "band":
            others.append(row)
        elif row["band"] in bands:
            # sorted by name: R10m is before R20m
            finest.setdefault(row["band"], row)
    return others + [finest[band] for band in dict.fromkeys(bands) if band in finest]


def check_safe(product: str, rows: Iterable[Row]) -> None:
    """Refuse a source of single files: SNAP reads nothing but whole folders.

    Raises
    ------
    TigerbushError
    """
    suffix = sensor_of(product).suffix
    if not any(
        row["key"].endswith(f"{product}{suffix}/{row['name']}") and "://" not in row["key"] for row in rows
    ):
        raise TigerbushError(
            f"{product} does not lie as a {suffix} folder in source.bucket, and SNAP reads nothing else; set "
            "scene.engine: rasterio."
        )
