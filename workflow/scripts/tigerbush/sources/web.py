"""Web servers: only expected hosts are asked, and nothing that an answer says becomes more than an address.

Known hosts are the catalogue's own and those of `source.hosts`. Whatever else data lie on has to be public and is asked
by https. Redirects follow the same rule at each step. No credentials, .netrc, cookies or headers of an answer are sent.
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
from tigerbush.sources.retries import CHUNK, TIMEOUT_SECONDS, closed, with_time_limit

MOST_REDIRECTS = 5

# what OpenSSL says of a file of certificates that is none
_NO_BUNDLE = (
    "NO_CERTIFICATE_OR_CRL_FOUND",
    "No such file or directory",
    "Is a directory",
    "Permission denied",
)
_DEFAULT_PORTS = (None, 80, 443)
# IPv6 addresses that are routed; those of NAT64 stand for an IPv4 address
_GLOBAL_IPV6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
# services of a cloud's own machines at addresses that count as public (Azure, Oracle)
_CLOUD = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))


class HostRefusedError(TigerbushError):
    """An address whose host is not to be asked; `source.hosts` may allow it."""


class BusyError(RemoteError):
    """A server that is to be asked again later; `headers` may say when."""

    def __init__(self, sentence: str, headers: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.headers = headers


@dataclass(frozen=True)
class Hosts:
    """The hosts that are known.

    Attributes
    ----------
    home : str, optional
        Address of the catalogue: its host and port are known.
    others : sequence of str
        `host`, which stands for all its ports, or `host:port`.
    """

    home: str | None = None
    others: Sequence[str] = ()

    def known(self, parts: SplitResult) -> SplitResult | None:
        """Return the address to ask when its host is known: by https where that of the catalogue says so."""
        if self.home and _place(parts) == _place(home := urlsplit(self.home)):
            secure = home.scheme == "https" and parts.scheme == "http"
            return parts._replace(scheme=home.scheme, netloc=home.netloc) if secure else parts
        host, port = _host(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
        listed = {other.lower() for other in self.others}
        return parts if listed & {host, f"{host}:{port}"} else None


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes
    ----------
    status : int
    content : bytes
        Cut after one byte more than was asked for at most.
    headers : mapping
    host : str
        Whose answer it is, after redirects.
    """

    status: int
    content: bytes
    headers: Mapping[str, str]
    host: str


class Web:
    """Ask web servers.

    Parameters
    ----------
    hosts : Hosts
    public : bool
        Whether public hosts are asked, too, by https.
    connections : int
        At most so many to a host at once.
    timeout : float
        Seconds without a word.
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
        self._connections, self._asks_public = connections, public
        self._open()

    def _open(self) -> None:
        pools = {"pool_maxsize": self._connections, "pool_block": True}
        self._known = plain_session(HTTPAdapter(**pools))
        self._public = plain_session(_PublicAdapter(**pools)) if self._asks_public else None

    def request(
        self,
        method: str,
        url: str,
        *,
        most: int,
        json: Mapping | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return what a server answers, after redirects.

        Parameters
        ----------
        method : {"GET", "POST"}
        url : str
        most : int
            Bytes of the answer that are read; one more tells that there are more.
        json : mapping, optional
            Body of a POST.
        headers : mapping, optional
            Ours; those of an answer never come here.

        Raises
        ------
        HostRefusedError
            When a host is not to be asked.
        TigerbushError
            When a redirect leads nowhere.
        requests.RequestException
            When a server does not answer.
        """
        for _ in range(MOST_REDIRECTS + 1):
            session, request = self._allowed(requests.Request(method, url, headers=headers, json=json))
            try:
                answer = with_time_limit(self._send, session, request)
                with closed(answer):
                    target = session.get_redirect_target(answer)
                    if target is None:
                        content, host = _read(answer, most), urlsplit(request.url).netloc
                        return Answer(answer.status_code, content, answer.headers, host)
            except TimeoutError as error:
                # the reader that was left behind keeps its connection, which may be the only one
                self._open()
                raise requests.Timeout(error, request=request) from error
            url = urljoin(request.url, target)
            if answer.status_code == requests.codes.see_other:
                method, json = "GET", None
        raise TigerbushError(
            f"{urlsplit(request.url).netloc} redirects more than {MOST_REDIRECTS} times; check the address."
        )

    def _send(self, session: requests.Session, request: requests.PreparedRequest) -> requests.Response:
        settings = self._settings(session, request.url)
        settings |= {"allow_redirects": False, "timeout": self._timeout}
        return session.send(request, **settings)

    def _settings(self, session: requests.Session, url: str) -> dict:
        """Return proxy and certificates for a host, as the environment has them; looked up once."""
        place = urlsplit(url)[:2]
        if place not in self._environment:
            self._environment[place] = session.merge_environment_settings(url, {}, True, None, None)
        return dict(self._environment[place])

    def _allowed(self, request: requests.Request) -> tuple[requests.Session, requests.PreparedRequest]:
        """Return the request as it is sent, and the session for its host.

        The host is read from the very address that is sent, so that no other reader can take it for another one.
        """
        try:
            # the known and the public session prepare alike
            prepared = self._known.prepare_request(request)
            parts = urlsplit(prepared.url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(parts.scheme)
            known = self._hosts.known(parts)
        except (ValueError, requests.RequestException) as error:
            raise TigerbushError(f"{str(request.url)[:120]!r} is no address of a web server.") from error
        host = parts.netloc.rpartition("@")[2][:260]
        if "@" in parts.netloc:
            raise HostRefusedError(f"an address at {host} has a user or a password; it is not asked.")
        if known is not None:
            prepared.url = known.geturl()
            return self._known, prepared
        if self._public is None:
            raise HostRefusedError(
                f"{self._hosts.home} leads to another host, {host}, which is not asked; if it belongs to the "
                f"catalogue, allow it by source.hosts: [{host!r}]."
            )
        if parts.scheme != "https":
            raise HostRefusedError(
                f"{host} is not asked without encryption (http://); if it may be, allow it by source.hosts: [{host!r}]."
            )
        return self._public, prepared


def plain_session(adapter: HTTPAdapter | None = None) -> requests.Session:
    """Return a session without credentials and cookies; proxies and CA bundles are those of the environment."""
    session = requests.Session()
    # an authentication that adds nothing keeps requests from looking into .netrc
    session.auth = lambda request: request
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://") if adapter else ():
        session.mount(scheme, adapter)
    return session


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public Internet, also where it stands for an IPv4 address."""
    ip = ip_address(address)
    if ip.version == 6:
        inner = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped or ip.sixtofour
        if inner is None:
            return ip in _GLOBAL_IPV6 and ip.is_global
        ip = inner
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _CLOUD)


def public_addresses(host: str, port: int | None) -> list[str]:
    """Resolve the name of a host.

    Returns
    -------
    list of str
        IP addresses, in the order of the system.

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
                f"{host} has the address {address}, which is not public, so it is not asked; if it may be, allow it by "
                f"source.hosts: [{host!r}]."
            )
    return addresses


