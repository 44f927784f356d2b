"""A proxy between the SDKs and Azure that answers for Azure's hosts, tokens included.

Requests to Blob storage are passed on to Azurite unchanged, unless some are to fail; those to Azure Resource Manager and the
Batch account are answered by a `batch_account.Account`. Snakemake, its plugins and the SDKs are not modified: they get the
proxy, the certificate authority of the tests and the address of the metadata service from the environment.
"""

import base64
import http.client
import json
import re
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from azurite import ACCOUNT
from batch_account import Account
from batch_resources import RefusalError

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-000000000000"
SECRET = "the-secret-of-the-service-principal"  # noqa: S105 - made up
ARM, BATCH, STORAGE = (
    "https://management.azure.com",
    "https://batch.core.windows.net",
    "https://storage.azure.com",
)
BLOB = ".blob.core.windows.net"
# status of a fault: the request is carried out, but its response is lost
LOST = -1


@dataclass
class Fault:
    """A response that replaces the real one, `times` times.

    Status 0 closes the connection; LOST does so after the request has been carried out.
    """

    method: str
    path: str
    status: int
    code: str
    times: float


class Azure:
    """The running stand-in.

    Attributes
    ----------
    account : Account
        The Batch account.
    requests : list of (str, str, str, str)
        Method, host, path and body of requests to ARM and Batch.
    faults : list of Fault
        Of ARM and Batch.
    blob_faults : list of Fault
        Of Blob storage, on connections opened after the first of them was added.
    token_seconds : int
        How long tokens are valid.
    tokens : list of str
        Every token that was issued.
    """

    def __init__(self, port: int, account: Account, blob_port: int, certificates: Path):
        self.port, self.account, self.blob_port = port, account, blob_port
        self.url = f"http://127.0.0.1:{port}"
        self.certificates = certificates
        self.requests: list[tuple[str, str, str, str]] = []
        self.faults: list[Fault] = []
        self.blob_faults: list[Fault] = []
        self.token_seconds = 3600
        self.tokens: list[str] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")

    def fault(self, method, path, status, code="ServerError", times=float("inf")):
        self.faults.append(Fault(method, path, status, code, times))

    def blob_fault(self, method, path, status, code="ServerError", times=float("inf")):
        self.blob_faults.append(Fault(method, path, status, code, times))

    def reset(self):
        self.faults.clear()
        self.blob_faults.clear()
        self.requests.clear()
        self.token_seconds = 3600

    def next_fault(self, method: str, path: str, blob: bool = False) -> Fault | None:
        for fault in self.blob_faults if blob else self.faults:
            if fault.times > 0 and method == fault.method and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def environment(self) -> dict[str, str]:
        """Return the variables by which the SDKs find the stand-in."""
        return {
            "HTTPS_PROXY": self.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(self.certificates / "ca.pem"),
            "SSL_CERT_FILE": str(self.certificates / "ca.pem"),
        }

    def caller_environment(self) -> dict[str, str]:
        """Return the environment of the user who starts a run: a service principal, no managed identity."""
        return self.environment() | {
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": SECRET,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"{self.url}/absent",
        }

    def node_environment(self) -> dict[str, str]:
        """Return the environment of a node, with the managed identity of its pool."""
        return self.environment() | {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url}

    def issue_token(self, audience: str, object_id: str) -> dict:
        now = int(time.time())
        parts = [
            {"alg": "none", "typ": "JWT"},
            {
                "aud": audience,
                "iss": f"https://sts.windows.net/{TENANT}/",
                "iat": now,
                "nbf": now - 300,
                "exp": now + self.token_seconds,
                "oid": object_id,
                "tid": TENANT,
                "appid": CLIENT,
            },
        ]
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        self.tokens.append(".".join([*encoded, "c2lnbmF0dXJl"]))
        return {
            "token_type": "Bearer",
            "access_token": self.tokens[-1],
            "expires_in": str(self.token_seconds),
            "expires_on": str(now + self.token_seconds),
            "resource": audience,
        }

    def accepts(self, authorization: str, audience: str) -> bool:
        token = authorization.removeprefix("Bearer ")
        if token not in self.tokens:
            return False
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims["aud"].rstrip("/") == audience and claims["exp"] > time.time()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    azure: Azure
    host = ""

    def log_message(self, *_):
        """Log nothing."""

    def handle_one_request(self):
        with suppress(ConnectionError, ssl.SSLError):
            super().handle_one_request()

    def do_CONNECT(self):
        self.host = self.path.rpartition(":")[0]
        blob = self.host.endswith(BLOB)
        if blob and self.host != f"{ACCOUNT}{BLOB}":
            # as a proxy answers for a host name that does not resolve
            self.send_response_only(502)
            self.end_headers()
            self.close_connection = True
            return
        self.send_response_only(200)
        self.end_headers()
        if blob and not self.azure.blob_faults:
            self._relay()
            return
        try:
            self.connection = self.azure.tls.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, ConnectionError):
            self.close_connection = True
            return
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def _relay(self):
        """Relay bytes to and from Azurite, which ends TLS itself."""
        self.close_connection = True
        with socket.create_connection(("127.0.0.1", self.azure.blob_port)) as azurite:
            responses = threading.Thread(target=_copy, args=(azurite, self.connection), daemon=True)
            responses.start()
            _copy(self.connection, azurite)
            responses.join(10)

    def _forward(self):
        """Forward a request to Azurite, or answer with a fault."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.azure.next_fault(self.command, self.path, blob=True)
        if fault:
            self.send_response_only(fault.status)
            self.send_header("x-ms-error-code", fault.code)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        tls = ssl.create_default_context(cafile=self.azure.certificates / "ca.pem")
        azurite = http.client.HTTPSConnection("127.0.0.1", self.azure.blob_port, context=tls)
        azurite.request(self.command, self.path, body, dict(self.headers))
        response = azurite.getresponse()
        content = response.read()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        length = response.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        azurite.close()

    def _handle(self):
        if self.host.endswith(BLOB):
            self._forward()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        split = urlsplit(self.path)
        if self.host in {"", "login.microsoftonline.com"}:
            self._identity(split, body)
            return
        self.azure.requests.append((self.command, self.host, self.path, body))
        fault = self.azure.next_fault(self.command, split.path)
        if fault and not fault.status:
            self.close_connection = True
            return
        arm = self.host == "management.azure.com"
        try:
            if fault and fault.status != LOST:
                raise RefusalError(fault.status, fault.code, f"the stand-in says {fault.code}")
            if not self.azure.accepts(self.headers.get("Authorization", ""), ARM if arm else BATCH):
                raise RefusalError(401, "AuthenticationFailed", "the token is not for this resource")
            handle = self.azure.account.handle_arm if arm else self.azure.account.handle_batch
            status, answer = handle(self.command, split.path, json.loads(body) if body else None)
        except RefusalError as refusal:
            status, answer = refusal.status, refusal.body(arm)
        if fault and fault.status == LOST:
            self.close_connection = True
            return
        self._answer(status, answer)

    def _identity(self, split, body):
        """Issue tokens as Entra does, and as the metadata service of a node does."""
        query = {key: values[0] for key, values in parse_qs(split.query or "").items()}
        if split.path == "/metadata/identity/oauth2/token":
            self._answer(200, self.azure.issue_token(query["resource"].removesuffix("/.default"), "pool"))
        elif split.path.endswith("/oauth2/v2.0/token"):
            form = {key: values[0] for key, values in parse_qs(body).items()}
            scope = form["scope"].split()[0]
            if form.get("client_secret") != SECRET:
                self._answer(401, _entra("invalid_client", "AADSTS7000215: Invalid client secret provided."))
            elif not scope.endswith("/.default"):
                self._answer(400, _entra("invalid_scope", f"AADSTS1002012: scope {scope} is not valid."))
            else:
                answer = self.azure.issue_token(scope.removesuffix("/.default"), "caller")
                self._answer(200, answer | {"expires_in": self.azure.token_seconds})
        elif "discovery/instance" in split.path or "openid-configuration" in split.path:
            issuer = f"https://login.microsoftonline.com/{TENANT}"
            self._answer(
                200,
                {
                    "tenant_discovery_endpoint": f"{issuer}/v2.0/.well-known/openid-configuration",
                    "metadata": [],
                    "issuer": f"{issuer}/v2.0",
                    "authorization_endpoint": f"{issuer}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{issuer}/oauth2/v2.0/token",
                },
            )
        else:
            self._answer(400, {"error": "invalid_request", "error_description": "Identity not found"})

    def _answer(self, status, answer):
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response_only(status)
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - names that http.server requires


def _entra(error: str, description: str) -> dict:
    return {"error": error, "error_description": description, "error_codes": []}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50


@contextmanager
def azure_standin(folder: Path, blob_port: int, certificates: Path, python: Path):
    """Run the stand-in; tasks run below `folder`, with the folder of `python` on their PATH."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    account = Account(folder, python)
    handler.azure = Azure(server.server_port, account, blob_port, certificates)
    account.node_environment = handler.azure.node_environment()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield handler.azure
    finally:
        account.stop()
        server.shutdown()
        server.server_close()
