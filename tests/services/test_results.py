"""./tigerbush results: listed and pulled from a folder, an object store and Blob storage."""

import hashlib
import os
import subprocess
import zipfile

import pytest

from azurite import ACCOUNT, KEY
from fabricate import ROOT
from seaweedfs import KEYED
from tigerbush.cli.results.names import select_results, unportable
from tigerbush.cli.results.pull import part_name, pull
from tigerbush.cli.results.storage import Item, open_storage
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.sources import retries
from web_servers import serving

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


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)


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
    """A run in a container, as the storage plugin writes it."""
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
    pulled = contents(target)
    manifest = pulled.pop("manifest.tsv").decode().splitlines()
    # JSON by default
    assert pulled == {name: content for name, content in FILES.items() if name.endswith(".json")}
    assert manifest[0] == "name\tsize\tsha256"
    for line in manifest[1:]:
        name, size, checksum = line.split("\t")
        assert (int(size), checksum) == (len(pulled[name]), hashlib.sha256(pulled[name]).hexdigest())
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
    pulled = contents(tmp_path / "a.zip")
    del pulled["manifest.tsv"]
    assert pulled == {name: content for name, content in FILES.items() if name.endswith(("rgb.png", ".json"))}
    output = tigerbush("pull", "--container", "absent", "--zip", tmp_path / "b.zip", status=1, **blob)
    assert "az://absent/" in output and "check the name of the container" in output
    assert KEY not in output
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_from_an_object_store(seaweedfs, keys, tmp_path):
    for name, content in FILES.items():
        seaweedfs.put(KEYED, f"runs/sahel/{name}", content)
    address = f"s3://{KEYED}/runs/sahel"
    tigerbush("pull", address, "--endpoint-url", seaweedfs.url, "--zip", tmp_path / "a.zip", "--all")
    pulled = contents(tmp_path / "a.zip")
    assert len(pulled) == len(FILES)
    assert all(pulled[name] == FILES[name] for name in pulled if name != "manifest.tsv")


def test_names_that_lead_elsewhere_are_left_out():
    names = [
        "results/../../etc/cron.d/x.json",
        "/results/a/x.json",
        "results/a/x\n.json",
        "results/a//x.json",
        "results/a/x:y.json",
        "results/a/\N{BLACK STAR}.json",
        f"results/a/{'x' * 1020}.json",
        "a.json",
    ]
    items, messages = select_results(Item(name, 1, "t") for name in [*names, "run/results/a/x.json"])
    assert [item.name for item in items] == ["run/results/a/x.json"]
    assert messages == [
        "left out, because their names lead elsewhere or contain more than letters, digits and _ . = + - /: 6 ("
        r"'results/../../etc/cron.d/x.json', '/results/a/x.json', 'results/a/x\n.json', 'results/a//x.json', "
        "'results/a/x:y.json', ...)",
        f"left out, because their names have more than 1024 characters: 1 ('results/a/{'x' * 110}'...)",
        "left out, because they are not results of a site: 1 ('a.json')",
    ]


def test_links_are_neither_read_nor_written_behind(folder, tmp_path):
    """A file, a folder and a loop among results; the zip, the folder of parts and a part."""
    outside = tmp_path / "outside"
    (outside / "2020-03-16").mkdir(parents=True)
    (outside / "2020-03-16" / "ndvi.json").write_text("secret")
    (folder / "results" / "niger" / "passwd.json").symlink_to("/etc/passwd")
    (folder / "results" / "mali").symlink_to(outside)
    (folder / "results" / "niger" / "loop").symlink_to(folder / "results")
    os.mkfifo(folder / "results" / "niger" / "pipe.json")
    target = tmp_path / "a.zip"
    output = tigerbush("pull", folder, "--zip", target)
    message = (
        "left out, because they are links or special files: 4 ('results/mali', 'results/niger/loop', "
        "'results/niger/passwd.json', 'results/niger/pipe.json')"
    )
    assert message in output.splitlines()
    assert message in tigerbush("list", folder).splitlines()
    pulled = contents(target)
    assert pulled.keys() == {name for name in FILES if name.endswith(".json")} | {"manifest.tsv"}
    target.unlink()
    for path, to in ((target, outside / "new.zip"), (tmp_path / "a.zip.part", outside)):
        path.symlink_to(to)
        output = tigerbush("pull", folder, "--zip", target, status=1)
        assert output.splitlines()[-1] == (
            f"tigerbush: {path} is a link, and files are not written through links; give --zip another name."
        )
        path.unlink()
    place, parts = open_storage(str(folder)), tmp_path / "a.zip.part"
    items = [item for item in place.items() if item.name == "results/niger/results_summary.json"]
    parts.mkdir()
    (parts / part_name(items[0])).symlink_to(folder / items[0].name)
    (parts / "mine.txt").write_text("not of a pull")
    pull(place, items, target, lambda item: None)
    assert contents(target)[items[0].name] == FILES[items[0].name]
    assert [path.name for path in parts.iterdir()] == ["mine.txt"]
    assert [path.name for path in outside.iterdir()] == ["2020-03-16"]


