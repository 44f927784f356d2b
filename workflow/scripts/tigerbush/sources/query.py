"""Queries for products from a remote source."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from tigerbush.site import Place

Row = dict[str, str]


@dataclass(frozen=True)
class Query:
    """The products to list, and the results of an earlier listing.

    Attributes
    ----------
    level : {"L1C", "L2A"}
    tiles : collection of str
        Tiles that reach the sites, for example 33TVL.
    start, end : date
        First day, and the day after the last.
    sites : sequence of Place
        A catalogue is searched separately for each.
    collections : sequence of str or None
        Collections of a STAC API; None selects the known ones for the level (`tigerbush.archives`).
    old, old_files : rows of products.tsv and files.tsv
        From an earlier listing; products that they describe are not requested again.
    masks : bool
        Whether to list the masks of single bands.
    replaced : dict
        Receives the products of older baselines, which are not listed, with those that take their place.
    """

    level: str
    tiles: Collection[str]
    start: date
    end: date
    sites: Sequence[Place] = ()
    collections: Sequence[str] | None = None
    old: Collection[Row] = ()
    old_files: Collection[Row] = ()
    masks: bool = False
    replaced: dict[str, str] = field(default_factory=dict)

    @property
    def last_day(self) -> date:
        """The last day to search where tiles have times of their own, which may be after midnight.

        The product's name, by which `includes` decides, has the start of the datatake.
        """
        return self.end

    def includes(self, level: str, tile: str, day: str) -> bool:
        """Tell whether the query includes a product of this level, tile and day (ISO 8601)."""
        return level == self.level and tile in self.tiles and str(self.start) <= day < str(self.end)


def is_band_mask(role: str, band: str) -> bool:
    """Tell whether a file of this role and band is the mask of a single band."""
    return role == "mask" and band != ""
