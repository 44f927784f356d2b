"""The model behind ./tigerbush plan: every constant and every sum with its number, worked out by hand."""

import pytest

from fabricate import name_of
from tigerbush.cli.plan import cost
from tigerbush.cli.plan.cost import Output, estimate, window_share
from tigerbush.sentinel2.sensor import SENSOR

PRODUCTS = [f"S2A_MSIL1C_201701{day}T100000_N0204_R122_T33TVL_20170116T110000" for day in (16, 17, 18)]
# 8 degrees of 111320 m are 1781 sub-images of 50 pixels of 10 m: 89050 pixels a side; half a degree 111 and 5550
SITES = {"large": {"region_size": 8.0}, "small": {"region_size": 0.5}}
LARGE, SMALL = 89_050**2 / 1e6, 5_550**2 / 1e6
PLAN = {
    "vm_size": "a", "currency": "EUR", "price_date": "2026-01-01",
    "prices": {"a": {"vcpus": 4, "per_hour": 0.3}, "b": {"vcpus": 2, "per_hour": 7}},
}  # fmt: skip
CONFIG = {
    "subimages": {"size": 50}, "composite": {"resolution": 10}, "scene": {"resolution": 20, "bands": ["B2", "B5", "B9"], "region": None}, "plan": PLAN,
}  # fmt: skip
# CPU seconds of a job, and of a megapixel
SECONDS = {
    "download_product": (0.4, 0.0), "stream_product": (1.2, 1.34), "resample_product": (0.54, 0.11), "subset_product": (0.3, 0.13),
    "composite_date": (0.35, 0.16), "render_date": (0.31, 0.34), "compute_ndvi": (0.28, 0.16), "compute_centrality": (0.26, 0.71),
    "write_subimages": (0.3, 0.5), "read_weather": (0.25, 0.0), "summarise_date": (0.22, 0.04), "another": (0.3, 0.0),
}  # fmt: skip


def of(jobs=None, outputs=(), files=None, config=CONFIG, **options):
    return estimate(config, SITES, jobs or {}, outputs, files or {}, **options)


@pytest.mark.parametrize("rule", SECONDS)
def test_seconds_of_a_rule(rule):
    """Of ten thousand jobs, and of one large site, so that hours of four decimals are exact enough."""
    start, pixel = SECONDS[rule]
    assert of({rule: 10_000})["cpu_hours"] == pytest.approx(start * 10_000 / 3600, abs=6e-5)
    # of a composite per product of its date, of which there is one here
    outputs = [
        Output(rule, "large", PRODUCTS[0], pending=True),
        Output("subset_product", "large", "x", pending=False),
    ]
    if rule == "subset_product":
        outputs.pop()
    assert of(outputs=outputs)["cpu_hours"] == pytest.approx(pixel * LARGE / 3600, abs=6e-5)
    # what is finished, and what belongs to no site, costs nothing
    assert of(outputs=[Output(rule, "large", PRODUCTS[0], pending=False)])["cpu_hours"] == 0
    if rule != "stream_product":  # always of a site
        assert of(outputs=[Output(rule, "", PRODUCTS[0], pending=True)])["cpu_hours"] == 0


def test_a_composite_costs_its_products():
    """So many as the site has a date, finished ones too; without a date of its own there is one."""
    date = Output("composite_date", "large", "2017-01-16", pending=True)
    subsets = [Output("subset_product", "large", name, pending=False) for name in PRODUCTS]
    others = [Output("subset_product", "small", name, pending=False) for name in PRODUCTS]
    finished = Output("composite_date", "large", "2017-02-16", pending=False)
    assert of(outputs=[date, *subsets, *others])["cpu_hours"] == pytest.approx(
        3 * 0.16 * LARGE / 3600, abs=6e-5
    )
    assert of(outputs=[date, finished, *subsets])["cpu_hours"] == pytest.approx(
        1.5 * 0.16 * LARGE / 3600, abs=6e-5
    )
    assert of(outputs=[date, *others])["cpu_hours"] == 0


def test_starts_of_snakemake():
    assert of(starts=5_000)["cpu_hours"] == 5_000 * 1.8 / 3600


@pytest.mark.parametrize(
    ("region", "megapixels"),
    [
        # of a tile of 109.8 km, by the bands' own 10, 20 and 60 m
        (None, 10_980**2 + 5_490**2 + 1_830**2),
        # 600 x 300 pixels of 20 m are 12 km x 6 km
        ([5, 7, 600, 300], 1_200 * 600 + 600 * 300 + 200 * 100),
    ],
)  # fmt: skip
def test_scenes(region, megapixels):
    """A scene takes the disk of its whole tile: two pixels of 20 m, of 1.45 bytes, for each band."""
    config = CONFIG | {"scene": CONFIG["scene"] | {"region": region}}
    for rule in ("resample_scene", "publish_scene"):
        names = [name_of(made=f"20170116T1100{number:02}") for number in range(50)]
        outputs = [Output(rule, "", name, pending=True) for name in names]
        estimated = of(outputs=outputs, config=config)
        assert estimated["cpu_hours"] == pytest.approx(50 * 0.2 * megapixels / 1e6 / 3600, abs=6e-5)
        assert (estimated["disk_bytes"], estimated["products"]) == (50 * 3 * 5_490**2 * 1.45, 50)


