"""List the products of the source and write products.tsv and files.tsv."""

import logging
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from tigerbush.job import job_log
from tigerbush.planning.notes import REPLACED_LINE, SKIPPED_LINE
from tigerbush.planning.scenes import Selection
from tigerbush.planning.source import FOLDERS
from tigerbush.planning.tables import (
    CHANGE_COLUMNS,
    COLUMNS,
    FILE_COLUMNS,
    ZONE,
    is_row,
    read_rows,
    read_sites,
    write_table,
)
from tigerbush.planning.zones import (
    read_zones,
    rejected_tiles,
    sites_in_zones,
    tiles_of,
    zone_notes,
    zones_of,
)
from tigerbush.runs.made_of import made_of
from tigerbush.sources.changes import change_lines
from tigerbush.sources.listing import list_products

log = logging.getLogger(__name__)


def results_of_table(products: Path, results: str | None) -> Path | None:
    """Return the folder of results if it is that of the table; other folders may share a table that lies elsewhere."""
    return Path(results) if results and products.absolute().is_relative_to(Path(results).absolute()) else None


def main(
    products: Path,
    files: Path,
    *,
    source: dict,
    sites: Mapping[str, Mapping],
    period: tuple[str, str],
    connections: int,
    snap_masks: bool = False,
    scenes: dict | None = None,
    results: Path | None = None,
) -> None:
    old, old_files = [row for row in read_rows(products) if is_row(row)], read_rows(files)
    undecided = {name: site for name, site in sites.items() if ZONE not in site}
    zones = read_zones(products)
    if zones is None or source["kind"] in FOLDERS:
        # sites without a record have been planned with the products of the table
        zones = (zones or {}) | zones_of(undecided, zones, tiles_of(old))
    places = sites_in_zones(sites, zones)
    results_of = cache(partial(made_of, results=results)) if results else None
    replaced: dict[str, str] = {}
    skipped: list[tuple[str, str]] = []
    rows, file_rows = list_products(
        source, places, period, old, old_files, connections, results_of, snap_masks, replaced, skipped, scenes
    )
    zones |= zones_of(undecided, zones, tiles_of(rows))
    rejected = {tile for _, tile in rejected_tiles(tiles_of(rows), sites, zones)}
    known = {row["product"] for row in old}
    if source["kind"] not in FOLDERS:
        is_chosen = Selection.of(scenes, source).includes if scenes else lambda row: False
        rows = [
            row for row in rows if row["product"] in known or row["tile"] not in rejected or is_chosen(row)
        ]
        listed = {row["product"] for row in rows}
        file_rows = [row for row in file_rows if row["product"] in listed]
    for line in change_lines(old, old_files, rows, file_rows, results_of):
        log.info("%s", line)
    # the others first, so that a table of products never lacks them
    write_table(files, file_rows, FILE_COLUMNS)
    if source["kind"] == "sample":
        # git tracks this table, and the times of simulated products are new on each machine
        write_table(products, [{column: row[column] for column in COLUMNS} for row in rows], COLUMNS)
    else:
        notes = [
            *zone_notes(zones),
            *((REPLACED_LINE, older, product) for older, product in sorted(replaced.items())),
            # those of sites and of scenes are searched one after the other
            *((SKIPPED_LINE, item, reason) for item, reason in dict.fromkeys(skipped)),
        ]
        write_table(products, rows, (*COLUMNS, *CHANGE_COLUMNS), notes)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        config = snakemake.config
        main(
            Path(snakemake.output.products),
            Path(snakemake.output.files),
            # allowed hosts do not change results, so they are not a parameter
            source=config["source"] | snakemake.params.source,
            # with their names, which do not change the table
            sites=read_sites(
                Path(config["sites"]), config["subimages"]["size"] * config["composite"]["resolution"]
            )
            if config["sites"]
            else {},
            period=snakemake.params.period,
            scenes=snakemake.params.get("scenes"),
            connections=snakemake.resources.connections,
            snap_masks=snakemake.params.get("scene.snap_masks", False),
            results=results_of_table(Path(snakemake.output.products), snakemake.params.results),
        )
