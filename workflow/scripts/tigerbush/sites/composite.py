"""One image per date: the median of the clear observations of a period."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import numpy as np

from tigerbush.masks import CLEAR, UNKNOWN
from tigerbush.product import NODATA, ProductName
from tigerbush.pyveg import MODES
from tigerbush.raster import CODESTREAM, LINEAGE, PRODUCT, REASON, STATUS, Raster, read_raster
from tigerbush.sensors import parse_name, sensor_of
from tigerbush.sites.lost import CLOUD, NEGATIVE, NOT_OBSERVED, OBSERVED, SATURATED, lost_raster
from tigerbush.version import __version__

ROWS = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """The pixels of one observation.

    Attributes
    ----------
    dn : (bands, h, w) int32 array
        DN with the offset added, so that baselines are comparable.
    lost : (h, w) uint8 array
        Values of `tigerbush.sites.lost`: OBSERVED, or why a pixel is not used.
    """

    dn: np.ndarray
    lost: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """The pixels that are used, (h, w) bool."""
        return self.lost == OBSERVED


def harmonise(
    stored: np.ndarray,
    offset: Sequence[int],
    mask: np.ndarray,
    saturated: int,
    lowest: Sequence[float] | None = None,
) -> Observation:
    """Harmonise the stored DN of a product.

    Parameters
    ----------
    stored : (bands, h, w) uint16 array
        DN, 0 is no-data.
    offset : sequence of int
        Per band, RADIO_ADD_OFFSET or BOA_ADD_OFFSET; added as an integer, so nothing is rounded.
    mask : (h, w) uint8 array
        Values of `tigerbush.masks`; unknown pixels are used.
    saturated : int
        DN of saturated pixels.
    lowest : sequence of float, optional
        Per band, the DN with the offset added whose reflectance is zero; a pixel with a band at or below it is not
        used. By default any reflectance is.
    """
    dn = stored.astype(np.int32) + np.asarray(offset, np.int32)[:, None, None]
    lost = np.full(mask.shape, OBSERVED, np.uint8)
    if lowest is not None:
        lost[(dn <= np.reshape(lowest, (-1, 1, 1))).any(axis=0)] = NEGATIVE
    # each overrides the ones before
    lost[(stored == saturated).any(axis=0)] = SATURATED
    lost[(mask != CLEAR) & (mask != UNKNOWN)] = CLOUD
    lost[(stored == NODATA).any(axis=0)] = NOT_OBSERVED
    return Observation(dn, lost)


def mosaic(parts: Sequence[Observation]) -> Observation:
    """Merge tiles and parts of one datatake: each pixel from the first part in which it is usable."""
    dn, usable = parts[0].dn.copy(), parts[0].usable
    for part in parts[1:]:
        new = part.usable & ~usable
        dn[:, new] = part.dn[:, new]
        usable |= new
    return Observation(dn, why_lost(parts))


def why_lost(observations: Sequence[Observation]) -> np.ndarray:
    """Return why each pixel is not used in any of the observations; OBSERVED where it is.

    Of several reasons, the one of the observation that came closest to being used: negative reflectance before
    saturation, saturation before cloud, cloud before no observation.

    Returns
    -------
    (h, w) uint8 array
    """
    return np.min([observation.lost for observation in observations], axis=0)


def median(observations: Sequence[Observation]) -> tuple[np.ndarray, np.ndarray]:
    """Median per band and pixel over the usable observations.

    Returns
    -------
    (bands, h, w) float64 array
        DN with the offset added; the mean of the middle two when their number is even; NaN without any.
    (h, w) int64 array
        Number of observations.
    """
    usable = np.stack([observation.usable for observation in observations])
    count = usable.sum(axis=0)
    # unusable pixels sort last
    last = np.iinfo(np.int32).max
    ordered = np.sort(
        np.stack([np.where(observation.usable, observation.dn, last) for observation in observations]),
        axis=0,
        kind="stable",
    )
    indices = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(observations) - 1)])
    middle = np.take_along_axis(ordered, indices[:, None], axis=0)
    return np.where(count > 0, middle.mean(axis=0), np.nan), count


def composite_products(
    products: Sequence[tuple[Path, Path]], mask: str = "if_present", mode: str = "default"
) -> tuple[Raster, Raster]:
    """Composite the products of a period.

    Products of one platform and sensing time (tiles and parts of one datatake) are mosaicked first
    and count once. Placeholders of failed products are left out, and so are products whose grid differs
    from that of the majority.

    Parameters
    ----------
    products : sequence of (Path, Path)
        `{product}.tif` and `{product}_mask.tif`, all on one grid.
    mask : {"required", "if_present"}
        A product without a cloud mask is left out, or used unmasked.
    mode : str
        One of `tigerbush.pyveg.MODES`. By default a pixel with a band of zero or negative reflectance is not used.

    Returns
    -------
    composite : Raster
        float32 reflectance per band and `n_obs`, nodata NaN. The JSON tag TIGERBUSH_LINEAGE holds the products that
        were used, and why others were not.
    lost : Raster
        uint8, why a pixel has no observation: values of `tigerbush.sites.lost`.
    """
    opened = [(read_raster(image), read_raster(cloud)) for image, cloud in products]
    lineage = {"products": [], "unmasked": [], "codestream": {}, "left_out": {}, "failed": {}}
    expected = _common_grid_and_scale([image for image, _ in opened])
    usable = [pair for pair in opened if _record_product(lineage, *pair, mask, expected)]
    first = (usable or opened)[0][0]
    datatakes = [list(pairs) for _, pairs in groupby(sorted(usable, key=_datatake), key=_datatake)]
    lineage |= _acquisition([parse_name(pairs[0][0].tags[PRODUCT]) for pairs in datatakes])
    data = np.full((len(first.data) + 1, *first.data.shape[1:]), np.nan, np.float32)
    data[-1] = 0
    lost = np.full((1, *first.data.shape[1:]), NOT_OBSERVED, np.uint8)
    scale, remainder = (np.reshape(values, (-1, 1, 1)) for values in (first.scale, _dn_offset(first)[1]))
    # in blocks of rows, so that a year of products fits into memory
    for start in range(0, first.grid.height if datatakes else 0, ROWS):
        rows = slice(start, start + ROWS)
        observations = [
            mosaic([_observation(*pair, rows, MODES[mode].positive) for pair in pairs]) for pairs in datatakes
        ]
        dn, n_obs = median(observations)
        data[:-1, rows] = (dn + remainder) * scale
        data[-1, rows] = n_obs
        lost[0, rows] = why_lost(observations)
    composite = Raster(
        data=data,
        grid=first.grid,
        epsg=first.epsg,
        bands=(*first.bands, "n_obs"),
        nodata=np.nan,
        units=(*("reflectance" for _ in first.bands), "count"),
        tags={LINEAGE: json.dumps(lineage), "TIGERBUSH_VERSION": __version__},
    )
    return composite, lost_raster(lost, composite)


def lost_products(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return the failed products of a new composite that an earlier one was made of, with the reasons.

    A product counts when it, or the same datatake and tile in another baseline, was used in the earlier composite. All
    failed products count when the new composite has no product left.

    Parameters
    ----------
    old, new : mapping of str to str
        Tags of the composites.
    """
    try:
        used, lineage = json.loads(old[LINEAGE])["products"], json.loads(new[LINEAGE])
        if used and not lineage["products"]:
            return dict(lineage["failed"])
        missing = set(map(datatake_and_tile, used)) - set(map(datatake_and_tile, lineage["products"]))
        return {
            product: reason
            for product, reason in lineage["failed"].items()
            if product in used or datatake_and_tile(product) in missing
        }
    except (KeyError, TypeError, ValueError):
        # a composite without a valid lineage
        return {}


