"""No key, token or password where others read it: command lines, configurations, tables, and what travels to nodes.

Only the main process looks; its jobs get what has passed.
"""

import base64
import os
import re
import subprocess
import sys
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

from snakemake.executors import local as local_executor
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
from snakemake_interface_executor_plugins.settings import ExecMode, SharedFSUsage
from snakemake_interface_storage_plugins.registry import StoragePluginRegistry

# What comes before the host of a URL, and keys and signatures of storage accounts. Behind the colon of a host only a port
# may follow, so that a password with a slash is seen, too; the digest of an image, docker://name@sha256:..., is none.
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
ENVIRONMENTS = ("AWS_", "AZURE_", "SNAKEMAKE_", "TIGERBUSH_")


# For `run:` and `shadow:` Snakemake starts itself with the keys of storage plugins on the command line; they are inherited.
local_executor.common_settings.pass_envvar_declarations_to_cmd = False


def gives_away(text):
    """Whether a text holds a credential; nearly none holds what each of them needs."""
    return ("@" in text or "=" in text) and CREDENTIAL.search(text) is not None


def texts_of(value, where):
    """Each text within lists and dictionaries, a key before its value, and the name of its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield where, str(key)
            yield from texts_of(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from texts_of(inner, f"{where}.{number}")
    elif isinstance(value, str):
        yield where, value


def refuse_credentials(value, where):
    """Refuse user:password@ in a URL and signatures of storage accounts; the sentence never shows what it found."""
    for place, text in texts_of(value, where):
        if gives_away(text):
            raise WorkflowError(
                f"{place or 'the configuration'} holds a user, password, key or signature in a URL, which everyone sees who "
                "reads a configuration, log or result; take it out, and give keys by the environment (docs/sources.md)."
            )


@lru_cache(maxsize=1)
def secret_values():
    """The secrets of the environment by the names of their variables; a path is none."""
    # Snakemake's plugins take TAG::VALUE, too
    values = {
        name: value.rpartition("::")[2]
        for name, value in os.environ.items()
        if SECRET.search(name) and not os.path.exists(value)
    }
    return {name: value for name, value in values.items() if len(value) >= SHORTEST}


def decoded(text):
    """A command line with what Snakemake encodes in it."""
    parts = re.findall(r"base64//([A-Za-z0-9+/]+=*)", text)
    return " ".join([text, *(base64.b64decode(part).decode("utf-8", "replace") for part in parts)])


def refuse_values(text, where):
    """Refuse the value of a secret in what command lines and logs show."""
    text = decoded(text)
    named = [name for name, value in secret_values().items() if value in text] + ASSIGNMENT.findall(text)
    if named:
        raise WorkflowError(
            f"{where} would show the value of {named[0]} to others; take it out, set {named[0]} in the environment, and "
            "renew what was shown."
        )
    refuse_credentials(text, where)


def secret_options():
    """The options of plugins that take a secret, and their environment variables."""
    for registry in (StoragePluginRegistry(), ExecutorPluginRegistry()):
        for plugin in map(registry.get_plugin, registry.get_registered_plugins()):
            for field in fields(plugin.settings_cls) if plugin.settings_cls else ():
                if SECRET.search(field.name):
                    yield plugin.get_cli_arg(field.name), plugin.get_envvar(field.name)


def given_openly(option, variable):
    return WorkflowError(
        f"{option} was given on the command line or in a profile, where others can read it; set {variable} in the "
        "environment instead, and renew what was shown."
    )


def refuse_settings(plugin, settings):
    """Refuse a secret of a plugin that does not come from its environment variable, and addresses with a password."""
    for field in fields(settings):
        value, option = getattr(settings, field.name), plugin.get_cli_arg(field.name)
        if not SECRET.search(field.name):
            refuse_credentials(value, option)
        elif value and str(value) not in os.environ.get(plugin.get_envvar(field.name), ""):
            raise given_openly(option, plugin.get_envvar(field.name))


def refuse_secrets_in_settings():
    """Refuse what Snakemake was started with: options of storage plugins, resources, endpoints of the environment."""
    for name, tagged in workflow.storage_provider_settings.items():
        for settings in tagged:
            refuse_settings(StoragePluginRegistry().get_plugin(name), settings)
    resources = workflow.resource_settings.default_resources
    refuse_values(" ".join(resources.args if resources else []), "the resources of jobs")
    refuse_values(
        " ".join(workflow.spawned_job_args_factory.get_set_resources_args()), "the resources of jobs"
    )
    refuse_credentials(workflow.storage_settings.default_storage_prefix, "--default-storage-prefix")
    for name, value in os.environ.items():
        if name.startswith(ENVIRONMENTS) and not SECRET.search(name):
            refuse_credentials(value, name)


def refuse_secrets_in_words(words):
    """Refuse a command line with a secret: every user of a machine can read it, and Snakemake's log has it, too."""
    names = [word.partition("=")[0] for word in words if re.match("--[a-z]", word)]
    for option, variable in secret_options():
        # Snakemake takes the beginning of an option
        if any(option.startswith(name) for name in names):
            raise given_openly(option, variable)
    for word in words:
        refuse_values(word, "the command line")


def refuse_secrets_in_sources():
    """Refuse files that travel to the nodes, through a blob that others can read, with a secret in them."""
    options = "|".join(option.removeprefix("--") for option, _ in secret_options())
    option = re.compile(rf"^\s*['\"]?({options})['\"]?\s*[:=]", re.MULTILINE)
    tracked = subprocess.run(["git", "ls-files", "-z", "."], capture_output=True).stdout
    for path in [*tracked.decode(errors="replace").split("\0"), *map(str, workflow.configfiles)]:
        if not os.path.isfile(path):
            continue
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        named = [name for name, value in secret_values().items() if value in text]
        if path.endswith((".yaml", ".yml")):
            named += option.findall(text)
        if named:
            raise WorkflowError(
                f"{path} holds {named[0]}, and travels to the nodes by a blob that others can read; take it out, give it "
                "by the environment, and renew it."
            )


def refuse_secrets_for_jobs():
    """Refuse what would stand in the command line of every job, once all options of the run are known."""
    plugin, factory = workflow.executor_plugin, workflow.spawned_job_args_factory
    if plugin.settings_cls is not None:
        refuse_settings(plugin, workflow.executor_settings)
    precommand = workflow.remote_execution_settings.precommand or ""
    for text in (precommand, factory.general_args(plugin.common_settings)):
        refuse_values(text, "the command line of each job")
    # the jobs of upstream's slurm print their whole environment then
    if plugin.name == "slurm" and workflow.output_settings.verbose and secret_values():
        raise WorkflowError(
            f"with --verbose, executor slurm writes {', '.join(secret_values())} into the log of each job; use executor "
            "slurm-batch, or leave --verbose."
        )


def check_secrets():
    """Refuse secrets that others could read, before anything is made or printed."""
    if workflow.exec_mode != ExecMode.DEFAULT:
        return
    for place, text in texts_of(config, ""):
        refuse_values(text, place or "the configuration")
    refuse_secrets_in_settings()
    refuse_secrets_in_words(sys.argv[1:])
    if SharedFSUsage.SOURCES not in workflow.storage_settings.shared_fs_usage:
        refuse_secrets_in_sources()
