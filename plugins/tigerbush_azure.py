"""Reads config/azure.yaml, the names of the user's Azure resources, for profiles/azure."""

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

# names a file to read instead of config/azure.yaml
VARIABLE = "TIGERBUSH_AZURE"
TEMPLATE = "config/azure.template.yaml"


class AccountError(ValueError):
    """A value is missing or wrong; the message says which, and what to do."""


@dataclass(frozen=True)
class Account:
    """The Azure resources of a run. No value is a secret."""

    subscription: str
    resource_group: str
    batch_account: str
    region: str
    storage_account: str
    container: str
    identity: str
    image: str
    run: str

    @property
    def batch_url(self) -> str:
        """The address of the Batch account."""
        return f"https://{self.batch_account}.{self.region}.batch.azure.com"

    @property
    def prefix(self) -> str:
        """The storage prefix of the run's outputs."""
        return f"az://{self.container}/{self.run}"

    @property
    def registry(self) -> str | None:
        """The registry that the pool's identity logs in to; None for a public image."""
        host = self.image.partition("/")[0]
        return host if host.endswith(".azurecr.io") else None


_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# the pattern of each value, and its description
PATTERNS = {
    "subscription": (_UUID, "the ID that 'az account show --query id' prints"),
    "resource_group": (r"[\w.()-]{1,89}[\w()-]", "the name of a resource group"),
    "batch_account": ("[a-z0-9]{3,24}", "the name of a Batch account, 3 to 24 lower-case letters and digits"),
    "region": ("[a-z0-9]{3,40}", "a region such as westeurope"),
    "storage_account": (
        "[a-z0-9]{3,24}",
        "the name of a storage account, 3 to 24 lower-case letters and digits",
    ),
    "container": (
        "[a-z0-9](-?[a-z0-9]){2,62}",
        "the name of a Blob container, 3 to 63 lower-case letters, digits and single hyphens",
    ),
    "identity": (
        f"/subscriptions/{_UUID}/resource[gG]roups/[^/]+/providers/Microsoft.ManagedIdentity"
        "/userAssignedIdentities/[^/]+",
        "the resource ID of a user-assigned identity ('az identity show --query id')",
    ),
    "image": (r"[a-z0-9][\w./:@-]+(:[\w.-]+|@sha256:[0-9a-f]{64})", "a container image with a tag or digest"),
    "run": ("[A-Za-z0-9][A-Za-z0-9_-]{0,37}", "a name of up to 38 letters, digits, - and _"),
}


def check_login() -> None:
    """Refuse login variables that are empty or malformed; Azure's library would end in a traceback."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        value = os.environ.get(name)
        if value is not None and not value.strip():
            raise AccountError(
                f"{name} is set but empty; set it to its value, or unset it and run 'az login'."
            )
    if not re.fullmatch(r"[A-Za-z0-9.-]+", os.environ.get("AZURE_TENANT_ID", "common")):
        raise AccountError(
            "AZURE_TENANT_ID is not a tenant ID; set it to what 'az account show --query tenantId' prints."
        )


def read_account(path: str | Path | None = None) -> Account:
    """Read and check config/azure.yaml, or the file that TIGERBUSH_AZURE names.

    Raises
    ------
    AccountError
        When the file does not exist, a value is missing or malformed, a key is unknown, or the login variables in the
        environment are incomplete.
    """
    check_login()
    path = Path(path or os.environ.get(VARIABLE) or "config/azure.yaml")
    if not path.exists():
        raise AccountError(f"{path} does not exist; copy {TEMPLATE} to it and fill it in (docs/azure.md).")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AccountError(f"{path} cannot be read: {' '.join(str(error).split())}.") from None
    values = values if isinstance(values, dict) else {}
    known = [field.name for field in fields(Account)]
    if unknown := sorted(str(key) for key in values if key not in known):
        raise AccountError(f"{path}: {unknown[0]!r} is not a known key; expected {', '.join(known)}.")
    for key in known:
        pattern, description = PATTERNS[key]
        value = values.get(key)
        if value is None:
            raise AccountError(f"{path}: {key} is not set; expected {description}.")
        if not re.fullmatch(pattern, str(value)):
            raise AccountError(f"{path}: {key} {str(value)[:80]!r} is not {description}.")
    return Account(**{key: str(values[key]) for key in known})
