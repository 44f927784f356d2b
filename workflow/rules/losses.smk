"""Before the first job: finished results whose products are gone are not made again from what is left."""

from snakemake.workflow import Workflow

# what reads products where they lie, or what has been made of them, as rules are called in this workflow or as its part
PLAIN_NAMES = {
    workflow.modifier.modify_rulename(name): name
    for name in (
        "download_product",
        "stream_product",
        "resample_product",
        "resample_scene",
        "resample_scenes",
    )
}
COMPOSITE_DATE = workflow.modifier.modify_rulename("composite_date")


def makes_results():
    """Whether this process is that of a run, and no job, dry run or question."""
    return (
        workflow.exec_mode == ExecMode.DEFAULT
        and workflow._executor_plugin is not None
        and not (workflow.dryrun or workflow.touch)
    )


@around(Workflow, "_build_dag")
def keep_what_cannot_be_made_again(original, self):
    """Plan; where products are gone, plan again without what was made of them, or end (on_gone)."""
    if not makes_results():
        return original(self)
    refuse_what_cannot_run()
    if not self.persistence.locked:
        restore_interrupted()
    original(self)
    if losses := self.async_run(lost_results()):
        if config["on_gone"] == "stop":
            raise WorkflowError(from_library("runs.gone").loss_sentence(losses))
        for result, products in losses.items():
            reasons = "; ".join(f"{product} {reason}" for product, reason in products.items())
            logger.warning(f"{result} stays as an earlier run made it: {reasons}.")
            KEPT[result] = f"the results of an earlier run are kept, because {reasons}"
        _plan.cache_clear()
        plan_again(self)
        original(self)
    vars(self.dag)["planned"] = True


def plan_again(self):
    """What Workflow.execute does before it plans."""
    settings = self.execution_settings
    self._prepare_dag(
        forceall=self.dag_settings.forceall,
        ignore_incomplete=settings.ignore_incomplete,
        lock_warn_only=False,
        nolock=not settings.lock,
        shadow_prefix=settings.shadow_prefix,
    )


@around(DAG, "postprocess_after_update")
async def refuse_what_cannot_be_made_again(original, dag):
    """After discovery, which may have shown that more is to be made: what is planned then can only end."""
    await original(dag)
    if vars(dag).get("planned") and makes_results() and (losses := await lost_results()):
        sentence = from_library("runs.gone").loss_sentence(losses)
        again = " Start the run again for that." if config["on_gone"] == "keep" else ""
        raise WorkflowError(sentence + again)


async def lost_results():
    """The finished results that this run would make again without products that are gone, with product and reason."""
    read = {product for job in workflow.dag.needrun_jobs() for product in products_read(job)}
    # their windows may wait already, with the reason in place of pixels
    read |= {path.name.removesuffix(RECORD) for path in records()}
    made = await results_made_of(read) if read else {}
    if not made:
        return {}
    for file in checkpoints.discover_products.get().output:
        if file.is_storage:
            await file.retrieve_from_storage()
    table = products_table()
    rows = [table[product] for product in sorted(set().union(*made.values()))]
    library = from_library("runs.gone")
    try:
        gone = library.gone_products(
            rows, files_table(), lambda: from_library("sources.listing").open_store(config["source"])
        )
    except (library.TigerbushError, OSError) as error:
        raise WorkflowError(str(error)) from None
    losses = {
        result: {product: gone[product] for product in products if product in gone}
        | unreadable(result, products)
        for result, products in made.items()
    }
    return {result: reasons for result, reasons in losses.items() if reasons}


def unreadable(result, products):
    """Those of some products that jobs could not read again for a result."""
    if config["on_gone"] == "stop":
        # they are tried again
        return {}
    site = None if result.startswith("results/scenes/") else result.split("/")[1]
    folders = [f"{site}/products", f"{site}/downloads"] if site else ["scenes"]
    places = [RESULTS / folder for folder in [*folders, "downloads"]]
    again = "./tigerbush retry" if stored() is None else "a run with on_gone: stop"
    return {
        path.name.removesuffix(RECORD): f"could not be read again ({reason.rstrip('.')}; {again} tries again)"
        for path, reason in records().items()
        if path.name.removesuffix(RECORD) in products and path.parent in places
    }


@lru_cache(maxsize=1)
def records():
    """The records of products that could not be read again when the run began, with the reasons."""
    found = {}
    for path in recorded_places():
        try:
            found[path] = str(json.loads(read_result(path.as_posix()))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            found[path] = "its record is damaged"
    return found


def recorded_places():
    """Where records lie; in a storage not those of products whose results are newer: they have been read since."""
    if stored() is None:
        folders = ("scenes", "downloads", "*/products", "*/downloads")
        return sorted(path for folder in folders for path in RESULTS.glob(f"{folder}/*{RECORD}"))

    def outdated(address):
        results = (stored().get(address.removesuffix(RECORD) + suffix) for suffix in (".tif", ".zip"))
        record = stored()[address]
        return any(result is not None and result.last_modified > record.last_modified for result in results)

    return [
        Path(address.removeprefix(f"{STORED}/"))
        for address in stored()
        if address.endswith(RECORD) and not outdated(address)
    ]


def why_read_again(job):
    """Why a finished job reads its product again: an earlier run could not; None where it need not."""
    if job.rule.name not in PLAIN_NAMES or config["on_gone"] == "keep":
        return None
    folders = {Path(address_in_results(file)).parent for file in job.output}
    if PLAIN_NAMES[job.rule.name] == "resample_scenes":
        folders = {RESULTS / "scenes"}
    mine = f"{getattr(job.wildcards, 'product', '')}{RECORD}"
    for path, reason in records().items():
        if path.parent in folders and path.name.endswith(mine):
            return f"{path.name.removesuffix(RECORD)} could not be read again: {reason}"
    return None


def products_read(job):
    """The products that a job reads where they lie; simulated ones and copies are made again when they are gone."""
    name = PLAIN_NAMES.get(job.rule.name)
    if name is None or config["source"]["kind"] == "sample":
        return []
    if name == "resample_scenes":
        return [product for product in scenes() if not product_whole(SimpleNamespace(product=product))]
    if name.startswith("resample") and job.input:
        return []
    return [job.wildcards.product]


async def results_made_of(products):
    """The finished results among the outputs of a run that were made of some products, with those."""
    made = {}
    for job in workflow.dag.needrun_jobs():
        if job.rule.name == COMPOSITE_DATE:
            result = f"results/{job.wildcards.site}/{job.wildcards.date}"
            mine = plan(job.wildcards.site)[job.wildcards.date]["products"]
        elif job.output and job.output[0].endswith(
            f"results/scenes/{getattr(job.wildcards, 'product', None)}.tif"
        ):
            result, mine = f"results/scenes/{job.wildcards.product}", [job.wildcards.product]
        else:
            continue
        read = [product for product in mine if product in products]
        if finished := await made_of(job, read, mine) if read else []:
            made[result] = finished
    return made


async def made_of(job, products, planned):
    """Those of some products for which what a job made in an earlier run may lose pixels, of all that are planned.

    They are in it, stand for what is, or nothing planned is; placeholders of failed products are no loss.
    """
    image = job.output[0]
    if not await image.exists():
        # where only the image was deleted, what was made of it would be lost
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
        same = from_library("sites.composite").datatake_and_tile
        takes = set(map(same, used))
        return [product for product in products if same(product) in takes]
    except (*raster.GDAL_ERRORS, KeyError, ValueError):
        return []
