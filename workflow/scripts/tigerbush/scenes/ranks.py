"""Scenes of many products by the ranks of one MPI job.

Every rank takes its share of the products and calls the function that the rule `resample_scene` calls for one. Trouble
with a product is a placeholder or a line in the report, never the end of the rank. Scenes are renamed into place when
they are whole, so that after the loss of a rank, which ends the whole job, the next attempt makes only what is missing.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tigerbush.errors import KeptError, TigerbushError
from tigerbush.files import read_json
from tigerbush.raster import GDAL_ERRORS, REASON, STATUS, read_tags
from tigerbush.scenes.engines import make_scene
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits

log = logging.getLogger(__name__)

# what ranks report of a product that may succeed in the next attempt
TRANSIENT = "transient"
# and of one that failed though its scene is finished
KEPT = "kept"


def scene_part(folder: Path, product: str) -> Path:
    """Return the file that a rank writes for a product."""
    return Path(folder) / f"{product}.tif"


def unfinished_products(products: Mapping[str, str], folder: Path) -> list[str]:
    """Return the products without a finished scene that is younger than the product itself, sorted.

    Parameters
    ----------
    products : mapping of name to path
        Product folders or zips.
    folder : Path
        Where the ranks write; other parameters have another folder.
    """
    return [
        name for name, path in sorted(products.items()) if not _finished(Path(path), scene_part(folder, name))
    ]


def _finished(product: Path, part: Path) -> bool:
    try:
        # a failed one is tried again
        return read_tags(part)[STATUS] != "failed" and part.stat().st_mtime_ns > product.stat().st_mtime_ns
    except (*GDAL_ERRORS, OSError, KeyError):
        return False


def process_products(
    names: Sequence[str],
    products: Mapping[str, str],
    folder: Path,
    options: SceneOptions,
    *,
    limits: Limits,
    last_attempt: bool,
) -> dict[str, dict[str, str]]:
    """Make the scenes of some products, one after another; no trouble with one keeps the others from their turn.

    Returns
    -------
    dict of product to {status, reason}
        `status` is ok, outside, failed, kept when the product failed and a finished scene stays, or transient when the
        next attempt may succeed.
    """
    return {name: _one(name, Path(products[name]), folder, options, limits, last_attempt) for name in names}


def _one(
    name: str, path: Path, folder: Path, options: SceneOptions, limits: Limits, last_attempt: bool
) -> dict[str, str]:
    part = scene_part(folder, name)
    try:
        make_scene(path, part, name, options, limits=limits, last_attempt=last_attempt)
    except KeptError as error:
        return {"status": KEPT, "reason": error.reason}
    except OSError as error:
        return {"status": TRANSIENT, "reason": " ".join(str(error).split())}
    except Exception as error:
        # a defect, or trouble of the machine: raised in the end, when the others have had their turn
        log.exception("%s:", name)
        return {"status": TRANSIENT, "reason": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return outcome(part)


def outcome(part: Path) -> dict[str, str]:
    """Return status and reason of a scene that is there."""
    tags = read_tags(part)
    return {"status": tags[STATUS], "reason": tags.get(REASON, "")}


def run_rank(job: Path) -> dict[str, dict[str, str]] | None:
    """Do this rank's share of a job; in rank 0 return what became of every product, else None.

    Parameters
    ----------
    job : Path
        JSON with `products`, `folder`, `scene`, `threads` and `memory_mb` of a rank, and `last_attempt`.
    """
    # here, because importing it starts MPI
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    order = read_json(job)
    folder = Path(order["folder"])
    names = None
    if comm.rank == 0:
        # it alone decides, so that shares never overlap
        names = unfinished_products(order["products"], folder)
        for left in folder.glob(".*.tif"):
            # half a scene of a rank that was lost
            left.unlink()
        log.info("%d of %d scenes to make, by %d ranks", len(names), len(order["products"]), comm.size)
    names = comm.bcast(names)
    mine = process_products(
        names[comm.rank :: comm.size],
        order["products"],
        folder,
        SceneOptions(**order["scene"]),
        limits=Limits(order["threads"], order["memory_mb"]),
        last_attempt=order["last_attempt"],
    )
    shares = comm.gather(mine)
    if shares is None:
        return None
    done = {name: outcome(scene_part(folder, name)) for name in order["products"] if name not in names}
    return dict(sorted({**done, **{name: one for share in shares for name, one in share.items()}}.items()))


def check_outcomes(outcomes: Mapping[str, Mapping[str, str]]) -> None:
    """Log every failure of a product; raise when the next attempt may mend some.

    Raises
    ------
    TigerbushError
        When the trouble of some products may pass.
    """
    for name, one in outcomes.items():
        if one["reason"]:
            log.error("%s: %s: %s", name, one["status"], one["reason"])
    again = [name for name, one in outcomes.items() if one["status"] == TRANSIENT]
    if again:
        raise TigerbushError(
            f"{len(again)} of {len(outcomes)} products met trouble that may pass, the first {again[0]} "
            f"({outcomes[again[0]]['reason']}); the others are finished: run again, and only these are made."
        )


def start_command(
    launcher: Sequence[str], ranks: int, rank_script: Path, job: Path, report: Path
) -> list[str]:
    """Return the command that starts the ranks, as a list: nothing of it passes through a shell."""
    # mpi4py's own runner ends all ranks when one fails, instead of leaving the others waiting
    return [
        *launcher,
        "-n",
        str(ranks),
        sys.executable,
        "-m",
        "mpi4py",
        *map(str, (rank_script, job, report)),
    ]