def test_a_file_that_becomes_a_link_is_not_read(folder):
    place = open_storage(str(folder))
    item = next(item for item in place.items() if item.name.endswith("results_summary.json"))
    path = folder / item.name
    path.rename(folder / "moved")
    path.symlink_to(folder / "moved")
    with pytest.raises(TigerbushError) as error:
        list(place.pieces(item))
    assert (
        str(error.value) == f"{item.name} has changed meanwhile; start again, files already pulled are kept."
    )


def test_names_that_other_systems_cannot_keep(folder, tmp_path):
    """They are in the zip, and reported."""
    long = f"results/niger/{'x' * 246}.json"
    names = [
        "results/Niger/a.json",
        "results/niger/B.json",
        "results/niger/b.json",
        "results/niger/con.json",
        "results/niger/dot./a.json",
        "results/niger/COM1/a.json",
        long,
    ]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    output = tigerbush("pull", folder, "--zip", tmp_path / "a.zip")
    assert contents(tmp_path / "a.zip").keys() >= set(names)
    warnings = [
        "cannot be unpacked together on Windows and macOS, because they differ only in case: 4 ('results/Niger', "
        "'results/niger', 'results/niger/B.json', 'results/niger/b.json')",
        "cannot be unpacked on Windows, which forbids such names: 3 ('results/niger/COM1/a.json', "
        "'results/niger/con.json', 'results/niger/dot./a.json')",
        f"may be too long to be unpacked: 1 ('{long[:120]}'...)",
    ]
    assert [line for line in output.splitlines() if "unpacked" in line] == warnings
    assert tigerbush("list", folder).splitlines()[-3:] == warnings
    assert unportable(["results/a/x", "results/a/x/y.json"]) == [
        "cannot be unpacked together, because they are both files and folders: 1 ('results/a/x')"
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pull",), "has no folder `results`"),
        (("list", "gs://bucket"), "expected az://container/run"),
        (("list", "az://UPPER/../x"), "is not an address of results"),
        (("list", "az://runs", "--container", "runs"), "give either FROM or --container, not both"),
        (("pull", "{folder}"), "pull needs --zip"),
        (("pull", "{folder}", "--zip", "a.zip", "--rgba"), "does not know '--rgba'"),
    ],
)
def test_arguments_that_are_refused(folder, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    output = tigerbush(*(word.format(folder=folder) for word in arguments), status=1)
    assert sentence in output
    assert not list(tmp_path.glob("*.zip*"))


@pytest.mark.parametrize(
    ("status", "headers", "content", "sentence"),
    [
        (200, {"Content-Type": "text/html"}, b"<!DOCTYPE html>", ": the answer is not from Blob storage (perhaps a login page); check --account and AZURITE_CONNECTION_STRING."),
        (200, {}, b"", ": the answer is not from Blob storage (perhaps a login page); check --account and AZURITE_CONNECTION_STRING."),
        (307, {"Location": "/x"}, b"", ": Reached maximum redirect attempts; check --account and 'az login', or try again; files already pulled are kept."),
        (409, {"x-ms-error-code": "BlobArchived"}, b"", " is in the archive tier; rehydrate it there, then start again."),
        (503, {}, b"", ": Service Unavailable; check --account and 'az login', or try again; files already pulled are kept."),
        (200, {"Content-Type": "application/xml"}, b"<EnumerationResults><Blobs/><NextMarker>m</NextMarker></EnumerationResults>", ": Blob storage says that its listing goes on, but gives the same page again or none; try again later, or ask who runs it."),
    ],
)  # fmt: skip
def test_malformed_responses_of_blob_storage(monkeypatch, status, headers, content, sentence):
    with serving(lambda _: (status, headers, content)) as server:
        text = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={KEY};BlobEndpoint={server.url}/a;"
        monkeypatch.setenv("AZURITE_CONNECTION_STRING", text)
        with pytest.raises((TigerbushError, RemoteError)) as error:
            list(open_storage("az://runs/x").items())
    assert str(error.value) == f"az://runs/x/{sentence}"


def test_an_invalid_connection_string(monkeypatch):
    monkeypatch.setenv("AZURITE_CONNECTION_STRING", KEY)
    with pytest.raises(TigerbushError) as error:
        open_storage("az://runs")
    assert str(error.value) == "AZURITE_CONNECTION_STRING is not a connection string; correct or unset it."


def test_an_account_that_is_not_known(tmp_path):
    output = tigerbush("list", "az://runs", status=1, TIGERBUSH_AZURE=str(tmp_path / "absent.yaml"))
    assert "copy config/azure.template.yaml" in output and "--account" in output
    with pytest.raises(TigerbushError, match="--account"):
        open_storage("az://runs")
