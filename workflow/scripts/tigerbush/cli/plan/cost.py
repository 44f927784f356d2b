"""What a run takes: the model behind `./tigerbush plan`, with every constant it rests on.

CPU seconds of the rules on sites are those that `make bench-jobs` (bench/jobs.py) printed on a quiet virtual machine on
2026-11-25: six products of a written scene, two sites of 100 and 850 pixels a side, one core; a job takes its start
(Python and its imports) and then so much per megapixel. Disk is what such a run left. Bytes of a stream are the JPEG
2000 tiles that a window touches; its CPU seconds, and those of scenes, were measured on a band of a full tile. What is
marked so is an estimate.
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

# CPU seconds: of a job, and per megapixel of the site (of composites per product, too)
CPU_SECONDS = {
    "download_product": (0.4, 0.0),  # estimated
    # four bands of the tiles that a window touches: 0.24 and 1.5 s a band for 0.25 and 4 megapixels
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
}
# any other rule; estimated
OTHER_SECONDS = 0.3
# of a scene per megapixel and band at the band's own resolution: decoding above all (20.8 s for 121 megapixels)
SCENE_SECONDS = 0.2
# of a job on a cluster or a pool, beside what its steps take: it starts snakemake
START_SECONDS = 1.8
# bytes per megapixel of the site
PRODUCT_BYTES = 5.5e6
DATE_BYTES = 20e6
# with MPI one job makes the scenes, which are counted where they are published
SCENE_RULES = ("resample_scene", "publish_scene")
# bytes per pixel and band of a scene
SCENE_BYTES = 1.45


@dataclass(frozen=True)
class Output:
    """A file of the plan that belongs to a product or a date.

    Attributes
    ----------
    rule, site, name : str
        `name` is the product or the date; `site` is empty for what belongs to none.
    pending : bool
        Whether it is to be made.
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
    """Add up what a run takes.

    Parameters
    ----------
    config : dict
        The resolved configuration.
    sites : dict of str to dict
        region_size in degrees, by name.
    jobs : dict of str to int
        Per rule, from a dry run.
    outputs : sequence of Output
        Of the whole plan, finished ones too.
    files : dict of str to rows of files.tsv
        Per product.
    starts : int
        How often snakemake is started for jobs (`submitted_jobs`).

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
        "dates": len({(output.site, output.name) for output in pending if output.rule == "composite_date"}),
        "jobs": dict(jobs),
        "transfer_bytes": transfer,
        "cpu_hours": round(hours, 4),
        "disk_bytes": round(_disk(config, pending, megapixels)) + transfer,
        "cost": _price(config["plan"], hours),
    }


def submitted_jobs(jobs: Mapping[str, int], profile: Mapping) -> int:
    """Return as how many jobs a profile submits those of a workflow: groups together, the rest one by one.

    Parameters
    ----------
    jobs : dict of str to int
        Per rule.
    profile : dict
        `groups` and `group-components` as Snakemake takes them: dicts, or lists of `name=value`.
    """
    groups, components = (
        dict(one.split("=") for one in found) if isinstance(found, list) else found
        for found in (profile.get("groups") or {}, profile.get("group-components") or {})
    )
    # a chain has at most one job of each of its rules
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
    seconds = CPU_SECONDS.get(output.rule, (0, 0))[1] * megapixels.get(output.site, 0)
    return seconds * _products_a_date(output.site, outputs) if output.rule == "composite_date" else seconds


def _products_a_date(site: str, outputs: Sequence[Output]) -> float:
    count = Counter(output.rule for output in outputs if output.site == site)
    return count["subset_product"] / max(count["composite_date"], 1)


def _disk(config: Mapping, pending: Sequence[Output], megapixels: Mapping[str, float]) -> float:
    """Bytes that stay: scenes, windows of products, images of dates (copies of products are counted apart)."""
    per_megapixel = {"subset_product": PRODUCT_BYTES, "composite_date": DATE_BYTES}
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
    """Bytes that come from the source: whole files, or of each band the part that the windows touch."""
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
    """Bytes of the bands, each once at its finest resolution (the largest file), masks and metadata.

    `side` is that of the window in metres; 1 stands for the whole file.
    """
    largest: dict[str, int] = {}
    rest = 0
    for row in rows:
        size = int(row["size"])
        if row["role"] == "band":
            largest[row["band"]] = max(largest.get(row["band"], 0), size)
        else:
            rest += size
    return rest + sum(
        size * (1 if side == 1 else window_share(sensor, side, sensor.bands[band]))
        for band, size in largest.items()
        if band in bands
    )


def window_share(sensor: Sensor, side: float, resolution: int) -> float:
    """Return the share of a band's bytes that a window needs: the tiles that it touches, wherever it lies.

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
    """Write an estimate as text."""
    jobs = [f"{count:>8} {rule}" for rule, count in estimate["jobs"].items()]
    price = estimate["cost"]
    if price["total"] is None:
        money = f"no price of {price['vm_size']} in plan.prices"
    else:
        money = (
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
        f"cost     {money}",
    ]
    return "\n".join(lines)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.2f} MB"
