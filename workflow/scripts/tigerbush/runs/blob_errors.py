"""Errors of Blob storage as sentences: who was refused what, and what to do."""

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError

from tigerbush.errors import TigerbushError

SCOPE = "https://storage.azure.com/.default"
LOGIN = "Run 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (docs/azure.md)."
# for all ways of logging in together; the libraries would go on for minutes
LOGIN_SECONDS = 10
# of one request; not retried by the library, which would wait 15 s first
OPTIONS = {"retry_total": 0, "connection_timeout": 4, "read_timeout": 8}
# a host name that cannot be resolved, by this machine or by a proxy
_UNKNOWN_HOST = re.compile(
    r"resolve|getaddrinfo|Name or service not known|nodename|Tunnel connection failed: 50[0-4]"
)
# refused by the firewall, whatever role the caller has
_NETWORK = {"AuthorizationFailure", "IpAuthorizationFailure", "PublicAccessNotPermitted"}
_ROLE = "Storage Blob Data Contributor"


def log_in(service: Any) -> None:
    """Get a token for Blob storage.

    Parameters
    ----------
    service : BlobServiceClient
        With an account key or a signature it needs no token.

    Raises
    ------
    TigerbushError
        When there is none, or not in time.
    """
    if hasattr(service.credential, "get_token"):
        _call_within(LOGIN_SECONDS, lambda: _token(service))


def _token(service: Any) -> str:
    return service.credential.get_token(SCOPE).token


def _call_within(seconds: float, request: Callable[[], object]) -> None:
    """Request a token in a thread, which is abandoned if there is no answer in time."""
    errors: list[Exception] = []

    def work() -> None:
        try:
            request()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TigerbushError(
            f"Azure gives no token for Blob storage: no answer within {seconds:g} s. {LOGIN}"
        )
    if errors:
        raise TigerbushError(_login_sentence(errors[0])) from None


def _login_sentence(error: Exception) -> str:
    # the answer of Entra, among the messages of every way of logging in
    match = re.search(r"AADSTS\d+: [^\n]*", str(error))
    reason = match[0].strip().rstrip(".") if match else "nobody is logged in"
    return f"Azure gives no token for Blob storage: {reason[:300]}. {LOGIN}"


def is_transient(error: BaseException) -> bool:
    """Whether retrying may help: the storage was not reached, or is busy."""
    if not isinstance(error, AzureError) or isinstance(error, ClientAuthenticationError):
        return False
    status = getattr(error, "status_code", None)
    return status is None or status in {408, 429} or status >= 500


def sentence(error: Exception, service: Any, container: str) -> str:
    """Say what went wrong, and what to do.

    Parameters
    ----------
    error : AzureError
    service : BlobServiceClient
        The one that raised it.
    container : str

    Returns
    -------
    str
        One line.
    """
    account = service.account_name
    where = f"container {container} of storage account {account}"
    status, code = getattr(error, "status_code", None), _code(error)
    if code == "ContainerNotFound":
        return (
            f"there is no {where}: check container in config/azure.yaml, or create it with "
            "./tigerbush doctor --profile profiles/azure --create."
        )
    if status == 403 and code in _NETWORK:
        return (
            f"the firewall of storage account {account} blocks this machine ({code}): allow its address in the portal "
            "(Networking), or start from a network that is allowed."
        )
    if status == 403:
        return (
            f"{identify_caller(service)} is not authorised in {where} ({code or status}): assign it the role {_ROLE} "
            "there, which takes a few minutes to take effect (docs/azure.md)."
        )
    if status is None and isinstance(error, ClientAuthenticationError):
        return _login_sentence(error)
    if status == 401:
        return f"{where} does not accept the token of {identify_caller(service)} ({code or status}). {LOGIN}"
    if status is None and _UNKNOWN_HOST.search(str(error)):
        return (
            f"there is no storage account {account} (its host {service.primary_hostname} cannot be resolved): check "
            "storage_account in config/azure.yaml."
        )
    reason = code or " ".join(str(error).split())[:300].rstrip(".")
    return f"unexpected answer from {where} ({status or type(error).__name__}): {reason}; try again."


def _code(error: Exception) -> str:
    # not the message of the server, which may repeat what was sent to it
    code = getattr(error, "error_code", None) or ""
    return re.sub(r"[^A-Za-z0-9]", "", str(getattr(code, "value", code)))[:60]


def identify_caller(service: Any) -> str:
    """Name the identity that makes the requests; only names and ids of its token are shown."""
    try:
        payload = _token(service).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except Exception:
        return "the caller"
    name = claims.get("upn") or claims.get("unique_name") or claims.get("appid") or ""
    kind = "the application" if not claims.get("upn") and claims.get("appid") else "the identity"
    object_id = f"(object id {claims.get('oid', '?')})"
    return " ".join(_printable(part) for part in (kind, name, object_id) if part)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:100])
