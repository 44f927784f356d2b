"""Checks before the first job: whether nodes have everything they need, and whether the engine is installed."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.planning.source import in_object_store

# rules that read from an object store
FETCHING_RULES = ("stream_product", "download_product")


def refuse_fetching_on_nodes(subject: str, source: Mapping, local_rules: Collection[str]) -> None:
    """Refuse rules on nodes that would need the keys of an object store.

    Parameters
    ----------
    subject : str
        What needs the keys; the subject of the sentence.
    source : mapping
        The keys of `source` in the configuration.
    local_rules : collection of str
        Rules that do not run on nodes.

    Raises
    ------
    TigerbushError
    """
    if set(FETCHING_RULES) - set(local_rules) and not source["anonymous"]:
        raise TigerbushError(
            f"{subject} needs keys, and nodes get none: everyone with access to the Batch account could read them. Set "
            "run.local_rules: [stream_product, download_product], or source.anonymous: true for a public bucket."
        )


def refuse_product_on_nodes(
    product: str, files: Iterable[Mapping[str, str]], source: Mapping, local_rules: Collection[str]
) -> None:
    """Refuse nodes that would have to fetch a product from an object store without keys.

    Parameters
    ----------
    product : str
    files : iterable of rows of files.tsv
        Of the product; files on web servers need no keys.
    source : mapping
        The keys of `source` in the configuration.
    local_rules : collection of str
        Rules that do not run on nodes.

    Raises
    ------
    TigerbushError
    """
    if in_object_store(files):
        refuse_fetching_on_nodes(f"{product}, which is in an object store,", source, local_rules)


def check_nodes(config: Mapping) -> None:
    """Refuse a configuration with files that nodes without the disk of this machine would not find.

    Files that git tracks are sent to them.

    Raises
    ------
    TigerbushError
    """
    source, sites = config["source"], config["sites"]
    if source["kind"] == "s3":
        refuse_fetching_on_nodes("source.kind s3", source, config["run"]["local_rules"])
    if source["kind"] == "local" and source["access"] == "stream":
        raise TigerbushError(
            f"source.path {source['path']} cannot be read from the nodes; set source.access: storage, which "
            "copies products to the storage first."
        )
    if sites is None:
        return
    if Path(sites).is_absolute():
        raise TigerbushError(
            f"sites: the nodes have no {sites}; write the path from the folder in which the workflow starts."
        )
    command = ["git", "ls-files", "--error-unmatch", "--", sites]
    tracked = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if tracked.returncode:
        raise TigerbushError(
            f"sites: {sites} would not be sent to the nodes, because git does not track it; run "
            f"'git add --force {sites}' in the repository where the workflow starts."
        )


def check_engine(engine: str, worker: Path, *, on_nodes: bool, in_conda: bool) -> None:
    """Refuse an engine that is not installed, before the first job rather than in every job.

    Parameters
    ----------
    engine : {"rasterio", "snap", "gpt"}
    worker : Path
        The program that starts SNAP.
    on_nodes : bool
        Whether jobs run on nodes without the disk of this machine.
    in_conda : bool
        Whether they run in an environment created by conda.

    Raises
    ------
    TigerbushError
    """
    if engine == "rasterio":
        return
    if on_nodes:
        raise TigerbushError(
            f"scene.engine {engine}: the nodes do not share the disk of this machine and have no SNAP; set "
            "scene.engine: rasterio."
        )
    if in_conda:
        home = os.environ.get("SNAP_HOME")
        if engine == "snap" and not (home and Path(home).is_dir()):
            raise TigerbushError(
                "scene.engine snap: the environment created by conda needs SNAP; set SNAP_HOME to its folder."
            )
        return
    command = [sys.executable, "-P", str(worker), "check", engine]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    if done.returncode:
        lines = (done.stdout or done.stderr or "no message").strip().splitlines()
        raise TigerbushError(f"scene.engine {engine}: {lines[-1]}")
