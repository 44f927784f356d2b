"""./tigerbush results: listed and pulled from a folder, an object store and Blob storage."""

import hashlib
import os
import subprocess
import zipfile

import pytest

from azurite import ACCOUNT, KEY
from fabricate import ROOT
from tigerbush.cli.result_places import Item, open_place
from tigerbush.cli.results import pull, safe
from tigerbush.errors import RemoteError, TigerbushError
from weed import KEYED

FILES = {
    "results/niger/results_summary.json": b'{"a": 1}',
    "results/niger/2020-01-16/rgb.png": b"picture",
    "results/niger/2020-01-16/bwndvi.png": b"black",
    "results/niger/2020-01-16/ndvi.json": b"{}",
    "results/niger/2020-02-15/rgb.png": b"another",
    "results/niger/2020-02-15/composite.tif": b"x" * 5000,
    "results/chad/results_summary.json": b"{}",
    "results/products.tsv": b"product\n",
}


def tigerbush(*arguments, status=0, **environment):
    done = subprocess.run(
        [ROOT / "tigerbush", "results", *map(str, arguments)],
        env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "run"


@pytest.fixture
def blob(store):
    """A run in a container, as the storage plugin leaves it."""
    client = store.service.get_container_client("pulled")
    if not client.exists():
        client.create_container()
        for name, content in FILES.items():
            client.upload_blob(f"sahel/{name}", content)
    endpoint = f"https://127.0.0.1:{store.port}/{ACCOUNT}"
    return {
        "AZURITE_CONNECTION_STRING": f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint={endpoint};"
    }


def contents(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_from_a_folder(folder, tmp_path):
    target = tmp_path / "out" / "all.zip"
    assert "6 files" not in tigerbush("pull", folder, "--zip", target)
    found = contents(target)
    manifest = found.pop("manifest.tsv").decode().splitlines()
    # JSON unless something else is asked for
    assert found == {name: content for name, content in FILES.items() if name.endswith(".json")}
    assert manifest[0] == "name\tsize\tsha256"
    for line in manifest[1:]:
        name, size, checksum = line.split("\t")
        assert (int(size), checksum) == (len(found[name]), hashlib.sha256(found[name]).hexdigest())
    assert [path.name for path in target.parent.iterdir()] == ["all.zip"]
    tigerbush("pull", folder, "--zip", target, "--all")
    assert len(contents(target)) == len(FILES)  # all but the table, and the manifest
    tigerbush("pull", folder, "--zip", target, "--rgb", "--ndvi")
    assert {name.rpartition("/")[2] for name in contents(target)} == {"rgb.png", "bwndvi.png", "manifest.tsv"}


def test_listed(folder):
    lines = [line.split() for line in tigerbush("list", folder).splitlines()]
    assert ["niger", "2", "6", "0.0"] in lines
    assert ["chad", "0", "1", "0.0"] in lines


def test_from_blob_storage(blob, certificates, tmp_path):
    blob |= {"REQUESTS_CA_BUNDLE": str(certificates / "ca.pem")}
    lines = [line.split() for line in tigerbush("list", "--container", "pulled", **blob).splitlines()]
    assert ["sahel", "niger", "2", "6", "0.0"] in lines
    tigerbush("pull", "az://pulled/sahel", "--zip", tmp_path / "a.zip", "--rgb", "--json", **blob)
    found = contents(tmp_path / "a.zip")
    del found["manifest.tsv"]
    assert found == {name: content for name, content in FILES.items() if name.endswith(("rgb.png", ".json"))}
    output = tigerbush("pull", "--container", "absent", "--zip", tmp_path / "b.zip", status=1, **blob)
    assert "az://absent/" in output and "check the name of the container" in output
    assert KEY not in output
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_from_an_object_store(weed, keys, tmp_path):
    for name, content in FILES.items():
        weed.put(KEYED, f"runs/sahel/{name}", content)
    address = f"s3://{KEYED}/runs/sahel"
    tigerbush("pull", address, "--endpoint-url", weed.url, "--zip", tmp_path / "a.zip", "--all")
    found = contents(tmp_path / "a.zip")
    assert len(found) == len(FILES)
    assert all(found[name] == FILES[name] for name in found if name != "manifest.tsv")


class Failing:
    """A place that fails at one file until it is mended."""

    def __init__(self, files, broken):
        self.files, self.broken, self.reads = files, broken, []

    def items(self):
        return [
            Item(name, len(content), hashlib.sha256(content).hexdigest())
            for name, content in self.files.items()
        ]

    def read(self, item):
        self.reads.append(item.name)
        if item.name == self.broken:
            raise RemoteError("no answer")
        return self.files[item.name]


def test_an_interrupted_pull_goes_on(tmp_path):
    """What is there is not fetched again, what changed meanwhile is."""
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


def test_names_that_lead_elsewhere_are_left_out():
    names = [
        "results/../../etc/cron.d/x.json",
        "/results/a/x.json",
        "results/a/x\n.json",
        "results/a//x.json",
        "a.json",
    ]
    assert safe(Item(name, 1, "t") for name in names) == []
    assert len(safe([Item("run/results/a/x.json", 1, "t")])) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pull",), "has no folder results"),
        (("list", "gs://bucket"), "expected az://container/run"),
        (("list", "az://UPPER/../x"), "is no address of results"),
        (("list", "az://runs", "--container", "runs"), "give either an address or --container"),
        (("pull", "{folder}"), "pull needs --zip"),
        (("pull", "{folder}", "--zip", "a.zip", "--rgba"), "does not know '--rgba'"),
    ],
)
def test_what_is_refused(folder, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    output = tigerbush(*(word.format(folder=folder) for word in arguments), status=1)
    assert sentence in output
    assert not list(tmp_path.glob("*.zip*"))


def test_an_account_that_is_not_known(tmp_path):
    output = tigerbush("list", "az://runs", status=1, TIGERBUSH_AZURE=str(tmp_path / "absent.yaml"))
    assert "copy config/azure.template.yaml" in output and "--account" in output
    with pytest.raises(TigerbushError, match="--account"):
        open_place("az://runs")
