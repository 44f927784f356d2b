"""Fetch the windows of a product that sites need into bundles."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tigerbush.bundle import Entry, index_at, update_bundle
from tigerbush.job import job_log
from tigerbush.placeholder import (
    failure_in,
    is_finished,
    placeholder_on_failure,
    raise_if_window_finished,
    window_record,
    write_placeholder_zip,
)
from tigerbush.planning.windows import Made, by_part, made_of, outdated
from tigerbush.site import Site
from tigerbush.sites.stream import shared_windows, stream_product
from tigerbush.sources.download import open_store
from tigerbush.sources.ranges import RemoteFiles


def main(
    bundles: Sequence[Path],
    *,
    product: str,
    source: dict,
    files: list[dict],
    sites: Mapping[str, tuple[Site, Made]],
    buffer: int,
    connections: int,
    last_attempt: bool,
) -> None:
    remote = RemoteFiles(open_store(source, connections))
    for bundle, names in zip(bundles, by_part(sites, len(bundles)), strict=True):
        entries, fetched = {}, {}
        wanted = outdated(index_at(bundle), {site: sites[site][1] for site in names})
        places = {site: sites[site][0] for site in wanted}
        for site, shared in shared_windows(remote, product, files, places, buffer):
            place, made = sites[site]
            # a later attempt finds what an earlier one has fetched
            target = bundle.parent / f".{site}-{made.fingerprint}" / f"{product}.zip"
            if not is_finished(target):
                placeholder_on_failure(
                    lambda target=target, place=place, shared=shared: stream_product(
                        remote, product, files, target, site=place, buffer=buffer, shared=shared
                    ),
                    lambda reason, target=target: write_placeholder_zip(target, reason),
                    last_attempt,
                )
            if (reason := failure_in(target)) is not None:
                raise_if_window_finished(bundle, site, reason)
            entries[site] = Entry(made.text, "ok" if reason is None else "failed", reason or "")
            fetched[site] = {target.name: target}
        update_bundle(bundle, entries, fetched)
        for site, entry in entries.items():
            window_record(bundle, site).unlink(missing_ok=True)
            (target,) = fetched[site].values()
            if entry.status == "ok":
                # also what was fetched with other settings
                for folder in (target.parent, *bundle.parent.glob(f".{site}-{'[0-9a-f]' * 16}")):
                    shutil.rmtree(folder, ignore_errors=True)
            else:
                # a retry fetches the rest of its files
                target.unlink()
                with suppress(OSError):
                    # unless there are none
                    target.parent.rmdir()


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(bundle) for bundle in snakemake.output.bundles],
            product=snakemake.wildcards.product,
            # allowed hosts do not change results, so they are not a parameter
            source=snakemake.config["source"] | snakemake.params.store,
            files=snakemake.params.files,
            sites={
                name: (Site(**site), made_of(made, *snakemake.params.version))
                for name, (site, made) in snakemake.params.sites.items()
            },
            buffer=snakemake.params.buffer,
            connections=snakemake.resources.connections,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
