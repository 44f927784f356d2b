"""Queries for products from a remote source."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tigerbush.planning.scenes import Box, Selection
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
    skipped : list of (str, str)
        Receives the entries of a catalogue that cannot be used, by name, with the reasons.
    scenes : Selection or None
        Instead of tiles and sites: the products to list for the target `scenes`.
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
    skipped: list[tuple[str, str]] = field(default_factory=list)
    scenes: Selection | None = None

    @property
    def last_day(self) -> date:
        """The last day to search where tiles have times of their own, which may be after midnight.

        The product's name, by which `includes` decides, has the start of the datatake.
        """
        return self.end

    def includes(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the query includes a product, given its row in the table of products."""
        day = row["sensing_time"][:10]
        chosen = self.scenes.includes(row) if self.scenes else row["tile"] in self.tiles
        return chosen and row["level"] == self.level and str(self.start) <= day < str(self.end)

    def reaches(self, day: str) -> bool:
        """Tell whether a year, a month of it or a day, such as 2022/10, has days in the period."""
        first, last = self.start, self.end - timedelta(days=1)
        return f"{first:%Y/%m/%d}"[: len(day)] <= day <= f"{last:%Y/%m/%d}"[: len(day)]

    @property
    def boxes(self) -> list[Box | None]:
        """The areas in which a catalogue is searched, one after another; None for the whole earth."""
        return self.scenes.boxes if self.scenes else [site.bounding_box for site in self.sites]

    @property
    def subject(self) -> str:
        """What is searched, for messages."""
        level = f"{self.level} products"
        return f"{level} chosen by the keys of scene" if self.scenes else f"{level} of the sites' tiles"

    @property
    def advice(self) -> str:
        """The keys by which products were not found, for messages."""
        return (
            "scene.prefixes, scene.tiles, scene.bbox, scene.products" if self.scenes else "the table of sites"
        )


def is_band_mask(role: str, band: str) -> bool:
    """Tell whether a file of this role and band is the mask of a single band."""
    return role == "mask" and band != ""
