"""A model of what SNAP does with a Sentinel-2 product, as far as the workflow needs it; a stand-in for tests.

It reimplements what is known of SNAP's reader, Resample, Subset and GeoTIFF writer, independently of the library under
test; its Resample is compared with recorded output of SNAP. Interpolation is refused.
"""

import os
import re
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, trunc
from pathlib import Path

import numpy as np

SAFE = re.compile(r"S2[A-D]_MSIL(1C|2A)_\d{8}T\d{6}_N\d{4}_R\d{3}_T\d{2}[A-Z]{3}_\d{8}T\d{6}\.SAFE")
BAND_FILE = re.compile(r".*_(B\d[\dA])(?:_(\d\d)m)?\.jp2")


def version():
    return os.environ.get("SNAP_STANDIN_VERSION", "13.0.2")


@dataclass(frozen=True)
class Java:
    """A value in Java; `kind` is its class, such as java.lang.String."""

    kind: str
    value: object


@dataclass(frozen=True)
class Band:
    pixels: np.ndarray
    resolution: int
    valid: np.ndarray | None = None
    # rasters that the valid-pixel expression refers to
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Product:
    bands: dict[str, Band]
    x: float
    y: float
    width: int
    height: int
    resolution: int
    epsg: int

    def multi_size(self):
        return len({band.pixels.shape for band in self.bands.values()}) > 1


def read_product(path):
    """Read a product; None for what the reader does not recognise."""
    # not at the top: checking that SNAP is installed should be cheap
    import rasterio

    path = Path(path)
    if os.environ.get("SNAP_STANDIN_READS_NOTHING"):
        return None
    if not SAFE.fullmatch(path.name) or not (path / "DATASTRIP").is_dir() or not (path / "GRANULE").is_dir():
        return None
    files = {match[1]: file for file in sorted(path.glob("GRANULE/*/IMG_DATA/**/*.jp2")) if (match := BAND_FILE.fullmatch(file.name))}  # fmt: skip
    bands = {}
    for number, file in files.items():
        with rasterio.open(file) as image:
            pixels, place, epsg = image.read(1), image.transform, image.crs.to_epsg()
        name = "B" + (number[1:] if number == "B8A" else str(int(number[1:])))
        bands[name] = Band(pixels, round(place.a), pixels > 0)
        if int(version().split(".")[0]) >= 14:
            # the offset is metadata, so every DN is above -0.1; the masks that exist make pixels invalid
            masks = {
                f"B_detector_footprint_{name}": ("DETFOO", 1, lambda mask: mask == 0),
                f"B_nodata_{name}": ("QUALIT", 6, lambda mask: mask != 0),
            }
            mask_arrays = {}
            valid = np.ones(pixels.shape, bool)
            for mask, (kind, layer, invalid) in masks.items():
                for file_of_mask in path.glob(f"GRANULE/*/QI_DATA/MSK_{kind}_{number}.jp2"):
                    with rasterio.open(file_of_mask) as image:
                        mask_arrays[mask] = image.read(layer)
                    valid &= ~invalid(mask_arrays[mask])
            bands[name] = Band(pixels, round(place.a), valid, tuple(mask_arrays))
            bands |= {mask: Band(array, round(place.a)) for mask, array in mask_arrays.items()}
        corner = (place.c, place.f)
    finest = min(band.resolution for band in bands.values())
    height, width = next(band.pixels.shape for band in bands.values() if band.resolution == finest)
    return Product(bands, *corner, width, height, finest, epsg)


def operate(operator, parameters, product):
    """GPF.createProduct; like SNAP, it ignores unknown parameters."""
    if operator not in OPERATORS:
        raise RuntimeError(
            f"org.esa.snap.core.gpf.OperatorException: No SPI found for operator name '{operator}'"
        )
    return OPERATORS[operator](parameters, product)


def text(parameters, name, default=None):
    value = parameters.get(name)
    if value is None:
        return default
    if value.kind != "java.lang.String":
        raise RuntimeError(f"org.esa.snap.core.gpf.OperatorException: parameter '{name}' is a {value.kind}")
    return value.value


