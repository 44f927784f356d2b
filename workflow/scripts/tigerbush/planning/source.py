"""The source of products in the configuration: where they are, and which of their files are fetched."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import SITE_COLUMNS, Row
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
    source: Mapping, sites: Mapping[str, Mapping], periods: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Return what the table of products depends on; that of a folder is the same for all sites and dates.

    Returns
    -------
    dict
        The parameters source, sites and period of the rule `discover_products`.
    """
    if not is_remote(source):
        return {"source": {key: source[key] for key in _FOLDER_KEYS}, "sites": [], "period": []}
    return {
        "source": store_settings(source) | {key: source[key] for key in _LISTED_KEYS},
        "sites": [{key: site[key] for key in SITE_COLUMNS[1:]} for site in sites.values()],
        "period": [min(periods.values())[0], max(periods.values())[1]],
    }


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
