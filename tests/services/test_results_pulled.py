"""./tigerbush results pull: checksums, interruptions, large files, and little memory."""

import hashlib
import os
import subprocess
import sys
import zipfile

import pytest
from azure.storage.blob import ContentSettings

from fabricate import ROOT
from seaweedfs import KEYED
from test_results import FILES, contents, tigerbush
from test_results import blob as blob
from test_results import folder as folder
from test_results import short_waits as short_waits
from tigerbush.cli.results.pull import part_name, pull
from tigerbush.cli.results.storage import Item, open_storage
from tigerbush.errors import RemoteError

# of b"content"
MD5 = bytearray.fromhex("9a0364b9e99bb480dd25e1f0284c8555")


def test_checksums_of_blob_storage(blob, store, certificates, tmp_path, monkeypatch):
    """The checksums of the store are compared, also with files that an earlier attempt has left."""
    blob |= {"REQUESTS_CA_BUNDLE": str(certificates / "ca.pem")}
    names = ["results/a/one.json", "results/a/two.json", "results/a/three.json"]
    client = store.service.get_container_client("pulled")
    for name in names:
        client.upload_blob(f"sums/{name}", b"content", overwrite=True)
    for name, settings in zip(names, [MD5, MD5, None], strict=True):
        client.get_blob_client(f"sums/{name}").set_http_headers(ContentSettings(content_md5=settings))
    target = tmp_path / "a.zip"
    output = tigerbush("pull", "az://pulled/sums", "--zip", target, **blob)
    assert "compared with a checksum of the storage: 2; without one: 1" in output.splitlines()
    wrong = bytearray(16)
    client.get_blob_client(f"sums/{names[1]}").set_http_headers(ContentSettings(content_md5=wrong))
    target.unlink()
    for name, value in blob.items():
        monkeypatch.setenv(name, value)
    place = open_storage("az://pulled/sums")
    with pytest.raises(RemoteError) as error:
        pull(place, list(place.items()), target, lambda item: None)
    assert str(error.value) == ("results/a/two.json: the content differs from the checksum of the storage")
    assert not target.exists()


def test_checksums_of_an_object_store(seaweedfs, keys, tmp_path):
    """Files that an earlier attempt has left are compared, too; an upload in several parts has no checksum."""
    name = "results/a/big.json"
    seaweedfs.put(KEYED, "sums/results/a/one.json", b"content")
    upload = seaweedfs.admin.create_multipart_upload(Bucket=KEYED, Key=f"sums/{name}")["UploadId"]
    uploaded = []
    for number, part in enumerate((b"x" * 5 * 1024**2, b"y"), 1):
        options = {"Bucket": KEYED, "Key": f"sums/{name}", "UploadId": upload, "PartNumber": number}
        uploaded.append(
            {"ETag": seaweedfs.admin.upload_part(**options, Body=part)["ETag"], "PartNumber": number}
        )
    seaweedfs.admin.complete_multipart_upload(
        Bucket=KEYED, Key=f"sums/{name}", UploadId=upload, MultipartUpload={"Parts": uploaded}
    )
    target = tmp_path / "a.zip"
    address = ("pull", f"s3://{KEYED}/sums", "--endpoint-url", seaweedfs.url, "--zip", target)
    place = open_storage(f"s3://{KEYED}/sums", endpoint_url=seaweedfs.url)
    items = {item.name: item for item in place.items()}
    parts = tmp_path / "a.zip.part"
    parts.mkdir()
    for item, content in ((items["results/a/one.json"], b"damaged"), (items[name], b"cut")):
        (parts / part_name(item)).write_bytes(content)
    output = tigerbush(*address)
    assert "compared with a checksum of the storage: 1; without one: 1" in output.splitlines()
    pulled = contents(target)
    assert pulled["results/a/one.json"] == b"content"
    assert pulled[name] == b"x" * 5 * 1024**2 + b"y"


class Failing:
    """A place where one file cannot be read, until `broken` is reset."""

    def __init__(self, files, broken):
        self.files, self.broken, self.reads = files, broken, []

    def items(self):
        return [
            Item(name, len(content), hashlib.sha256(content).hexdigest())
            for name, content in self.files.items()
        ]

    def pieces(self, item):
        self.reads.append(item.name)
        if item.name == self.broken:
            raise RemoteError("no answer")
        yield self.files[item.name]


