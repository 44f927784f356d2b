"""The products that the writer writes, compared with what real products have and readers other than ours need."""

import hashlib

import pytest
from defusedxml import ElementTree

from fabricate import name_of, scene_of, write_product


@pytest.mark.parametrize(
    ("level", "baseline", "algorithm", "digest"),
    [
        ("L1C", "0204", "MD5", hashlib.md5),
        ("L2A", "0301", "MD5", hashlib.md5),
        ("L1C", "0400", "SHA3-256", hashlib.sha3_256),
        ("L2A", "0510", "SHA3-256", hashlib.sha3_256),
    ],
)
def test_the_manifest_lists_every_other_file(tmp_path, level, baseline, algorithm, digest):
    offset = -1000 if baseline >= "0400" else 0
    safe = write_product(
        tmp_path, name_of(level=level, baseline=baseline), scene_of(level=level, offset=offset)
    )
    root = ElementTree.parse(safe / "manifest.safe").getroot()
    assert root.tag == "{urn:ccsds:schema:xfdu:1}XFDU"
    listed = {}
    for item in root.findall("dataObjectSection/dataObject"):
        (stream,) = item
        location, checksum = stream.find("fileLocation"), stream.find("checksum")
        assert location.get("locatorType") == "URL"
        assert location.get("href").startswith("./")
        assert item.get("ID")
        assert checksum.get("checksumName") == algorithm
        listed[location.get("href").removeprefix("./")] = int(stream.get("size")), checksum.text
    files = {path.relative_to(safe).as_posix(): path for path in safe.rglob("*") if path.is_file()}
    del files["manifest.safe"]
    assert len(files) >= 14
    assert listed == {
        name: (path.stat().st_size, digest(path.read_bytes()).hexdigest()) for name, path in files.items()
    }
