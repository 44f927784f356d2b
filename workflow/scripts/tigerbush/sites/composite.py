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
from tigerbush.raster import CODESTREAM, LINEAGE, PRODUCT, REASON, STATUS, Raster, read_raster
from tigerbush.sensors import parse_name, sensor_of
from tigerbush.version import __version__

ROWS = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """What was seen at one time.

    Attributes
    ----------
    dn : (bands, h, w) int32 array
        DN with the offset added, so that baselines compare.
    usable : (h, w) bool array
        Neither no-data, saturated nor masked.
    """

    dn: np.ndarray
    usable: np.ndarray


def observation(stored: np.ndarray, offset: Sequence[int], mask: np.ndarray, saturated: int) -> Observation:
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
        DN that stands for too much light.
    """
    dn = stored.astype(np.int32) + np.asarray(offset, np.int32)[:, None, None]
    complete = ((stored != NODATA) & (stored != saturated)).all(axis=0)
    return Observation(dn, complete & ((mask == CLEAR) | (mask == UNKNOWN)))


def mosaic(parts: Sequence[Observation]) -> Observation:
    """Merge tiles and parts of one data take: each pixel from the first part that can be used."""
    dn, usable = parts[0].dn.copy(), parts[0].usable.copy()
    for part in parts[1:]:
        new = part.usable & ~usable
        dn[:, new] = part.dn[:, new]
        usable |= new
    return Observation(dn, usable)


def median(observations: Sequence[Observation]) -> tuple[np.ndarray, np.ndarray]:
    """Median per band and pixel over the usable observations.

    Returns
    -------
    (bands, h, w) float64 array
        DN with the offset added; the mean of the middle two when their number is even; NaN without any.
    (h, w) int64 array
        Number of observations.
    """
    usable = np.stack([one.usable for one in observations])
    count = usable.sum(axis=0)
    # what cannot be used sorts behind everything that can
    last = np.iinfo(np.int32).max
    ordered = np.sort(
        np.stack([np.where(one.usable, one.dn, last) for one in observations]), axis=0, kind="stable"
    )
    pick = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(observations) - 1)])
    middle = np.take_along_axis(ordered, pick[:, None], axis=0)
    return np.where(count > 0, middle.mean(axis=0), np.nan), count


def composite_products(products: Sequence[tuple[Path, Path]], mask: str = "if_present") -> Raster:
    """Composite the products of a period.

    Products of one platform and sensing time (tiles and parts of one data take) are mosaicked first
    and count once. Placeholders of failed products are left out, and so is a product on another grid than
    most.

    Parameters
    ----------
    products : sequence of (Path, Path)
        `{product}.tif` and `{product}_mask.tif`, all on one grid.
    mask : {"required", "if_present"}
        Whether a product without a cloud mask is left out or used unmasked.

    Returns
    -------
    Raster
        float32 reflectance per band and `n_obs`, nodata NaN; which products were used and why others
        were not is the JSON tag TIGERBUSH_LINEAGE.
    """
    opened = [(read_raster(image), read_raster(cloud)) for image, cloud in products]
    lineage = {"products": [], "unmasked": [], "codestream": {}, "left_out": {}, "failed": {}}
    usual = _usual_form([image for image, _ in opened])
    usable = [pair for pair in opened if _enter(lineage, *pair, mask, usual)]
    first = (usable or opened)[0][0]
    takes = [list(take) for _, take in groupby(sorted(usable, key=_take), key=_take)]
    lineage |= _acquisition([parse_name(take[0][0].tags[PRODUCT]) for take in takes])
    data = np.full((len(first.data) + 1, *first.data.shape[1:]), np.nan, np.float32)
    data[-1] = 0
    scale, rest = (np.reshape(one, (-1, 1, 1)) for one in (first.scale, _dn_offset(first)[1]))
    # by rows, so that a year of products fits into memory
    for start in range(0, first.grid.height if takes else 0, ROWS):
        rows = slice(start, start + ROWS)
        dn, n_obs = median([mosaic([_observation(*pair, rows) for pair in take]) for take in takes])
        data[:-1, rows] = (dn + rest) * scale
        data[-1, rows] = n_obs
    return Raster(
        data=data,
        grid=first.grid,
        epsg=first.epsg,
        bands=(*first.bands, "n_obs"),
        nodata=np.nan,
        units=(*("reflectance" for _ in first.bands), "count"),
        tags={LINEAGE: json.dumps(lineage), "TIGERBUSH_VERSION": __version__},
    )


def lost_products(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return the failed products of a new composite for which an earlier one would lose pixels, with the reasons.

    Those that the earlier one was made of; those that stand for what it was made of (the same take and tile in another
    baseline); and all, where nothing is left.

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
            product: why
            for product, why in lineage["failed"].items()
            if product in used or datatake_and_tile(product) in missing
        }
    except (KeyError, TypeError, ValueError):
        # nothing is known of how it was made
        return {}


def datatake_and_tile(product: str) -> tuple[str, ...]:
    """Return what a product has in common with the same data in another processing baseline.

    Parameters
    ----------
    product : str
        Its name.
    """
    name = parse_name(product)
    return name.platform, name.level, name.sensing_time, name.tile


def _form(image: Raster) -> tuple:
    return image.grid, image.epsg, image.scale, _dn_offset(image)[1]


def _usual_form(images: Sequence[Raster]) -> tuple | None:
    """Return grid, zone and scale of most products: one that differs must not stop the others."""
    forms = Counter(_form(image) for image in images if image.tags[STATUS] == "ok")
    return forms.most_common(1)[0][0] if forms else None


def _enter(lineage: dict, image: Raster, cloud: Raster, mask: str, usual: tuple | None) -> bool:
    """Record a product in the lineage; tell whether it is used."""
    product, status = image.tags[PRODUCT], image.tags[STATUS]
    if status != "ok":
        lineage["failed" if status == "failed" else "left_out"][product] = image.tags[REASON]
        return False
    if _form(image) != usual:
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


def _take(pair: tuple[Raster, Raster]) -> tuple[datetime, str, str]:
    name = parse_name(pair[0].tags[PRODUCT])
    return name.sensing_time, name.platform


def _observation(image: Raster, cloud: Raster, rows: slice) -> Observation:
    saturated = sensor_of(image.tags[PRODUCT]).saturated
    return observation(image.data[:, rows], _dn_offset(image)[0], cloud.data[0, rows], saturated)


def _dn_offset(image: Raster) -> tuple[list[int], tuple[float, ...]]:
    """Return the offset of each band in DN, and what is left of it beside the whole number (Sentinel-2: nothing)."""
    # reflectance = DN * scale + offset
    exact = [offset / scale for offset, scale in zip(image.offset, image.scale, strict=True)]
    rest = [dn - round(dn) for dn in exact]
    return [round(dn) for dn in exact], tuple(dn if abs(dn) > 1e-6 else 0.0 for dn in rest)


def _acquisition(takes: Sequence[ProductName]) -> dict:
    """Describe when and from where a composite was seen; a data take counts once."""
    times = [take.sensing_time.replace(tzinfo=UTC).timestamp() for take in takes]
    mean = datetime.fromtimestamp(round(sum(times) / len(times)), UTC) if times else None
    return {
        "n_takes": len(takes),
        "acquisition_time": mean.isoformat() if mean else None,
        "platforms": dict(Counter(take.platform for take in takes)),
        "relative_orbits": dict(Counter(str(take.relative_orbit) for take in takes)),
    }
