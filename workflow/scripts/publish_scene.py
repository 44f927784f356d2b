"""Publish the scene, or its mask, that an MPI rank has written."""

from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.files import link_or_copy, read_json
from tigerbush.job import job_log
from tigerbush.placeholder import raise_if_finished, raise_if_scene_has_pixels, record_path
from tigerbush.scenes.ranks import KEPT, scene_part


def main(manifest: Path, out: Path, *, product: str, is_mask: bool) -> None:
    contents = read_json(manifest)
    part = scene_part(contents["mask_folder" if is_mask else "folder"], product)
    if not part.exists():
        raise TigerbushError(
            f"{part} is missing; delete {manifest} and run again: only missing scenes are made."
        )
    outcome = contents["masks" if is_mask else "scenes"].get(product, {})
    if outcome.get("status") in ("failed", KEPT):
        raise_if_finished(out, outcome["reason"])
    if outcome.get("status") == "outside":
        raise_if_scene_has_pixels(out, outcome.get("reason") or "the product does not reach the region")
    link_or_copy(part, out)
    record_path(out).unlink(missing_ok=True)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        out = Path(snakemake.output[0])
        main(
            Path(snakemake.input[0]),
            out,
            product=snakemake.wildcards.product,
            is_mask=out.stem.endswith("_mask"),
        )
