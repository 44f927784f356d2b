"""Fetch only the windows of a product that a site needs, from the product's source into one zip.

The zip has the layout of the product, and its images are georeferenced windows (GeoTIFF): it is read like any other
product, and gives the same pixels.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

import numpy as np
import rasterio
from rasterio.windows import Window

from tigerbush.archives import archive_of
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.files import atomic_write, scratch_folder, write_bytes, write_error
from tigerbush.grid import Grid
from tigerbush.jp2 import JP2_HEAD, JP2_TAIL, check_codestream, check_jp2
from tigerbush.jp2_header import DamagedError
from tigerbush.masks import mask_method
from tigerbush.raster import CODESTREAM, GDAL_ERRORS, check_geotiff, decode_error, read_part
from tigerbush.readers import Product, open_product
from tigerbush.resample import halo
from tigerbush.sensors import sensor_of
from tigerbush.site import Site
from tigerbush.sites.joint import sites_together
from tigerbush.sites.product import site_window
from tigerbush.sources.ranges import RemoteFiles, checked_name, open_remote
from tigerbush.sources.store import Store

Row = Mapping[str, str]
Item = TypeVar("Item")


class SharedWindow:
    """A window from which those of several sites are cut: each file is decoded once."""

    def __init__(self, window: Grid) -> None:
        self.window = window
        self._decoded: dict[str, np.ndarray | None] = {}

    def cut(self, name: str, whole: Grid, part: Grid, read: Callable[[Grid], np.ndarray]) -> np.ndarray:
        """Return a part of the window of a file.

        Parameters
        ----------
        name : str
            Of the file.
        whole, part : Grid
            The window and the part on the lattice of the file.
        read : callable
            Decodes one of them, (bands, h, w). If it cannot the whole, it is asked for the part, which may be intact.
        """
        if name not in self._decoded:
            self._decoded[name] = None
            with suppress(TigerbushError, RemoteError, OSError):
                self._decoded[name] = read(whole)
        data = self._decoded[name]
        if data is None:
            return read(part)
        column, row, width, height = whole.pixels(part)
        return data[:, row : row + height, column : column + width]


def shared_windows(
    remote: RemoteFiles, product: str, files: Sequence[Row], sites: Mapping[str, Site], buffer: int
) -> Iterator[tuple[str, SharedWindow | None]]:
    """Yield each site with the window it shares with others, if any; those that share one come one after the other.

    Parameters
    ----------
    remote : RemoteFiles
    product : str
    files : sequence of rows of files.tsv
    sites : mapping of str to Site
    buffer : int
        Width in pixels of the buffer around masked areas.
    """
    with scratch_folder("tigerbush.") as scratch:
        folder = scratch / f"{product}{sensor_of(product).suffix}"
        groups = list(sites_together(lambda: _open(remote, product, files, folder), sites, buffer))
    for window, names in groups:
        shared = None if window is None else SharedWindow(window)
        for name in names:
            yield name, shared


def stream_product(
    store: Store | RemoteFiles,
    product: str,
    files: Sequence[Row],
    target: Path,
    *,
    site: Site,
    buffer: int = 0,
    shared: SharedWindow | None = None,
) -> None:
    """Fetch the windows of a product that a site needs, with metadata and mask, into a zip in its layout.

    Files that were fetched before an error stay beside the target, so that the next attempt fetches only the rest.

    Parameters
    ----------
    store : Store or RemoteFiles
        The latter for one site after another, so that what they share is fetched once.
    product : str
        Name of the product.
    files : sequence of rows of files.tsv
    target : Path
        `{product}.zip`, written whole or not at all.
    site : Site
    buffer : int
        Width in pixels of the buffer around masked areas.
    shared : SharedWindow, optional
        From `shared_windows`.

    Raises
    ------
    TigerbushError
        When the product cannot be fetched, and retrying would not help.
    RemoteError
        When all attempts failed with transient errors.
    """
    remote = store if isinstance(store, RemoteFiles) else RemoteFiles(store)
    unfinished = _part_folder(target, files, site, buffer)
    folder = unfinished / f"{product}{sensor_of(product).suffix}"
    rows = {row["name"]: row for row in files}
    opened = _open(remote, product, files, folder)
    _, window = site_window(opened, site, buffer)
    if window is not None:
        parts = _parts_to_fetch(opened, window, shared)
        fetch = partial(_fetch, remote, rows, folder, opened.epsg, shared)
        with ThreadPoolExecutor(remote.store.connections) as pool:
            _run_all(pool, fetch, parts)
    _zip_folder(folder, target)
    shutil.rmtree(unfinished, ignore_errors=True)


def _open(remote: RemoteFiles, product: str, files: Sequence[Row], folder: Path) -> Product:
    """Fetch the metadata of a product into a folder, and open it with the files of the source."""
    metadata = [row for row in files if row["role"] == "metadata"]
    with ThreadPoolExecutor(remote.store.connections) as pool:
        _run_all(pool, lambda row: _fetch_whole(remote, row, folder), metadata)
    opened = open_product(folder)
    rows = {row["name"]: row for row in files}
    granule_of = archive_of(product).granule_of
    # an item has no metadata in a granule, and its assets are those of one
    granules = {granule_of(name) for name in opened.files} - {""} or {*map(granule_of, rows)}
    sizes = {name: int(row["size"]) for name, row in rows.items() if granule_of(name) in ("", *granules)}
    return replace(opened, path=Path(folder.name), files=sizes)


def _part_folder(target: Path, files: Sequence[Row], site: Site, buffer: int) -> Path:
    """Return the folder of partial downloads; its name is unique to these files and this window."""
    content = repr(([sorted(row.items()) for row in files], sorted(asdict(site).items()), buffer))
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return target.with_name(f".{target.stem}.{digest}.part")


def _run_all(pool: ThreadPoolExecutor, work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Process all items, even after one failed, so that the rest need not be fetched again; then raise an error."""
    errors = [future.exception() for future in [pool.submit(work, item) for item in items]]
    # a permanent error is the reason, whatever else failed
    for error in sorted(filter(None, errors), key=lambda error: not isinstance(error, TigerbushError)):
        raise error


