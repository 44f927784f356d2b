"""A catalogue and a web server on this machine: STAC API, OData, and files with range requests."""

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
        Address of the STAC API; the files of `folder` are below its `/files/`.
    items : list of dict
    entries : list of dict
        Products of the OData catalogue.
    searches : list of dict
        The searches that were requested.
    status : int
        HTTP status of responses to searches.
    loop : bool
        Whether each page links to itself as the next.
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
        """Log nothing."""

    def do_GET(self):
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        catalogue = self.catalogue
        link = {"rel": "root", "href": f"{catalogue.url}/", "type": "application/json"}
        if path in {"", "/"}:
            rels = [("self", "/"), ("data", "/collections"), ("search", "/search")]
            kind = {"search": {"method": "POST", "type": "application/geo+json"}}
            links = [{"rel": rel, "href": catalogue.url + end, **kind.get(rel, {})} for rel, end in rels]
            self._json(self._root() | {"conformsTo": CONFORMS, "links": [link, *links]})
        elif path == "/collections":
            names = sorted({item["collection"] for item in catalogue.items})
            self._json({"collections": [self._collection(name) for name in names], "links": [link]})
        elif match := re.fullmatch(r"/collections/([^/]+)/items/([^/]+)", path):
            items = [item for item in catalogue.items if (item["collection"], item["id"]) == match.groups()]
            self._json(items[0] if items else {"code": "NotFound"}, 200 if items else 404)
        elif path.startswith("/files/"):
            self._file(catalogue.folder / unquote(path.removeprefix("/files/")))
        elif path == "/odata/v1/Products":
            self._odata(query)
        else:
            self._json({"code": "NotFound"}, 404)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self):
        """Search by collection, bounding box and time, in pages."""
        search = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        catalogue = self.catalogue
        catalogue.searches.append(search)
        start, end = (time[:10] for time in search["datetime"].split("/"))
        west, south, east, north = search["bbox"]
        items = [
            item
            for item in catalogue.items
            if item["collection"] in search["collections"]
            and start <= item["properties"]["datetime"][:10] <= end
            and west <= item["bbox"][2] and item["bbox"][0] <= east
            and south <= item["bbox"][3] and item["bbox"][1] <= north
        ]  # fmt: skip
        first = int(search.get("token", 0))
        page = {"type": "FeatureCollection", "features": items[first : first + PAGE], "links": []}
        if first + PAGE < len(items) or catalogue.loop:
            body = search | {"token": str(first if catalogue.loop else first + PAGE)}
            page["links"].append(
                {"rel": "next", "href": f"{catalogue.url}/search", "method": "POST", "body": body}
            )
        self._json(page, catalogue.status)

    def _odata(self, query):
        catalogue = self.catalogue
        condition = query["$filter"][0]
        catalogue.searches.append({"filter": condition})
        level = re.search(r"contains\(Name,'MSI(L\w\w)'\)", condition)[1]
        start, end = (
            re.search(rf"ContentDate/Start {verb} ([0-9-]+)T", condition)[1] for verb in ("ge", "lt")
        )
        entries = [
            entry
            for entry in catalogue.entries
            if f"MSI{level}" in entry["Name"] and start <= entry["ContentDate"]["Start"][:10] < end
        ]
        first = int(query.get("$skip", ["0"])[0])
        page = {"value": entries[first : first + PAGE]}
        if first + PAGE < len(entries):
            page["@odata.nextLink"] = (
                f"{catalogue.url}{self.path.partition('&%24skip')[0]}&%24skip={first + PAGE}"
            )
        self._json(page, catalogue.status)

    def _root(self):
        return {"type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "for tests"}

    def _collection(self, name):
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
        return self._root() | {
            "type": "Collection", "id": name, "license": "other", "extent": extent, "links": []
        }  # fmt: skip

    def _json(self, content, status=200):
        self._respond(status, json.dumps(content).encode(), "application/json")

    def _file(self, path):
        if not path.is_file():
            self._json({"code": "NotFound"}, 404)
            return
        content = path.read_bytes()
        match = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range") or "")
        if not match:
            self._respond(200, content)
            return
        start, stop = int(match[1]), min(int(match[2]) + 1, len(content))
        content_range = f"bytes {start}-{stop - 1}/{len(content)}"
        self._respond(206, content[start:stop], headers={"Content-Range": content_range})

    def _respond(self, status, content, kind="application/octet-stream", headers=None):
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
    """Run a catalogue that serves the files of a folder."""
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
    """Return the STAC item of a product as in Earth Search; `hrefs` by band, and for SCL."""
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
    """Return the images of a product at their finest resolution, by band and for SCL."""
    product = open_product(safe)
    images = {}
    for name in product.files:
        kind = role(name)
        if kind and kind[0] == "band":
            images[kind[1]] = safe / product.band_file(kind[1])[0]
        elif kind and kind[0] == "mask" and "_SCL_20m" in name:
            images["SCL"] = safe / name
    return images


def write_cog(image: Path, target: Path) -> Path:
    """Write an image as a cloud-optimised GeoTIFF with the same pixels."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.Env(GDAL_NUM_THREADS="1"):
        rasterio.shutil.copy(image, target, driver="COG", compress="DEFLATE", blocksize=512)
    return target
