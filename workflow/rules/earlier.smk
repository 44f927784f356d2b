"""Windows of the layout before bundles, one file for each site and product, are taken over instead of made again."""

from types import SimpleNamespace

from snakemake.exceptions import IncompleteCheckpointException
from snakemake.io import IOFile

# names of a site's files in that layout, of which fingerprints hold the digest
_WINDOWS = (
    "results/{0.site}/products/{0.product}.window.tif",
    "results/{0.site}/products/{0.product}.window_mask.tif",
)


def take_over_earlier_windows():
    """Put the windows of earlier releases that are still valid into bundles; return how many."""
    if stored_blobs() is not None:
        return 0
    library, number = from_library("runs.earlier"), 0
    for folder in ("downloads", "windows"):
        earlier = library.earlier_windows(RESULTS, folder)
        try:
            valid = [window for window in earlier if is_valid(window, folder)]
        except IncompleteCheckpointException:
            # once the products have been listed
            return 0
        number += library.take_over(
            valid,
            lambda window, folder=folder: Path(
                with_prefix(bundles_in(folder, window.product)[WINDOWS.part_of(window.site, PARTS)])
            ),
            lambda window, folder=folder: made_of_windows(folder, window.product)[window.site].text,
        )
    if number:
        logger.info(
            f"{number} window(s) of an earlier release were put into results/windows and results/downloads."
        )
    return number


def is_valid(window, folder):
    """Tell whether a window is that of today's configuration and code, and is not in its bundle yet."""
    if window.product not in products_table() or window.site not in made_of_windows(folder, window.product):
        return False
    if window.site in entries_of(folder, window.product):
        return False
    recorded = [record.read_text() if record.exists() else "" for record in window.records]
    today = earlier_fingerprints(window, folder)
    same = all(
        FINGERPRINTS.text_differences(FINGERPRINTS.with_first_versions(old, new, rows), new) is None
        for old, (new, rows) in zip(recorded, today, strict=True)
    )
    return same and (folder == "downloads" or has_same_code(window))


def earlier_fingerprints(window, folder):
    """Return the fingerprints that an earlier release would have written, each with the rows of the product it reads."""
    row, site = products_table()[window.product], window_of(window.site)
    rows = {} if row["url"].startswith("s3://") else {window.product: row}
    if folder == "downloads":
        files = files_of([])(SimpleNamespace(product=window.product))
        parameters = {"files": files, "site": site, "buffer": MASK_OPTIONS["buffer"]}
        return [(earlier_fingerprint(parameters, [], rows), rows)]
    copies = (
        [f"results/{window.site}/downloads/{window.product}.zip"]
        if STREAMS
        else whole_product(SimpleNamespace(product=window.product))
    )
    read = {} if copies or config["source"]["kind"] == "sample" else rows
    pixels = {"site": site, "mask_options": MASK_OPTIONS, "max_negative_fraction": MAX_NEGATIVE_FRACTION}
    names = [name.format(window) for name in _WINDOWS]
    return [
        (earlier_fingerprint(pixels, copies, read), read),
        (earlier_fingerprint({"site": site}, names, {}), {}),
    ]


def earlier_fingerprint(parameters, inputs, rows):
    made = FINGERPRINTS.parameters_of(parameters, map(with_prefix, inputs), config["source"]["path"])
    return FINGERPRINTS.text_of(FINGERPRINTS.with_versions(made, rows))


def has_same_code(window):
    """Tell whether a window was made by code that gives the same numbers, as far as Snakemake has recorded it."""
    for rule, name in (
        ("subset_product", window.files["image.tif"]),
        ("resample_product", window.records[0]),
    ):
        recorded = workflow.persistence.params(IOFile(str(name)))
        today = code_of(rule, sensors=sensors_of_products([window.product]))
        if recorded is not None and not any(today in str(value) for value in recorded):
            return False
    return True
