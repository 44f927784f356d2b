"""Errors of stores and web servers as sentences, and whether a retry may help."""

import pytest
import requests
import urllib3
from botocore import exceptions
from botocore.exceptions import ClientError

from stores_in_memory import refusal
from tigerbush.errors import GoneError, RemoteError, TigerbushError
from tigerbush.sources.store_errors import check_credentials, refuse_redirect, store_error, unusable_settings

LABEL, HOST = "s3://b/k", "https://s3.example"
ADVICE = (
    "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or both SNAKEMAKE_STORAGE_S3_ACCESS_KEY and _SECRET_KEY, and check "
    "AWS_PROFILE."
)
NO_KEYS = (
    f"{LABEL}: no credentials for {HOST} were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or "
    "source.anonymous: true for a public bucket."
)
RENEW = "renew the keys in the environment, then run ./tigerbush retry."
ELSEWHERE = "which is not followed; check source.endpoint_url and source.region."
REGION = f"{LABEL}: the bucket is in another region; set source.region."
NOT_THERE = f"{LABEL} does not exist (any more); check source.bucket, run ./tigerbush discover, then ./tigerbush retry."
CHANGED = f"{LABEL} has changed since it was listed; run ./tigerbush discover, then ./tigerbush retry."
HERE = {"x-amz-bucket-region": "there"}


def no_access(code):
    return (
        f"{LABEL}: {HOST} denies access ({code}); check the keys in the environment, source.bucket, source.anonymous and "
        "source.requester_pays, then run ./tigerbush retry."
    )


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (refusal(429, "x"), RemoteError, f"{LABEL}: {HOST} is overloaded or down (429 x)"),
        (refusal(500, "InternalError"), RemoteError, f"{LABEL}: {HOST} is overloaded or down (500 InternalError)"),
        (refusal(500, "500"), RemoteError, f"{LABEL}: {HOST} is overloaded, down or not an object store (500 500)"),
        (refusal(400, "SlowDown"), RemoteError, f"{LABEL}: {HOST} is overloaded or down (400 SlowDown)"),
        (refusal(400, "RequestTimeout"), RemoteError, f"{LABEL}: {HOST} is overloaded or down (400 RequestTimeout)"),
        (refusal(499, "a.b <c>"), TigerbushError, f"{LABEL}: {HOST} refuses the request (499 abc); check source.*."),
        (refusal(428, "z" * 61), TigerbushError, f"{LABEL}: {HOST} refuses the request (428 {'z' * 60}); check source.*."),
        (refusal(404, "NoSuchBucket"), TigerbushError, f"{LABEL}: {HOST} has no such bucket; check source.bucket and source.endpoint_url."),
        (refusal(403, "RequestTimeTooSkewed"), TigerbushError, f"{LABEL}: the clock of this machine differs from that of {HOST}; correct it."),
        (refusal(403, "InvalidObjectState"), GoneError, f"{LABEL} is in archive storage of {HOST}; restore it there, then run ./tigerbush retry."),
        *(
            (refusal(403, code), TigerbushError, f"{LABEL}: {HOST} rejects the credentials ({code}); {RENEW}")
            for code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired")
        ),
        *((refusal(status), TigerbushError, f"{LABEL}: {HOST} redirects elsewhere ({status}), {ELSEWHERE}") for status in (301, 302, 303, 307, 308)),
        (refusal(301, headers=HERE), TigerbushError, REGION),
        (refusal(301, "PermanentRedirect", headers=HERE), TigerbushError, REGION),
        (refusal(400, "AuthorizationHeaderMalformed"), TigerbushError, REGION),
        (refusal(400, "IllegalLocationConstraintException"), TigerbushError, REGION),
        (refusal(401, "x"), TigerbushError, no_access("x")),
        (refusal(403, "AccessDenied"), TigerbushError, no_access("AccessDenied")),
        (refusal(404, "NoSuchKey"), GoneError, NOT_THERE),
        (refusal(412, "PreconditionFailed"), GoneError, CHANGED),
        (ClientError({}, "GetObject"), TigerbushError, f"{LABEL}: {HOST} refuses the request (0 ); check source.*."),
        (exceptions.NoCredentialsError(), TigerbushError, NO_KEYS),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), TigerbushError, NO_KEYS),
        (exceptions.ParamValidationError(report="x"), TigerbushError, f"{LABEL} is not the address of an object; check source.bucket."),
        (exceptions.SSLError(endpoint_url=HOST, error="CERTIFICATE_VERIFY_FAILED"), TigerbushError,
         f"{LABEL}: the certificate of {HOST} is not trusted on this machine; set AWS_CA_BUNDLE to your authority's CA bundle."),
        *(
            (error, RemoteError, f"{LABEL}: {HOST} did not respond, or its response was cut off ({type(error).__name__})")
            for error in (
                exceptions.EndpointConnectionError(endpoint_url=HOST), exceptions.ReadTimeoutError(endpoint_url=HOST),
                exceptions.HTTPClientError(error="x"), exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
                urllib3.exceptions.ProtocolError("x"), TimeoutError(), ConnectionResetError(),
            )
        ),
        (exceptions.HTTPClientError(error=ValueError("x")), TigerbushError,
         f"{HOST} cannot be accessed with the settings of the environment (ValueError in AWS_* variables, or in the files or programs that they name); {ADVICE}"),
        (exceptions.ProxyConnectionError(proxy_url="p", error=ValueError("x")), RemoteError,
         f"{LABEL}: {HOST} did not respond, or its response was cut off (ProxyConnectionError)"),
        (exceptions.ProfileNotFound(profile="p"), TigerbushError,
         f"{HOST} cannot be accessed with the settings of the environment (The config profile (p) could not be found); {ADVICE}"),
        (KeyError("x"), TigerbushError, f"{LABEL}: {HOST} does not respond like an object store (perhaps with a login page); check source.endpoint_url."),
        (requests.ConnectTimeout("x"), RemoteError, f"{LABEL}: b did not respond, or its response was cut off (ConnectTimeout)"),
        (RemoteError("as it is"), RemoteError, "as it is"),
    ],
)  # fmt: skip
def test_errors_of_a_store(error, kind, sentence):
    converted = store_error(error, LABEL, HOST)
    assert (type(converted), str(converted)) == (kind, sentence)


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (exceptions.CredentialRetrievalError(provider="custom", error_msg="secret-x"), "custom returned no credentials", ADVICE),
        (TimeoutError(), "no credentials were received in time", ADVICE),
        (refusal(403, "Access Denied!"), "AccessDenied", ADVICE),
        (refusal(403, "z" * 61), "z" * 60, ADVICE),
        (FileNotFoundError(2, "No such file or directory", "/aws"), "/aws: No such file or directory", ADVICE),
        (OSError("x"), "OSError in AWS_* variables, or in the files or programs that they name", ADVICE),
        (UnicodeError(), "a key contains a space, a line break or another character that keys never have", ADVICE),
        (exceptions.InvalidRegionError(region_name="a b"), "Provided region_name 'a b' doesn't match a supported format", "check source.region or --region."),
        (exceptions.UnauthorizedSSOTokenError(), "The SSO session associated with this profile has expired or is otherwise invalid. To refresh this SSO session run aws sso login with the corresponding profile", "log in again (aws sso login), or set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="x.:\nsecond line"), "Error when retrieving token from sso: x", "log in again (aws sso login), or set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        (exceptions.ProfileNotFound(profile="p" * 300), f"The config profile ({'p' * 180}", ADVICE),
    ],
)  # fmt: skip
def test_unusable_settings(error, reason, advice):
    assert (
        unusable_settings(error, HOST)
        == f"{HOST} cannot be accessed with the settings of the environment ({reason}); {advice}"
    )


