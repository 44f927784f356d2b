"""No key, token or password where others read it: configurations, tables, command lines, and what travels to nodes."""

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from tigerbush.errors import TigerbushError

# What comes before the host of a URL, and keys and signatures of storage accounts. Behind the colon of a host only a
# port may follow, so that a password with a slash is seen, too; the digest of an image, docker://name@sha256:..., is
# none.
CREDENTIAL = re.compile(
    r"^[^\s/:@]+:(?!//)[^\s@]+@(?!sha256:)[\w.-]|"
    r"//(?:[^\s/?#]*@(?!sha256:)|[^\s/?#:@\[]*:(?![0-9]{0,5}(?:[/?#'\"\s]|$))\S*@(?!sha256:))|"
    r"[?&](?:sig|signature|x-amz-signature|x-amz-security-token|access_token)=|"
    r"\b(?:accountkey|sharedaccesskey|sharedaccesssignature)=",
    re.IGNORECASE,
)
# the end of a name whose value is nobody else's business
_END = r"(?:KEY|KEY_ID|SECRET|TOKEN|PASS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|CONNECTION_STRING|SAS)"
SECRET = re.compile(rf"{_END}$", re.IGNORECASE)
# a secret that is written where a shell sets a variable; a reference to another variable is none
ASSIGNMENT = re.compile(rf"\b([A-Z][A-Z0-9_]*{_END}|{_END})=['\"]*[^\s$'\",]")
# shorter values stand anywhere by chance
SHORTEST = 8
_ENVIRONMENTS = ("AWS_", "AZURE_", "SNAKEMAKE_", "TIGERBUSH_")


def reveals_secret(text: str) -> bool:
    """Tell whether a text holds a credential; nearly none holds what each of them needs."""
    return ("@" in text or "=" in text) and CREDENTIAL.search(text) is not None


def texts_of(value: object, where: str) -> Iterator[tuple[str, str]]:
    """Yield the place of each text within lists and dictionaries, and the text; a key comes before its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield where, str(key)
            yield from texts_of(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from texts_of(inner, f"{where}.{number}")
    elif isinstance(value, str):
        yield where, value


def refuse_credentials(value: object, where: str) -> None:
    """Refuse user:password@ in a URL and signatures of storage accounts, in texts, lists and dictionaries.

    Raises
    ------
    TigerbushError
        Naming the place, never what it found.
    """
    for place, text in texts_of(value, where):
        if reveals_secret(text):
            raise TigerbushError(
                f"{place or 'the configuration'} holds a user, password, key or signature in a URL, which "
                "everyone sees who reads a configuration, log or result; take it out, and give keys by the environment "
                "(docs/sources.md)."
            )


def refuse_addresses(environment: Mapping[str, str]) -> None:
    """Refuse credentials in the addresses that the environment gives to a run.

    Raises
    ------
    TigerbushError
    """
    for name, value in environment.items():
        if name.startswith(_ENVIRONMENTS) and not SECRET.search(name):
            refuse_credentials(value, name)


def secret_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets of an environment by the names of their variables; a path is none."""
    # Snakemake's plugins take TAG::VALUE, too
    values = {
        name: value.rpartition("::")[2]
        for name, value in environment.items()
        if SECRET.search(name) and not os.path.exists(value)  # noqa: PTH110 - of any text
    }
    return {name: value for name, value in values.items() if len(value) >= SHORTEST}


def decoded(text: str) -> str:
    """Return a command line with what Snakemake encodes in it."""
    parts = re.findall(r"base64//([A-Za-z0-9+/]+=*)", text)
    return " ".join([text, *(base64.b64decode(part).decode("utf-8", "replace") for part in parts)])


def refuse_values(text: str, where: str, secrets: Mapping[str, str]) -> None:
    """Refuse the value of a secret in what command lines and logs show.

    Parameters
    ----------
    text : str
    where : str
        Names the place in the sentence.
    secrets : mapping
        What `secret_values` returns.

    Raises
    ------
    TigerbushError
    """
    text = decoded(text)
    named = [name for name, value in secrets.items() if value in text] + ASSIGNMENT.findall(text)
    if named:
        raise TigerbushError(
            f"{where} would show the value of {named[0]} to others; take it out, set {named[0]} in the environment, "
            "and renew what was shown."
        )
    refuse_credentials(text, where)


def secret_options(plugins: Iterable) -> list[tuple[str, str]]:
    """Return the options of Snakemake's plugins that take a secret, each with its environment variable."""
    return [
        (plugin.get_cli_arg(field.name), plugin.get_envvar(field.name))
        for plugin in plugins
        for field in (fields(plugin.settings_cls) if plugin.settings_cls else ())
        if SECRET.search(field.name)
    ]


def refuse_words(
    words: Iterable[str], options: Iterable[tuple[str, str]], secrets: Mapping[str, str]
) -> None:
    """Refuse a command line with a secret: every user of a machine can read it, and Snakemake's log has it, too.

    Parameters
    ----------
    words : iterable of str
    options : iterable of (str, str)
        What `secret_options` returns.
    secrets : mapping
        What `secret_values` returns.

    Raises
    ------
    TigerbushError
    """
    words = list(words)
    names = [word.partition("=")[0] for word in words if re.match("--[a-z]", word)]
    for option, variable in options:
        # Snakemake takes the beginning of an option
        if any(option.startswith(name) for name in names):
            raise _given_openly(option, variable)
    for word in words:
        refuse_values(word, "the command line", secrets)


def refuse_settings(plugin: object, settings: object, environment: Mapping[str, str]) -> None:
    """Refuse a secret of a plugin that does not come from its environment variable, and addresses with a password.

    Parameters
    ----------
    plugin : plugin of Snakemake
    settings : dataclass
        What the plugin was given.
    environment : mapping

    Raises
    ------
    TigerbushError
    """
    for field in fields(settings):
        value, option = getattr(settings, field.name), plugin.get_cli_arg(field.name)
        if not SECRET.search(field.name):
            refuse_credentials(value, option)
        elif value and str(value) not in environment.get(plugin.get_envvar(field.name), ""):
            raise _given_openly(option, plugin.get_envvar(field.name))


def _given_openly(option: str, variable: str) -> TigerbushError:
    return TigerbushError(
        f"{option} was given on the command line or in a profile, where others can read it; set {variable} in the "
        "environment instead, and renew what was shown."
    )


def refuse_in_files(
    paths: Iterable[str], options: Iterable[tuple[str, str]], secrets: Mapping[str, str]
) -> None:
    """Refuse files that travel to the nodes, through a blob that others can read, with a secret in them.

    Parameters
    ----------
    paths : iterable of str
        What is no file is passed over.
    options : iterable of (str, str)
        What `secret_options` returns: no key of a YAML file is one of them.
    secrets : mapping
        What `secret_values` returns.

    Raises
    ------
    TigerbushError
    """
    names = "|".join(option.removeprefix("--") for option, _ in options)
    option = re.compile(rf"^\s*['\"]?({names})['\"]?\s*[:=]", re.MULTILINE)
    for path in filter(os.path.isfile, paths):
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        named = [name for name, value in secrets.items() if value in text]
        if path.endswith((".yaml", ".yml")):
            named += option.findall(text)
        if named:
            raise TigerbushError(
                f"{path} holds {named[0]}, and travels to the nodes by a blob that others can read; take it out, give "
                "it by the environment, and renew it."
            )