def resample(parameters, product):
    target = parameters["targetResolution"]
    if target.kind not in ("java.lang.String", "java.lang.Integer"):
        raise RuntimeError(
            f"java.lang.ClassCastException: Value for 'targetResolution' must be of type 'Integer', not {target.kind}"
        )
    resolution = int(target.value)
    methods = text(parameters, "upsampling", "Nearest"), text(parameters, "downsampling", "First")
    bands = {
        name: replace(
            band,
            pixels=resampled(band, product, resolution, *methods),
            resolution=resolution,
            valid=None,
        )
        for name, band in product.bands.items()
    }
    shift = 0
    if len({band.resolution for band in product.bands.values()}) == 1:
        shift = (resolution - product.resolution) / 2
    height, width = next(iter(bands.values())).pixels.shape
    return Product(bands, product.x - shift, product.y + shift, width, height, resolution, product.epsg)


def resampled(band, product, resolution, upsampling="Nearest", downsampling="First"):
    """Return a band on the target grid: the pixel at floor(d * target / source), or a statistic of the block below."""
    shape = [ceil(size * product.resolution / resolution) for size in (product.height, product.width)]
    if band.resolution == resolution:
        return band.pixels
    method = downsampling if resolution > band.resolution else upsampling
    # with a single resolution, pixel centres keep their positions and the corner moves
    single = {other.resolution for other in product.bands.values()} == {band.resolution}
    out = np.zeros(shape, band.pixels.dtype)
    if method in ("First", "Nearest"):
        shift = resolution - band.resolution if single and resolution > band.resolution else 0
        rows, columns = (
            [max(2 * d * resolution - shift, 0) // (2 * band.resolution) for d in range(size)]
            for size in shape
        )
        rows, columns = (
            [i for i in index if i < size]
            for index, size in zip((rows, columns), band.pixels.shape, strict=True)
        )
        part = np.ix_(rows, columns)
        valid = True if band.valid is None else band.valid[part]
        invalid = np.nan if out.dtype.kind == "f" else 0
        out[: len(rows), : len(columns)] = np.where(valid, band.pixels[part], invalid)
        return out
    if method not in REDUCE:
        # interpolation: no test needs it
        raise RuntimeError(
            f"org.esa.snap.core.gpf.OperatorException: the stand-in does not know the method '{method}'"
        )
    shift = Fraction(resolution - band.resolution, 2 * band.resolution) if single else Fraction(0)
    rows, columns = (
        [covered(d, Fraction(resolution, band.resolution), shift, size) for d in range(count)]
        for count, size in zip(shape, band.pixels.shape, strict=True)
    )
    integer = out.dtype.kind != "f"
    for place in np.ndindex(*shape):
        good = [
            (band.pixels[i, j].item(), share * part)
            for i, share in rows[place[0]]
            for j, part in columns[place[1]]
            if (band.valid is None or band.valid[i, j]) and not (integer and band.pixels[i, j] == 0)
        ]
        good = [(value, share) for value, share in good if value == value]
        empty = 0 if integer else np.nan
        out[place] = REDUCE[method](good, integer) if good else empty
    return out


def covered(d, ratio, shift, size):
    """Return the source pixels below target pixel `d` with their weights; that of the first pixel may exceed 1."""
    begin, end = d * ratio - shift, (d + 1) * ratio - shift
    return [
        (i, min(end, Fraction(i + 1)) - (begin if i == max(floor(begin), 0) else i))
        for i in range(max(floor(begin), 0), min(ceil(end), size))
    ]


def mean(good, integer):
    """Return the weighted mean; of integers, each product and the quotient are truncated."""
    total = sum(trunc(value * share) if integer else value * float(share) for value, share in good)
    result = total / float(sum(share for _, share in good))
    return trunc(result) if integer else result


def median(good, integer):
    values = sorted(value for value, _ in good)
    below, above = values[(len(values) - 1) // 2], values[len(values) // 2]
    return (below + above) // 2 if integer else (below + above) / 2


REDUCE = {
    "Mean": mean,
    "Median": median,
    "Min": lambda good, _: min(value for value, _ in good),
    "Max": lambda good, _: max(value for value, _ in good),
}


def subset(parameters, product):
    names = text(parameters, "sourceBands") or text(parameters, "bandNames")
    names = list(product.bands) if names is None else names.split(",")
    for name in names:
        if name not in product.bands:
            raise RuntimeError(
                f"org.esa.snap.core.gpf.OperatorException: Source product does not contain a raster named '{name}'"
            )
    # the rasters that valid-pixel expressions refer to are included
    names = {*names, *(needed for name in names for needed in product.bands[name].needs)}
    x, y, width, height = 0, 0, product.width, product.height
    if region := text(parameters, "region"):
        x, y, width, height = map(int, region.split(","))
    elif region := text(parameters, "geoRegion"):
        x, y, width, height = pixels_of(region, product)
    step = product.resolution
    cut = np.s_[y : y + height, x : x + width]
    bands = {
        name: replace(band, pixels=band.pixels if product.multi_size() else band.pixels[cut])
        for name, band in product.bands.items()
        if name in names
    }
    return Product(bands, product.x + x * step, product.y - y * step, width, height, step, product.epsg)


def pixels_of(polygon, product):
    from rasterio.warp import transform

    corners = [
        tuple(map(float, pair.split())) for pair in re.search(r"\(\(([^()]*)\)\)", polygon)[1].split(",")
    ]
    xs, ys = transform("EPSG:4326", f"EPSG:{product.epsg}", *zip(*corners, strict=True))
    left, right = ((edge - product.x) / product.resolution for edge in (min(xs), max(xs)))
    top, bottom = ((product.y - edge) / product.resolution for edge in (max(ys), min(ys)))
    left, top = max(floor(left), 0), max(floor(top), 0)
    return left, top, min(ceil(right), product.width) - left, min(ceil(bottom), product.height) - top


OPERATORS = {"Resample": resample, "Subset": subset}


def write_product(product, path, form):
    """Write a GeoTIFF as SNAP does: classic, big-endian, one plane per band, names in a header of its own."""
    if form.lower() != "geotiff":
        raise RuntimeError(f"java.lang.IllegalArgumentException: no writer for {form}")
    if product.multi_size():
        raise RuntimeError(
            "org.esa.snap.core.dataio.ProductIOException: Writing of multi-size products is not supported"
        )
    planes = [band.pixels.astype(">u2").tobytes() for band in product.bands.values()]
    count, step = len(planes), float(product.resolution)
    names = "".join(
        f"<Spectral_Band_Info><BAND_INDEX>{i}</BAND_INDEX><BAND_NAME>{name}</BAND_NAME></Spectral_Band_Info>"
        for i, name in enumerate(product.bands)
    )
    header = f'<?xml version="1.0" encoding="ISO-8859-1"?><Dimap_Document><Image_Interpretation>{names}</Image_Interpretation></Dimap_Document>\0'
    matrix = (step, 0, 0, product.x, 0, -step, 0, product.y, 0, 0, 0, 0, 0, 0, 0, 1)
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, product.epsg)
    starts = [8 + sum(map(len, planes[:i])) for i in range(count)]
    tags = [
        (256, "I", [product.width]), (257, "I", [product.height]), (258, "H", [16] * count), (259, "H", [1]),
        (262, "H", [1]), (273, "I", starts), (277, "H", [count]), (278, "I", [product.height]),
        (279, "I", [len(plane) for plane in planes]), (284, "H", [2]), (339, "H", [1] * count),
        (34264, "d", matrix), (34735, "H", keys), (65000, "s", header.encode()),
    ]  # fmt: skip
    place = 8 + sum(map(len, planes))
    entries, rest = b"", b""
    for tag, kind, values in tags:
        data = bytes(values) if kind == "s" else struct.pack(f">{len(values)}{kind}", *values)
        entries += struct.pack(">HHI", tag, {"s": 2, "H": 3, "I": 4, "d": 12}[kind], len(values))
        if len(data) <= 4:
            entries += data.ljust(4, b"\0")
        else:
            entries += struct.pack(">I", place + 2 + 12 * len(tags) + 4 + len(rest))
            rest += data
    content = struct.pack(">HHI", 0x4D4D, 42, place) + b"".join(planes)
    Path(path).write_bytes(content + struct.pack(">H", len(tags)) + entries + bytes(4) + rest)
