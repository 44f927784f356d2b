"""Which windows of a product a run makes: those that are missing, and those that were made with something else."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from tigerbush.planning.batches import part_of
from tigerbush.planning.fingerprints import text_of


def digest(parameters: object) -> str:
    """Return a short fingerprint of parameters."""
    return hashlib.sha256(text_of(parameters).encode()).hexdigest()[:16]


def with_version(fingerprint: str, version: str | None) -> str:
    """Return the fingerprint of a window of a version of a product, as far as that is known."""
    return f"{fingerprint} {version}" if version else fingerprint


def outdated(index: Mapping[str, Any], wanted: Mapping[str, str]) -> list[str]:
    """Return the sites whose windows are missing or were made with something else.

    Parameters
    ----------
    index : mapping of site to `tigerbush.bundle.Entry`
        What there is.
    wanted : mapping of site to str
        The fingerprint that each window has to have.
    """
    return [site for site, made in wanted.items() if site not in index or index[site].made != made]


def by_part(sites: Iterable[str], parts: int) -> list[list[str]]:
    """Return the sites of each part of a tile."""
    divided: list[list[str]] = [[] for _ in range(parts)]
    for site in sites:
        divided[part_of(site, parts)].append(site)
    return divided