class _Part(NamedTuple):
    """A file of a window: its grid, and the parts of it to read for a site and for those that share a window.

    Whole files have none of these.
    """

    name: str
    grid: Grid | None = None
    source: Grid | None = None
    whole: Grid | None = None


def _parts_to_fetch(product: Product, window: Grid, shared: SharedWindow | None = None) -> list[_Part]:
    """List the files of a window."""

    def part(name: str, grid: Grid, margin: int) -> _Part:
        whole = grid.covering(shared.window, margin) if shared else None
        return _Part(name, grid, grid.covering(window, margin), whole)

    parts = []
    for band in sensor_of(product.name.product).site_bands:
        name, resolution = product.band_file(band)
        method = "First" if window.resolution > resolution else "Nearest"
        parts.append(part(name, product.grids[resolution], halo(method)))
    name, resolution = product.mask_file()
    if resolution is not None:
        parts.append(part(name, product.grids[resolution], halo(mask_method(resolution, window))))
    elif name is not None:
        parts.append(_Part(name))
    return parts


def _fetch_whole(remote: RemoteFiles, row: Row, folder: Path) -> None:
    path = folder / checked_name(row)
    if not path.exists():
        write_bytes(path, remote.content(row))


def _fetch(
    remote: RemoteFiles,
    rows: Mapping[str, Row],
    folder: Path,
    epsg: int,
    shared: SharedWindow | None,
    part: _Part,
) -> None:
    """Fetch a window of an image, or a whole file, unless an earlier attempt has."""
    row = rows[part.name]
    if part.grid is None:
        _fetch_whole(remote, row, folder)
        return
    path = (folder / checked_name(row)).with_suffix(".tif")
    if path.exists():
        return
    try:
        data, codestream = _read_window(remote, row, part, epsg, shared)
    except Exception:
        remote.forget(row)
        raise
    with atomic_write(path) as temporary:
        _write_window(temporary, data, part.source, epsg, {CODESTREAM: codestream} if codestream else {})


def read_remote_window(store: Store, row: Row, grid: Grid, source: Grid, epsg: int) -> np.ndarray:
    """Read the part `source` of a remote image on `grid`, fetching little more than the tiles it touches.

    Parameters
    ----------
    store : Store
    row : row of files.tsv
    grid, source : Grid
    epsg : int
        EPSG code of the product.

    Returns
    -------
    (bands, h, w) array

    Raises
    ------
    TigerbushError
        When the image is missing, truncated, of another size, or cannot be decoded.
    RemoteError
        Also when its tiles are damaged: another attempt may return the right bytes.
    """
    return _read_window(RemoteFiles(store), row, _Part(row["name"], grid, source), epsg)[0]


def _read_window(
    remote: RemoteFiles, row: Row, part: _Part, epsg: int, shared: SharedWindow | None = None
) -> tuple[np.ndarray, str | None]:
    """Return the pixels of a window, and the outcome of checking the packets of its tiles."""
    label, file = remote.store.label(row["key"]), remote.open(row)
    name, codestream, contents = PurePosixPath(row["name"]).name, None, None
    if name.endswith(".jp2"):
        check_jp2(file.read(0, JP2_HEAD), file.read(file.size - JP2_TAIL, JP2_TAIL), label)
        try:
            codestream = check_codestream(file.read, file.size, part.grid.pixels(part.source))
        except DamagedError as error:
            raise RemoteError(f"{label}: the data received are damaged: {error}") from error
        contents = file.read, file.size
    try:
        with open_remote(file, name) as image:
            check_geotiff(image, label, part.grid, epsg, band=row["role"] == "band")
            size_file = sensor_of(row["product"]).size_file
            read = partial(read_part, image, label, part.grid, size_file=size_file, contents=contents)
            data = shared.cut(part.name, part.whole, part.source, read) if shared else read(part.source)
            return data, codestream
    except GDAL_ERRORS as error:
        raise decode_error(label, error) from error


def _write_window(path: Path, data: np.ndarray, grid: Grid, epsg: int, tags: Mapping[str, str]) -> None:
    profile = {
        "driver": "GTiff",
        "count": len(data),
        "height": grid.height,
        "width": grid.width,
        "dtype": data.dtype.name,
        "crs": f"EPSG:{epsg}",
        "transform": grid.transform,
        "compress": "DEFLATE",
        "zlevel": 1,
        "predictor": 2,
    }
    try:
        with rasterio.open(path, "w", **profile) as out:
            out.write(data)
            out.update_tags(**tags)
        # GDAL does not report that the last block did not fit on the disk
        with rasterio.open(path) as written:
            written.read(window=Window(written.width - 1, written.height - 1, 1, 1))
    except (*GDAL_ERRORS, SystemError) as error:
        raise write_error(path, error) from error


def _zip_folder(folder: Path, target: Path) -> None:
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent))
