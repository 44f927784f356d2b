"""Which windows of a product a run makes: those that are missing, and those that were made of something else."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Protocol


class Made(Protocol):
    """What records of what a window was made: `tigerbush.bundle.Entry`."""

    made: str


def digest(parameters: object) -> str:
    """Return a short fingerprint of parameters."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]


def with_version(fingerprint: str, version: str | None) -> str:
    """Return the fingerprint of a window of a version of a product, as far as that is known."""
    return f"{fingerprint} {version}" if version else fingerprint


def outdated(index: Mapping[str, Made], wanted: Mapping[str, str]) -> list[str]:
    """Return the sites whose windows are missing or were made of something else.

    Parameters
    ----------
    index : mapping of site to Made
        What there is.
    wanted : mapping of site to str
        The fingerprint that each window has to have.
    """
    return [site for site, made in wanted.items() if site not in index or index[site].made != made]


def part_of(site: str, parts: int) -> int:
    """Return which of so many bundles of a product a site is in: a function of its name alone."""
    return zlib.crc32(site.encode()) % parts


def by_part(sites: Iterable[str], parts: int) -> list[list[str]]:
    """Return the sites of each bundle of a product."""
    divided: list[list[str]] = [[] for _ in range(parts)]
    for site in sites:
        divided[part_of(site, parts)].append(site)
    return divided
