"""Keys and passwords that stand where others read them, as rules/secrets.smk has it."""

import re

from tigerbush.errors import TigerbushError

CREDENTIAL = re.compile(
    r"^[^\s/:@]+:(?!//)[^\s@]+@(?!sha256:)[\w.-]|"
    r"//(?:[^\s/?#]*@(?!sha256:)|[^\s/?#:@\[]*:(?![0-9]{0,5}(?:[/?#'\"\s]|$))\S*@(?!sha256:))|"
    r"[?&](?:sig|signature|x-amz-signature|x-amz-security-token|access_token)=|"
    r"\b(?:accountkey|sharedaccesskey|sharedaccesssignature)=",
    re.IGNORECASE,
)


def refuse_credentials(value: object, where: str) -> None:
    """Refuse user:password@ in a URL and signatures of storage accounts, in texts, lists and dictionaries.

    Raises
    ------
    TigerbushError
        Naming the place, never what it found.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            refuse_credentials(str(key), where)
            refuse_credentials(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            refuse_credentials(inner, f"{where}.{number}")
    elif isinstance(value, str) and CREDENTIAL.search(value):
        raise TigerbushError(
            f"{where or 'the configuration'} holds a user, password, key or signature in a URL, which everyone sees "
            "who reads a configuration, log or result; take it out, and give keys by the environment (docs/sources.md)."
        )
