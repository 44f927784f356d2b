"""Before the first job: finished results whose products are gone are not replaced by results of fewer products."""

from snakemake.workflow import Workflow

# rules that read products or their local copies: their names here, by those they have when the workflow is used as a module
READING_RULES = {
    workflow.modifier.modify_rulename(name): name
    for name in (
        "download_product",
        "stream_product",
        "resample_product",
        "resample_scene",
        "resample_scenes",
        "mask_scene",
    )
}
COMPOSITE_DATE = workflow.modifier.modify_rulename("composite_date")


def makes_results():
    """Tell whether this process runs the workflow, and is not a job, a dry run or a query."""
    return (
        workflow.exec_mode == ExecMode.DEFAULT
        and workflow._executor_plugin is not None
        and not (workflow.dryrun or workflow.touch)
    )


@wrap_method(Workflow, "_build_dag")
def keep_irreproducible_results(original, self):
    """Plan the run; where products are gone, end it or plan again without the results made of them (on_gone)."""
    if not makes_results():
        original(self)
        if workflow.dryrun and workflow.exec_mode == ExecMode.DEFAULT:
            warn_of_changes(self.dag)
        return
    refuse_what_cannot_run()
    if not self.persistence.locked:
        restore_interrupted()
    original(self)
    if take_over_earlier_windows():
        plan_again(self)
        original(self)
    if losses := self.async_run(lost_results()):
        if config["on_gone"] == "stop":
            raise WorkflowError(from_library("runs.gone").loss_sentence(losses))
        for result, products in losses.items():
            reasons = "; ".join(f"{product} {reason}" for product, reason in products.items())
            logger.warning(f"{result} stays as an earlier run made it: {reasons}.")
            KEPT[result] = f"the results of an earlier run are kept, because {reasons}"
        _plan.cache_clear()
        sites_of_products.cache_clear()
        plan_again(self)
        original(self)
    vars(self.dag)["planned"] = True
    warn_of_changes(self.dag)


def plan_again(self):
    """Do what Workflow.execute does before it plans."""
    settings = self.execution_settings
    self._prepare_dag(
        forceall=self.dag_settings.forceall,
        ignore_incomplete=settings.ignore_incomplete,
        lock_warn_only=False,
        nolock=not settings.lock,
        shadow_prefix=settings.shadow_prefix,
    )


@wrap_method(DAG, "postprocess_after_update")
async def refuse_new_losses(original, dag):
    """After discovery, end the run if jobs that are now needed would replace such results: it cannot be planned again."""
    await original(dag)
    if vars(dag).get("planned") and makes_results() and (losses := await lost_results()):
        sentence = from_library("runs.gone").loss_sentence(losses)
        restart = " Start the run again for that." if config["on_gone"] == "keep" else ""
        raise WorkflowError(sentence + restart)


async def lost_results():
    """Return the finished results that this run would make again without products that are gone, and the reason of each."""
    read = {product for job in workflow.dag.needrun_jobs() for product in products_read(job)}
    # their windows may exist already, as placeholders
    read |= set(map(product_of_record, records()))
    products_of_results = await results_made_of(read) if read else {}
    if not products_of_results:
        return {}
    for file in checkpoints.discover_products.get().output:
        if file.is_storage:
            await file.retrieve_from_storage()
    table = products_table()
    rows = [table[product] for product in sorted(set().union(*products_of_results.values()))]
    library = from_library("runs.gone")
    try:
        gone = library.gone_products(
            rows, files_table(), lambda: from_library("sources.listing").open_store(config["source"])
        )
    except (library.TigerbushError, OSError) as error:
        raise WorkflowError(str(error)) from None
    losses = {
        result: {product: gone[product] for product in products if product in gone}
        | unreadable_products(result, products)
        for result, products in products_of_results.items()
    }
    return {result: reasons for result, reasons in losses.items() if reasons}


def unreadable_products(result, products):
    """Return which products of a result jobs could not read again, with the reasons."""
    if config["on_gone"] == "stop":
        # they are tried again
        return {}
    site = None if result.startswith("results/scenes/") else result.split("/")[1]
    folders = {RESULTS / "downloads"}
    if site is None:
        folders.add(RESULTS / Path(result).relative_to("results").parent)
    remedy = "./tigerbush retry" if stored_blobs() is None else "a run with on_gone: stop"
    return {
        product_of_record(path): f"could not be read again ({reason.rstrip('.')}; {remedy} tries again)"
        for path, reason in records().items()
        if product_of_record(path) in products
        and (path.parent in folders or (site and is_of_window(path) and path.name == f"{site}{RECORD}"))
    }


def is_of_window(path):
    """Tell whether a record is of the window of a site, which has a folder for each product."""
    return path.parents[1] in (RESULTS / "windows", RESULTS / "downloads")


def product_of_record(path):
    """Return the product whose window, image, mask or copy a record is of."""
    return path.parent.name if is_of_window(path) else path.name.removesuffix(RECORD).removesuffix("_mask")


def records_of(product):
    """Return the records of the windows of a product; none when its results are kept as they are."""
    if config["on_gone"] == "keep":
        return []
    return [path for path in records() if is_of_window(path) and path.parent.name == product]


