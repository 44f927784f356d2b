"""The end of a run that fails: its last line is a sentence of this workflow, which says what to do."""

import traceback
from pathlib import Path

import snakemake.exceptions
from snakemake.api import SnakemakeApi
from snakemake.logging import logger

# all that Snakemake says at the end of a run with failed jobs
JOBS_FAILED = "At least one job did not complete successfully."
ADVICE = (
    "The run ended with the error of Snakemake above. With the same options, ./tigerbush doctor checks what a run depends "
    "on, and ./tigerbush status says what to do after a run that was killed."
)


@wrap_method(snakemake.exceptions, "format_exception_to_string")
def end_with_sentence(original, error, linemaps=None):
    """Put the first failure of a run in place of Snakemake's last line, and leave out what it adds to our sentences."""
    text = original(error, linemaps)
    if sentence := final_sentence(error):
        return text.replace(JOBS_FAILED, sentence).partition(sentence)[0] + sentence
    return text


@wrap_method(SnakemakeApi, "print_exception")
def end_with_advice(original, api, error):
    """After any other error that ended a run, say where to look."""
    original(api, error)
    if workflow.is_main_process and final_sentence(error) is None:
        logger.error(ADVICE)


def final_sentence(error):
    """Return the sentence of this workflow for an error; None for an error of Snakemake's own."""
    jobs = failed_jobs() if str(error) == JOBS_FAILED else None
    if jobs:
        return from_library("runs.failures").failure_sentence(jobs)
    return next((str(cause) for cause in causes(error) if is_of_workflow(cause)), None)


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


def is_of_workflow(error):
    """Tell whether an error was raised by a file of this workflow, not by Snakemake."""
    frames = traceback.extract_tb(error.__traceback__)
    file = frames[-1].filename if frames else ""
    return isinstance(error, WorkflowError) and (
        file in workflow.linemaps or Path(file).is_relative_to(SCRIPTS)
    )
