"""Measure the sites of a batch at a date in memory: NDVI, centrality, patterns; images of some dates are kept."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tigerbush.bundle import Entry, holds, index_at, update_bundle
from tigerbush.errors import KeptError
from tigerbush.job import job_arguments, job_log
from tigerbush.measured.date import measure_site
from tigerbush.placeholder import refuse_loss
from tigerbush.planning.batches import made_of_date
from tigerbush.planning.windows import outdated
from tigerbush.raster import LINEAGE
from tigerbush.site import Site
from tigerbush.sites.bundles import paths_of
from tigerbush.sites.composite import lost_products
from tigerbush.summary.files import MEASURED, read_measured_summary


def main(
    windows: Mapping[str, Path],
    out: Path,
    *,
    date: str,
    sites: Mapping[str, Mapping],
    products: Mapping[str, Sequence[str]],
    shown: bool,
    measures: Mapping,
    tiles: Mapping[str, Mapping[str, str]],
) -> None:
    indexes = {product: index_at(bundle) for product, bundle in windows.items()}
    wanted = {
        name: made_of_date(
            sites[name],
            needed,
            shown,
            measures,
            {product: indexes[product][name].digest for product in needed},
        )
        for name, needed in products.items()
    }
    entries, files, kept = {}, {}, []
    for name in outdated(index_at(out), wanted):
        bundles = {product: windows[product] for product in products[name]}
        selection = {key: measures[key] for key in ("max_masked_fraction", "limit", "mode")}
        measured = measure_site(
            name,
            date,
            [paths_of(bundle, name) for bundle in bundles.values()],
            **{key: measures[key] for key in ("mask", "indices", "network", "seed")},
            shown=shown,
            selection=selection | {"site": Site(**sites[name]), "tiles": tiles[name]},
        )
        try:
            refuse_loss(lost_of(out, name, measured), out, bundles, name)
        except KeptError as error:
            kept.append(error)
            continue
        entries[name], files[name] = Entry(wanted[name].text, "ok"), measured
    update_bundle(out, entries, files)
    if kept:
        raise kept[0]


def lost_of(out: Path, site: str, measured: Mapping[str, bytes]) -> dict[str, str]:
    """Return the products in the measures of a site of an earlier run that the new ones lack, with the reasons."""
    if not holds(out, site):
        return {}
    before = read_measured_summary(out, site)["lineage"]
    after = json.loads(measured[MEASURED])["lineage"]
    return lost_products({LINEAGE: json.dumps(before)}, {LINEAGE: json.dumps(after)})


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {Path(bundle).parent.name: Path(bundle) for bundle in snakemake.input.bundles},
            Path(snakemake.output.measures),
            date=snakemake.wildcards.date,
            **job_arguments(snakemake.params),
        )
