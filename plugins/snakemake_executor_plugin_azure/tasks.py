"""What goes to a Batch task, which everyone with access to the account can read, and as whom it runs."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from azure.batch.models import (
    AutoUserScope,
    AutoUserSpecification,
    ContainerWorkingDirectory,
    ElevationLevel,
    TaskAddParameter,
    TaskConstraints,
    UserIdentity,
)

# nodes are small, and fetch their files: a task may take so many times the runtime of its rules before Batch ends it
RUNTIMES = 4
# names and addresses; none of them opens anything
ALLOWED = (
    "SNAKEMAKE_STORAGE_AZURE_ACCOUNT_NAME",
    "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL",
    "SNAKEMAKE_STORAGE_S3_REGION",
)


def public(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that may go to a task; whatever else Snakemake would send stays here."""
    return {name: value for name, value in variables.items() if name in ALLOWED}


def refused(names: Iterable[str]) -> str | None:
    """Say which of the variables that tasks are to be given may not go to them; None when all may."""
    kept = sorted(set(names) - set(ALLOWED))
    if not kept:
        return None
    return (
        f"--envvars: {', '.join(kept)} would be readable by everyone with access to the Batch account; only "
        f"{', '.join(ALLOWED)} go to tasks. Give the identity of the pool a role instead, or run the rules that need "
        "them here (run.local_rules of the configuration)."
    )


def repair(task: TaskAddParameter, minutes: int) -> None:
    """Set in a task what upstream sets wrong.

    Upstream runs tasks as administrator, which is root in the container. Batch gives the container the task's user, so
    that tasks work in the image's working directory, where every user may write. A task that hangs would run, and cost
    money, without end.

    Parameters
    ----------
    task : TaskAddParameter
        What `build.batch_task` of upstream made.
    minutes : int
        The runtime of its rules.
    """
    limit = timedelta(minutes=RUNTIMES * minutes)
    task.constraints = TaskConstraints(max_wall_clock_time=limit, max_task_retry_count=0)
    task.user_identity = UserIdentity(
        auto_user=AutoUserSpecification(scope=AutoUserScope.task, elevation_level=ElevationLevel.non_admin)
    )
    task.container_settings.working_directory = ContainerWorkingDirectory.container_image_default