def test_disk():
    outputs = [
        Output("subset_product", "large", PRODUCTS[0], pending=True), Output("composite_date", "small", "2017-01-16", pending=True),
        Output("render_date", "large", "2017-01-16", pending=True), Output("subset_product", "", PRODUCTS[1], pending=True),
    ]  # fmt: skip
    estimated = of(outputs=outputs)
    assert estimated["disk_bytes"] == round(5.5e6 * LARGE + 20e6 * SMALL)
    assert (estimated["products"], estimated["dates"]) == (2, 1)


def row(band, size, role="band"):
    return {"role": role, "band": band, "size": str(size)}


FILES = {
    PRODUCTS[0]: [row("B2", 9_000), row("B2", 100_000_000), row("B2", 7_000_000), row("B4", 90_000_000), row("B5", 30_000_000), row("B11", 40_000_000), row("", 500_000, "mask"), row("", 20_000, "metadata")],
    PRODUCTS[1]: [row("B8", 80_000_000), row("", 3_000, "metadata")],
}  # fmt: skip


def test_bytes_that_come():
    """Of each band the largest file; whole, or the tiles that the window touches; what is there comes no more."""
    rest = 520_000
    download = of(outputs=[Output("download_product", "", PRODUCTS[0], pending=True)], files=FILES)
    assert (
        download["transfer_bytes"] == download["disk_bytes"] == 100_000_000 + 90_000_000 + 30_000_000 + rest
    )
    side = 0.5 * 111_320
    share = ((side + 10_240) / 109_800) ** 2
    streams = [Output("stream_product", "small", name, pending=True) for name in PRODUCTS]
    streams.append(Output("stream_product", "large", PRODUCTS[1], pending=False))
    estimated = of(outputs=streams, files=FILES)
    assert estimated["transfer_bytes"] == round(
        (100_000_000 + 90_000_000 + 80_000_000) * share + rest + 3_000
    )
    assert (
        of(outputs=[Output("resample_product", "small", PRODUCTS[0], pending=True)], files=FILES)[
            "transfer_bytes"
        ]
        == 0
    )


@pytest.mark.parametrize(
    ("side", "resolution", "share"),
    [(0, 10, (10_240 / 109_800) ** 2), (5_000, 20, (17_800 / 109_800) ** 2), (5_000, 60, (16_520 / 109_800) ** 2), (99_560, 10, 1), (99_570, 10, 1)],
)  # fmt: skip
def test_the_share_of_a_window(side, resolution, share):
    assert window_share(SENSOR, side, resolution) == pytest.approx(share, rel=1e-12)


def test_the_price_of_hours():
    estimated = of({"another": 9_876})
    hours = 9_876 * 0.3 / 3600
    assert estimated == {
        "products": 0, "dates": 0, "jobs": {"another": 9_876}, "transfer_bytes": 0, "cpu_hours": 0.823, "disk_bytes": 0,
        "cost": {
            "vm_size": "a", "vcpus": 4, "per_hour": 0.3, "currency": "EUR", "price_date": "2026-01-01", "vm_hours": round(hours / 4, 4),
            "total": round(hours / 4 * 0.3, 4),
        },
    }  # fmt: skip
    # four decimals each
    assert (estimated["cost"]["vm_hours"], estimated["cost"]["total"]) == (0.2057, 0.0617)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0.00 MB"), (9_999_999, "10.00 MB"), (10_000_000, "0.01 GB"), (12_345_678_901, "12.35 GB")],
)
def test_bytes_as_text(count, text):
    assert cost._gigabytes(count) == text


def test_the_report():
    numbers = {
        "products": 3, "dates": 2, "jobs": {"date": 12, "site": 1}, "transfer_bytes": 1_234_567, "cpu_hours": 1.2345, "disk_bytes": 98_765_432_100,
        "cost": {"vm_size": "a", "vcpus": 4, "per_hour": 0.25, "currency": "EUR", "price_date": "2026-01-01", "vm_hours": 0.3086, "total": 0.0772},
    }  # fmt: skip
    lines = [
        "products 3", "dates    2", "jobs     13", "      12 date", "       1 site", "transfer 1.23 MB", "CPU      1.23 h", "disk     98.77 GB",
    ]  # fmt: skip
    money = "cost     0.08 EUR: 0.31 h of a (4 CPUs, all in use, 0.25 EUR/h, prices of 2026-01-01)"
    assert cost.report(numbers).splitlines() == [*lines, money]
    bare = cost.report(numbers | {"cost": {"vm_size": "b", "total": None}}).splitlines()
    assert bare == [*lines, "cost     plan.prices has no price for b"]


def test_jobs_of_groups():
    """A chain has at most one job of each rule; what is in no group is submitted one by one."""
    jobs = {"a": 5, "b": 7, "c": 4}
    assert cost.submitted_jobs(jobs, {"groups": ["a=g", "b=g"], "group-components": ["g=3"]}) == 3 + 4
    assert (
        cost.submitted_jobs(jobs, {"groups": {"a": "g", "c": "g"}, "group-components": {"g": 5, "b": 2}})
        == 1 + 4
    )
    assert cost.submitted_jobs(jobs, {"groups": None, "group-components": None}) == 16
