"""What is asked of a remote source of products."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from tigerbush.site import Place

Row = dict[str, str]


@dataclass(frozen=True)
class Query:
    """Which products are wanted, and what is known of them.

    Attributes
    ----------
    level : {"L1C", "L2A"}
    tiles : collection of str
        For example 33TVL; what the sites use.
    start, end : date
        First day, and the day after the last.
    sites : sequence of Place
        A catalogue is searched place by place.
    collections : sequence of str or None
        Of a STAC API; None is what it has of those that are known to keep the level (`tigerbush.archives`).
    old, old_files : rows of products.tsv and files.tsv
        From an earlier listing: what they describe is not asked about again.
    """

    level: str
    tiles: Collection[str]
    start: date
    end: date
    sites: Sequence[Place] = ()
    collections: Sequence[str] | None = None
    old: Collection[Row] = ()
    old_files: Collection[Row] = ()

    def wants(self, level: str, tile: str, day: str) -> bool:
        """Tell whether a product of a level, a tile and a day (ISO) is asked for."""
        return level == self.level and tile in self.tiles and str(self.start) <= day < str(self.end)
