"""A real Blob service, Azurite (npm), over TLS and with tokens, on a free port."""

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import requests
from azure.storage.blob import BlobServiceClient

from seaweedfs import free_port
from skipping import skip_unless_ci

ACCOUNT = "tigerstore"
# made up; used only by the tests to inspect the account
KEY = "dGlnZXJidXNoLXRlc3RzLWFjY291bnQta2V5LW9mLW5vLW9uZQ=="


class Azurite:
    """The running server.

    Attributes
    ----------
    port : int
    """

    def __init__(self, port: int, ca: Path, log: Path):
        self.port, self.log = port, log
        self.service = BlobServiceClient(
            f"https://127.0.0.1:{port}/{ACCOUNT}", credential=KEY, connection_verify=str(ca)
        )

    def requests(self) -> list[str]:
        """Return method and path of each request so far."""
        return re.findall(r'"((?:GET|HEAD|PUT|POST|DELETE) [^ "]+)', self.log.read_text())

    def create_container(self, name: str) -> None:
        self.service.create_container(name)

    def blobs(self, container: str, prefix: str = "") -> dict[str, bytes]:
        """Return the contents of the blobs below a prefix, by the rest of their names."""
        client = self.service.get_container_client(container)
        return {
            name.removeprefix(prefix): client.download_blob(name).readall()
            for name in client.list_blob_names(name_starts_with=prefix)
        }


@contextmanager
def azurite_server(folder: Path):
    """Run Azurite; `folder` holds `ca.pem`, `cert.pem` and `key.pem`."""
    program = shutil.which("azurite-blob")
    if program is None:
        skip_unless_ci("azurite-blob is not on the PATH (npm install -g azurite@3.37.0)")
    port = free_port()
    command = [
        program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence",
        "--disableTelemetry", "--skipApiVersionCheck", "--oauth", "basic",
        "--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"),
    ]  # fmt: skip
    environment = os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not answers(port, folder / "ca.pem"):
            assert process.poll() is None and time.monotonic() < deadline, (
                folder / "azurite.log"
            ).read_text()
            time.sleep(0.1)
        yield Azurite(port, folder / "ca.pem", folder / "azurite.log")
    finally:
        process.kill()
        process.wait(20)


def answers(port: int, ca: Path) -> bool:
    try:
        requests.get(f"https://127.0.0.1:{port}/", timeout=5, verify=str(ca))
    except requests.RequestException:
        return False
    return True