def test_an_interrupted_pull_goes_on(tmp_path):
    """Files that are complete are not fetched again, except those that have changed meanwhile."""
    names = [name for name in FILES if "niger" in name]
    place = Failing({name: FILES[name] for name in names}, names[-1])
    target = tmp_path / "out.zip"
    with pytest.raises(RemoteError):
        pull(place, place.items(), target, lambda item: None)
    assert not target.exists()
    place.files[names[0]] = b'{"a": 2}'
    place.broken, place.reads = None, []
    pull(place, place.items(), target, lambda item: None)
    assert set(place.reads) == {names[0], names[-1]}
    assert contents(target)[names[0]] == b'{"a": 2}'
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


def test_a_file_that_differs_from_its_checksum_is_read_again(tmp_path):
    name = "results/a/x.json"
    item = Item(name, 2, "tag", "99914b932bd37a50b983c5e7c90ae93b")

    class Changing(Failing):
        def pieces(self, item):
            self.reads.append(item.name)
            yield b"{]" if len(self.reads) <= self.broken else b"{}"

    place = Changing({}, 4)
    pull(place, [item], tmp_path / "a.zip", lambda item: None)
    assert (place.reads, contents(tmp_path / "a.zip")[name]) == ([name] * 5, b"{}")
    place = Changing({}, 5)
    with pytest.raises(RemoteError) as error:
        pull(place, [item], tmp_path / "b.zip", lambda item: None)
    assert str(error.value) == f"{name}: the content differs from the checksum of the storage"
    assert place.reads == [name] * 5 and not (tmp_path / "b.zip").exists()


def test_a_file_beyond_4_gb(folder, tmp_path, monkeypatch):
    """Here beyond 4 kB: its entry has the longer header from the beginning."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 4096)
    place = open_storage(str(folder))
    items = [item for item in place.items() if item.name.endswith("composite.tif")]
    pull(place, items, tmp_path / "a.zip", lambda item: None)
    assert contents(tmp_path / "a.zip")[items[0].name] == FILES[items[0].name]


# the most of its memory that a process has used beyond what it had before
PULLS = """
import re, sys
from pathlib import Path
from tigerbush.cli.results.storage import open_storage
from tigerbush.cli.results.pull import pull
def memory(field):
    return int(re.search(f"{field}:\\\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) / 1024
place = open_storage(sys.argv[1], endpoint_url=sys.argv[2] or None)
items = list(place.items())
before = memory("VmRSS")
pull(place, items, Path(sys.argv[3]), lambda item: None)
print(len(items), memory("VmHWM") - before)
"""


@pytest.mark.parametrize("where", ["folder", "bucket", "container"])
def test_a_pull_needs_little_memory(request, tmp_path, where):
    """With four files of 30 MB."""
    large, environment, address, endpoint = bytes(30_000_000), {}, tmp_path, ""
    names = [f"results/a/{number}.tif" for number in range(4)]
    if where == "folder":
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(large)
    elif where == "bucket":
        seaweedfs = request.getfixturevalue("seaweedfs")
        request.getfixturevalue("keys")
        for name in names:
            seaweedfs.put(KEYED, f"large/{name}", large)
        address, endpoint = f"s3://{KEYED}/large", seaweedfs.url
    else:
        environment = request.getfixturevalue("blob")
        environment["REQUESTS_CA_BUNDLE"] = str(request.getfixturevalue("certificates") / "ca.pem")
        client = request.getfixturevalue("store").service.get_container_client("pulled")
        for name in names:
            client.upload_blob(f"large/{name}", large, overwrite=True)
        address = "az://pulled/large"
    done = subprocess.run(
        [sys.executable, "-c", PULLS, address, endpoint, tmp_path / "a.zip"],
        env=os.environ | environment | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files, megabytes = map(float, done.stdout.split())
    assert files == 4
    assert megabytes < 64
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert [entry.file_size for entry in archive.infolist()[:4]] == [30_000_000] * 4
