"""Corrections to the pool that upstream requests from Azure Resource Manager."""

from datetime import timedelta
from urllib.parse import urlsplit

from azure.mgmt.batch.models import (
    AutoScaleSettings,
    ComputeNodeIdentityReference,
    FixedScaleSettings,
    NodeCommunicationMode,
    Pool,
    ScaleSettings,
)

# the shortest interval at which Batch evaluates a formula
INTERVAL = timedelta(minutes=5)
# One node at first, then as many as the pending tasks need: the sampling pattern of Batch's own documentation.
FORMULA = """\
known = $PendingTasks.GetSamplePercent(180 * TimeInterval_Second);
tasks = known < 70 ? 1 : avg($PendingTasks.GetSample(180 * TimeInterval_Second));
{target} = min({most}, (tasks + {rest}) / {slots});
$NodeDeallocationOption = taskcompletion;"""


def repair_pool(parameters: Pool, settings: object) -> None:
    """Set what upstream sets wrong in a pool, or does not set.

    Parameters
    ----------
    parameters : Pool
        The result of upstream's `build.batch_pool_params`.
    settings : ExecutorSettings
    """
    # Classic communication was retired on 2026-03-31
    parameters.target_node_communication_mode = NodeCommunicationMode(
        (settings.node_communication_mode or "simplified").capitalize()
    )
    parameters.scale_settings = scale_settings(settings)
    containers = parameters.deployment_configuration.virtual_machine_configuration.container_configuration
    for registry in containers.container_registries or []:
        if registry.identity_reference is not None:
            # upstream sends the string "None" for both
            registry.user_name = registry.password = None
    allow_start_script(parameters)


def allow_start_script(parameters: Pool) -> None:
    """Let the pool's identity read a start script from Blob storage; upstream needs a signed URL."""
    if parameters.start_task is None or parameters.identity is None:
        return
    [resource] = parameters.identity.user_assigned_identities
    for file in parameters.start_task.resource_files:
        if (urlsplit(file.http_url).hostname or "").endswith(".blob.core.windows.net"):
            file.identity_reference = ComputeNodeIdentityReference(resource_id=resource)


def scale_settings(settings: object) -> ScaleSettings:
    """Return a fixed size or an autoscale formula, for dedicated or spot nodes (in the API: low priority)."""
    count = settings.pool_node_count
    if settings.autoscale:
        formula = FORMULA.format(
            target="$TargetLowPriorityNodes" if settings.spot else "$TargetDedicatedNodes",
            most=count,
            slots=settings.tasks_per_node,
            rest=settings.tasks_per_node - 1,
        )
        return ScaleSettings(auto_scale=AutoScaleSettings(formula=formula, evaluation_interval=INTERVAL))
    dedicated, spot = node_counts(settings)
    return ScaleSettings(
        fixed_scale=FixedScaleSettings(target_dedicated_nodes=dedicated, target_low_priority_nodes=spot)
    )


def node_counts(settings: object) -> tuple[int, int]:
    """Return the numbers of dedicated and spot nodes of a pool of fixed size."""
    count = settings.pool_node_count
    return (0, count) if settings.spot else (count, 0)
