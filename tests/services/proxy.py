"""A proxy that records, delays and corrupts the traffic that it forwards."""

import http.client
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STALL_SECONDS = 60
_CODES = {
    "307": "TemporaryRedirect",
    "429": "TooManyRequests",
    "429 with Retry-After": "TooManyRequests",
    "503": "SlowDown",
}


@dataclass
class Fault:
    """A fault of GET requests whose path matches, `times` times."""

    kind: str
    path: str
    times: float
    lock: threading.Lock = field(default_factory=threading.Lock)

    def matches(self, method: str, path: str) -> bool:
        with self.lock:
            if self.times <= 0 or method != "GET" or not re.search(self.path, path):
                return False
            self.times -= 1
            return True


class Proxy:
    """The running proxy.

    Attributes
    ----------
    url : str
    faults : list of Fault
    latency : float
        Seconds before each answer.
    requests : list of (method, path, bytes)
        The forwarded requests, with the sizes of the response bodies.
    max_concurrent : int
        The largest number of requests at the same time.
    """

    def __init__(self, port: int, target: int):
        self.url = f"http://127.0.0.1:{port}"
        self.target = target
        self.faults: list[Fault] = []
        self.latency = 0.0
        self.requests: list[tuple[str, str, int]] = []
        self.stopped = threading.Event()
        self.max_concurrent = 0
        self._concurrent = 0
        self._lock = threading.Lock()

    @contextmanager
    def request_counted(self):
        with self._lock:
            self._concurrent += 1
            self.max_concurrent = max(self.max_concurrent, self._concurrent)
        yield
        with self._lock:
            self._concurrent -= 1

    def fault(self, kind: str, path: str, times: float = float("inf")) -> None:
        self.faults.append(Fault(kind, path, times))

    def clear_faults(self) -> None:
        self.faults.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise small responses are delayed by 40 ms
    proxy: Proxy
    upstream: http.client.HTTPConnection | None = None

    def log_message(self, *_):
        """Log nothing."""

    def handle_one_request(self):
        # clients may give up
        with suppress(ConnectionError):
            super().handle_one_request()

    def _handle(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        faults = (fault.kind for fault in self.proxy.faults if fault.matches(self.command, self.path))
        kind = next(faults, None)
        if kind in _CODES:
            self.proxy.requests.append((self.command, self.path, 0))
            headers = [("Retry-After", "7")] if "Retry-After" in kind else []
            self._answer(int(kind[:3]), headers, f"<Error><Code>{_CODES[kind]}</Code></Error>".encode())
            return
        if kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if kind == "stall":
            self.proxy.stopped.wait(STALL_SECONDS)
            self.close_connection = True
            return
        # ends before the response is sent: a client that has it may send its next request before this thread ends
        with self.proxy.request_counted():
            if self.proxy.latency:
                time.sleep(self.proxy.latency)
            response, content = self._forward(body)
        self.proxy.requests.append((self.command, self.path, len(content)))
        skipped = {"connection", "transfer-encoding", "content-length"}
        headers = [item for item in response.getheaders() if item[0].lower() not in skipped]
        if self.command == "HEAD":
            headers.append(("Content-Length", response.getheader("Content-Length") or "0"))
        if kind == "corrupt":
            half = len(content) // 2
            content = (
                content[:half]
                + bytes(255 - value for value in content[half : half + 40])
                + content[half + 40 :]
            )
        self._answer(response.status, headers, content, cut=kind == "truncate")

    def _forward(self, body):
        """Forward the request, over one connection for each of the client's."""
        if self.upstream is None:
            self.upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=60)
        self.upstream.request(self.command, self.path, body, dict(self.headers))
        response = self.upstream.getresponse()
        return response, response.read()

    def finish(self):
        super().finish()
        if self.upstream:
            self.upstream.close()

    def _answer(self, status, headers, content, cut=False):
        self.send_response_only(status)
        for header in headers:
            self.send_header(*header)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = _handle  # noqa: N815 - names that http.server requires


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50


@contextmanager
def proxy_to(target: int):
    """Run a proxy to a port of this machine."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    handler.proxy = Proxy(server.server_port, target)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield handler.proxy
    finally:
        handler.proxy.stopped.set()
        server.shutdown()
        server.server_close()