def explain(error: requests.RequestException, label: str) -> TigerbushError | RemoteError:
    """Return the sentence for a web server that did not answer; its class says whether another try may help."""
    host = urlsplit(error.request.url if error.request is not None else label).netloc
    if trouble := tls_trouble(error, host, "REQUESTS_CA_BUNDLE"):
        return TigerbushError(f"{label}: {trouble}")
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return RemoteError(
        f"{label}: {host} did not answer, or not to the end ({type(reason or error).__name__})"
    )


def tls_trouble(error: Exception, host: str, variable: str) -> str | None:
    """Say what is wrong with a certificate, or with those of this machine, which `variable` names; else None."""
    text = str(error)
    if "suitable TLS CA certificate bundle" in text or (
        type(error).__name__ == "SSLError" and any(word in text for word in _NO_BUNDLE)
    ):
        return f"the file of trusted certificates cannot be read; correct {variable}."
    if "WRONG_VERSION_NUMBER" in text:
        return f"{host} does not speak TLS there; check http or https, and the port."
    if type(error).__name__ == "SSLError" and ("mismatch" in text or "doesn't match" in text):
        return f"the certificate of {host} is for another name; check the address."
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return None
    if "expired" in text or "not yet valid" in text:
        return f"the certificate of {host} is not valid today; set the clock of this machine, or ask who runs it."
    return f"the certificate of {host} is not trusted here; set {variable} to your authority's."


def refusal(answer: Answer, label: str) -> TigerbushError | RemoteError:
    """Return the sentence for an answer that is none of what was asked for."""
    host, status = answer.host, answer.status
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        return BusyError(f"{label}: {host} is overloaded or down ({status})", answer.headers)
    if status in {requests.codes.unauthorized, requests.codes.forbidden}:
        return TigerbushError(
            f"{label}: {host} allows no access ({status}), and web servers are sent no credentials; choose a public "
            "collection in source.collections."
        )
    if status in {requests.codes.not_found, requests.codes.gone}:
        return TigerbushError(
            f"{label} is not there (any more); run ./tigerbush discover, then ./tigerbush retry."
        )
    if status == requests.codes.ok:
        return TigerbushError(
            f"{label}: {host} answers with a web page (perhaps to log in), not with a file; choose a public "
            "collection in source.collections."
        )
    return TigerbushError(f"{label}: {host} refuses the request ({status}); check source.*.")


class _PublicConnection(HTTPSConnection):
    """A connection to an address that was checked, whatever the name leads to a moment later."""

    def _new_conn(self) -> socket.socket:
        name, trouble = self._dns_host, None
        try:
            for address in public_addresses(name, self.port):
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (ConnectTimeoutError, NewConnectionError) as error:
                    trouble = error
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(name, self, error) from error
        finally:
            # TLS compares the certificate with the name
            self._dns_host = name
        raise trouble or NewConnectionError(self, f"{name} has no address")


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicAdapter(HTTPAdapter):
    """Sends to public addresses alone.

    A proxy of the environment resolves names itself: what resolves here is checked, the rest is its matter.
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


def _place(parts: SplitResult) -> tuple[str, int | None]:
    """Return host and port; those of http and https by default are one."""
    return _host(parts.hostname), None if parts.port in _DEFAULT_PORTS else parts.port


def _read(answer: requests.Response, most: int) -> bytes:
    content = bytearray()
    chunks = answer.iter_content(min(CHUNK, most + 1))
    while len(content) <= most and (chunk := with_time_limit(next, chunks, None)):
        content += chunk
    return bytes(content[: most + 1])
