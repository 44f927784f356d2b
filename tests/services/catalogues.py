"""A catalogue and a web server on this machine: STAC API, OData, and files that can be read in part."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import rasterio
import rasterio.shutil

from tigerbush.sentinel2.names import role
from tigerbush.sentinel2.safe import open_product

PAGE = 2
CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
]


class Catalogue:
    """The running server.

    Attributes
    ----------
    url : str
        Of the STAC API; below it `/files/` is `folder`.
    items : list of dict
    entries : list of dict
        Products of the OData catalogue.
    searches : list of dict
        What was asked for.
    status : int
        Of the answers to searches.
    loop : bool
        Whether pages lead to themselves.
    """

    def __init__(self, url: str, folder: Path):
        self.url, self.folder = url, folder
        self.items, self.entries, self.searches = [], [], []
        self.status, self.loop = 200, False

    @property
    def odata(self) -> str:
        return f"{self.url}/odata/v1"

    def files(self, path: Path) -> str:
        return f"{self.url}/files/{path.relative_to(self.folder).as_posix()}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    catalogue: Catalogue

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        one = self.catalogue
        link = {"rel": "root", "href": f"{one.url}/", "type": "application/json"}
        if path in {"", "/"}:
            rels = [("self", "/"), ("data", "/collections"), ("search", "/search")]
            kind = {"search": {"method": "POST", "type": "application/geo+json"}}
            links = [{"rel": rel, "href": one.url + end, **kind.get(rel, {})} for rel, end in rels]
            self._json(self._root() | {"conformsTo": CONFORMS, "links": [link, *links]})
        elif path == "/collections":
            names = sorted({item["collection"] for item in one.items})
            self._json({"collections": [self._collection(name) for name in names], "links": [link]})
        elif match := re.fullmatch(r"/collections/([^/]+)/items/([^/]+)", path):
            found = [item for item in one.items if (item["collection"], item["id"]) == match.groups()]
            self._json(found[0] if found else {"code": "NotFound"}, 200 if found else 404)
        elif path.startswith("/files/"):
            self._file(one.folder / unquote(path.removeprefix("/files/")))
        elif path == "/odata/v1/Products":
            self._odata(query)
        else:
            self._json({"code": "NotFound"}, 404)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self):
        """Search: by collection, box and time, in pages."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        one = self.catalogue
        one.searches.append(asked)
        start, end = (time[:10] for time in asked["datetime"].split("/"))
        west, south, east, north = asked["bbox"]
        found = [
            item
            for item in one.items
            if item["collection"] in asked["collections"]
            and start <= item["properties"]["datetime"][:10] <= end
            and west <= item["bbox"][2] and item["bbox"][0] <= east
            and south <= item["bbox"][3] and item["bbox"][1] <= north
        ]  # fmt: skip
        first = int(asked.get("token", 0))
        page = {"type": "FeatureCollection", "features": found[first : first + PAGE], "links": []}
        if first + PAGE < len(found) or one.loop:
            body = asked | {"token": str(first if one.loop else first + PAGE)}
            page["links"].append({"rel": "next", "href": f"{one.url}/search", "method": "POST", "body": body})
        self._json(page, one.status)

    def _odata(self, query):
        one = self.catalogue
        condition = query["$filter"][0]
        one.searches.append({"filter": condition})
        level = re.search(r"contains\(Name,'MSI(L\w\w)'\)", condition)[1]
        start, end = (
            re.search(rf"ContentDate/Start {verb} ([0-9-]+)T", condition)[1] for verb in ("ge", "lt")
        )
        found = [
            entry
            for entry in one.entries
            if f"MSI{level}" in entry["Name"] and start <= entry["ContentDate"]["Start"][:10] < end
        ]
        first = int(query.get("$skip", ["0"])[0])
        page = {"value": found[first : first + PAGE]}
        if first + PAGE < len(found):
            page["@odata.nextLink"] = f"{one.url}{self.path.partition('&%24skip')[0]}&%24skip={first + PAGE}"
        self._json(page, one.status)

    def _root(self):
        return {"type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "of the tests"}

    def _collection(self, name):
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
        return self._root() | {
            "type": "Collection", "id": name, "license": "other", "extent": extent, "links": []
        }  # fmt: skip

    def _json(self, content, status=200):
        self._answer(status, json.dumps(content).encode(), "application/json")

    def _file(self, path):
        if not path.is_file():
            self._json({"code": "NotFound"}, 404)
            return
        content = path.read_bytes()
        match = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range") or "")
        if not match:
            self._answer(200, content)
            return
        start, stop = int(match[1]), min(int(match[2]) + 1, len(content))
        whole = f"bytes {start}-{stop - 1}/{len(content)}"
        self._answer(206, content[start:stop], headers={"Content-Range": whole})

    def _answer(self, status, content, kind="application/octet-stream", headers=None):
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serve(folder: Path):
    """Run a catalogue whose files are those of a folder."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.catalogue = Catalogue(f"http://127.0.0.1:{server.server_port}", folder)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield handler.catalogue
    finally:
        server.shutdown()
        server.server_close()


KEYS = {
    "B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "rededge1", "B6": "rededge2", "B7": "rededge3",
    "B8": "nir", "B8A": "nir08", "B9": "nir09", "B10": "cirrus", "B11": "swir16", "B12": "swir22",
}  # fmt: skip


def item_of(safe: Path, collection: str, hrefs: dict[str, str], **properties) -> dict:
    """Write the item of a product as Earth Search does; `hrefs` by band, and by SCL."""
    product = open_product(safe)
    assets = {}
    for band, href in hrefs.items():
        grid = product.grids[product.band_file(band)[1] if band != "SCL" else 20]
        assets[KEYS.get(band, band.lower())] = {
            "href": href,
            "roles": ["data"],
            "proj:shape": [grid.height, grid.width],
            "proj:transform": list(grid.transform)[:6],
        }
        if band != "SCL":
            offset = product.offsets[band] / product.quantification
            scale = {"scale": 1 / product.quantification, "offset": offset}
            assets[KEYS[band]]["raster:bands"] = [{"nodata": 0, "data_type": "uint16", **scale}]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"{product.name.platform}_{product.name.tile}_{product.name.sensing_time:%Y%m%d}_0_{product.name.level}",
        "collection": collection,
        "bbox": [13, 45, 16, 47],
        "geometry": {"type": "Point", "coordinates": [14.5, 45.9]},
        "properties": {
            "datetime": f"{product.name.sensing_time.isoformat()}Z",
            "eo:cloud_cover": product.cloud_percent,
            "proj:epsg": product.epsg,
            "s2:product_uri": f"{product.name.product}.SAFE",
            "s2:processing_baseline": product.name.baseline,
            **properties,
        },
        "links": [],
        "assets": assets,
    }


def images_of(safe: Path) -> dict[str, Path]:
    """Return the images of a product by band (the finest) and SCL."""
    product = open_product(safe)
    found = {}
    for name in product.files:
        kind = role(name)
        if kind and kind[0] == "band":
            found[kind[1]] = safe / product.band_file(kind[1])[0]
        elif kind and kind[0] == "mask" and "_SCL_20m" in name:
            found["SCL"] = safe / name
    return found


def write_cog(image: Path, target: Path) -> Path:
    """Write an image as the cloud-optimised GeoTIFF of the same pixels."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.Env(GDAL_NUM_THREADS="1"):
        rasterio.shutil.copy(image, target, driver="COG", compress="DEFLATE", blocksize=512)
    return target
