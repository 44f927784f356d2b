"""Resample the windows of a product that sites need, and their cloud masks."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from tigerbush.bundle import Entry, folder_beside, index_at, read_index, unpacked, update_bundle
from tigerbush.job import job_log, results_folder
from tigerbush.masks import MaskOptions
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.planning.windows import Made, made_of, outdated, part_of
from tigerbush.raster import Raster
from tigerbush.readers import Product
from tigerbush.sensors import sensor_of
from tigerbush.site import Site
from tigerbush.sites.bundles import entry_of, write_window
from tigerbush.sites.joint import joint_products
from tigerbush.sites.product import resample_site, site_placeholder
from tigerbush.verification import records_folder, verify_product


def main(
    out: Path,
    *,
    product: str,
    path: Path,
    fetched: Sequence[Path],
    available: Mapping[str, Entry],
    sites: Mapping[str, tuple[Site, Made]],
    options: MaskOptions,
    max_negative_fraction: float | None,
    last_attempt: bool,
    records: Path | None = None,
) -> None:
    def resample(site: str, source: Product | Path) -> tuple[Raster, Raster]:
        if records is not None:
            # once: it is recorded
            verify_product(path, sensor_of(product).site_bands, records)
        opened = nullcontext(source)
        if fetched:
            opened = unpacked(fetched[part_of(site, len(fetched))], site, f"{product}.zip")
        with opened as source:
            return resample_site(source, sites[site][0], options, max_negative_fraction)

    missing = outdated(available, {site: made for site, (_, made) in sites.items()})
    places = {site: sites[site][0] for site in missing}
    entries, files = {}, {}
    with folder_beside(out) as folder:
        # a copy of its own for each site, or one product for all
        sources = (
            ((site, path) for site in missing) if fetched else joint_products(path, places, options.buffer)
        )
        for site, source in sources:
            image, mask = placeholder_on_failure(
                partial(resample, site, source),
                lambda reason, site=site: site_placeholder(product, reason, places[site]),
                last_attempt,
                source=path,
            )
            entries[site] = entry_of(image.tags, sites[site][1].text)
            files[site] = write_window(folder, site, image, mask)
        update_bundle(out, entries, files)


def available_windows(resampled: Path, parts: int, indexes: Sequence[str]) -> dict[str, Entry]:
    """Return the windows that there are already, from the content of indexes, or else from those on this machine."""
    bundles = (resampled.with_name(f"{part}.zip") for part in range(parts))
    entries = map(read_index, indexes) if indexes else map(index_at, bundles)
    return {site: entry for part in entries for site, entry in part.items()}


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.windows),
            product=snakemake.wildcards.product,
            # the local copy if there is one, else where the product is in the source
            path=Path([*snakemake.input.product, *snakemake.input.bundles, snakemake.params.path][0]),
            fetched=[Path(bundle) for bundle in snakemake.input.bundles],
            available=available_windows(
                Path(snakemake.output.windows), snakemake.params.parts, snakemake.params.indexes
            ),
            sites={
                name: (Site(**site), made_of(made, *snakemake.params.version))
                for name, (site, made) in snakemake.params.sites.items()
            },
            options=MaskOptions(**snakemake.params.mask_options),
            max_negative_fraction=snakemake.params.max_negative_fraction,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
            # a copy was verified when it was made; verifying changes no result, so it is not a parameter
            records=None
            if snakemake.input.product or snakemake.input.bundles
            else records_folder(snakemake.config["source"], results_folder(snakemake.output.fingerprint)),
        )
