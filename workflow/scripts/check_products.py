"""Check whether products failed, as the last job: end the run with an error, or only report them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tigerbush.errors import TigerbushError
from tigerbush.files import read_json, write_bytes
from tigerbush.job import job_arguments, job_log
from tigerbush.spreadsheet import escape_cell


def failed_products(summaries: list[Path], scenes: list[Path]) -> dict[str, str]:
    """Collect product and reason from the summaries of sites and the tags of scenes."""
    failed = {}
    for path in summaries:
        failed |= read_json(path)["metadata"]["failed_products"]
    if scenes:
        # most runs have none, and need no more than text
        from tigerbush.raster import PRODUCT, REASON, STATUS, read_tags
    for path in scenes:
        tags = read_tags(path)
        if tags[STATUS] == "failed":
            failed[tags[PRODUCT]] = tags[REASON]
    return failed


def _rows(reasons: Mapping[str, str]) -> list[str]:
    return [
        f"{escape_cell(product)}\t{escape_cell(' '.join(reason.split()))}"
        for product, reason in reasons.items()
    ]


def main(
    summaries: list[Path],
    scenes: list[Path],
    out: Path,
    *,
    on_failure: str,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> None:
    failed = failed_products(summaries, scenes)
    for product, reason in failed.items():
        logging.error("%s failed: %s", product, reason)
    if failed and on_failure == "stop":
        raise TigerbushError(
            f"{len(failed)} product(s) failed, everything else is finished; fix them and run ./tigerbush retry, "
            "or set on_failure: report."
        )
    lines = [f"{len(failed)} failed", *_rows(failed)]
    if left_out:
        lines += [f"{len(left_out)} left out", *_rows(left_out)]
    write_bytes(out, "".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.get("summaries", [])],
            [Path(path) for kind in ("scenes", "masks") for path in snakemake.input.get(kind, [])],
            Path(snakemake.output[0]),
            **job_arguments(snakemake.params),
        )
