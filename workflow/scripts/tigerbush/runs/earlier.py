"""Windows that releases before bundles have left, one file for each site and product: they are put into bundles."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tigerbush.bundle import Entry, update_bundle
from tigerbush.placeholder import is_finished
from tigerbush.raster import read_tags
from tigerbush.sites.bundles import IMAGE, MASK, entry_of


@dataclass(frozen=True)
class Earlier:
    """What an earlier release has made of a product for a site.

    Attributes
    ----------
    site, product : str
    files : mapping of str to Path
        By their names in a bundle.
    records : tuple of Path
        Its fingerprints.
    """

    site: str
    product: str
    files: Mapping[str, Path]
    records: tuple[Path, ...]


def earlier_windows(results: Path, folder: str) -> list[Earlier]:
    """Return the windows in `results/{site}/products`, or what was fetched in `results/{site}/downloads`.

    Parameters
    ----------
    results : Path
    folder : {"windows", "downloads"}
        Of the bundles that they belong in.
    """
    found = []
    pattern = "*/products/*.tif" if folder == "windows" else "*/downloads/*.zip"
    for path in sorted(results.glob(pattern)):
        site, product = path.parent.parent.name, path.stem
        fingerprints = results / site / "fingerprints" / product
        if folder == "downloads":
            files, rules = {path.name: path}, ("stream_product",)
        elif (mask := path.with_name(f"{product}_mask.tif")).exists():
            files, rules = {IMAGE: path, MASK: mask}, ("resample_product", "subset_product")
        else:
            continue
        found.append(Earlier(site, product, files, tuple(fingerprints / f"{rule}.json" for rule in rules)))
    return found


def take_over(
    windows: Iterable[Earlier], bundle_of: Callable[[Earlier], Path], made_of: Callable[[Earlier], str]
) -> int:
    """Put windows of an earlier release into bundles, and delete their files; return how many were finished.

    Parameters
    ----------
    windows : iterable of Earlier
        That are still valid.
    bundle_of, made_of : callable
        Return the bundle of a window, and its fingerprint.
    """
    by_bundle: dict[Path, list[Earlier]] = {}
    for window in windows:
        if all(is_finished(path) for path in window.files.values()):
            by_bundle.setdefault(bundle_of(window), []).append(window)
    for bundle, of_bundle in by_bundle.items():
        entries = {window.site: _entry(window, made_of(window)) for window in of_bundle}
        update_bundle(bundle, entries, {window.site: window.files for window in of_bundle})
        for window in of_bundle:
            for path in (*window.files.values(), *window.records):
                path.unlink(missing_ok=True)
    return sum(map(len, by_bundle.values()))


def _entry(window: Earlier, made: str) -> Entry:
    image = window.files.get(IMAGE)
    return entry_of(read_tags(image), made) if image else Entry(made, "ok")
