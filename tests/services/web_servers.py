"""Web servers that answer as a test says and record their requests."""

import json
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """The running server.

    Attributes
    ----------
    url, authority : str
        With and without the scheme.
    requests : list of Request
    answer : callable
        Takes a request and returns status, headers and content, as a whole or in pieces (then with Content-Length).
    """

    url: str
    answer: Callable[[Request], tuple[int, dict[str, str], bytes]]
    requests: list[Request] = field(default_factory=list)

    @property
    def authority(self) -> str:
        return self.url.partition("://")[2]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_state: Server

    def log_message(self, *_):
        """Log nothing."""

    def _handle(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            self.command, self.path, headers, self.rfile.read(int(headers.get("content-length", 0)))
        )
        self.server_state.requests.append(request)
        status, headers, content = self.server_state.answer(request)
        self.send_response(status)
        for name, value in (_length(content) | headers).items():
            self.send_header(name, value)
        self.end_headers()
        # clients may give up
        with suppress(ConnectionError):
            for piece in [content] if isinstance(content, bytes) else content:
                if self.command != "HEAD":
                    self.wfile.write(piece)

    do_GET = do_HEAD = do_POST = do_CONNECT = _handle  # noqa: N815


def _length(content) -> dict[str, str]:
    return {"Content-Length": str(len(content))} if isinstance(content, bytes) else {}


@contextmanager
def serving(answer=lambda _: (200, {}, b"{}"), certificates: Path | None = None):
    """Run a server on 127.0.0.1; with certificates, over https on localhost."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    url = f"http://127.0.0.1:{server.server_port}"
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://localhost:{server.server_port}"
    handler.server_state = Server(url, answer)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield handler.server_state
    finally:
        server.shutdown()
        server.server_close()


def files_below(folder: Path):
    """Return an `answer` that serves the files of a folder, with range requests."""

    def answer(request: Request):
        content = (folder / request.path.removeprefix("/")).read_bytes()
        match = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", request.headers.get("range", ""))
        if not match:
            return 200, {}, content
        start, stop = int(match[1]), min(int(match[2]) + 1, len(content))
        return 206, {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}, content[start:stop]

    return answer


@contextmanager
def rewriting_proxy(catalogue, change):
    """Run a server that forwards everything to a catalogue, under its own address.

    `change(path, document)` edits the JSON document of a response, or returns (status, headers, content) in place of it.
    """

    def answer(request: Request):
        url = catalogue.url + request.path
        forwarded = urllib.request.Request(url, request.body or None, method=request.method)  # noqa: S310 - of the test
        forwarded.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(forwarded) as reply:  # noqa: S310
                content = reply.read().replace(catalogue.url.encode(), server.url.encode())
        except urllib.error.HTTPError as error:
            return error.code, {}, b""
        if request.path.startswith("/files/"):
            return 200, {}, content
        document = json.loads(content)
        replacement = change(request.path.partition("?")[0], document)
        return replacement or (200, {"Content-Type": "application/geo+json"}, json.dumps(document).encode())

    with serving(answer) as server:
        yield server
