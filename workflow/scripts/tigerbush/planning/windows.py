"""Which windows of a product a run makes: those that are missing, and those that were made of something else."""

import hashlib
import json
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol


class Made(Protocol):
    """What records of what a window was made: `tigerbush.bundle.Entry`."""

    made: str


def digest(parameters: object) -> str:
    """Return a short fingerprint of parameters."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]


def with_version(fingerprint: str, version: str | None, first: str | None) -> tuple[str, ...]:
    """Return the fingerprints that a window of a product may have, that of a new one first.

    Parameters
    ----------
    fingerprint : str
        Of a window, whatever the product.
    version, first : str or None
        Of the product today, and the one that was recorded first: windows without a record were made of it.
    """
    if not version:
        return (fingerprint,)
    return (f"{fingerprint} {version}", fingerprint)[: 2 if version == first else 1]


def outdated(index: Mapping[str, Made], wanted: Mapping[str, Collection[str]]) -> list[str]:
    """Return the sites whose windows are missing or were made of something else.

    Parameters
    ----------
    index : mapping of site to Made
        What there is.
    wanted : mapping of site to collection of str
        The fingerprints that each window may have.
    """
    return [site for site, made in wanted.items() if site not in index or index[site].made not in made]


def part_of(site: str, parts: int) -> int:
    """Return which of so many bundles of a product a site is in: a function of its name alone."""
    return zlib.crc32(site.encode()) % parts


def by_part(sites: Iterable[str], parts: int) -> list[list[str]]:
    """Return the sites of each bundle of a product."""
    divided: list[list[str]] = [[] for _ in range(parts)]
    for site in sites:
        divided[part_of(site, parts)].append(site)
    return divided
