"""The configuration, checked and filled in; bad values end in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

from snakemake.utils import validate
from snakemake.settings.types import DeploymentMethod
from snakemake_interface_executor_plugins.settings import ExecMode, SharedFSUsage


CONFIGURATION = from_library("planning.configuration")
POLYGON = from_library("polygon")


def refusing(function, *arguments):
    """What a function returns; what it refuses is an error of the workflow, in one sentence."""
    try:
        return function(*arguments)
    except CONFIGURATION.RefusedError as error:
        raise WorkflowError(str(error)) from None


def is_main_process():
    """Whether this is what the user started; a job need not look again at what that has seen."""
    return not workflow.remote_exec and workflow.exec_mode == ExecMode.DEFAULT


def check_depth():
    """Refuse what aliases of YAML make endless, before anything walks through it."""
    refusing(CONFIGURATION.check_depth, config)


def check_config():
    """Fill in the defaults; refuse what cannot be used, in one sentence."""
    if is_main_process():
        check_folders(is_submitting())
    refusing(CONFIGURATION.prepare, config)
    try:
        validate(config, "../schemas/config.schema.yaml")
    except WorkflowError as error:
        raise WorkflowError(CONFIGURATION.schema_sentence(error.__context__)) from None
    refusing(CONFIGURATION.complete, config, POLYGON.read_polygon)
    if is_main_process():
        refusing(CONFIGURATION.check_table_of_sites, config)


def check_folders(submitted):
    """Refuse a working folder whose name jobs would not take as it is."""
    # an environment of conda brings a Python of its own
    own = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    python = "" if own and not submitted else sys.executable
    places = os.getcwd(), str(workflow.main_snakefile), python
    refusing(CONFIGURATION.check_folders, *places, submitted)


def is_submitting():
    """Whether jobs are submitted and find the folders of this machine, as far as that is known before the executor."""
    usage = workflow.storage_settings.shared_fs_usage
    some = SharedFSUsage.SOURCES in usage and usage != SharedFSUsage.all()
    return some and workflow.resource_settings.nodes is not None


def check_files(sites):
    """Refuse tables and weather that would block for ever."""
    if is_main_process():
        refusing(CONFIGURATION.check_files, config, sites)


def read_periods(start, end, step):
    """Date (middle day) to (start, end) of each period."""
    return refusing(CONFIGURATION.read_periods, start, end, step)


def keyless(rule):
    """Whether a rule runs on nodes, which get no keys of an object store."""
    shared = SharedFSUsage.SOURCES in workflow.storage_settings.shared_fs_usage
    return not (workflow.remote_exec or shared or rule in config["run"]["local_rules"])


def refuse_keyless(what):
    """Refuse nodes that would need a key of an object store."""
    needing = [rule for rule in ("stream_product", "download_product") if keyless(rule)]
    if needing and not config["source"]["anonymous"]:
        raise WorkflowError(
            f"{what} needs keys, and nodes get none: everyone with access to the Batch account could read them. Set "
            "run.local_rules: [stream_product, download_product], or source.anonymous: true for a public bucket."
        )


def check_cloud():
    """Refuse what nodes without the disk of this machine would not find; what git tracks travels to them."""
    if workflow.remote_exec or SharedFSUsage.SOURCES in workflow.storage_settings.shared_fs_usage:
        return
    source, sites = config["source"], config["sites"]
    if source["kind"] == "s3":
        refuse_keyless("source.kind s3")
    if source["kind"] == "local" and source["access"] == "stream":
        raise WorkflowError(
            f"the nodes do not see source.path {source['path']}; set source.access: storage, which copies products to the "
            "storage first."
        )
    tracked = subprocess.run(["git", "ls-files", "--error-unmatch", "--", sites], capture_output=True)
    if tracked.returncode:
        raise WorkflowError(
            f"sites: {sites} would not reach the nodes, because git does not track it; run 'git add --force {sites}' in "
            "the repository where the workflow starts."
        )


def check_engine(worker):
    """Refuse an engine that is not here before the first job instead of in each."""
    engine = config["scene"]["engine"]
    if engine == "rasterio":
        return
    if SharedFSUsage.SOURCES not in workflow.storage_settings.shared_fs_usage:
        raise WorkflowError(
            f"scene.engine {engine}: the nodes do not share the disk of this machine and bring no SNAP; set scene.engine: "
            "rasterio."
        )
    if not is_main_process():
        return
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        if engine == "snap" and not os.path.isdir(os.environ.get("SNAP_HOME", "")):
            raise WorkflowError(
                "scene.engine snap: the environment that conda makes needs SNAP; set SNAP_HOME to its folder."
            )
        return
    done = subprocess.run(
        [sys.executable, "-P", worker, "check", engine], capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        lines = (done.stdout or done.stderr or "no message").strip().splitlines()
        raise WorkflowError(f"scene.engine {engine}: {lines[-1]}")
