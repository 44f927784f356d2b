"""Errors of object stores and web servers as sentences; the class of the exception says whether a retry may help."""

import os
import re
from collections.abc import Iterable

import requests
import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    InvalidRegionError,
    LoginError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from tigerbush.errors import GoneError, RemoteError, TigerbushError
from tigerbush.sources.web import request_error, tls_problem

# no response, or an incomplete one
_NO_RESPONSE = (ConnectionError, HTTPClientError, IncompleteReadError, urllib3.exceptions.HTTPError, OSError)
_REDIRECTS = {301, 302, 303, 307, 308}
# values that are removed from messages: at least so many characters, of variables with these names
_MIN_SECRET = 4
_SECRETS = re.compile(r"(?:AWS|SNAKEMAKE_STORAGE_S3)_\w*(?:KEY|KEY_ID|TOKEN)")
_REJECTED_KEYS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "TokenRefreshRequired",
}
_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_TRANSIENT = {"RequestTimeout", "SlowDown", "TooManyRequests", "Throttling", "ThrottlingException"}


def store_error(error: Exception, label: str, endpoint: str) -> TigerbushError | RemoteError:
    """Return the exception for the user; its class says whether a retry may help."""
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, requests.RequestException):
        return request_error(error, label)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return TigerbushError(
            f"{label}: no credentials for {endpoint} were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in "
            "the environment, or source.anonymous: true for a public bucket."
        )
    if isinstance(error, ParamValidationError):
        return TigerbushError(f"{label} is not the address of an object; check source.bucket.")
    if problem := tls_problem(error, endpoint, "AWS_CA_BUNDLE"):
        return TigerbushError(f"{label}: {problem}")
    if not isinstance(error, ClientError):
        return _no_response(error, label, endpoint)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    # not the server's message, which may repeat the key
    code = re.sub(r"[^A-Za-z0-9]", "", str(error.response.get("Error", {}).get("Code", "")))[:60]
    if status == 429 or status >= 500 or code in _TRANSIENT:
        # botocore gives status 500, without a code, to a response that is not XML
        state = "overloaded, down or not an object store" if code == str(status) else "overloaded or down"
        return RemoteError(f"{label}: {endpoint} is {state} ({status} {code})")
    if status in _REDIRECTS and "x-amz-bucket-region" not in headers:
        code = "elsewhere"
    gone = code != "NoSuchBucket" and (status in {404, 412} or code == "InvalidObjectState")
    return (GoneError if gone else TigerbushError)(_refusal(label, endpoint, status, code))


def _no_response(error: Exception, label: str, endpoint: str) -> TigerbushError | RemoteError:
    """Distinguish a server without a response, a request that cannot be made, and a server that is not a store."""
    # keys or a proxy with which no request can be made
    if type(error) is HTTPClientError and isinstance(error.kwargs.get("error"), ValueError):
        return TigerbushError(unusable_settings(error.kwargs["error"], endpoint))
    if isinstance(error, _NO_RESPONSE):
        return RemoteError(
            f"{label}: {endpoint} did not respond, or its response was cut off ({type(error).__name__})"
        )
    if isinstance(error, BotoCoreError):
        return TigerbushError(unusable_settings(error, endpoint))
    return TigerbushError(not_a_store(label, endpoint))


