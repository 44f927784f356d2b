"""What is refused before the first job: nodes that would miss something, and engines that are not here."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.planning.source import in_store

# rules that ask an object store
FETCHING = ("stream_product", "download_product")


def refuse_keyless(what: str, source: Mapping, local_rules: Collection[str]) -> None:
    """Refuse nodes that would need a key of an object store.

    Parameters
    ----------
    what : str
        Needs it; begins the sentence.
    source : mapping
        The keys of `source` in the configuration.
    local_rules : collection of str
        Rules that do not run on nodes.

    Raises
    ------
    TigerbushError
    """
    if set(FETCHING) - set(local_rules) and not source["anonymous"]:
        raise TigerbushError(
            f"{what} needs keys, and nodes get none: everyone with access to the Batch account could read them. Set "
            "run.local_rules: [stream_product, download_product], or source.anonymous: true for a public bucket."
        )


def refuse_stored(
    product: str, files: Iterable[Mapping[str, str]], source: Mapping, local_rules: Collection[str]
) -> None:
    """Refuse nodes that would fetch a product from an object store without a key.

    Parameters
    ----------
    product : str
    files : iterable of rows of files.tsv
        Of the product; what lies on a web server needs no key.
    source : mapping
        The keys of `source` in the configuration.
    local_rules : collection of str
        Rules that do not run on nodes.

    Raises
    ------
    TigerbushError
    """
    if in_store(files):
        refuse_keyless(f"{product}, which lies in an object store,", source, local_rules)


def check_nodes(config: Mapping) -> None:
    """Refuse what nodes without the disk of this machine would not find; what git tracks travels to them.

    Raises
    ------
    TigerbushError
    """
    source, sites = config["source"], config["sites"]
    if source["kind"] == "s3":
        refuse_keyless("source.kind s3", source, config["run"]["local_rules"])
    if source["kind"] == "local" and source["access"] == "stream":
        raise TigerbushError(
            f"the nodes do not see source.path {source['path']}; set source.access: storage, which copies products to "
            "the storage first."
        )
    command = ["git", "ls-files", "--error-unmatch", "--", sites]
    tracked = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if tracked.returncode:
        raise TigerbushError(
            f"sites: {sites} would not reach the nodes, because git does not track it; run 'git add --force {sites}' "
            "in the repository where the workflow starts."
        )


def check_engine(engine: str, worker: Path, *, on_nodes: bool, in_conda: bool) -> None:
    """Refuse an engine that is not here before the first job instead of in each.

    Parameters
    ----------
    engine : {"rasterio", "snap", "gpt"}
    worker : Path
        The program that starts SNAP.
    on_nodes : bool
        Whether jobs run where the disk of this machine is not seen.
    in_conda : bool
        Whether they run in an environment that conda makes.

    Raises
    ------
    TigerbushError
    """
    if engine == "rasterio":
        return
    if on_nodes:
        raise TigerbushError(
            f"scene.engine {engine}: the nodes do not share the disk of this machine and bring no SNAP; set "
            "scene.engine: rasterio."
        )
    if in_conda:
        home = os.environ.get("SNAP_HOME")
        if engine == "snap" and not (home and Path(home).is_dir()):
            raise TigerbushError(
                "scene.engine snap: the environment that conda makes needs SNAP; set SNAP_HOME to its folder."
            )
        return
    command = [sys.executable, "-P", str(worker), "check", engine]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    if done.returncode:
        lines = (done.stdout or done.stderr or "no message").strip().splitlines()
        raise TigerbushError(f"scene.engine {engine}: {lines[-1]}")
