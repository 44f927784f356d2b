"""The configuration, checked and filled in; bad values end in one sentence."""

import difflib
import subprocess

from snakemake.utils import validate
from snakemake_interface_executor_plugins.settings import SharedFSUsage

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


def check_cloud():
    """Refuse what nodes without the disk of this machine would not find; what git tracks travels to them."""
    if workflow.remote_exec or SharedFSUsage.SOURCES in workflow.storage_settings.shared_fs_usage:
        return
    source, sites = config["source"], config["sites"]
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
