"""The manifest of a written Sentinel-2 product: its files with sizes and checksums."""

import hashlib
from pathlib import Path
from xml.etree import ElementTree

from tigerbush.product import ProductName
from tigerbush.sentinel2.writer_metadata import add, write_xml

MANIFEST = "manifest.safe"
_MIME_TYPES = {".xml": "text/xml", ".gml": "text/xml"}


def write_manifest(safe: Path, name: ProductName) -> None:
    """Write `manifest.safe`, which lists all other files of a product as ESA's does.

    Parameters
    ----------
    safe : Path
        The `.SAFE` folder, complete.
    name : ProductName
        Its baseline decides the checksum: MD5, from 04.00 on SHA3-256.
    """
    algorithm, digest = ("SHA3-256", "sha3_256") if name.baseline >= "04.00" else ("MD5", "md5")
    root = ElementTree.Element(
        "xfdu:XFDU",
        {
            "xmlns:xfdu": "urn:ccsds:schema:xfdu:1",
            "version": f"esa/safe/sentinel/1.1/sentinel-2/msi/archive_{name.level.lower()}_user_product",
        },
    )
    section = add(root, "dataObjectSection")
    for file in sorted(path for path in safe.rglob("*") if path.is_file() and path.name != MANIFEST):
        content = file.read_bytes()
        item = add(section, "dataObject", ID=f"{file.stem}_Data")
        mime = _MIME_TYPES.get(file.suffix, "application/octet-stream")
        stream = add(item, "byteStream", mimeType=mime, size=str(len(content)))
        add(stream, "fileLocation", locatorType="URL", href=f"./{file.relative_to(safe).as_posix()}")
        checksum = hashlib.new(digest, content, usedforsecurity=False).hexdigest()
        add(stream, "checksum", checksum, checksumName=algorithm)
    write_xml(safe / MANIFEST, root)
