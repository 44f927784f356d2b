"""The configuration, checked and filled in; bad values end in one sentence."""

import difflib
import os
import subprocess
import sys

from snakemake.utils import validate
from snakemake.settings.types import DeploymentMethod
from snakemake_interface_executor_plugins.settings import ExecMode, SharedFSUsage

# keys of source that a kind cannot do without
NEEDED = {"s3": ("bucket", "level"), "stac": ("catalogue", "level")}


def check_config():
    """Fill in the defaults; refuse what the schema does not know, in one sentence."""
    if isinstance(config.get("period"), dict):
        # YAML turns an unquoted 2016-01-01 into a date
        config["period"] = {key: str(value) for key, value in config["period"].items()}
    try:
        validate(config, "../schemas/config.schema.yaml")
    except WorkflowError as error:
        raise WorkflowError(config_sentence(error.__context__)) from None
    fill_in_kind()


def fill_in_kind():
    """What null becomes depends on the kind of source: the sample brings tables and weather of its own."""
    source, weather = config["source"], config["weather"]
    sample = source["kind"] == "sample"
    if sample:
        source["path"] = source["path"] or "data/sample"
        weather["path"] = weather["path"] or f"{source['path']}/weather.csv"
    elif source["kind"] == "local" and source["path"] is None:
        raise WorkflowError(
            "source.path is null; set it to the folder of your .SAFE products. See config/README.md."
        )
    table = "config/sample/products.tsv" if sample else "results/products.tsv"
    config["products"] = config["products"] or table


def check_source():
    """Refuse a source without what its kind needs."""
    source = config["source"]
    if source["kind"] in NEEDED:
        for key in NEEDED[source["kind"]]:
            if source[key] is None:
                raise WorkflowError(
                    f"source.{key} is not set, but source.kind {source['kind']} needs it; see config/README.md."
                )
        if source["requester_pays"] and source["access"] == "storage":
            raise WorkflowError(
                "source.requester_pays cannot go with source.access storage, whose requests do not say who pays; set "
                "source.access: stream."
            )


def check_weather():
    """Refuse a file for one quantity where no weather is asked for."""
    for quantity in ("precipitation", "temperature"):
        if config["weather"][quantity]["path"] and not config["weather"]["path"]:
            raise WorkflowError(
                f"weather.{quantity}.path is set but weather.path is null, which means no weather; set weather.path too."
            )


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
    """Refuse an engine that is not here, and what SNAP cannot do, before the first job instead of in each."""
    scene = config["scene"]
    engine = scene["engine"]
    if engine == "rasterio":
        return
    refused = snap_refuses(scene)
    if refused:
        raise WorkflowError(f"{refused} or set scene.engine: rasterio.")
    if SharedFSUsage.SOURCES not in workflow.storage_settings.shared_fs_usage:
        raise WorkflowError(
            f"scene.engine {engine}: the nodes do not share the disk of this machine and bring no SNAP; set scene.engine: "
            "rasterio."
        )
    # a job need not look again what the main process has seen
    if workflow.remote_exec or workflow.exec_mode != ExecMode.DEFAULT:
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


def snap_refuses(scene):
    """The sentence for what rasterio does and SNAP does not, up to the way out; None when there is nothing."""
    for key in ("upsampling", "downsampling"):
        if not isinstance(scene[key], str):
            return f"scene.{key} names methods per band, but scene.engine {scene['engine']} takes one for all; name one,"
    _, _, width, height = scene["region"] or (0, 0, *[109_800 // scene["resolution"]] * 2)
    # SNAP 14 and later adds two masks to each band, and all are written with 16 bits
    if width * height * len(scene["bands"]) * 3 * 2 >= 2**32:
        return (
            f"scene.bands names {len(scene['bands'])} bands, for which SNAP might write more than the 4 GiB of a "
            "GeoTIFF; name fewer, set scene.region"
        )
    return None


def config_sentence(error):
    """What the schema refused, and the key that was meant, if one is close."""
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    what = error.message
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = sorted(str(key) for key in error.instance if key not in known)[0]
        close = difflib.get_close_matches(unknown, known, 1)
        what = f"{unknown!r} is not a key" + (
            f", did you mean {close[0]!r}?" if close else f" (known: {known})."
        )
    return f"{where}: {what} See config/README.md."
