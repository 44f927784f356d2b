"""Sizes and checksums that a product states of its files, in `manifest.safe`."""

import logging
from collections.abc import Mapping

from tigerbush.errors import TigerbushError, one_sentence
from tigerbush.readers import Stated
from tigerbush.sentinel2.files import Safe
from tigerbush.sentinel2.metadata import MAX_XML_BYTES, parse_xml
from tigerbush.sentinel2.names import role

log = logging.getLogger(__name__)

MANIFEST = "manifest.safe"
# as manifests name them, the second in newer products, and as hashlib does
_ALGORITHMS = {"MD5": "md5", "SHA3-256": "sha3_256"}


def stated_files(product: Safe) -> dict[str, Stated]:
    """Return what a product states of its files; empty for one without a readable `manifest.safe`.

    The manifest of a product that was cropped, renamed or otherwise processed again is that of other files: when it
    states no size of most of the files that are read, or another one, it is not used, with a warning.
    """
    if MANIFEST not in product.files:
        return {}
    label = one_sentence(f"{product.path}/{MANIFEST}")
    try:
        if product.files[MANIFEST] > MAX_XML_BYTES:
            raise TigerbushError("larger than any manifest")
        root = parse_xml(label, product.read_bytes(MANIFEST), "well-formed XML")
    except TigerbushError:
        # none of the files that are used
        log.warning("%s cannot be read, and the product is not verified", label)
        return {}
    stated: dict[str, Stated] = {}
    for stream in root.iter("byteStream"):
        location, checksum = stream.find("fileLocation"), stream.find("checksum")
        name = "" if location is None else location.get("href", "").removeprefix("./")
        algorithm = None if checksum is None else _ALGORITHMS.get(checksum.get("checksumName", ""))
        digest = "" if algorithm is None else (checksum.text or "").strip().lower()
        size = stream.get("size", "")
        stated[name] = Stated(int(size) if size.isdecimal() and len(size) < 16 else None, algorithm, digest)
    stated.pop("", None)
    return {} if stated and _is_of_other_files(label, stated, product.files) else stated


def _is_of_other_files(label: str, stated: Mapping[str, Stated], files: Mapping[str, int]) -> bool:
    read = [name for name in files if role(name)]
    different = [name for name in read if name not in stated or stated[name].size not in (None, files[name])]
    if 2 * len(different) <= len(read):
        return False
    log.warning(
        "%s states no size, or another one, of %d of %d files: the product was changed after it was delivered, and is "
        "not verified",
        label,
        len(different),
        len(read),
    )
    return True
