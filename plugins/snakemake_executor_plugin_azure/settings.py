"""Settings of the plugin, in place of upstream's."""

import dataclasses

import snakemake_executor_plugin_azure_batch as upstream

# Upstream: every task spends 50 s on `pip install` of what the image has, and secrets appear in command lines.
common_settings = dataclasses.replace(
    upstream.common_settings,
    auto_deploy_default_storage_provider=False,
    pass_envvar_declarations_to_cmd=False,
)


@dataclasses.dataclass
class ExecutorSettings(upstream.ExecutorSettings):
    """Upstream's settings and three more; with `autoscale`, `pool_node_count` is the maximum number of nodes."""

    spot: bool = dataclasses.field(
        default=False,
        metadata={
            "help": "Use spot nodes: cheaper, but Azure may reclaim them at any time.",
            "required": False,
        },
    )
    poll_failures: int = dataclasses.field(
        default=30,
        metadata={"help": "Consecutive failed status checks after which the run ends.", "required": False},
    )
    capacity_hours: float = dataclasses.field(
        default=6,
        metadata={"help": "Hours without a working node after which the run ends.", "required": False},
    )
