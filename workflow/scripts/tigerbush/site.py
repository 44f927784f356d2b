"""Sites: their position and size, and how they are divided into sub-images."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

# metres per degree of latitude, pyveg's value
METRES_PER_DEGREE = 111_320


@dataclass(frozen=True)
class Place:
    """A square on the earth.

    Attributes
    ----------
    longitude, latitude : float
        Centre in degrees, WGS 84.
    region_size : float
        Side in degrees of latitude.
    zone : int, optional
        EPSG code of the UTM zone in which the place is measured; None for that of its centre.
    """

    longitude: float
    latitude: float
    region_size: float
    zone: int | None = field(default=None, kw_only=True)

    @property
    def metres(self) -> float:
        """Side in metres."""
        return self.region_size * METRES_PER_DEGREE

    @property
    def epsg(self) -> int:
        """EPSG code of the UTM zone: the given one, or that of the centre."""
        return self.zone or self.zone_of_centre

    @property
    def zone_of_centre(self) -> int:
        """EPSG code of the UTM zone of the centre (with the MGRS exceptions of Norway and Svalbard)."""
        import utm  # not needed for scenes

        zone = utm.latlon_to_zone_number(self.latitude, self.longitude)
        return (32600 if self.latitude >= 0 else 32700) + int(zone)

    @property
    def easting_northing(self) -> tuple[float, float]:
        """Centre in metres, in the UTM zone of the place."""
        import utm

        easting, northing, _, _ = utm.from_latlon(
            self.latitude,
            self.longitude,
            force_zone_number=self.epsg % 100,
            force_northern=self.epsg < 32700,
        )
        return float(easting), float(northing)

    @property
    def bounding_box(self) -> tuple[float, float, float, float]:
        """West, south, east and north, in degrees."""
        half = self.region_size / 2
        # a place is square in metres
        half_width = half / max(math.cos(math.radians(self.latitude)), 0.1)
        return (
            max(self.longitude - half_width, -180.0),
            max(self.latitude - half, -90.0),
            min(self.longitude + half_width, 180.0),
            min(self.latitude + half, 90.0),
        )


@dataclass(frozen=True)
class Site(Place):
    """A place that is divided into sub-images.

    Attributes
    ----------
    size : int
        Side of a sub-image in pixels.
    resolution : int
        Side of a pixel in metres.
    """

    size: int
    resolution: int

    @property
    def sub_images(self) -> int:
        """Number of sub-images per side: floor(region_size x 111320 / (size x resolution)); 0 when none fits."""
        return math.floor(self.metres / (self.size * self.resolution))


def numbered(places: Iterable[tuple]) -> list[tuple]:
    """Append to each place how often it came before: sub-images may share a centre, which is rounded.

    Parameters
    ----------
    places : iterable of tuple

    Returns
    -------
    list of tuple
        One element longer; all different.
    """
    seen: Counter = Counter()
    keys = []
    for place in places:
        keys.append((*place, seen[place]))
        seen[place] += 1
    return keys
