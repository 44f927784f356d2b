"""A north-up raster grid, and windows of it."""

from dataclasses import dataclass
from math import ceil, floor

from rasterio import Affine


@dataclass(frozen=True)
class Grid:
    """A north-up raster grid.

    Attributes
    ----------
    x, y : float
        Easting and northing of the upper-left corner, in metres. Columns run east, rows run south.
    resolution : float
        Side of a pixel, in metres.
    width, height : int
        Number of columns and rows.
    """

    x: float
    y: float
    resolution: float
    width: int
    height: int

    @classmethod
    def from_transform(cls, transform: Affine, width: int, height: int) -> "Grid":
        """Return the grid of an image from its affine transform (pixel corner to metres)."""
        return cls(transform.c, transform.f, transform.a, width, height)

    @property
    def transform(self) -> Affine:
        """The affine transform (pixel corner to metres)."""
        return Affine(self.resolution, 0, self.x, 0, -self.resolution, self.y)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, like the shape of an array."""
        return self.height, self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north, in metres."""
        east = self.x + self.width * self.resolution
        south = self.y - self.height * self.resolution
        return self.x, south, east, self.y

    def crop(self, column: int, row: int, width: int, height: int) -> "Grid":
        """Return a window of the grid, which may lie outside it on the same lattice."""
        x, y = self.x + column * self.resolution, self.y - row * self.resolution
        return Grid(x, y, self.resolution, width, height)

    def pixels(self, part: "Grid") -> tuple[int, int, int, int]:
        """Return column, row, width and height of another grid on the same lattice, in pixels of this one."""
        column, row = round((part.x - self.x) / self.resolution), round((self.y - part.y) / self.resolution)
        return column, row, part.width, part.height

    def covering(self, target: "Grid", margin: int) -> "Grid":
        """Return the window of pixels that touch `target`, with a margin, clamped to the grid; at least one pixel."""

        def span(low: float, high: float, size: int) -> tuple[int, int]:
            start = min(max(floor(low / self.resolution) - margin, 0), size - 1)
            stop = max(min(ceil(high / self.resolution) + margin, size), start + 1)
            return start, stop

        west, south, east, north = target.bounds
        left, right = span(west - self.x, east - self.x, self.width)
        top, bottom = span(self.y - north, self.y - south, self.height)
        return self.crop(left, top, right - left, bottom - top)
