"""What went wrong with Blob storage, as a sentence: who was refused what, and what to do."""

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
# of everything that is asked before the first job, in one go; the libraries would go on for minutes
LOGIN_SECONDS = 10
# of one request; no second try by the library, which would wait for 15 s before it
OPTIONS = {"retry_total": 0, "connection_timeout": 4, "read_timeout": 8}
# what a client is told of a host without an address, by itself or by a proxy
_UNKNOWN_HOST = re.compile(
    r"resolve|getaddrinfo|Name or service not known|nodename|Tunnel connection failed: 50[0-4]"
)
# a refusal by the rules of the network, whatever role somebody has
_NETWORK = {"AuthorizationFailure", "IpAuthorizationFailure", "PublicAccessNotPermitted"}
_ROLE = "Storage Blob Data Contributor"


def log_in(service: Any) -> None:
    """Get a token for Blob storage.

    Parameters
    ----------
    service : BlobServiceClient
        One with an account key or a signature needs no token.

    Raises
    ------
    TigerbushError
        When none is given, or not in time.
    """
    if hasattr(service.credential, "get_token"):
        _within(LOGIN_SECONDS, lambda: _token(service))


def _token(service: Any) -> str:
    return service.credential.get_token(SCOPE).token


def _within(seconds: float, ask: Callable[[], object]) -> None:
    """Ask for a token in a thread, which is left behind when there is no answer in time."""
    failed: list[Exception] = []

    def work() -> None:
        try:
            ask()
        except Exception as error:
            failed.append(error)

    asking = threading.Thread(target=work, daemon=True)
    asking.start()
    asking.join(seconds)
    if asking.is_alive():
        raise TigerbushError(
            f"Azure gives no token for Blob storage: no answer within {seconds:g} s. {LOGIN}"
        )
    if failed:
        raise TigerbushError(_no_token(failed[0])) from None


def _no_token(error: Exception) -> str:
    # what Entra answers, out of what each way of logging in says
    found = re.search(r"AADSTS\d+: [^\n]*", str(error))
    reason = found[0].strip().rstrip(".") if found else "nobody is logged in"
    return f"Azure gives no token for Blob storage: {reason[:300]}. {LOGIN}"


def may_pass(error: BaseException) -> bool:
    """Whether another try may help: the store was not reached, or is busy."""
    if not isinstance(error, AzureError) or isinstance(error, ClientAuthenticationError):
        return False
    status = getattr(error, "status_code", None)
    return status is None or status in {408, 429} or status >= 500


def sentence(error: Exception, service: Any, container: str) -> str:
    """Say what was wrong, and what to do.

    Parameters
    ----------
    error : AzureError
    service : BlobServiceClient
        That was asked.
    container : str

    Returns
    -------
    str
        One line.
    """
    account = service.account_name
    where = f"container {container} of the storage account {account}"
    status, code = getattr(error, "status_code", None), _code(error)
    if code == "ContainerNotFound":
        return (
            f"there is no {where}: check container in config/azure.yaml, or make it with "
            "./tigerbush doctor --profile profiles/azure --create."
        )
    if status == 403 and code in _NETWORK:
        return (
            f"the network rules of the storage account {account} refuse this machine ({code}): allow it in the portal "
            "(Networking), or start from a network that may."
        )
    if status == 403:
        return (
            f"{who(service)} may not do this in {where} ({code or status}): it needs the role {_ROLE} "
            "there, which takes some minutes to work (docs/azure.md)."
        )
    if status is None and isinstance(error, ClientAuthenticationError):
        return _no_token(error)
    if status == 401:
        return f"{where} does not accept the token of {who(service)} ({code or status}). {LOGIN}"
    if status is None and _UNKNOWN_HOST.search(str(error)):
        return (
            f"there is no storage account {account} (its host {service.primary_hostname} is not known): check "
            "storage_account in config/azure.yaml."
        )
    reason = code or " ".join(str(error).split())[:300].rstrip(".")
    return f"{where} does not answer as it should ({status or type(error).__name__}): {reason}; try again."


def _code(error: Exception) -> str:
    # not the server's message, which may repeat what was sent
    code = getattr(error, "error_code", None) or ""
    return re.sub(r"[^A-Za-z0-9]", "", str(getattr(code, "value", code)))[:60]


def who(service: Any) -> str:
    """Name the identity that asks; nothing of its token is shown but names and numbers."""
    try:
        payload = _token(service).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except Exception:
        return "the caller"
    name = claims.get("upn") or claims.get("unique_name") or claims.get("appid") or ""
    kind = "the application" if not claims.get("upn") and claims.get("appid") else "the identity"
    number = f"(object id {claims.get('oid', '?')})"
    return " ".join(_plain(part) for part in (kind, name, number) if part)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:100])
