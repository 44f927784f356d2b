"""Runs with outputs in Blob storage, in a working directory that holds the sources, as users of Azure have it."""

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
    """Copy the files that git tracks or would track into a repository of their own: only these reach the nodes."""
    copy_checkout(folder, "workflow", "profiles", "config")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=folder, check=True)


class AzureRun(Run):
    """A named run with its outputs in Blob storage.

    Attributes
    ----------
    azure : Azure
        The stand-in.
    name : str
    """

    def __init__(self, folder: Path, config: dict, azure, store, name: str, **options):
        super().__init__(folder, config, **options)
        self.azure, self.store, self.name = azure, store, name
        self.variables = azure.caller_environment()
        (folder / "config").mkdir(exist_ok=True)
        subprocess.run(["git", "add", "sites.tsv"], cwd=folder, check=True)
        (folder / "config" / "azure.yaml").write_text(yaml.safe_dump(NAMES | {"run": name}))

    def storage_options(self) -> list[str]:
        """Return the options that put outputs into Blob storage."""
        return [
            "--default-storage-provider", "azure", "--default-storage-prefix", f"az://{CONTAINER}/{self.name}",
            "--storage-azure-account-name", ACCOUNT,
        ]  # fmt: skip

    # a single argument, because a target may follow
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

    def run_here(self, *arguments, status=0) -> str:
        """Run all jobs on this machine, not on Batch."""
        return self.forked([self.configured, "--cores", "2", *arguments], status)

    def planned_here(self, *arguments) -> Counter:
        """Return the number of jobs per rule in a dry run on this machine."""
        return count_jobs(self.run_here("--dry-run", *arguments))

    def results(self) -> dict[str, bytes]:
        """Return the contents of the results in the container, by path."""
        return self.store.blobs(CONTAINER, f"{self.name}/")


def results_of(folder: Path) -> dict[str, bytes]:
    """Return the contents of the results on a disk, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / "results").rglob("*")
        if path.is_file()
    }


def comparable(results: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out files that contain their time or place of origin; images and rasters are compared byte by byte."""
    site_files = {
        name: content for name, content in results.items() if re.match(r"results/(?!downloads/)[^/]+/", name)
    }
    # what is derived from a summary contains the configuration, too
    return {
        name: content
        for name, content in site_files.items()
        if "/analysis/" not in name
        and not name.endswith("results_summary.json")
        # those of rules over a whole site
        and not re.search(r"/fingerprints/[^/]+$", name)
    }
