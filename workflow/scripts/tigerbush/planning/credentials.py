"""No keys, tokens or passwords where others can read them: configurations, tables, command lines, files for nodes."""

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from tigerbush.errors import TigerbushError

# Credentials before the host of a URL, and keys and signatures of storage accounts. Only a port may follow the colon of
# a host, so that a password with a slash is recognised, too; the digest of an image, docker://name@sha256:..., is not a
# credential.
CREDENTIAL = re.compile(
    r"^[^\s/:@]+:(?!//)[^\s@]+@(?!sha256:)[\w.-]|"
    r"//(?:[^\s/?#]*@(?!sha256:)|[^\s/?#:@\[]*:(?![0-9]{0,5}(?:[/?#'\"\s]|$))\S*@(?!sha256:))|"
    r"[?&](?:sig|signature|x-amz-signature|x-amz-security-token|access_token)=|"
    r"\b(?:accountkey|sharedaccesskey|sharedaccesssignature)=",
    re.IGNORECASE,
)
# ends of names of secrets
_END = r"(?:KEY|KEY_ID|SECRET|TOKEN|PASS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|CONNECTION_STRING|SAS)"
SECRET = re.compile(rf"{_END}$", re.IGNORECASE)
# a secret in a shell assignment; a reference to another variable is not one
ASSIGNMENT = re.compile(rf"\b([A-Z][A-Z0-9_]*{_END}|{_END})=['\"]*[^\s$'\",]")
# shorter values occur anywhere by chance
MIN_LENGTH = 8
_ENVIRONMENTS = ("AWS_", "AZURE_", "SNAKEMAKE_", "TIGERBUSH_")


def reveals_secret(text: str) -> bool:
    """Whether a text contains a credential; a quick test rules out most texts."""
    return ("@" in text or "=" in text) and CREDENTIAL.search(text) is not None


def texts_in(value: object, where: str) -> Iterator[tuple[str, str]]:
    """Yield the path and value of each text in lists and dictionaries; a key comes before its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield where, str(key)
            yield from texts_in(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from texts_in(inner, f"{where}.{number}")
    elif isinstance(value, str):
        yield where, value


def refuse_credentials(value: object, where: str) -> None:
    """Refuse user:password@ in a URL and signatures of storage accounts, in texts, lists and dictionaries.

    Raises
    ------
    TigerbushError
        Names the place, never the credential.
    """
    for place, text in texts_in(value, where):
        if reveals_secret(text):
            raise TigerbushError(
                f"{place or 'the configuration'} contains a user, password, key or signature in a URL, which everyone "
                "can see who reads a configuration, log or result; remove it, and set keys in the environment "
                "(docs/sources.md)."
            )


def refuse_environment(environment: Mapping[str, str]) -> None:
    """Refuse credentials in the URLs that the environment gives to a run.

    Raises
    ------
    TigerbushError
    """
    for name, value in environment.items():
        if name.startswith(_ENVIRONMENTS) and not SECRET.search(name):
            refuse_credentials(value, name)


def secret_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets of an environment by the names of their variables; paths are not secrets."""
    # Snakemake's plugins also accept TAG::VALUE
    values = {
        name: value.rpartition("::")[2]
        for name, value in environment.items()
        if SECRET.search(name) and not os.path.exists(value)  # noqa: PTH110 - of any text
    }
    return {name: value for name, value in values.items() if len(value) >= MIN_LENGTH}


def decode_base64_parts(text: str) -> str:
    """Return a command line, followed by the parts of it that Snakemake has encoded."""
    parts = re.findall(r"base64//([A-Za-z0-9+/]+=*)", text)
    return " ".join([text, *(base64.b64decode(part).decode("utf-8", "replace") for part in parts)])


def refuse_secrets(text: str, where: str, secrets: Mapping[str, str]) -> None:
    """Refuse secrets in a text that command lines and logs show.

    Parameters
    ----------
    text : str
    where : str
        Where the text is; the subject of the sentence.
    secrets : mapping
        What `secret_values` returns.

    Raises
    ------
    TigerbushError
    """
    text = decode_base64_parts(text)
    names = [name for name, value in secrets.items() if value in text] + ASSIGNMENT.findall(text)
    if names:
        raise TigerbushError(
            f"{where} would show the value of {names[0]} to others; remove it, set {names[0]} in the environment, and "
            "replace the exposed secret."
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


def refuse_command_line(
    words: Iterable[str], options: Iterable[tuple[str, str]], secrets: Mapping[str, str]
) -> None:
    """Refuse a command line with a secret: all users of the machine can read it, and Snakemake logs it.

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
        # Snakemake accepts abbreviated options
        if any(option.startswith(name) for name in names):
            raise _exposed_option(option, variable)
    for word in words:
        refuse_secrets(word, "the command line", secrets)


def refuse_plugin_settings(plugin: object, settings: object, environment: Mapping[str, str]) -> None:
    """Refuse a secret of a plugin that is not from its environment variable, and URLs with a password.

    Parameters
    ----------
    plugin : plugin of Snakemake
    settings : dataclass
        The settings of the plugin.
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
            raise _exposed_option(option, plugin.get_envvar(field.name))


def _exposed_option(option: str, variable: str) -> TigerbushError:
    return TigerbushError(
        f"{option} was given on the command line or in a profile, where others can read it; set {variable} in the "
        "environment instead, and replace the exposed secret."
    )


def refuse_files(
    paths: Iterable[str], options: Iterable[tuple[str, str]], secrets: Mapping[str, str]
) -> None:
    """Refuse files with a secret in them: they are sent to the nodes in a blob that others can read.

    Parameters
    ----------
    paths : iterable of str
        Anything but files is ignored.
    options : iterable of (str, str)
        What `secret_options` returns; YAML files must not contain them as keys.
    secrets : mapping
        What `secret_values` returns.

    Raises
    ------
    TigerbushError
    """
    keys = "|".join(option.removeprefix("--") for option, _ in options)
    option_key = re.compile(rf"^\s*['\"]?({keys})['\"]?\s*[:=]", re.MULTILINE)
    for path in filter(os.path.isfile, paths):
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        names = [name for name, value in secrets.items() if value in text]
        if path.endswith((".yaml", ".yml")):
            names += option_key.findall(text)
        if names:
            raise TigerbushError(
                f"{path} contains {names[0]}, and is sent to the nodes in a blob that others can read; remove it, set "
                "it in the environment, and replace the exposed secret."
            )
