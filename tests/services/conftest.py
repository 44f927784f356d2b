"""Real servers for all tests: an S3 store with a proxy before it for each, and Azure as far as it runs here."""

import copy
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from azure_proxy import azure_standin
from azure_runs import CONTAINER
from azurite import azurite_server
from catalogues import item_of, serve
from certificates import write_certificates
from fabricate import name_of, scene_of
from proxy import proxy_to
from tigerbush.sentinel2.writer import write_product
from weed import KEYS, weed_server


@pytest.fixture(scope="session")
def weed(tmp_path_factory):
    with weed_server(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def proxy(weed):
    with proxy_to(weed.port) as running:
        yield running


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    """Only what a test sets reaches the server."""
    for name in (*KEYS, "AWS_PROFILE", "SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture
def slept(monkeypatch):
    """Seconds that the test's own thread would wait for; servers in other threads wait as they do."""
    seconds, thread, really = [], threading.get_ident(), time.sleep

    def sleep(wait):
        if threading.get_ident() == thread:
            seconds.append(wait)
        else:
            really(wait)

    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=sleep))
    return seconds


@pytest.fixture
def keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Two products of January and one of February."""
    folder = tmp_path_factory.mktemp("written")
    for seed, day in enumerate(("20170110", "20170120", "20170210")):
        write_product(folder, name_of(day), scene_of(seed, clouds=[]))
    return folder


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder)
    return folder


@pytest.fixture(scope="session")
def store(certificates):
    """Blob storage, with the container of all runs."""
    with azurite_server(certificates) as server:
        server.container(CONTAINER)
        yield server


@pytest.fixture(scope="session")
def azure_session(store, certificates, tmp_path_factory):
    nodes = tmp_path_factory.mktemp("nodes")
    with azure_standin(nodes, store.port, certificates, Path(sys.executable)) as running:
        yield running


@pytest.fixture
def azure(azure_session):
    """What stands for Azure, with nothing in the Batch account and nothing broken."""
    azure_session.mend()
    azure_session.account.mend()
    return azure_session


@pytest.fixture(scope="session")
def items(tmp_path_factory):
    """Items of three days, without files."""
    folder = tmp_path_factory.mktemp("items")
    made = []
    for day in ("20170110", "20170116", "20170122"):
        name = name_of(day, level="L2A", baseline="0500")
        safe = write_product(folder, name, scene_of(level="L2A", offset=-1000))
        made.append(item_of(safe, "sentinel-2-l2a", {}))
    return made


@pytest.fixture
def three_days(items, tmp_path, monkeypatch):
    """A catalogue of these items, which is asked once."""
    monkeypatch.setattr("tigerbush.sources.catalogue.RETRIES", 0)
    with serve(tmp_path) as running:
        running.items = copy.deepcopy(items)
        yield running
