"""The configuration, checked and filled in; bad values end in one sentence."""

import os
import sys

from snakemake.utils import validate
from snakemake.settings.types import DeploymentMethod
from snakemake_interface_executor_plugins.settings import ExecMode, SharedFSUsage

CONFIGURATION = from_library("planning.configuration")
PLACES = from_library("planning.places")
NODES = from_library("planning.nodes")


def refusing(function, *arguments, **options):
    """What a function returns; what it refuses is an error of the workflow, in one sentence."""
    try:
        return function(*arguments, **options)
    except CONFIGURATION.TigerbushError as error:
        raise WorkflowError(str(error)) from None


def is_main_process():
    """Whether this is what the user started; a job need not look again at what that has seen."""
    return not workflow.remote_exec and workflow.exec_mode == ExecMode.DEFAULT


def check_config():
    """Fill in the defaults; refuse what cannot be used, in one sentence."""
    if is_main_process():
        check_folders(is_submitting())
    refusing(CONFIGURATION.prepare, config)
    try:
        validate(config, "../schemas/config.schema.yaml")
    except WorkflowError as error:
        raise WorkflowError(CONFIGURATION.schema_sentence(error.__context__)) from None
    refusing(CONFIGURATION.complete, config)
    if is_main_process():
        refusing(PLACES.check_table_of_sites, config)


def in_conda():
    """Whether jobs run in an environment of conda, which brings a Python of its own."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def check_folders(submitted):
    """Refuse a working folder whose name jobs would not take as it is."""
    refusing(PLACES.check_folders, os.getcwd(), str(workflow.main_snakefile), sys.executable, submitted)


def is_submitting():
    """Whether jobs are submitted and find the folders of this machine, as far as that is known before the executor."""
    usage = workflow.storage_settings.shared_fs_usage
    some = SharedFSUsage.SOURCES in usage and usage != SharedFSUsage.all()
    return some and workflow.resource_settings.nodes is not None


def on_nodes():
    """Whether jobs go to nodes without the disk of this machine, seen from here."""
    return not (workflow.remote_exec or SharedFSUsage.SOURCES in workflow.storage_settings.shared_fs_usage)


def check_nodes():
    """Refuse what nodes would not find, and engines that are not here."""
    if on_nodes():
        refusing(NODES.check_nodes, config)
    if is_main_process():
        worker = source("scripts/tigerbush/scenes/snap_worker.py")
        refusing(
            NODES.check_engine, config["scene"]["engine"], worker, on_nodes=on_nodes(), in_conda=in_conda()
        )
