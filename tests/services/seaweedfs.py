"""A real S3 server, SeaweedFS, on free ports: a bucket that anyone may read, and one that needs a key."""

import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config

PUBLIC, KEYED = "public", "keyed"
KEYS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "reads-only"}
_ADMIN = {"aws_access_key_id": "admin", "aws_secret_access_key": "writes-too"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def identities() -> dict:
    def identity(name, keys, actions):
        credentials = [{"accessKey": keys[0], "secretKey": keys[1]}] if keys else []
        return {"name": name, "credentials": credentials, "actions": actions}

    return {
        "identities": [
            identity("admin", tuple(_ADMIN.values()), ["Admin", "Read", "Write", "List"]),
            identity(
                "reader",
                tuple(KEYS.values()),
                [f"{verb}:{name}" for verb in ("Read", "List") for name in (PUBLIC, KEYED)],
            ),
            identity("anonymous", None, [f"Read:{PUBLIC}", f"List:{PUBLIC}"]),
        ]
    }


class Server:
    """The running server.

    Attributes
    ----------
    port : int
    """

    def __init__(self, port: int):
        self.port = port
        self.admin = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            **_ADMIN,
            config=Config(retries={"total_max_attempts": 5}, request_checksum_calculation="when_required"),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self.admin.put_object(Bucket=bucket, Key=key, Body=content)

    def put_product(self, bucket: str, safe: Path, prefix: str) -> str:
        """Upload a product in the layout of EODATA; return its prefix."""
        stamp = safe.name.split("_")[2]
        folder = f"{prefix}{stamp[:4]}/{stamp[4:6]}/{stamp[6:8]}/{safe.name}/"
        for path in sorted(safe.rglob("*")):
            if path.is_file():
                self.put(bucket, folder + path.relative_to(safe).as_posix(), path.read_bytes())
        return folder

    def ready(self) -> bool:
        try:
            for bucket in (PUBLIC, KEYED):
                self.admin.create_bucket(Bucket=bucket)
            self.put(PUBLIC, "started", b"yes")
        except Exception:
            return False
        return True


@contextmanager
def seaweedfs_server(folder: Path):
    """Run SeaweedFS, and stop it at the end."""
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    grpc = {f"{name}.port.grpc": free_port() for name in ports}
    (folder / "s3.json").write_text(json.dumps(identities()))
    (folder / "data").mkdir()
    program = Path(sys.executable).with_name("weed")
    command = [
        str(program if program.exists() else shutil.which("weed")), "-logtostderr=true", "server",
        f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
        f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=256", "-volume.max=20",
            # their fixed ports would allow only one server per machine
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *(f"-{name}={port}" for name, port in grpc.items()),
    ]  # fmt: skip
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        server = Server(ports["s3"])
        deadline = time.monotonic() + 60
        while not server.ready():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "weed.log").read_text()[
                -3000:
            ]
            time.sleep(0.2)
        yield server
    finally:
        # its content is discarded, and an orderly shutdown takes half a minute
        process.kill()
        process.wait(20)
