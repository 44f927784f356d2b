"""What goes wrong with Blob storage, as sentences, and who asks."""

import base64
import json
import threading
from types import SimpleNamespace

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)

from tigerbush.errors import TigerbushError
from tigerbush.runs import blob_errors as blob_errors
from tigerbush.runs.blob_errors import LOGIN, identify_caller, is_transient, log_in, sentence


def token_of(claims):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


class Service:
    """A client whose credential gives a token, or raises."""

    account_name, primary_hostname = "store", "store.blob.core.windows.net"

    def __init__(self, answer=None):
        self.credential, self.answer, self.asked = self, answer, []

    def get_token(self, scope):
        self.asked.append(scope)
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(token=self.answer)


def refused(status, code=None, message="x", kind=HttpResponseError):
    error = kind(message)
    error.status_code = status
    if code is not None:
        error.error_code = code
    return error


IDENTITY = Service(token_of({"upn": "someone@example.org", "appid": "a", "oid": "7"}))
WHERE = "container runs of storage account store"
ROLE = "assign it the role Storage Blob Data Contributor there, which takes a few minutes to take effect (docs/azure.md)."


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused(404, "ContainerNotFound"), f"there is no {WHERE}: check container in config/azure.yaml, or create it with ./tigerbush doctor --profile profiles/azure --create."),
        *(
            (refused(403, code), f"the firewall of storage account store blocks this machine ({code}): allow its address in the portal (Networking), or start from a network that is allowed.")
            for code in ("AuthorizationFailure", "IpAuthorizationFailure", "PublicAccessNotPermitted")
        ),
        (refused(403, "AuthorizationPermissionMismatch"), f"the identity someone@example.org (object id 7) is not authorised in {WHERE} (AuthorizationPermissionMismatch): {ROLE}"),
        (refused(403), f"the identity someone@example.org (object id 7) is not authorised in {WHERE} (403): {ROLE}"),
        (refused(404, "AuthorizationFailure"), f"unexpected answer from {WHERE} (404): AuthorizationFailure; try again."),
        (ClientAuthenticationError("AADSTS1: no\nsecond"), f"Azure gives no token for Blob storage: AADSTS1: no. {LOGIN}"),
        (refused(401, "InvalidAuthenticationInfo"), f"{WHERE} does not accept the token of the identity someone@example.org (object id 7) (InvalidAuthenticationInfo). {LOGIN}"),
        (refused(401, kind=ClientAuthenticationError), f"{WHERE} does not accept the token of the identity someone@example.org (object id 7) (401). {LOGIN}"),
        *(
            (ServiceRequestError(text), "there is no storage account store (its host store.blob.core.windows.net cannot be resolved): check storage_account in config/azure.yaml.")
            for text in ("Failed to resolve 'x'", "getaddrinfo failed", "Name or service not known", "nodename nor servname", "Tunnel connection failed: 502 x")
        ),
        (ServiceRequestError("Tunnel connection failed: 407 x."), f"unexpected answer from {WHERE} (ServiceRequestError): Tunnel connection failed: 407 x; try again."),
        (refused(503, message="Failed to resolve"), f"unexpected answer from {WHERE} (503): Failed to resolve; try again."),
        (refused(500, SimpleNamespace(value="Server Busy!")), f"unexpected answer from {WHERE} (500): ServerBusy; try again."),
        (refused(500, message="why?"), f"unexpected answer from {WHERE} (500): why?; try again."),
        (refused(500, "z" * 70), f"unexpected answer from {WHERE} (500): {'z' * 60}; try again."),
        (refused(500, message="a\n b." + "c" * 400), f"unexpected answer from {WHERE} (500): a b.{'c' * 296}; try again."),
    ],
)  # fmt: skip
def test_sentences(error, expected):
    assert sentence(error, IDENTITY, "runs") == expected


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ServiceRequestError("x"), True), (AzureError("x"), True), (KeyError(), False), (ClientAuthenticationError("x"), False),
        *((refused(status), passes) for status, passes in ((408, True), (429, True), (499, False), (500, True), (503, True), (403, False))),
    ],
)  # fmt: skip
def test_what_may_pass(error, passes):
    assert is_transient(error) is passes


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"upn": "a", "unique_name": "b", "appid": "c", "oid": "7"}, "the identity a (object id 7)"),
        ({"unique_name": "b", "oid": "7"}, "the identity b (object id 7)"),
        ({"unique_name": "b", "appid": "c"}, "the application b (object id ?)"),
        ({"appid": "c", "oid": "7"}, "the application c (object id 7)"),
        ({"oid": "77"}, "the identity (object id 77)"),
        ({"upn": "a\nb" + "c" * 200}, "the identity a?b" + "c" * 97 + " (object id ?)"),
    ],
)
def test_who_asks(claims, name):
    service = Service(token_of(claims))
    assert identify_caller(service) == name
    assert service.asked == ["https://storage.azure.com/.default"]


@pytest.mark.parametrize("answer", [KeyError(), "no token", "head.!!.x"])
def test_who_asks_is_not_known(answer):
    assert identify_caller(Service(answer)) == "the caller"


def test_a_token_is_got(monkeypatch):
    service = Service("token")
    get_token = service.get_token
    # it takes a moment, and is waited for
    service.get_token = lambda scope: threading.Event().wait(0.05) or get_token(scope)
    log_in(service)
    assert service.asked == ["https://storage.azure.com/.default"]
    # an account key needs none
    log_in(SimpleNamespace(credential="key"))
    for error, reason in (
        (ValueError("not logged in"), "nobody is logged in"),
        (ClientAuthenticationError("a:\nAADSTS70: 'x' is wrong. \nAADSTS71: b"), "AADSTS70: 'x' is wrong"),
        (ValueError("AADSTS70: " + "x" * 400), "AADSTS70: " + "x" * 290),
    ):
        with pytest.raises(TigerbushError) as raised:
            log_in(Service(error))
        assert str(raised.value) == f"Azure gives no token for Blob storage: {reason}. {LOGIN}"
        assert raised.value.__suppress_context__


def test_a_token_that_does_not_come(monkeypatch):
    monkeypatch.setattr(blob_errors, "LOGIN_SECONDS", 0.05)
    ended = threading.Event()
    with pytest.raises(TigerbushError) as raised:
        log_in(SimpleNamespace(credential=SimpleNamespace(get_token=lambda _: ended.wait())))
    ended.set()
    assert str(raised.value) == f"Azure gives no token for Blob storage: no answer within 0.05 s. {LOGIN}"