@lru_cache(maxsize=1)
def records():
    """Return the reasons of products that could not be read again, by the paths of their records, as the run began."""
    reasons = {}
    for path in record_paths():
        try:
            reasons[path] = str(json.loads(read_result(path.as_posix()))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            reasons[path] = "its record is damaged"
    return reasons


def record_paths():
    """List the records; in Blob storage not those older than the product's result, which has been read since."""
    if stored_blobs() is None:
        folders = ("scenes", "scenes/*/*", "downloads", "downloads/*", "windows/*")
        return sorted(path for folder in folders for path in RESULTS.glob(f"{folder}/*{RECORD}"))

    def is_outdated(address):
        path = Path(address.removeprefix(f"{STORED}/"))
        if is_of_window(path):
            return window_is_read(path)
        results = (stored_blobs().get(address.removesuffix(RECORD) + suffix) for suffix in (".tif", ".zip"))
        record = stored_blobs()[address]
        return any(result is not None and result.last_modified > record.last_modified for result in results)

    return [
        Path(address.removeprefix(f"{STORED}/"))
        for address in stored_blobs()
        if address.endswith(RECORD) and not is_outdated(address)
    ]


def window_is_read(record):
    """Tell whether the window of a record has been read since, in Blob storage."""
    site, product = record.name.removesuffix(RECORD), record.parent.name
    entry, wanted = entries_of("windows", product).get(site), made_of_windows("windows", product)
    return (
        entry is not None
        and entry.status != "failed"
        and (site not in wanted or wanted[site].is_that_of(entry.made))
    )


def why_reread(job):
    """Return why a finished job must read its product again: a later attempt to do so failed. None if it need not."""
    if job.rule.name not in READING_RULES or config["on_gone"] == "keep":
        return None
    folders = {Path(address_in_results(file)).parent for file in job.output}
    endings = tuple(f"{getattr(job.wildcards, 'product', '')}{suffix}{RECORD}" for suffix in ("", "_mask"))
    for path, reason in records().items():
        if READING_RULES[job.rule.name] == "resample_scenes":
            concerned = path.is_relative_to(RESULTS / "scenes")
        else:
            concerned = path.parent in folders
        if concerned and path.name.endswith(endings):
            return f"{product_of_record(path)} could not be read again: {reason}"
    return None


def products_read(job):
    """Return the products that a job reads from the source; not simulated ones and copies, which can be made again."""
    name = READING_RULES.get(job.rule.name)
    if name is None or config["source"]["kind"] == "sample":
        return []
    if name == "resample_scenes":
        return [product for product in scenes() if not whole_product(SimpleNamespace(product=product))]
    if not name.startswith(("download", "stream")) and job.input:
        return []
    return [job.wildcards.product]


async def results_made_of(products):
    """Return the finished results that this run would make again and that were made of these products, with which."""
    products_of_results = {}
    for job in workflow.dag.needrun_jobs():
        if job.rule.name == COMPOSITE_DATE:
            result = f"results/{job.wildcards.site}/{job.wildcards.date}"
            planned = plan(job.wildcards.site)[job.wildcards.date]["products"]
        elif (result := await result_of_scene(job)) is not None:
            planned = [job.wildcards.product]
        else:
            continue
        read = [product for product in planned if product in products]
        if used := await products_in_result(job, read, planned) if read else []:
            products_of_results[result] = used
    return products_of_results


async def result_of_scene(job):
    """Return the path without suffix of the scene that a job makes, or of which it replaces the mask; else None."""
    if not (is_own_job(job) and hasattr(job.wildcards, "product") and job.output):
        return None
    scene, image = scene_of(job.wildcards.product), job.output[0]
    is_mask = image.endswith(f"{scene}_mask.tif") and await image.exists()
    return scene if is_mask or image.endswith(f"{scene}.tif") else None


async def products_in_result(job, products, planned):
    """Return which products the result of an earlier job was made of, and so would lose pixels without.

    A product counts when it, or the same data in another baseline, is in the result; all count when none of those that
    are planned is in it. A placeholder of a failed product has nothing to lose.
    """
    image = job.output[0]
    if not await image.exists():
        # the image alone was deleted: what was made of it would be lost
        later = [await has_results(other.output) for other in workflow.dag.depending[job]]
        return products if any(later) else []
    if image.is_storage:
        await image.retrieve_from_storage()
    raster = from_library("raster")
    try:
        tags = raster.read_tags(Path(image))
        if raster.LINEAGE not in tags:
            return [] if tags[raster.STATUS] == "failed" else products
        lineage = json.loads(tags[raster.LINEAGE])
        used = [*lineage["products"], *lineage["left_out"]]
        if lineage["products"] and not set(lineage["products"]) & set(planned):
            return products
        datatake_and_tile = from_library("sites.composite").datatake_and_tile
        known = set(map(datatake_and_tile, used))
        return [product for product in products if datatake_and_tile(product) in known]
    except (*raster.GDAL_ERRORS, KeyError, ValueError):
        return []
