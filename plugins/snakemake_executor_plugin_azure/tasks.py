"""What a Batch task is given, which everyone with access to the account can read, and the user it runs as."""

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

# nodes are small and fetch their input: Batch ends a task after this many times the runtime of its rules
RUNTIME_FACTOR = 4
# names and addresses; none of them grants access
ALLOWED = (
    "SNAKEMAKE_STORAGE_AZURE_ACCOUNT_NAME",
    "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL",
    "SNAKEMAKE_STORAGE_S3_REGION",
)


def allowed_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that a task may be given, out of those that Snakemake would send."""
    return {name: value for name, value in variables.items() if name in ALLOWED}


def refusal(names: Iterable[str]) -> str | None:
    """Say which of these environment variables must not be given to tasks; None when all may be."""
    forbidden = sorted(set(names) - set(ALLOWED))
    if not forbidden:
        return None
    return (
        f"--envvars: {', '.join(forbidden)} would be readable by everyone with access to the Batch account; only "
        f"{', '.join(ALLOWED)} are passed to tasks. Assign a role to the identity of the pool instead, or run the "
        "rules that need them on this machine (run.local_rules in the configuration)."
    )


def repair_task(task: TaskAddParameter, minutes: int) -> None:
    """Set what upstream sets wrong in a task.

    Upstream runs tasks as administrator, which is root in the container. Batch runs the container as the task's user,
    so tasks work in the image's working directory, which every user may write to. A task that hangs would run, and
    cost money, for ever.

    Parameters
    ----------
    task : TaskAddParameter
        The result of upstream's `build.batch_task`.
    minutes : int
        The runtime of its rules.
    """
    limit = timedelta(minutes=RUNTIME_FACTOR * minutes)
    task.constraints = TaskConstraints(max_wall_clock_time=limit, max_task_retry_count=0)
    task.user_identity = UserIdentity(
        auto_user=AutoUserSpecification(scope=AutoUserScope.task, elevation_level=ElevationLevel.non_admin)
    )
    task.container_settings.working_directory = ContainerWorkingDirectory.container_image_default
