"""Resample whole products with one of the engines: NumPy (`tigerbush.scenes.scene`) or ESA SNAP (`.snap`)."""

from pathlib import Path

from tigerbush.placeholder import placeholder_on_failure
from tigerbush.raster import write_raster
from tigerbush.scenes.scene import SceneOptions, scene_placeholder, write_scene
from tigerbush.scenes.snap import Limits, write_snap_scene
from tigerbush.verification import verify_product


def run_engine(path: Path, target: Path, options: SceneOptions, limits: Limits) -> None:
    """Write a product's scene with the engine that `options` names.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    target : Path
        GeoTIFF.
    options : SceneOptions
    limits : Limits
        For SNAP; the engine `rasterio` ignores them.

    Raises
    ------
    TigerbushError, ConfigurationError, EngineError, WriteError
    """
    if options.engine == "rasterio":
        write_scene(path, target, options)
    else:
        write_snap_scene(path, target, options, limits)


def make_scene(
    path: Path,
    target: Path,
    product: str,
    options: SceneOptions,
    *,
    limits: Limits,
    last_attempt: bool,
    records: Path | None = None,
) -> None:
    """Write a product's scene, or a placeholder when it fails (`tigerbush.placeholder`).

    Parameters
    ----------
    path, target, options, limits
        As in `run_engine`.
    product : str
        Name of the product, for the placeholder.
    last_attempt : bool
        Whether an error that may be temporary counts as permanent.
    records : Path, optional
        Verify the product first, and keep the record of it in this folder (`tigerbush.verification`).

    Raises
    ------
    OSError
        An error that may be temporary, before the last attempt.
    MachineError, MemoryError, ImportError
        When the machine is to blame: `target` cannot be written, the engine does not work here, and the like.
    KeptError
        When the product fails but `target` is finished.
    """

    def placeholder_raster(reason: str) -> None:
        write_raster(target, scene_placeholder(product, reason, options.bands, options.resolution))

    def work() -> None:
        if records is not None:
            verify_product(path, options.bands, records, options.bands if options.snap_masks else ())
        run_engine(path, target, options, limits)

    placeholder_on_failure(
        work,
        placeholder_raster,
        last_attempt,
        source=path,
        result=target,
    )