def test_secrets_are_not_repeated(monkeypatch):
    """Values with at least four characters; replacing shorter ones would change words."""
    values = {
        "AWS_SECRET_ACCESS_KEY": "abcd", "AWS_SESSION_TOKEN": "tok", "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "fghij",
        "AWS_PROFILE": "shown", "MY_KEY": "other", "AWS_ACCESS_KEY_ID": "klmn",
    }  # fmt: skip
    monkeypatch.setattr("os.environ", values)
    assert unusable_settings(exceptions.ProfileNotFound(profile=" ".join(values.values())), HOST) == (
        f"{HOST} cannot be accessed with the settings of the environment (The config profile (... tok ... shown other ...) "
        f"could not be found); {ADVICE}"
    )


def test_keys_that_are_valid_in_a_header():
    check_credentials(["!~aZ09+/=", None, ""])
    for bad in ("a b", "a\n", "ä", "\x7f"):
        with pytest.raises(UnicodeError):
            check_credentials(["good", bad])


def test_the_region_of_a_bucket_elsewhere_is_not_requested_repeatedly():
    class Http:
        def __init__(self, status, headers):
            self.status_code, self.headers = status, headers

    for response in (None, (None, {}), (Http(301, HERE), {}), (Http(200, {}), {}), (Http(404, {}), {})):
        refuse_redirect(response, operation="x")
    for status in (301, 302, 303, 307, 308):
        with pytest.raises(ClientError) as error:
            refuse_redirect(response=(Http(status, {}), {"ResponseMetadata": {"HTTPStatusCode": status}}))
        assert (
            str(store_error(error.value, LABEL, HOST))
            == f"{LABEL}: {HOST} redirects elsewhere ({status}), {ELSEWHERE}"
        )
