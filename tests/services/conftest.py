"""Servers for all tests: an S3 store, with a proxy in front of it for each test, and stand-ins of Azure."""

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
from seaweedfs import KEYS, seaweedfs_server
from tigerbush.sentinel2.writer import write_product


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory):
    with seaweedfs_server(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture
def proxy(seaweedfs):
    with proxy_to(seaweedfs.port) as running:
        yield running


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    """Only credentials that a test sets reach a server."""
    for name in (*KEYS, "AWS_PROFILE", "SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture
def slept(monkeypatch):
    """The waits in seconds of the test's own thread, which are skipped; servers in other threads do wait."""
    waits, thread, really_sleep = [], threading.get_ident(), time.sleep

    def sleep(seconds):
        if threading.get_ident() == thread:
            waits.append(seconds)
        else:
            really_sleep(seconds)

    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=sleep))
    return waits


@pytest.fixture
def keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def three_products(tmp_path_factory):
    """A folder with two products of January and one of February."""
    folder = tmp_path_factory.mktemp("products")
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
    """Blob storage with the container of all runs."""
    with azurite_server(certificates) as server:
        server.create_container(CONTAINER)
        yield server


@pytest.fixture(scope="session")
def azure_session(store, certificates, tmp_path_factory):
    nodes = tmp_path_factory.mktemp("nodes")
    with azure_standin(nodes, store.port, certificates, Path(sys.executable)) as running:
        yield running


@pytest.fixture
def azure(azure_session):
    """The stand-ins of Azure, with an empty Batch account and without faults."""
    azure_session.reset()
    azure_session.account.reset()
    return azure_session


@pytest.fixture(scope="session")
def items(tmp_path_factory):
    """STAC items of three days, without assets."""
    folder = tmp_path_factory.mktemp("items")
    items = []
    for day in ("20170110", "20170116", "20170122"):
        name = name_of(day, level="L2A", baseline="0500")
        safe = write_product(folder, name, scene_of(level="L2A", offset=-1000))
        items.append(item_of(safe, "sentinel-2-l2a", {}))
    return items


@pytest.fixture
def three_days(items, tmp_path, monkeypatch):
    """A catalogue of these items, whose requests are not retried."""
    monkeypatch.setattr("tigerbush.sources.catalogue.RETRIES", 0)
    with serve(tmp_path) as running:
        running.items = copy.deepcopy(items)
        yield running
