"""Which windows of a product a run makes: those that are missing, and those that were made of something else."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


class Recorded(Protocol):
    """What records of what a window was made: `tigerbush.bundle.Entry`."""

    made: str


@dataclass(frozen=True)
class Made:
    """What a window is made of.

    Attributes
    ----------
    fingerprint : str
        Of the site and the settings.
    version : str, optional
        Of the product, as far as it is known.
    first : str, optional
        The version that was recorded first: a window without a record was made of it.
    """

    fingerprint: str
    version: str | None = None
    first: str | None = None

    @property
    def text(self) -> str:
        """What is recorded."""
        return f"{self.fingerprint} {self.version}" if self.version else self.fingerprint

    def is_that_of(self, recorded: str) -> bool:
        """Tell whether a window was made of this, given what was recorded."""
        fingerprint, _, version = recorded.partition(" ")
        return fingerprint == self.fingerprint and (
            not self.version or (version or self.first) == self.version
        )


def made_of(fingerprint: str, files: str | None, version: str | None, first: str | None) -> Made:
    """Return what a window is made of.

    Parameters
    ----------
    fingerprint : str
        Of the site and the settings.
    files : str, optional
        Digest of the product's files, where they count.
    version, first : str, optional
        As in `Made`.
    """
    return Made(fingerprint if files is None else digest([fingerprint, files]), version, first)


def digest(parameters: object) -> str:
    """Return a short fingerprint of parameters."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]


def outdated(index: Mapping[str, Recorded], wanted: Mapping[str, Made]) -> list[str]:
    """Return the sites whose windows are missing or were made of something else.

    Parameters
    ----------
    index : mapping of site to Recorded
        What there is.
    wanted : mapping of site to Made
    """
    return [
        site for site, made in wanted.items() if site not in index or not made.is_that_of(index[site].made)
    ]


def part_of(site: str, parts: int) -> int:
    """Return which of so many bundles of a product a site is in: a function of its name alone."""
    return zlib.crc32(site.encode()) % parts


def by_part(sites: Iterable[str], parts: int) -> list[list[str]]:
    """Return the sites of each bundle of a product."""
    divided: list[list[str]] = [[] for _ in range(parts)]
    for site in sites:
        divided[part_of(site, parts)].append(site)
    return divided