def _refusal(label: str, endpoint: str, status: int, code: str) -> str:
    if code == "NoSuchBucket":
        return f"{label}: {endpoint} has no such bucket; check source.bucket and source.endpoint_url."
    if code == "RequestTimeTooSkewed":
        return f"{label}: the clock of this machine differs from that of {endpoint}; correct it."
    if code == "InvalidObjectState":
        return f"{label} is in archive storage of {endpoint}; restore it there, then run ./tigerbush retry."
    if code in _REJECTED_KEYS:
        return (
            f"{label}: {endpoint} rejects the credentials ({code}); renew the keys in the environment, then run "
            "./tigerbush retry."
        )
    if code == "elsewhere":
        return (
            f"{label}: {endpoint} redirects elsewhere ({status}), which is not followed; check source.endpoint_url and "
            "source.region."
        )
    if code in _OTHER_REGION or status in _REDIRECTS:
        return f"{label}: the bucket is in another region; set source.region."
    if status in {401, 403}:
        return (
            f"{label}: {endpoint} denies access ({code}); check the keys in the environment, source.bucket, "
            "source.anonymous and source.requester_pays, then run ./tigerbush retry."
        )
    if status == 404:
        return (
            f"{label} does not exist (any more); check source.bucket, run ./tigerbush discover, then "
            "./tigerbush retry."
        )
    if status == 412:
        return object_changed(label)
    return f"{label}: {endpoint} refuses the request ({status} {code}); check source.*."


def unusable_settings(error: Exception, endpoint: str) -> str:
    """Return the sentence for credentials and settings with which a store cannot be accessed."""
    advice = (
        "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or both SNAKEMAKE_STORAGE_S3_ACCESS_KEY and "
        "_SECRET_KEY, and check AWS_PROFILE."
    )
    if isinstance(error, (SSOError, LoginError, TokenRetrievalError)):
        advice = "log in again (aws sso login), or set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    elif isinstance(error, InvalidRegionError):
        advice = "check source.region or --region."
    return f"{endpoint} cannot be accessed with the settings of the environment ({_reason(error)}); {advice}"


def _reason(error: Exception) -> str:
    """Return one line that says what is wrong, without text from a program or server that may contain a secret."""
    if isinstance(error, CredentialRetrievalError):
        return f"{error.kwargs['provider']} returned no credentials"
    if isinstance(error, TimeoutError):
        return "no credentials were received in time"
    if isinstance(error, ClientError):
        return re.sub(r"[^A-Za-z0-9]", "", error.response.get("Error", {}).get("Code", ""))[:60]
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, UnicodeError):
        return "a key contains a space, a line break or another character that keys never have"
    if not isinstance(error, BotoCoreError):
        return f"{type(error).__name__} in AWS_* variables, or in the files or programs that they name"
    text = str(error).strip().partition("\n")[0].rstrip(".:")[:200]
    for name, value in os.environ.items():
        if _SECRETS.fullmatch(name) and len(value) >= _MIN_SECRET:
            text = text.replace(value, "...")
    return text


def check_credentials(values: Iterable[str | None]) -> None:
    """Refuse keys that no header can contain, for example with a line break copied along.

    Raises
    ------
    UnicodeError
    """
    if not all(re.fullmatch("[!-~]*", value or "") for value in values):
        raise UnicodeError


def refuse_redirect(response: tuple | None = None, **_: object) -> None:
    """Stop botocore from repeatedly requesting a bucket's region from a server that redirects elsewhere.

    Raises
    ------
    ClientError
    """
    http, parsed = response or (None, {})
    if http is not None and http.status_code in _REDIRECTS and "x-amz-bucket-region" not in http.headers:
        raise ClientError(parsed, "HeadBucket")


def endless_listing(label: str, endpoint: str) -> str:
    """Return the sentence for a listing that never ends."""
    return (
        f"{label}: {endpoint} announces more pages of the listing, but returns the same page again or none; try again "
        "later, or ask the operator of the server."
    )


def not_a_store(label: str, endpoint: str) -> str:
    """Return the sentence for a server that is not an object store."""
    return (
        f"{label}: {endpoint} does not respond like an object store (perhaps with a login page); check "
        "source.endpoint_url."
    )


def object_changed(label: str, difference: str | None = None) -> str:
    """Return the sentence for an object that is not the one listed; `difference` is the predicate of a clause."""
    subject = f"{label} {difference}: it" if difference else label
    return f"{subject} has changed since it was listed; run ./tigerbush discover, then ./tigerbush retry."
