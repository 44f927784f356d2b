"""Read the configuration: defaults are filled in, and an invalid value ends the run with one sentence."""

import os
import sys

from snakemake.utils import validate
from snakemake.settings.types import DeploymentMethod
from snakemake_interface_executor_plugins.settings import ExecMode, SharedFSUsage

CONFIGURATION = from_library("planning.configuration")
PATHS = from_library("planning.paths")
NODES = from_library("planning.nodes")


def translate_errors(function, *arguments, **options):
    """Call a function of the library; its errors become WorkflowErrors, of which Snakemake prints the sentence alone."""
    try:
        return function(*arguments, **options)
    except CONFIGURATION.TigerbushError as error:
        raise WorkflowError(str(error)) from None


def is_main_process():
    """Tell whether the user started this process; the processes of jobs need not repeat its checks."""
    return not workflow.remote_exec and workflow.exec_mode == ExecMode.DEFAULT


def check_config():
    """Fill in the defaults and refuse invalid values, in one sentence."""
    if is_main_process():
        check_folders(is_submitting())
    translate_errors(CONFIGURATION.prepare, config)
    try:
        validate(config, "../schemas/config.schema.yaml")
    except WorkflowError as error:
        raise WorkflowError(CONFIGURATION.schema_sentence(error.__context__)) from None
    translate_errors(CONFIGURATION.resolve, config)
    if is_main_process():
        translate_errors(PATHS.check_table_of_sites, config)


def in_conda():
    """Tell whether jobs run in a conda environment, which has its own Python."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def check_folders(submitted):
    """Refuse a working directory whose name would break the commands of jobs."""
    translate_errors(
        PATHS.check_folders, os.getcwd(), str(workflow.main_snakefile), sys.executable, submitted
    )


def is_submitting():
    """Tell whether jobs are submitted to nodes that share this file system, as far as known before the executor is."""
    usage = workflow.storage_settings.shared_fs_usage
    partly_shared = SharedFSUsage.SOURCES in usage and usage != SharedFSUsage.all()
    return partly_shared and workflow.resource_settings.nodes is not None


def on_nodes():
    """Tell whether jobs are sent to nodes that do not share this file system; False in the jobs themselves."""
    return not (workflow.remote_exec or SharedFSUsage.SOURCES in workflow.storage_settings.shared_fs_usage)


def check_nodes():
    """Refuse paths that nodes cannot reach, and engines that are not installed."""
    if on_nodes():
        translate_errors(NODES.check_nodes, config)
    if is_main_process():
        worker = source("scripts/tigerbush/scenes/snap_worker.py")
        translate_errors(
            NODES.check_engine, config["scene"]["engine"], worker, on_nodes=on_nodes(), in_conda=in_conda()
        )
