"""Settings of the plugin, in the place of upstream's."""

import dataclasses

import snakemake_executor_plugin_azure_batch as upstream

# Upstream: every task spends 50 s on `pip install` of what the image has, and secrets show in command lines.
common_settings = dataclasses.replace(
    upstream.common_settings,
    auto_deploy_default_storage_provider=False,
    pass_envvar_declarations_to_cmd=False,
)


@dataclasses.dataclass
class ExecutorSettings(upstream.ExecutorSettings):
    """Upstream's settings; `pool_node_count` is the most nodes with `autoscale`."""

    spot: bool = dataclasses.field(
        default=False,
        metadata={"help": "Spot nodes: cheaper, and taken away when Azure needs them.", "required": False},
    )
    poll_failures: int = dataclasses.field(
        default=30,
        metadata={"help": "Status checks in a row that may fail before the run ends.", "required": False},
    )
    capacity_hours: float = dataclasses.field(
        default=6,
        metadata={"help": "Hours without a node that works before the run ends.", "required": False},
    )