def datatake_and_tile(product: str) -> tuple[str, ...]:
    """Return platform, level, sensing time and tile, which all processing baselines of the same data share.

    Parameters
    ----------
    product : str
        Name of the product.
    """
    name = parse_name(product)
    return name.platform, name.level, name.sensing_time, name.tile


def _grid_and_scale(image: Raster) -> tuple:
    """Return the grid and quantification of an image, in which the products of a composite must agree."""
    return image.grid, image.epsg, image.scale, _dn_offset(image)[1]


def _common_grid_and_scale(images: Sequence[Raster]) -> tuple | None:
    """Return the grid and quantification of most products: one that differs must not stop the others."""
    counts = Counter(_grid_and_scale(image) for image in images if image.tags[STATUS] == "ok")
    return counts.most_common(1)[0][0] if counts else None


def _record_product(lineage: dict, image: Raster, cloud: Raster, mask: str, expected: tuple | None) -> bool:
    """Record a product in the lineage; tell whether it is used."""
    product, status = image.tags[PRODUCT], image.tags[STATUS]
    if status != "ok":
        lineage["failed" if status == "failed" else "left_out"][product] = image.tags[REASON]
        return False
    if _grid_and_scale(image) != expected:
        lineage["failed"][product] = (
            "its grid or quantification differs from that of the other products of the date"
        )
        return False
    if (cloud.data == UNKNOWN).any():
        if mask == "required":
            lineage["left_out"][product] = "no cloud mask (composite.mask: required)"
            return False
        log.warning("%s has no cloud mask and is used unmasked", product)
        lineage["unmasked"].append(product)
    lineage["products"].append(product)
    if CODESTREAM in image.tags:
        lineage["codestream"][product] = image.tags[CODESTREAM]
    return True


def _datatake(pair: tuple[Raster, Raster]) -> tuple[datetime, str]:
    name = parse_name(pair[0].tags[PRODUCT])
    return name.sensing_time, name.platform


def _observation(image: Raster, cloud: Raster, rows: slice, positive: bool) -> Observation:
    saturated = sensor_of(image.tags[PRODUCT]).saturated
    offset, remainder = _dn_offset(image)
    lowest = [-part for part in remainder] if positive else None
    return harmonise(image.data[:, rows], offset, cloud.data[0, rows], saturated, lowest)


def _dn_offset(image: Raster) -> tuple[list[int], tuple[float, ...]]:
    """Return the offset of each band in DN as a whole number, and the remainder (Sentinel-2: none)."""
    # reflectance = DN * scale + offset
    exact = [offset / scale for offset, scale in zip(image.offset, image.scale, strict=True)]
    remainders = [dn - round(dn) for dn in exact]
    return [round(dn) for dn in exact], tuple(dn if abs(dn) > 1e-6 else 0.0 for dn in remainders)


def _acquisition(datatakes: Sequence[ProductName]) -> dict:
    """Describe the acquisition of a composite: mean time, platforms and orbits; a datatake counts once."""
    times = [name.sensing_time.replace(tzinfo=UTC).timestamp() for name in datatakes]
    mean = datetime.fromtimestamp(round(sum(times) / len(times)), UTC) if times else None
    return {
        "n_takes": len(datatakes),
        "acquisition_time": mean.isoformat() if mean else None,
        "platforms": dict(Counter(name.platform for name in datatakes)),
        "relative_orbits": dict(Counter(str(name.relative_orbit) for name in datatakes)),
    }
