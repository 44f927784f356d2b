"""Resample bands of all products, and write their masks, with the ranks of one MPI job; list the outcome of each."""

import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.files import read_json, write_json
from tigerbush.job import job_log, results_folder
from tigerbush.scenes.ranks import check_outcomes, forget_replaced, start_command
from tigerbush.verification import records_folder

RANK = "resample_scenes_rank.py"


def masks_wanted(params: Any) -> dict | None:
    """Return parameters and folder of the masks; None when there are to be none."""
    mask = params.get("mask")
    return mask and {"mask": mask, "folder": params.mask_folder}


def main(
    manifest: Path,
    log: Path,
    scripts: Path,
    *,
    order: dict,
    versions: dict[str, tuple[str, str]],
    launcher: list[str],
    ranks: int,
) -> None:
    masks = order["masks"]
    for written in [order["folder"], *([masks["folder"]] if masks else [])]:
        forget_replaced(Path(written), versions)
    # beside the manifest: nodes share the results, not their folders of temporary files
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".job-", dir=manifest.parent) as folder:
        job, report = Path(folder) / "job.json", Path(folder) / "report.json"
        write_json(job, order)
        with log.open("ab") as messages:
            completed = subprocess.run(  # noqa: S603 - no shell, and nothing from outside but the launcher
                start_command(launcher, ranks, scripts / RANK, job.absolute(), report.absolute()),
                stdout=messages,
                stderr=messages,
                check=False,
            )
        if completed.returncode or not report.exists():
            raise TigerbushError(
                f"the MPI job ended with exit code {completed.returncode}: a rank or its node was lost, or "
                f"{launcher[0]} could not start {ranks} ranks (see {log}); finished scenes are kept, run again."
            )
        outcomes = read_json(report)
    for kind in outcomes:
        check_outcomes(outcomes[kind])
    folders = {"mask_folder": masks["folder"]} if masks else {}
    write_json(manifest, {"folder": order["folder"]} | folders | outcomes)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output[0]),
            Path(snakemake.log[0]),
            Path(snakemake.scriptdir),
            order={
                "products": snakemake.params.products,
                "folder": snakemake.params.folder,
                "scene": snakemake.params.scene,
                "masks": masks_wanted(snakemake.params),
                "threads": snakemake.threads,
                # memory of one rank: all may be on one node
                "memory_mb": snakemake.resources.mem_mb // snakemake.resources.tasks,
                "last_attempt": snakemake.resources.attempt > snakemake.params.retries,
                # copies were verified when they were made
                "records": ""
                if snakemake.input
                else str(
                    records_folder(snakemake.config["source"], results_folder(snakemake.output.fingerprint))
                    or ""
                ),
            },
            versions=snakemake.params.versions,
            launcher=shlex.split(snakemake.resources.mpi),
            ranks=snakemake.resources.tasks,
        )
