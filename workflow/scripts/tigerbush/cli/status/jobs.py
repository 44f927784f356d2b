"""Print every job of a workflow as a line of JSON: a program that takes the arguments of snakemake.

Snakemake's own table (`--detailed-summary`) lists the inputs of finished jobs only. This program makes Snakemake print
its plan instead, job by job; nothing else in Snakemake is changed, and nothing is run or locked.
"""

import json
import sys
from collections.abc import AsyncIterator

from snakemake.cli import main
from snakemake.dag import DAG
from snakemake.jobs import Job


def name_of(file: object) -> str:
    """Return the path of a file on disk, or its address in remote storage."""
    return file.storage_object.query if file.is_storage else str(file)


def windows_of(job: Job) -> list[tuple[str, str]]:
    """Return site and product of the windows that a job measures in memory."""
    if job.rule.name != "measure_batch":
        return []
    return [(site, product) for site, products in job.params.products.items() for product in products]


async def job_lines(dag: DAG, detailed: bool = False) -> AsyncIterator[str]:
    """Yield the jobs; replaces `DAG.summary`."""
    for job in dag.jobs:
        missing = [file for file in job.output if not await file.exists()]
        yield json.dumps(
            {
                # those of batches are named after their script and their batch
                "rule": job.rule.name.partition("_of_")[0],
                "inputs": [name_of(file) for file in job.input],
                "outputs": [name_of(file) for file in job.output],
                "pending": bool(dag.reason(job)),
                "missing": bool(missing),
                "windows": windows_of(job),
            }
        )


if __name__ == "__main__":
    DAG.summary = job_lines
    main(["--summary", *sys.argv[1:]])
