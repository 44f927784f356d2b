"""The resources of a run: the model behind `./tigerbush plan`, with all its constants.

The CPU seconds of rules on sites were measured with `make bench-jobs` (bench/jobs.py) on an idle virtual machine on
2026-11-25: six products of a synthetic scene, two sites with sides of 100 and 850 pixels, one core. A job takes a fixed
time (to start Python and import) and a time per megapixel. Disk space is what such a run left. The bytes of a stream
are the JPEG 2000 tiles that a window touches; its CPU seconds, and those of scenes, were measured on a band of a full
tile. Values marked as estimated were not measured.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tigerbush.planning.tables import PRODUCT
from tigerbush.product import Sensor
from tigerbush.sensors import sensor_of
from tigerbush.site import METRES_PER_DEGREE

# CPU seconds per job, and per megapixel of the site (for composites also per product)
CPU_SECONDS = {
    "download_product": (0.4, 0.0),  # estimated
    # four bands of the tiles that a window touches: 0.24 and 1.5 s per band for 0.25 and 4 megapixels
    "stream_product": (1.2, 1.34),
    "resample_product": (0.54, 0.11),
    "subset_product": (0.30, 0.13),
    "composite_date": (0.35, 0.16),
    "render_date": (0.31, 0.34),
    "compute_ndvi": (0.28, 0.16),
    "compute_centrality": (0.26, 0.71),
    "write_subimages": (0.3, 0.5),  # estimated
    "read_weather": (0.25, 0.0),  # estimated
    "summarise_date": (0.22, 0.04),
    # of the sample's site of 0.04 megapixels, most of it for its pattern (2026-12-01)
    "measure_batch": (0.8, 6.0),
    # estimated from a scene classification of 20 m
    "mask_scene": (3.0, 0.0),
}
# per site, of jobs that make files of whole sites, of the sample's 37 dates (2026-12-01)
SITE_SECONDS = {
    "analyse_site": 8.5, "plot_site": 5.5, "map_site": 5.5, "report_site": 1.7,
    "summarise_batch": 0.7, "analyse_batch": 1.7, "report_batch": 10.5,
}  # fmt: skip
# any other rule; estimated
OTHER_SECONDS = 0.3
# per megapixel and band of a scene at the native resolution of the band, mostly decoding (20.8 s for 121 megapixels)
SCENE_SECONDS = 0.2
# overhead of a job on a cluster or a pool, which starts snakemake
START_SECONDS = 1.8
# bytes per megapixel of the site
PRODUCT_BYTES = 5.5e6
DATE_BYTES = 20e6
MEASURED_BYTES = 1.2e6
# of the rules that measure a date of a site one makes files of it, the other measures many sites in memory
DATE_RULES = ("composite_date", "measure_batch")
# with MPI one job makes all scenes; they are counted where they are published
SCENE_RULES = ("resample_scene", "publish_scene")
# bytes per pixel and band of a scene
SCENE_BYTES = 1.45


@dataclass(frozen=True)
class Output:
    """A file of the run that belongs to a product or a date.

    Attributes
    ----------
    rule, site, name : str
        `name` is the product or the date, empty for files of a whole site; `site` is empty for files of no site.
    pending : bool
        Whether the run would make it.
    """

    rule: str
    site: str
    name: str
    pending: bool


def estimate(
    config: Mapping,
    sites: Mapping[str, Mapping],
    jobs: Mapping[str, int],
    outputs: Sequence[Output],
    files: Mapping[str, Sequence[Mapping[str, str]]],
    *,
    starts: int = 0,
) -> dict:
    """Estimate the resources of a run.

    Parameters
    ----------
    config : dict
        The resolved configuration.
    sites : dict of str to dict
        With region_size in degrees, by name.
    jobs : dict of str to int
        Per rule, from a dry run.
    outputs : sequence of Output
        Of the whole run, including finished ones.
    files : dict of str to rows of files.tsv
        Per product.
    starts : int
        How often snakemake is started to run jobs (`submitted_jobs`).

    Returns
    -------
    dict
        products, dates, jobs, transfer_bytes, cpu_hours, disk_bytes, cost.
    """
    pending = [output for output in outputs if output.pending]
    megapixels = {name: _megapixels(config, site) for name, site in sites.items()}
    seconds = sum(count * CPU_SECONDS.get(rule, (OTHER_SECONDS, 0))[0] for rule, count in jobs.items())
    seconds += starts * START_SECONDS
    seconds += sum(_pixel_seconds(config, output, outputs, megapixels) for output in pending)
    hours = seconds / 3600
    products = {output.name for output in pending if re.fullmatch(PRODUCT, output.name)}
    transfer = _transfer(config, sites, pending, files)
    return {
        "products": len(products),
        "dates": len({(output.site, output.name) for output in pending if output.rule in DATE_RULES}),
        "jobs": dict(jobs),
        "transfer_bytes": transfer,
        "cpu_hours": round(hours, 4),
        "disk_bytes": round(_disk(config, pending, megapixels)) + transfer,
        "cost": _price(config["plan"], hours),
    }


def submitted_jobs(jobs: Mapping[str, int], profile: Mapping) -> int:
    """Return the number of jobs that a profile submits: groups together, other jobs one by one.

    Parameters
    ----------
    jobs : dict of str to int
        Per rule.
    profile : dict
        `groups` and `group-components` as Snakemake takes them: dicts, or lists of `name=value`.
    """
    groups, components = (
        dict(pair.split("=") for pair in setting) if isinstance(setting, list) else setting
        for setting in (profile.get("groups") or {}, profile.get("group-components") or {})
    )
    # a chain contains at most one job of each of its rules
    chains: dict[str, int] = {}
    for rule, count in jobs.items():
        name = groups.get(rule, rule)
        chains[name] = max(chains.get(name, 0), count)
    return sum(math.ceil(count / int(components.get(name, 1))) for name, count in chains.items())


def _megapixels(config: Mapping, site: Mapping) -> float:
    side = config["subimages"]["size"] * config["composite"]["resolution"]
    pixels = math.floor(site["region_size"] * METRES_PER_DEGREE / side) * config["subimages"]["size"]
    return pixels**2 / 1e6


def _scene_megapixels(config: Mapping, sensor: Sensor, band: str) -> float:
    region = config["scene"]["region"]
    side = (region[2] * region[3]) * config["scene"]["resolution"] ** 2 if region else sensor.tile_metres**2
    return side / sensor.bands[band] ** 2 / 1e6


def _pixel_seconds(
    config: Mapping, output: Output, outputs: Sequence[Output], megapixels: Mapping[str, float]
) -> float:
    if output.rule in SCENE_RULES:
        sensor = sensor_of(output.name)
        return SCENE_SECONDS * sum(
            _scene_megapixels(config, sensor, band) for band in config["scene"]["bands"]
        )
    if not output.name:
        return SITE_SECONDS.get(output.rule, 0)
    seconds = CPU_SECONDS.get(output.rule, (0, 0))[1] * megapixels.get(output.site, 0)
    return seconds * _products_per_date(output.site, outputs) if output.rule == "composite_date" else seconds


def _products_per_date(site: str, outputs: Sequence[Output]) -> float:
    count = Counter(output.rule for output in outputs if output.site == site)
    return count["subset_product"] / max(count["composite_date"], 1)


def _disk(config: Mapping, pending: Sequence[Output], megapixels: Mapping[str, float]) -> float:
    """Bytes on disk: scenes, windows of products, images of dates (downloaded products are counted separately)."""
    per_megapixel = {
        "subset_product": PRODUCT_BYTES,
        "composite_date": DATE_BYTES,
        "measure_batch": MEASURED_BYTES,
    }
    pixel_bytes = len(config["scene"]["bands"]) / config["scene"]["resolution"] ** 2 * SCENE_BYTES
    return sum(
        sensor_of(output.name).tile_metres ** 2 * pixel_bytes
        if output.rule in SCENE_RULES
        else per_megapixel.get(output.rule, 0) * megapixels.get(output.site, 0)
        for output in pending
    )


def _transfer(
    config: Mapping,
    sites: Mapping[str, Mapping],
    pending: Sequence[Output],
    files: Mapping[str, Sequence[Mapping[str, str]]],
) -> int:
    """Bytes read from the source: whole files, or the part of each band that the windows touch."""
    total = 0.0
    for output in pending:
        rows = files.get(output.name, ())
        if output.rule == "download_product":
            sensor = sensor_of(output.name)
            total += _bytes(rows, sensor, {*sensor.site_bands, *config["scene"]["bands"]}, 1)
        elif output.rule == "stream_product":
            sensor, side = sensor_of(output.name), sites[output.site]["region_size"] * METRES_PER_DEGREE
            total += _bytes(rows, sensor, sensor.site_bands, side)
    return round(total)


def _bytes(
    rows: Sequence[Mapping[str, str]], sensor: Sensor, bands: Sequence[str] | set[str], side: float
) -> float:
    """Bytes of some bands at their finest resolution (the largest file of each), masks and metadata.

    `side` is that of the window in metres; 1 means the whole file.
    """
    largest: dict[str, int] = {}
    rest = 0
    for row in rows:
        size = int(row["size"])
        if row["role"] == "band":
            largest[row["band"]] = max(largest.get(row["band"], 0), size)
        elif not row["band"]:
            rest += size
    return rest + sum(
        size * (1 if side == 1 else window_share(sensor, side, sensor.bands[band]))
        for band, size in largest.items()
        if band in bands
    )


def window_share(sensor: Sensor, side: float, resolution: int) -> float:
    """Return the share of a band's bytes that a window needs: those of the tiles that it touches, wherever it lies.

    Parameters
    ----------
    side : float
        Of the window, metres.
    resolution : int
        Of the band, metres.
    """
    return min(((side + sensor.block_metres[resolution]) / sensor.tile_metres) ** 2, 1)


def _price(plan: Mapping, hours: float) -> dict:
    size = plan["prices"].get(plan["vm_size"])
    if size is None:
        return {"vm_size": plan["vm_size"], "total": None}
    total = hours / size["vcpus"] * size["per_hour"]
    return {
        "vm_size": plan["vm_size"],
        "vcpus": size["vcpus"],
        "per_hour": size["per_hour"],
        "currency": plan["currency"],
        "price_date": plan["price_date"],
        "vm_hours": round(hours / size["vcpus"], 4),
        "total": round(total, 4),
    }


def report(estimate: Mapping) -> str:
    """Format an estimate as text."""
    jobs = [f"{count:>8} {rule}" for rule, count in estimate["jobs"].items()]
    price = estimate["cost"]
    if price["total"] is None:
        cost = f"plan.prices has no price for {price['vm_size']}"
    else:
        cost = (
            f"{price['total']:.2f} {price['currency']}: {price['vm_hours']:.2f} h of {price['vm_size']} "
            f"({price['vcpus']} CPUs, all in use, {price['per_hour']:g} {price['currency']}/h, prices of "
            f"{price['price_date']})"
        )
    lines = [
        f"products {estimate['products']}",
        f"dates    {estimate['dates']}",
        f"jobs     {sum(estimate['jobs'].values())}",
        *jobs,
        f"transfer {_gigabytes(estimate['transfer_bytes'])}",
        f"CPU      {estimate['cpu_hours']:.2f} h",
        f"disk     {_gigabytes(estimate['disk_bytes'])}",
        f"cost     {cost}",
    ]
    return "\n".join(lines)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.2f} MB"
