"""What went wrong with an object store or a web server, as a sentence; its class says whether another try may help."""

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
from tigerbush.sources.web import explain as explain_web
from tigerbush.sources.web import tls_trouble

# no answer, or half of one
_NO_ANSWER = (ConnectionError, HTTPClientError, IncompleteReadError, urllib3.exceptions.HTTPError, OSError)
_REDIRECTS = {301, 302, 303, 307, 308}
# what a message may repeat
_LEAST_SECRET = 4
_SECRETS = re.compile(r"(?:AWS|SNAKEMAKE_STORAGE_S3)_\w*(?:KEY|KEY_ID|TOKEN)")
_KEYS_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "TokenRefreshRequired",
}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_PASSING = {"RequestTimeout", "SlowDown", "TooManyRequests", "Throttling", "ThrottlingException"}


def explain(error: Exception, label: str, endpoint: str) -> TigerbushError | RemoteError:
    """Return the sentence for the user; its class says whether another try may help."""
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, requests.RequestException):
        return explain_web(error, label)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return TigerbushError(
            f"{label}: there are no credentials for {endpoint}; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in the environment, or source.anonymous: true for a public bucket."
        )
    if isinstance(error, ParamValidationError):
        return TigerbushError(f"{label} is no address of an object; check source.bucket.")
    if trouble := tls_trouble(error, endpoint, "AWS_CA_BUNDLE"):
        return TigerbushError(f"{label}: {trouble}")
    if not isinstance(error, ClientError):
        return _no_answer(error, label, endpoint)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    # not the server's message, which may repeat the key
    code = re.sub(r"[^A-Za-z0-9]", "", str(error.response.get("Error", {}).get("Code", "")))[:60]
    if status == 429 or status >= 500 or code in _PASSING:
        # no code of its own: an answer that is no XML, to which botocore gives 500
        what = "overloaded, down or no object store" if code == str(status) else "overloaded or down"
        return RemoteError(f"{label}: {endpoint} is {what} ({status} {code})")
    if status in _REDIRECTS and "x-amz-bucket-region" not in headers:
        code = "elsewhere"
    gone = code != "NoSuchBucket" and (status in {404, 412} or code == "InvalidObjectState")
    return (GoneError if gone else TigerbushError)(_refusal(label, endpoint, status, code))


def _no_answer(error: Exception, label: str, endpoint: str) -> TigerbushError | RemoteError:
    """Tell what did not answer from what could not be asked, and from what answers and is no store."""
    # keys or a proxy that no request can be made with
    if type(error) is HTTPClientError and isinstance(error.kwargs.get("error"), ValueError):
        return TigerbushError(settings(error.kwargs["error"], endpoint))
    if isinstance(error, _NO_ANSWER):
        return RemoteError(f"{label}: {endpoint} did not answer, or not to the end ({type(error).__name__})")
    if isinstance(error, BotoCoreError):
        return TigerbushError(settings(error, endpoint))
    return TigerbushError(no_store(label, endpoint))


def _refusal(label: str, endpoint: str, status: int, code: str) -> str:
    if code == "NoSuchBucket":
        return f"{label}: {endpoint} has no such bucket; check source.bucket and source.endpoint_url."
    if code == "RequestTimeTooSkewed":
        return f"{label}: the clock of this machine differs from that of {endpoint}; set it."
    if code == "InvalidObjectState":
        return f"{label} lies in an archive of {endpoint}; restore it there, then run ./tigerbush retry."
    if code in _KEYS_REFUSED:
        return (
            f"{label}: {endpoint} does not accept the credentials ({code}); renew the keys in the "
            "environment, then run ./tigerbush retry."
        )
    if code == "elsewhere":
        return (
            f"{label}: {endpoint} leads elsewhere ({status}), which is not followed; check source.endpoint_url and "
            "source.region."
        )
    if code in _ELSEWHERE or status in _REDIRECTS:
        return f"{label}: the bucket lies in another region; set source.region."
    if status in {401, 403}:
        return (
            f"{label}: {endpoint} allows no access ({code}); check the keys in the environment, "
            "source.bucket, source.anonymous and source.requester_pays, then run ./tigerbush retry."
        )
    if status == 404:
        return (
            f"{label} is not there (any more); check source.bucket, run ./tigerbush discover, then "
            "./tigerbush retry."
        )
    if status == 412:
        return changed(label, "is another one")
    return f"{label}: {endpoint} refuses the request ({status} {code}); check source.*."


def settings(error: Exception, endpoint: str) -> str:
    """Return the sentence for credentials and settings that no store can be asked with."""
    advice = (
        "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or both SNAKEMAKE_STORAGE_S3_ACCESS_KEY and "
        "_SECRET_KEY, and check AWS_PROFILE."
    )
    if isinstance(error, (SSOError, LoginError, TokenRetrievalError)):
        advice = "log in again (aws sso login), or set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    elif isinstance(error, InvalidRegionError):
        advice = "check source.region or --region."
    return f"{endpoint} cannot be asked with the settings of the environment ({_reason(error)}); {advice}"


def _reason(error: Exception) -> str:
    """Say in a line what is wrong, without what a program or a server may have put into it."""
    if isinstance(error, CredentialRetrievalError):
        return f"{error.kwargs['provider']} gives no credentials"
    if isinstance(error, TimeoutError):
        return "no credentials came in time"
    if isinstance(error, ClientError):
        return re.sub(r"[^A-Za-z0-9]", "", error.response.get("Error", {}).get("Code", ""))[:60]
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, UnicodeError):
        return "a key holds a space, a line break or another character that keys never have"
    if not isinstance(error, BotoCoreError):
        return f"{type(error).__name__} in what AWS_* variables, their files or their programs say"
    text = str(error).strip().partition("\n")[0].rstrip(".:")[:200]
    for name, value in os.environ.items():
        if _SECRETS.fullmatch(name) and len(value) >= _LEAST_SECRET:
            text = text.replace(value, "...")
    return text


def check_credentials(values: Iterable[str | None]) -> None:
    """Refuse keys that no header can hold, as of a line break copied with them.

    Raises
    ------
    UnicodeError
    """
    if not all(re.fullmatch("[!-~]*", value or "") for value in values):
        raise UnicodeError


def refuse_redirect(response: tuple | None = None, **_: object) -> None:
    """Keep botocore from asking where a bucket is again and again, of a server that leads elsewhere.

    Raises
    ------
    ClientError
    """
    http, parsed = response or (None, {})
    if http is not None and http.status_code in _REDIRECTS and "x-amz-bucket-region" not in http.headers:
        raise ClientError(parsed, "HeadBucket")


def endless(label: str, endpoint: str) -> str:
    """Return the sentence for a listing that never ends."""
    return (
        f"{label}: {endpoint} says that its listing goes on, but gives the same page again or none; try again later, "
        "or ask who runs it."
    )


def no_store(label: str, endpoint: str) -> str:
    """Return the sentence for a server that is something else."""
    return (
        f"{label}: {endpoint} does not answer like an object store (perhaps with a page to log in); check "
        "source.endpoint_url."
    )


def changed(label: str, what: str) -> str:
    """Return the sentence for an object that is not the one that was listed."""
    return (
        f"{label} {what}: it has changed since it was listed; take the product's line out of the table of "
        "products, run ./tigerbush discover, then ./tigerbush retry."
    )
