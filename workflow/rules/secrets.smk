"""Keep keys, tokens and passwords out of command lines, configurations and the files sent to nodes.

Only the main process checks; its jobs are given what has passed.
"""

import os
import subprocess
import sys
from functools import cache

from snakemake.executors import local as local_executor
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
from snakemake_interface_executor_plugins.settings import ExecMode, SharedFSUsage
from snakemake_interface_storage_plugins.registry import StoragePluginRegistry

CREDENTIALS = from_library("planning.credentials")

# For `run:` and `shadow:` Snakemake starts itself with the keys of storage plugins on the command line; the environment
# hands them on anyway.
local_executor.common_settings.pass_envvar_declarations_to_cmd = False


@cache
def secret_values():
    return CREDENTIALS.secret_values(os.environ)


@cache
def secret_options():
    registries = StoragePluginRegistry(), ExecutorPluginRegistry()
    return CREDENTIALS.secret_options(
        plugin
        for registry in registries
        for plugin in map(registry.get_plugin, registry.get_registered_plugins())
    )


def refuse_secrets_in_settings():
    """Refuse secrets in the options of storage plugins, in resources, and in endpoints given by the environment."""
    for name, tagged in workflow.storage_provider_settings.items():
        for settings in tagged:
            CREDENTIALS.refuse_plugin_settings(StoragePluginRegistry().get_plugin(name), settings, os.environ)
    resources = workflow.resource_settings.default_resources
    for text in (
        " ".join(resources.args if resources else []),
        " ".join(workflow.spawned_job_args_factory.get_set_resources_args()),
    ):
        CREDENTIALS.refuse_secrets(text, "the resources of jobs", secret_values())
    CREDENTIALS.refuse_credentials(
        workflow.storage_settings.default_storage_prefix, "--default-storage-prefix"
    )
    CREDENTIALS.refuse_environment(os.environ)


def refuse_secrets_in_sources():
    """Refuse files with a secret in them that would be sent to the nodes."""
    tracked = subprocess.run(["git", "ls-files", "-z", "."], capture_output=True).stdout
    paths = [*tracked.decode(errors="replace").split("\0"), *map(str, workflow.configfiles)]
    CREDENTIALS.refuse_files(paths, secret_options(), secret_values())


def refuse_secrets_for_jobs():
    """Refuse secrets in the command line of jobs, once all options of the run are known."""
    plugin, factory = workflow.executor_plugin, workflow.spawned_job_args_factory
    if plugin.settings_cls is not None:
        translate_errors(CREDENTIALS.refuse_plugin_settings, plugin, workflow.executor_settings, os.environ)
    precommand = workflow.remote_execution_settings.precommand or ""
    for text in (precommand, factory.general_args(plugin.common_settings)):
        translate_errors(CREDENTIALS.refuse_secrets, text, "the command line of each job", secret_values())
    # with --verbose, jobs of the official SLURM executor print their whole environment
    if plugin.name == "slurm" and workflow.output_settings.verbose and secret_values():
        raise WorkflowError(
            f"with --verbose, executor slurm writes {', '.join(secret_values())} into the log of each job; use executor "
            "slurm-batch, or leave out --verbose."
        )


def refuse_secrets():
    for place, text in CREDENTIALS.texts_in(config, ""):
        CREDENTIALS.refuse_secrets(text, place or "the configuration", secret_values())
    refuse_secrets_in_settings()
    CREDENTIALS.refuse_command_line(sys.argv[1:], secret_options(), secret_values())
    if SharedFSUsage.SOURCES not in workflow.storage_settings.shared_fs_usage:
        refuse_secrets_in_sources()


def check_secrets():
    """Refuse secrets that others could read, before anything is written or printed."""
    if workflow.exec_mode == ExecMode.DEFAULT:
        translate_errors(refuse_secrets)
