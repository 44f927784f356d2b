"""Runs of two small rules on the Batch pool of profiles/azure, to test what may go wrong there."""

import time
from pathlib import Path

from azure_runs import AzureRun, checkout
from warm import warm_python

# two rules that need only a shell, with the same guards as ours; a minute of the pool lasts 0.2 s
SNAKEFILE = """
from snakemake_executor_plugin_azure import capacity
capacity.MINUTE = 0.2
include: "workflow/rules/library.smk"
include: "workflow/rules/keep.smk"
include: "workflow/rules/blob.smk"
include: "workflow/rules/start.smk"
rule all:
    input: "results/a.txt", "results/b.txt"
rule a:
    output: "results/a.txt"
    shell: "echo a > {output}"
rule b:
    input: "results/a.txt"
    output: "results/b.txt"
    shell: "cat {input} > {output}; sleep {config[sleep]}"
rule long:
    output: "results/long.txt"
    shell: "sleep 300"
"""
OPTIONS = (
    "--snakefile", "two.smk", "--profile", "profiles/azure", "--retries", "0", "--seconds-between-status-checks", "1",
    "--config", "sleep=0",
)  # fmt: skip
# a single task, which runs until it is ended
LONG = ("results/long.txt", *OPTIONS)


class SmallRun(AzureRun):
    """A run of the two rules; after each end it is checked what is left behind."""

    def finish(self, *arguments, status=0, killed=0, kept=0):
        output = super().finish(*OPTIONS, *arguments, status=status)
        self.check_clean(killed, kept)
        assert "Traceback" not in output
        return output

    def check_clean(self, killed=0, kept=0):
        """A killed process leaves the archive of its sources; `kept` pools are left on purpose."""
        assert len(self.azure.account.pools) == kept
        assert not self.azure.account.jobs
        archives = [name for name in self.results() if name.startswith("snakemake-workflow-sources")]
        assert len(archives) == killed


def small_run(azure, store, folder, name, snakefile=SNAKEFILE) -> SmallRun:
    """Prepare a run of a Snakefile in a new checkout."""
    checkout(folder)
    # these tests do not depend on how tasks start Python
    azure.account.python = Path(warm_python())
    (folder / "two.smk").write_text(snakefile)
    run = SmallRun(folder, {}, azure, store, name)
    run.call(["git", "add", "two.smk", "config.yaml"])
    return run


def wait_for_task(run, process, name="b", seconds=60):
    """Wait until a task is running."""
    end = time.monotonic() + seconds
    while not any(
        task.state == "running" and task.body["displayName"] == name
        for tasks in list(run.azure.account.tasks.values())
        for task in list(tasks.values())
    ):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)
