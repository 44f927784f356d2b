"""Median of the clear observations of the products of a date."""

from pathlib import Path

from tigerbush.errors import KeptError
from tigerbush.job import job_log
from tigerbush.placeholder import is_finished, write_record
from tigerbush.raster import Raster, read_tags, write_raster
from tigerbush.sites.composite import composite_products, lost_products


def refuse_loss(out: Path, new: Raster, folder: Path) -> None:
    """Refuse to replace a composite by one that has lost products, and record them in `folder`."""
    lost = lost_products(read_tags(out), new.tags) if is_finished(out) else {}
    for product, reason in lost.items():
        write_record(folder / f"{product}.tif", reason)
    if lost:
        product, reason = next(iter(lost.items()))
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise KeptError(
            f"{product}{more} cannot be used ({reason.rstrip('.')}); {out} of an earlier run would lose pixels and is "
            "kept as it is: fix the product, then run ./tigerbush retry, or delete that file to go on without it.",
            reason,
        )


def main(images: list[Path], masks: list[Path], out: Path, lost: Path, *, mask: str, mode: str) -> None:
    composite, why_lost = composite_products(list(zip(images, masks, strict=True)), mask, mode)
    refuse_loss(out, composite, images[0].parent)
    write_raster(lost, why_lost)
    write_raster(out, composite)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.images],
            [Path(path) for path in snakemake.input.masks],
            Path(snakemake.output.composite),
            Path(snakemake.output.lost),
            mask=snakemake.params.mask,
            mode=snakemake.params.mode,
        )
