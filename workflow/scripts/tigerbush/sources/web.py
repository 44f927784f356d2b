"""Requests to web servers: only expected hosts are contacted, and nothing but addresses is taken from a response.

Known hosts are the catalogue's own and those in `source.hosts`. Any other host of data must be public and is contacted
by https. The same rule applies to each redirect. No credentials, .netrc, cookies or headers of a response are sent.
"""

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from ipaddress import IPv4Address, ip_address, ip_network
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.sources.retries import CHUNK, TIMEOUT_SECONDS, close_unless_abandoned, with_time_limit

MAX_REDIRECTS = 5

# OpenSSL's messages for a CA bundle that cannot be read
_NO_BUNDLE = (
    "NO_CERTIFICATE_OR_CRL_FOUND",
    "No such file or directory",
    "Is a directory",
    "Permission denied",
)
_DEFAULT_PORTS = (None, 80, 443)
# globally routed IPv6 addresses; those of NAT64 stand for an IPv4 address
_GLOBAL_IPV6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
# internal services of cloud providers at addresses that count as public (Azure, Oracle)
_CLOUD = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))


class HostRefusedError(TigerbushError):
    """An address whose host must not be contacted, unless `source.hosts` allows it."""


class BusyError(RemoteError):
    """A server that may respond to a later request; `headers` may say when."""

    def __init__(self, sentence: str, headers: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.headers = headers


@dataclass(frozen=True)
class Hosts:
    """The known hosts.

    Attributes
    ----------
    catalogue : str, optional
        Address of the catalogue, whose host and port are known.
    allowed : sequence of str
        `host`, with any port, or `host:port`.
    """

    catalogue: str | None = None
    allowed: Sequence[str] = ()

    def resolve(self, parts: SplitResult) -> SplitResult | None:
        """Return the address to contact if its host is known, else None; http becomes https as for the catalogue."""
        if self.catalogue and _host_port(parts) == _host_port(catalogue := urlsplit(self.catalogue)):
            upgrade = catalogue.scheme == "https" and parts.scheme == "http"
            return parts._replace(scheme=catalogue.scheme, netloc=catalogue.netloc) if upgrade else parts
        host, port = _host(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
        allowed = {entry.lower() for entry in self.allowed}
        return parts if allowed & {host, f"{host}:{port}"} else None


@dataclass(frozen=True)
class Response:
    """The response of a server.

    Attributes
    ----------
    status : int
    content : bytes
        At most one byte more than the limit of the request.
    headers : mapping
    host : str
        The host that responded, after redirects.
    """

    status: int
    content: bytes
    headers: Mapping[str, str]
    host: str


class Web:
    """Send requests to web servers.

    Parameters
    ----------
    hosts : Hosts
    public : bool
        Whether other public hosts are contacted as well, by https.
    connections : int
        Maximum number of simultaneous connections to a host.
    timeout : float
        Seconds without receiving anything.
    """

    def __init__(
        self,
        hosts: Hosts,
        *,
        public: bool,
        connections: int = 1,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._hosts = hosts
        self._timeout = timeout
        self._environment: dict[tuple, dict] = {}
        self._connections, self._contacts_public = connections, public
        self._open()

    def _open(self) -> None:
        pools = {"pool_maxsize": self._connections, "pool_block": True}
        self._known = plain_session(HTTPAdapter(**pools))
        self._public = plain_session(_PublicAdapter(**pools)) if self._contacts_public else None

    def request(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        json: Mapping | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the response of a server, after redirects.

        Parameters
        ----------
        method : {"GET", "POST"}
        url : str
        max_bytes : int
            Limit of the content; one byte more is read, which shows that the content is longer.
        json : mapping, optional
            Body of a POST.
        headers : mapping, optional
            Request headers, never taken from a response.

        Raises
        ------
        HostRefusedError
            When a host must not be contacted.
        TigerbushError
            When the address is invalid, or there are too many redirects.
        requests.RequestException
            When a server does not respond.
        """
        for _ in range(MAX_REDIRECTS + 1):
            session, request = self._prepare(requests.Request(method, url, headers=headers, json=json))
            try:
                response = with_time_limit(self._send, session, request)
                with close_unless_abandoned(response):
                    target = session.get_redirect_target(response)
                    if target is None:
                        content, host = _read(response, max_bytes), urlsplit(request.url).netloc
                        return Response(response.status_code, content, response.headers, host)
            except TimeoutError as error:
                # the abandoned reader keeps its connection, which may be the only one
                self._open()
                raise requests.Timeout(error, request=request) from error
            url = urljoin(request.url, target)
            if response.status_code == requests.codes.see_other:
                method, json = "GET", None
        raise TigerbushError(
            f"{urlsplit(request.url).netloc} redirects more than {MAX_REDIRECTS} times; check the address."
        )

    def _send(self, session: requests.Session, request: requests.PreparedRequest) -> requests.Response:
        settings = self._settings(session, request.url)
        settings |= {"allow_redirects": False, "timeout": self._timeout}
        return session.send(request, **settings)

    def _settings(self, session: requests.Session, url: str) -> dict:
        """Return the proxy and certificates for a host from the environment, cached."""
        server = urlsplit(url)[:2]
        if server not in self._environment:
            self._environment[server] = session.merge_environment_settings(url, {}, True, None, None)
        return dict(self._environment[server])

    def _prepare(self, request: requests.Request) -> tuple[requests.Session, requests.PreparedRequest]:
        """Return the session for the request's host, and the prepared request, if the host may be contacted.

        The host is read from the very address that is sent, so that no other parser can see a different host in it.
        """
        try:
            # both sessions prepare requests in the same way
            prepared = self._known.prepare_request(request)
            parts = urlsplit(prepared.url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(parts.scheme)
            known = self._hosts.resolve(parts)
        except (ValueError, requests.RequestException) as error:
            raise TigerbushError(f"{str(request.url)[:120]!r} is not the address of a web server.") from error
        host = parts.netloc.rpartition("@")[2][:260]
        if "@" in parts.netloc:
            raise HostRefusedError(
                f"an address on {host} contains a user name or password; it is not contacted."
            )
        if known is not None:
            prepared.url = known.geturl()
            return self._known, prepared
        if self._public is None:
            raise HostRefusedError(
                f"{self._hosts.catalogue} links to another host, {host}, which is not contacted; if it belongs to the "
                f"catalogue, allow it with source.hosts: [{host!r}]."
            )
        if parts.scheme != "https":
            raise HostRefusedError(
                f"{host} is not contacted without encryption (http://); to permit it, set source.hosts: [{host!r}]."
            )
        return self._public, prepared


def plain_session(adapter: HTTPAdapter | None = None) -> requests.Session:
    """Return a session without credentials and cookies; proxies and CA bundles come from the environment."""
    session = requests.Session()
    # an authentication that adds nothing keeps requests from reading .netrc
    session.auth = lambda request: request
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://") if adapter else ():
        session.mount(scheme, adapter)
    return session


def is_public(address: str) -> bool:
    """Tell whether an IP address is public; an IPv6 address that stands for an IPv4 address is judged by that."""
    ip = ip_address(address)
    if ip.version == 6:
        ipv4 = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped or ip.sixtofour
        if ipv4 is None:
            return ip in _GLOBAL_IPV6 and ip.is_global
        ip = ipv4
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _CLOUD)


def public_addresses(host: str, port: int | None) -> list[str]:
    """Resolve a host name to public addresses.

    Returns
    -------
    list of str
        IP addresses, in the order of the system's resolver.

    Raises
    ------
    HostRefusedError
        When one of them is not public.
    OSError, UnicodeError
        When the name cannot be resolved.
    """
    entries = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(entry[4][0] for entry in entries))
    for address in addresses:
        if not is_public(address):
            raise HostRefusedError(
                f"{host} has the address {address}, which is not public, so it is not contacted; to permit it, set "
                f"source.hosts: [{host!r}]."
            )
    return addresses


def request_error(error: requests.RequestException, label: str) -> TigerbushError | RemoteError:
    """Return the exception for a web server that did not respond; its class says whether a retry may help."""
    host = urlsplit(error.request.url if error.request is not None else label).netloc
    if problem := tls_problem(error, host, "REQUESTS_CA_BUNDLE"):
        return TigerbushError(f"{label}: {problem}")
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return RemoteError(
        f"{label}: {host} did not respond, or its response was cut off ({type(reason or error).__name__})"
    )


def tls_problem(error: Exception, host: str, variable: str) -> str | None:
    """Return what is wrong with a certificate or with this machine's CA bundle, which `variable` names, else None."""
    text = str(error)
    if "suitable TLS CA certificate bundle" in text or (
        type(error).__name__ == "SSLError" and any(message in text for message in _NO_BUNDLE)
    ):
        return f"the file of trusted certificates cannot be read; correct {variable}."
    if "WRONG_VERSION_NUMBER" in text:
        return f"{host} does not speak TLS on that port; check http or https, and the port."
    if type(error).__name__ == "SSLError" and ("mismatch" in text or "doesn't match" in text):
        return f"the certificate of {host} was issued for another name; check the address."
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return None
    if "expired" in text or "not yet valid" in text:
        return (
            f"the certificate of {host} has expired or is not yet valid; check the clock of this machine, or ask the "
            "operator of the server."
        )
    return f"the certificate of {host} is not trusted on this machine; set {variable} to your authority's CA bundle."


def response_error(response: Response, label: str) -> TigerbushError | RemoteError:
    """Return the exception for a response that is not the requested file; its class says whether a retry may help."""
    host, status = response.host, response.status
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        return BusyError(f"{label}: {host} is overloaded or down ({status})", response.headers)
    if status in {requests.codes.unauthorized, requests.codes.forbidden}:
        return TigerbushError(
            f"{label}: {host} denies access ({status}), and no credentials are sent to web servers; choose a public "
            "collection in source.collections."
        )
    if status in {requests.codes.not_found, requests.codes.gone}:
        return TigerbushError(
            f"{label} does not exist (any more); run ./tigerbush discover, then ./tigerbush retry."
        )
    if status == requests.codes.ok:
        return TigerbushError(
            f"{label}: {host} returns a web page (perhaps a login page), not a file; choose a public collection in "
            "source.collections."
        )
    return TigerbushError(f"{label}: {host} refuses the request ({status}); check source.*.")


class _PublicConnection(HTTPSConnection):
    """A connection to an address that was checked, whatever the name resolves to a moment later."""

    def _new_conn(self) -> socket.socket:
        name, failure = self._dns_host, None
        try:
            for address in public_addresses(name, self.port):
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (ConnectTimeoutError, NewConnectionError) as error:
                    failure = error
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(name, self, error) from error
        finally:
            # TLS compares the certificate with the name
            self._dns_host = name
        raise failure or NewConnectionError(self, f"{name} has no address")


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicAdapter(HTTPAdapter):
    """Sends requests to public addresses only.

    A proxy of the environment resolves names itself: names that resolve here are checked, others are left to it.
    """

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": _PublicPool}

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        if select_proxy(request.url, options.get("proxies")):
            parts = urlsplit(request.url)
            with suppress(socket.gaierror, UnicodeError):
                public_addresses(parts.hostname, parts.port)
        return super().send(request, **options)


def _host(name: str | None) -> str:
    return (name or "").rstrip(".")


def _host_port(parts: SplitResult) -> tuple[str, int | None]:
    """Return host and port, with None for the default ports of http and https."""
    return _host(parts.hostname), None if parts.port in _DEFAULT_PORTS else parts.port


def _read(response: requests.Response, max_bytes: int) -> bytes:
    content = bytearray()
    chunks = response.iter_content(min(CHUNK, max_bytes + 1))
    while len(content) <= max_bytes and (chunk := with_time_limit(next, chunks, None)):
        content += chunk
    return bytes(content[: max_bytes + 1])
