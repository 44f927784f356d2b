"""Repairs of the pool that upstream asks Azure Resource Manager for."""

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

# Batch evaluates formulas no more often
INTERVAL = timedelta(minutes=5)
# One node at once, then as many as wait for one, as the documentation of Batch scales.
FORMULA = """\
known = $PendingTasks.GetSamplePercent(180 * TimeInterval_Second);
tasks = known < 70 ? 1 : avg($PendingTasks.GetSample(180 * TimeInterval_Second));
{target} = min({most}, (tasks + {rest}) / {slots});
$NodeDeallocationOption = taskcompletion;"""


def repair(parameters: Pool, settings: object) -> None:
    """Set in a pool what upstream sets wrong, or does not know.

    Parameters
    ----------
    parameters : Pool
        What `build.batch_pool_params` of upstream made.
    settings : ExecutorSettings
    """
    # Classic communication was retired on 2026-03-31
    parameters.target_node_communication_mode = NodeCommunicationMode(
        (settings.node_communication_mode or "simplified").capitalize()
    )
    parameters.scale_settings = scale(settings)
    containers = parameters.deployment_configuration.virtual_machine_configuration.container_configuration
    for registry in containers.container_registries or []:
        if registry.identity_reference is not None:
            # upstream sends the text "None" for both
            registry.user_name = registry.password = None
    read_start_script(parameters)


def read_start_script(parameters: Pool) -> None:
    """Let the identity of the pool read a start script from Blob storage, which upstream reads by a signed URL."""
    if parameters.start_task is None or parameters.identity is None:
        return
    [resource] = parameters.identity.user_assigned_identities
    for file in parameters.start_task.resource_files:
        if (urlsplit(file.http_url).hostname or "").endswith(".blob.core.windows.net"):
            file.identity_reference = ComputeNodeIdentityReference(resource_id=resource)


def scale(settings: object) -> ScaleSettings:
    """Return how many nodes: fixed, or as many as tasks wait; dedicated or spot (in the API: low priority)."""
    count = settings.pool_node_count
    if settings.autoscale:
        formula = FORMULA.format(
            target="$TargetLowPriorityNodes" if settings.spot else "$TargetDedicatedNodes",
            most=count,
            slots=settings.tasks_per_node,
            rest=settings.tasks_per_node - 1,
        )
        return ScaleSettings(auto_scale=AutoScaleSettings(formula=formula, evaluation_interval=INTERVAL))
    dedicated, spot = counts(settings)
    return ScaleSettings(
        fixed_scale=FixedScaleSettings(target_dedicated_nodes=dedicated, target_low_priority_nodes=spot)
    )


def counts(settings: object) -> tuple[int, int]:
    """Return how many dedicated and how many spot nodes a fixed pool is to have."""
    count = settings.pool_node_count
    return (0, count) if settings.spot else (count, 0)
