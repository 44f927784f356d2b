"""The end of a run that fails: its last line is a sentence of this workflow, which says what to do."""

import traceback
from pathlib import Path

import snakemake.exceptions


@wrap_method(snakemake.exceptions, "format_exception_to_string")
def end_with_sentence(original, error, linemaps=None):
    """Leave out what Snakemake prints after our sentence, or end with the first failure of a run's jobs."""
    text = original(error, linemaps)
    if jobs := failed_jobs():
        sentence = from_library("runs.failures").failure_sentence(jobs)
        return f"{type(error).__name__}:\n{sentence}"
    for cause in causes(error):
        if is_of_workflow(cause, linemaps or {}) and str(cause) in text:
            return text.partition(str(cause))[0] + str(cause)
    return text


def failed_jobs():
    """Return the jobs of this workflow that failed, in the order of their first failures; none in the process of a job."""
    if not (workflow.is_main_process and workflow.persistence):
        return []
    failed_job = from_library("runs.failures").FailedJob
    return [
        failed_job(job.rule.name, dict(job.wildcards.items()), next(map(Path, job.log), None))
        for job in vars(workflow.persistence).get("failed", ())
    ]


def causes(error):
    """Yield an exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_of_workflow(error, linemaps):
    """Tell whether an error was raised by a file of this workflow, not by Snakemake."""
    frames = traceback.extract_tb(error.__traceback__)
    file = frames[-1].filename if frames else ""
    return isinstance(error, WorkflowError) and (file in linemaps or Path(file).is_relative_to(SCRIPTS))
