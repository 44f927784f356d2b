"""A date of a site measured in memory: the same numbers as from files of images."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import cv2
import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.cover import classes_of_ndvi
from tigerbush.analysis.pattern import pattern_text
from tigerbush.analysis.series import read_series
from tigerbush.analysis.surrogates import generator
from tigerbush.images import encode_png, render
from tigerbush.measured.batches import BLACK_WHITE, CLASSES, MEASURES, RGB
from tigerbush.measured.images import masked_share, measure_image
from tigerbush.raster import LINEAGE
from tigerbush.sites.composite import composite_products
from tigerbush.sites.date import choose_sub_images
from tigerbush.sites.indices import measure_indices
from tigerbush.sites.subimages import centrality_of_sub_images
from tigerbush.summary.files import MEASURED
from tigerbush.summary.results import VEGETATION_COLLECTION, summarise_date


def measure_site(
    name: str,
    date: str,
    windows: Sequence[tuple[str, str]],
    *,
    mask: str,
    indices: Sequence[str],
    network: Mapping,
    seed: int,
    shown: bool,
    selection: Mapping,
) -> dict[str, bytes]:
    """Measure a date of a site.

    Parameters
    ----------
    name, date : str
    windows : sequence of (image, mask)
        Of the products, as `tigerbush.sites.bundles.paths_of` names them.
    mask : str
        `composite.mask` of the configuration.
    indices : sequence of str
    network : mapping
        The section `centrality`.
    seed : int
        Of the analysis.
    shown : bool
        Whether the images are kept.
    selection : mapping
        The arguments of `tigerbush.sites.date.choose_sub_images` that choose sub-images.

    Returns
    -------
    dict of str to bytes
        The files of the site in the bundle.
    """
    mode, site = selection["mode"], selection["site"]
    composite, lost = composite_products(windows, mask, mode)
    drawn = render(composite, mode)
    images = choose_sub_images(drawn.ndvi, drawn.black_white, drawn.rgb, lost.data[0], **selection)
    summary = summarise_date(
        date,
        centrality=_as_read(
            centrality_of_sub_images(images.black_white, images.covered, images.parts, date, **network)
        ),
        ndvi=_as_read(measure_indices(images, composite, drawn.grey, date, indices)),
        lineage=json.loads(composite.tags[LINEAGE]),
    )
    measures = {
        "masked": masked_share(images.ndvi),
        "grid": asdict(drawn.ndvi.grid),
        "epsg": drawn.ndvi.epsg,
        "pattern": None,
    }
    files = {MEASURED: _as_json(summary)}
    if used := _used_sub_images(summary):
        pattern = measure_image(
            date, drawn.ndvi, drawn.black_white, used, site, mode, generator(seed, name, date)
        )
        measures["pattern"] = json.loads(pattern_text(pattern))
        files[CLASSES] = _encode_classes(classes_of_ndvi(images.ndvi))
        if shown:
            files |= {RGB: encode_png(drawn.rgb), BLACK_WHITE: encode_png(drawn.black_white)}
    return files | {MEASURES: json.dumps(measures).encode()}


def _used_sub_images(summary: Mapping) -> set[tuple[float, float, int]]:
    """Return the sub-images with any number of the vegetation, from the summary of their date."""
    if not summary["vegetation"]:
        return set()
    series = {summary["date"]: summary["vegetation"]}
    contents = {VEGETATION_COLLECTION: {"type": "vegetation", "time-series-data": series}}
    return read_series(contents, summary["date"]).places_with_data(summary["date"])


def _as_json(content: object) -> bytes:
    return json.dumps(content, allow_nan=False).encode()


def _as_read(content: object) -> object:
    """Return what a file of JSON would return."""
    return json.loads(_as_json(content))


def _encode_classes(classes: NDArray[np.uint16]) -> bytes:
    return cv2.imencode(".png", classes)[1].tobytes()
