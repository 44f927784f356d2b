"""What went wrong with an object store or a web server, as a sentence; its class says whether another try may help."""

import re

import requests
import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from tigerbush.errors import GoneError, RemoteError, TigerbushError
from tigerbush.web import explain as explain_web

# whatever a request may raise
TROUBLE = (
    BotoCoreError,
    ClientError,
    RemoteError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)
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
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return TigerbushError(
            f"{label}: the certificate of {endpoint} is not trusted here; set AWS_CA_BUNDLE to your authority's."
        )
    if not isinstance(error, ClientError):
        return RemoteError(f"{label}: {endpoint} did not answer, or not to the end ({type(error).__name__})")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # not the server's message, which may repeat the key
    code = re.sub(r"[^A-Za-z0-9]", "", str(error.response.get("Error", {}).get("Code", "")))[:60]
    if status == 429 or status >= 500 or code in _PASSING:
        # no code of its own: an answer that is no XML, to which botocore gives 500
        what = "overloaded, down or no object store" if code == str(status) else "overloaded or down"
        return RemoteError(f"{label}: {endpoint} is {what} ({status} {code})")
    gone = code != "NoSuchBucket" and (status in {404, 412} or code == "InvalidObjectState")
    return (GoneError if gone else TigerbushError)(_refusal(label, endpoint, status, code))


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
    if code in _ELSEWHERE or status in {301, 307}:
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
