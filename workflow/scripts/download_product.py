"""Copy the bands, metadata and masks of a product, or the whole product, into one zip."""

from pathlib import Path

from tigerbush.job import job_log
from tigerbush.placeholder import placeholder_on_failure, write_placeholder_zip
from tigerbush.planning.source import FOLDERS
from tigerbush.sensors import sensor_of
from tigerbush.sources.folder import copy_product


def main(
    out: Path,
    *,
    path: str,
    bands: list[str] | None,
    snap_masks: bool = False,
    source: dict,
    files: list[dict],
    fetched: list[Path],
    last_attempt: bool,
) -> None:
    wanted = None if bands is None else list(dict.fromkeys([*sensor_of(out.stem).site_bands, *bands]))

    def copy() -> None:
        if source["kind"] in FOLDERS:
            masks = bands or () if snap_masks else ()
            copy_product(Path(path), out, wanted, masks, verify=source.get("verify") != "never")
            return
        # takes as long to import as all else, and only remote products need it
        from tigerbush.sources.download import fetch_product, fetch_whole_product, open_store

        if bands is None:
            fetch_whole_product(out.stem, files, out, store=open_store(source))
        else:
            fetch_product(out.stem, files, out, store=open_store(source), fetched=fetched, bands=wanted)

    placeholder_on_failure(
        copy,
        lambda reason: write_placeholder_zip(out, reason),
        last_attempt,
        source=Path(path) if source["kind"] in FOLDERS else None,
        result=out,
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output[0]),
            # the simulated product, or where the product is in the source
            path=[*snakemake.input.product, snakemake.params.path][0],
            # None: the whole product, which SNAP needs
            bands=snakemake.params.bands,
            snap_masks=snakemake.params.get("scene.snap_masks", False),
            # allowed hosts do not change results, so they are not a parameter
            source=snakemake.config["source"] | snakemake.params.store,
            files=snakemake.params.files,
            fetched=[Path(path) for path in snakemake.input.stored],
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
