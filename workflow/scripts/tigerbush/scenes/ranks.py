"""Make the scenes of many products, and their masks, with the ranks of one MPI job.

Every rank takes its share of the products and calls the functions that the rules `resample_scene` and `mask_scene` call
for one product.
An error of a product results in a placeholder or a line in the report, and never ends the rank. Scenes are written
atomically: when a rank is lost, which ends the whole job, the next attempt makes only the missing ones.
"""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tigerbush.errors import KeptError, TigerbushError
from tigerbush.files import read_json, write_json
from tigerbush.raster import GDAL_ERRORS, REASON, STATUS, read_tags
from tigerbush.scenes.engines import make_scene
from tigerbush.scenes.mask import SceneMaskOptions, make_mask
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits

log = logging.getLogger(__name__)

# status of a product that may succeed in the next attempt
TRANSIENT = "transient"
# status of a product that failed but has a finished scene
KEPT = "kept"


@dataclass(frozen=True)
class Task:
    """What ranks make of each product.

    Attributes
    ----------
    folder : Path
        In which they write; it is different for other parameters.
    make : callable
        Writes one file: takes the product's path, the file and the product's name.
    """

    folder: Path
    make: Callable[[Path, Path, str], None]


def scene_part(folder: Path, product: str) -> Path:
    """Return the path of the scene that a rank writes for a product."""
    return Path(folder) / f"{product}.tif"


def unfinished_products(products: Mapping[str, str], folder: Path) -> list[str]:
    """Return the products without a finished scene that is newer than the product itself, sorted.

    Parameters
    ----------
    products : mapping of name to path
        Product folders or zips.
    folder : Path
        Folder in which the ranks write; it is different for other parameters.
    """
    return [
        name
        for name, path in sorted(products.items())
        if not _is_finished(Path(path), scene_part(folder, name))
    ]


def forget_replaced(folder: Path, versions: Mapping[str, tuple[str, str]]) -> None:
    """Delete the scenes that ranks have made of products that were replaced since.

    Parameters
    ----------
    folder : Path
        Folder in which the ranks write; it also has a record of the versions of the products.
    versions : mapping of product to (str, str)
        `first_etag` and `etag` of products.tsv. Scenes without a record were made of the first one.
    """
    record = folder / "versions.json"
    known = read_json(record) if record.exists() else {}
    for product, (first, version) in versions.items():
        if known.get(product, first) != version:
            scene_part(folder, product).unlink(missing_ok=True)
    write_json(record, {product: version for product, (_, version) in versions.items()})


def _is_finished(product: Path, part: Path) -> bool:
    try:
        # a failed product is tried again
        return read_tags(part)[STATUS] != "failed" and part.stat().st_mtime_ns > product.stat().st_mtime_ns
    except (*GDAL_ERRORS, OSError, KeyError):
        return False


def process_products(
    names: Sequence[str], products: Mapping[str, str], task: Task
) -> dict[str, dict[str, str]]:
    """Make a file of each product, one after another; an error of one does not stop the others.

    Returns
    -------
    dict of product to {status, reason}
        `status` is ok, outside, failed, kept when the product failed but has a finished scene, or transient when the
        next attempt may succeed.
    """
    return {name: _process_product(name, Path(products[name]), task) for name in names}


