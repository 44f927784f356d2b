"""Runs whose outputs are in Blob storage, in a working directory with the sources, as users of Azure have it."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import yaml

from azurite import ACCOUNT
from checkouts import copy_checkout
from runs import SNAKEMAKE, Run, count_jobs

CONTAINER = "runs"
SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/group/providers"
NAMES = {
    "subscription": SUBSCRIPTION,
    "resource_group": "group",
    "batch_account": "tigerbatch",
    "region": "westeurope",
    "storage_account": ACCOUNT,
    "container": CONTAINER,
    "identity": f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/pool",
    "image": "tigerbush.azurecr.io/tigerbush:0.1.0",
}


def checkout(folder: Path) -> None:
    """Copy what git tracks or would track, as a repository of its own: only that reaches the nodes."""
    copy_checkout(folder, "workflow", "profiles", "config")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=folder, check=True)


class AzureRun(Run):
    """A run of a name, with its outputs in Blob storage.

    Attributes
    ----------
    azure : Azure
        The stand-in.
    name : str
    """

    def __init__(self, folder: Path, config: dict, azure, store, name: str, **options):
        super().__init__(folder, config, **options)
        self.azure, self.store, self.name = azure, store, name
        self.variables = azure.caller()
        (folder / "config").mkdir(exist_ok=True)
        subprocess.run(["git", "add", "sites.tsv"], cwd=folder, check=True)
        (folder / "config" / "azure.yaml").write_text(yaml.safe_dump(NAMES | {"run": name}))

    def stored(self) -> list[str]:
        """Return the options that put outputs into Blob storage."""
        return [
            "--default-storage-provider", "azure", "--default-storage-prefix", f"az://{CONTAINER}/{self.name}",
            "--storage-azure-account-name", ACCOUNT,
        ]  # fmt: skip

    # one word, for what follows may be a target
    configured = "--configfile=config.yaml"

    def start(self, *arguments) -> subprocess.Popen:
        return subprocess.Popen(
            [*SNAKEMAKE, self.configured, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, *arguments, status=0) -> str:
        return self.forked([self.configured, *arguments], status, warm_scripts=False)

    def here(self, *arguments, status=0) -> str:
        """Run all jobs on this machine."""
        return self.forked([self.configured, "--cores", "2", *arguments], status)

    def planned_here(self, *arguments) -> Counter:
        """The number of jobs per rule that a dry run on this machine shows."""
        return count_jobs(self.here("--dry-run", *arguments))

    def results(self) -> dict[str, bytes]:
        """Return the results in the container, by their paths."""
        return self.store.blobs(CONTAINER, f"{self.name}/")


def results_of(folder: Path) -> dict[str, bytes]:
    """Return the results on a disk, by their paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / "results").rglob("*")
        if path.is_file()
    }


def comparable(results: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out what names its time or where it was made: images and rasters are compared byte by byte."""
    kept = {
        name: content for name, content in results.items() if re.match(r"results/(?!downloads/)[^/]+/", name)
    }
    # what is made of a summary holds the configuration too
    return {
        name: content
        for name, content in kept.items()
        if "/analysis/" not in name
        and not name.endswith("results_summary.json")
        # of rules over a whole site
        and not re.search(r"/fingerprints/[^/]+$", name)
    }
