"""A STAC API and an OData catalogue in memory, with products in a bucket in memory."""

import json
from datetime import date

from stores_in_memory import Bucket, Servers, store_of
from tigerbush.sources import catalogue
from tigerbush.sources.catalogue import list_catalogue
from tigerbush.sources.web import Response

URL = "https://stac.example/v1"
ODATA = "https://odata.example/odata/v1"
PLACE = {"longitude": 14.5, "latitude": 60.0, "region_size": 0.1}
# half a side is 0.05 degrees, and twice as much in longitude at 60 degrees north
BOX = [14.4, 59.95, 14.6, 60.05]
FEBRUARY = {"start": date(2017, 2, 1), "end": date(2017, 3, 1)}
REPEATED = "returns the same page repeatedly; try again later."


def collection(name):
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    kind = {"type": "Collection", "id": name, "license": "other", "extent": extent, "links": []}
    return {"stac_version": "1.0.0", "description": "x"} | kind


def root(**more):
    links = [
        ("self", "", "GET"),
        ("root", "", "GET"),
        ("data", "/collections", "GET"),
        ("search", "/search", "POST"),
    ]
    return {
        "type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "x",
        "conformsTo": [f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "collections", "item-search")],
        "links": [{"rel": rel, "href": URL + end, "method": method, "type": "application/json"} for rel, end, method in links],
    } | more  # fmt: skip


def encoded(document):
    return json.dumps(document).encode()


class Stac(Servers):
    """A STAC API whose searches return prepared pages, one after another."""

    def __init__(self, *pages, collections=("sentinel-2-l1c", "sentinel-2-l2a")):
        names = {"collections": [collection(name) for name in collections], "links": []}
        answers = {URL: encoded(root()), f"{URL}/collections": encoded(names)}
        super().__init__(
            answers
            | {f"{URL}/search": [page if isinstance(page, Response) else encoded(page) for page in pages]}
        )

    @property
    def searches(self):
        # as JSON, the way it is sent
        return [json.loads(encoded(options["json"])) for method, _, options in self.asked if method == "POST"]


def item(name, **properties):
    """Return an item whose assets are in SAFE layout in the bucket."""
    href = f"s3://eodata/L/{name}.SAFE/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2"
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "c", "geometry": None,
        "properties": {"datetime": "2017-02-01T00:00:00Z"} | properties, "links": [], "assets": {"B04": {"href": href}},
    }  # fmt: skip


def page(items, **next_link):
    """Return a page, with a link to the next one."""
    links = [{"rel": "next", "href": f"{URL}/search", "method": "POST"} | next_link] if next_link else []
    return {"type": "FeatureCollection", "features": items, "links": links}


def bucket_of(*names):
    """Return a bucket of products with one band and no metadata."""
    folders = [f"L/{name}.SAFE/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2" for name in names]
    return Bucket({key: str(number).encode() * 7 for number, key in enumerate(folders)})


def listed(monkeypatch, servers, *names, address=URL, store=None, **options):
    monkeypatch.setattr(catalogue, "Web", servers)
    store = store or store_of(monkeypatch, bucket_of(*names), tries=1, hosts=("a.example",))
    choice = {"level": "L2A", "sites": [PLACE], "tiles": {"33TVL", "33TWL"}} | FEBRUARY | options
    return list_catalogue(store, address, **choice)


def products(rows):
    return [row["product"] for row in rows]


def entry(name, path=None):
    return {"Name": f"{name}.SAFE", "S3Path": path or f"/eodata/L/{name}.SAFE"}