def _process_product(name: str, path: Path, task: Task) -> dict[str, str]:
    part = scene_part(task.folder, name)
    try:
        task.make(path, part, name)
    except KeptError as error:
        return {"status": KEPT, "reason": error.reason}
    except OSError as error:
        return {"status": TRANSIENT, "reason": " ".join(str(error).split())}
    except Exception as error:
        # a bug, or a problem with the machine: reported at the end, when the other products are done
        log.exception("%s:", name)
        return {"status": TRANSIENT, "reason": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return outcome(part)


def outcome(part: Path) -> dict[str, str]:
    """Return status and reason of an existing scene."""
    tags = read_tags(part)
    return {"status": tags[STATUS], "reason": tags.get(REASON, "")}


def tasks_of(order: Mapping[str, Any]) -> dict[str, Task]:
    """Return the tasks of a job: `scenes`, and `masks` if they are wanted.

    Parameters
    ----------
    order : mapping
        As for `run_rank`.
    """
    options, last_attempt = SceneOptions(**order["scene"]), order["last_attempt"]
    limits = Limits(order["threads"], order["memory_mb"])
    records = Path(order["records"]) if order.get("records") else None

    def scene(path: Path, part: Path, name: str) -> None:
        make_scene(path, part, name, options, limits=limits, last_attempt=last_attempt, records=records)

    tasks = {"scenes": Task(Path(order["folder"]), scene)}
    if wanted := order.get("masks"):
        masks = SceneMaskOptions.of(wanted["mask"])

        def mask(path: Path, part: Path, name: str) -> None:
            make_mask(path, part, name, masks, last_attempt=last_attempt, records=records)

        tasks["masks"] = Task(Path(wanted["folder"]), mask)
    return tasks


def run_rank(job: Path) -> dict[str, dict[str, dict[str, str]]] | None:
    """Process this rank's share of a job; return the outcomes in rank 0, None in other ranks.

    Parameters
    ----------
    job : Path
        JSON with `products`, `folder`, `scene`, `threads` and `memory_mb` of a rank, `last_attempt`, and `records`: the
        folder of records of verified files, or an empty text; optionally `masks` with the `folder` of masks and their
        parameters `mask`.

    Returns
    -------
    dict or None
        For `scenes`, and `masks` if there are any: the outcome of every product.
    """
    # imported here because importing it starts MPI
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    order = read_json(job)
    products, tasks = order["products"], tasks_of(order)
    remaining = None
    if comm.rank == 0:
        # only one rank decides, so that shares never overlap
        remaining = {kind: unfinished_products(products, task.folder) for kind, task in tasks.items()}
        for kind, task in tasks.items():
            for leftover in task.folder.glob(".*.tif"):
                # the incomplete file of a lost rank
                leftover.unlink()
            log.info("%d of %d %s to make, by %d ranks", len(remaining[kind]), len(products), kind, comm.size)
    remaining = comm.bcast(remaining)
    # the scene and the mask of a product are made by one rank, if both are missing
    shares = comm.gather(
        {
            kind: process_products(names[comm.rank :: comm.size], products, tasks[kind])
            for kind, names in remaining.items()
        }
    )
    if shares is None:
        return None
    outcomes = {}
    for kind, task in tasks.items():
        finished = products.keys() - set(remaining[kind])
        outcomes[kind] = {name: outcome(scene_part(task.folder, name)) for name in finished}
        for share in shares:
            outcomes[kind] |= share[kind]
    return {kind: dict(sorted(results.items())) for kind, results in outcomes.items()}


def check_outcomes(outcomes: Mapping[str, Mapping[str, str]]) -> None:
    """Log every failure of a product; raise an exception when the next attempt may succeed.

    Raises
    ------
    TigerbushError
        When products failed with errors that may be temporary.
    """
    for name, result in outcomes.items():
        if result["reason"]:
            log.error("%s: %s: %s", name, result["status"], result["reason"])
    transient = [name for name, result in outcomes.items() if result["status"] == TRANSIENT]
    if transient:
        raise TigerbushError(
            f"{len(transient)} of {len(outcomes)} products failed with errors that may be temporary, the first "
            f"{transient[0]} ({outcomes[transient[0]]['reason']}); the others are finished: run again to process only "
            "these."
        )


def start_command(
    launcher: Sequence[str], ranks: int, rank_script: Path, job: Path, report: Path
) -> list[str]:
    """Return the command that starts the ranks, as a list, which no shell interprets."""
    # when one rank fails, mpi4py's own runner ends all of them, instead of leaving the others waiting
    return [
        *launcher,
        "-n",
        str(ranks),
        sys.executable,
        "-m",
        "mpi4py",
        *map(str, (rank_script, job, report)),
    ]
