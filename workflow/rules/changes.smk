"""Before the first job: warnings of a period that is cut off, a source that has changed, and results left over."""

from pathlib import PurePosixPath


def warn_of_changes(dag):
    """Warn of changes that this run does not take into account; none if it lists the products itself."""
    if any(job.rule.name == DISCOVER_PRODUCTS for job in dag.needrun_jobs()):
        return
    try:
        products = products_table()
    except IncompleteCheckpointException:
        return
    changes = from_library("runs.changes")
    if config["source"]["kind"] == "local":
        folder, level = Path(config["source"]["path"]), config["source"]["level"]
        # in remote storage, the table of files is not on this machine
        files = files_table() if stored_blobs() is None else {}
        if sentence := changes.folder_difference(folder, level, products, files):
            logger.warning(sentence)
    if results := changes.left_over(finished_results(), wanted_dates()):
        logger.warning(changes.left_over_sentence(results))


def wanted_dates():
    """Return the dates of each site that have results in this configuration, or keep those of an earlier run."""
    kept = [PurePosixPath(name) for name in KEPT]
    wanted = {site: [path.name for path in kept if path.parent.name == site] for site in SITES}
    for site, dates in wanted.items():
        try:
            dates += dates_with_products(site)
        except WorkflowError:
            # a site without products, which the targets of this run do not need
            dates += PERIODS
    return wanted


def finished_results():
    """List the results of dates and sites, relative to the folder of results."""
    patterns = from_library("runs.changes").FINISHED
    if stored_blobs() is None:
        paths = (path.relative_to(RESULTS) for pattern in patterns for path in RESULTS.glob(pattern))
        return [path.as_posix() for path in paths]
    prefix = f"{STORED}/{RESULTS}/"
    names = (PurePosixPath(blob.removeprefix(prefix)) for blob in stored_blobs() if blob.startswith(prefix))
    return [str(name) for name in names if any(map(name.match, patterns))]


def warn_of_dropped_period():
    """Warn when the last period is incomplete, as after the last day of a month taken for the end."""
    days = [row.get("sensing_time", "")[:10] for row in TABLES.read_rows(Path(config["products"]))]
    if warning := from_library("planning.periods").period_warning(**config["period"], days=days):
        logger.warning(warning)


if is_main_process() and SITES:
    warn_of_dropped_period()
