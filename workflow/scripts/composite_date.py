"""Median of the clear observations of the products of a date."""

from collections.abc import Mapping
from pathlib import Path

from tigerbush.bundle import index_at
from tigerbush.files import write_json
from tigerbush.job import job_log
from tigerbush.placeholder import is_finished, refuse_loss
from tigerbush.raster import read_tags, write_raster
from tigerbush.sites.bundles import paths_of
from tigerbush.sites.composite import composite_products, lost_products


def main(
    bundles: Mapping[str, Path], out: Path, lost: Path, windows: Path, *, site: str, mask: str, mode: str
) -> None:
    composite, why_lost = composite_products(
        [paths_of(bundle, site) for bundle in bundles.values()], mask, mode
    )
    missing = lost_products(read_tags(out), composite.tags) if is_finished(out) else {}
    refuse_loss(missing, out, bundles, site)
    write_raster(lost, why_lost)
    write_raster(out, composite)
    write_json(windows, {product: index_at(bundle)[site].digest for product, bundle in bundles.items()})


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {Path(bundle).parent.name: Path(bundle) for bundle in snakemake.input.bundles},
            Path(snakemake.output.composite),
            Path(snakemake.output.lost),
            Path(snakemake.output.windows),
            site=snakemake.wildcards.site,
            mask=snakemake.params.mask,
            mode=snakemake.params.mode,
        )
