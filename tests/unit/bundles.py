"""Bundles of windows for tests, written member by member."""

import json
import zipfile
from pathlib import Path

from tigerbush.bundle import index_of
from tigerbush.files import scratch_folder
from tigerbush.raster import REASON, STATUS, Raster, write_raster


def write_index(bundle, **sites):
    """The index of a bundle, with the status of each site."""
    entries = {
        site: {"made": "m", "status": status, "reason": "" if status == "ok" else "why", "digest": "d"}
        for site, status in sites.items()
    }
    index_of(bundle).parent.mkdir(parents=True, exist_ok=True)
    index_of(bundle).write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n")


def write_bundle(bundle, made="m", **sites):
    """A bundle of these sites, each with a pair of rasters, or with the bytes of files by name."""
    bundle.parent.mkdir(parents=True, exist_ok=True)
    entries = {}
    with zipfile.ZipFile(bundle, "w") as archive, scratch_folder("test.") as folder:
        for site, content in sites.items():
            status = {"status": "ok", "reason": ""}
            if not isinstance(content, dict):
                image = content[0]
                status = {"status": image.tags[STATUS], "reason": image.tags.get(REASON, "")}
                content = {
                    name: bytes_of(folder, *pair)
                    for name, pair in zip(("image.tif", "mask.tif"), enumerate(content), strict=True)
                }
            for name, data in content.items():
                archive.writestr(f"{site}/{name}", data)
            entries[site] = {"made": made, **status, "digest": f"of {site}"}
    index_of(bundle).write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n")


def bytes_of(folder: Path, number: int, raster: Raster) -> bytes:
    """A raster as GeoTIFF."""
    path = folder / f"{number}.tif"
    write_raster(path, raster)
    return path.read_bytes()
