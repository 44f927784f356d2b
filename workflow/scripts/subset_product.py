"""Trim the resampled windows of a product and their masks to the sites, and add them to the product's bundles."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tigerbush.bundle import folder_beside, index_at, update_bundle
from tigerbush.errors import KeptError, TigerbushError
from tigerbush.job import job_log
from tigerbush.placeholder import raise_if_window_finished, window_record
from tigerbush.planning.windows import Made, by_part, made_of, outdated, part_of
from tigerbush.site import Site
from tigerbush.sites.bundles import entry_of, read_window, write_window
from tigerbush.sites.product import subset_site


def main(resampled: Path, bundles: Sequence[Path], *, sites: Mapping[str, tuple[Site, Made]]) -> None:
    available = index_at(resampled)
    refuse_placeholders(resampled, bundles, available, sites)
    for bundle, names in zip(bundles, by_part(sites, len(bundles)), strict=True):
        wanted = {site: sites[site][1] for site in names}
        missing = outdated(index_at(bundle), wanted)
        if absent := outdated(available, {site: wanted[site] for site in missing}):
            raise TigerbushError(f"{resampled} has no window of {absent[0]}; run again.")
        entries, files = {}, {}
        with folder_beside(bundle) as folder:
            for site in missing:
                image, mask = subset_site(*read_window(resampled, site), sites[site][0])
                entries[site] = entry_of(image.tags, wanted[site].text)
                files[site] = write_window(folder, site, image, mask)
            update_bundle(bundle, entries, files)
        for site in missing:
            window_record(bundle, site).unlink(missing_ok=True)


def refuse_placeholders(
    resampled: Path,
    bundles: Sequence[Path],
    available: Mapping,
    sites: Mapping[str, tuple[Site, Made]],
) -> None:
    """Refuse to replace finished windows by placeholders; all of them are recorded."""
    kept = []
    for site, entry in available.items():
        if site in sites and entry.status == "failed":
            try:
                raise_if_window_finished(bundles[part_of(site, len(bundles))], site, entry.reason)
            except KeptError as error:
                kept.append(error)
    if kept:
        # a later run must read the product again, not its placeholder
        resampled.unlink()
        raise kept[0]


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.windows),
            [Path(bundle) for bundle in snakemake.output.bundles],
            sites={
                name: (Site(**site), made_of(made, *snakemake.params.version))
                for name, (site, made) in snakemake.params.sites.items()
            },
        )
