"""The model behind ./tigerbush plan, by hand-computed sums."""

from types import SimpleNamespace

import pytest

from tigerbush.cli.plan import command as plan
from tigerbush.cli.plan import cost
from tigerbush.cli.plan.command import jobs_of, outputs_of
from tigerbush.cli.plan.cost import Output
from tigerbush.cli.status import command as status
from tigerbush.cli.status.records import Job
from tigerbush.errors import TigerbushError
from tigerbush.sentinel2.sensor import SENSOR

PRODUCT = "S2A_MSIL1C_20170116T100000_N0204_R122_T33TVL_20170116T110000"
SITES = {"here": {"region_size": 0.08}}
# 17 sub-images of 50 pixels of 10 m: 850 x 850 pixels
MEGAPIXELS = 0.7225


CONFIG = {
    "subimages": {"size": 50},
    "composite": {"resolution": 10},
    "scene": {"resolution": 20, "bands": ["B2", "B5"], "region": None},
    "plan": {
        "vm_size": "two",
        "currency": "EUR",
        "price_date": "2026-01-01",
        "prices": {"two": {"vcpus": 2, "per_hour": 0.5}},
    },
}


def row(band, size, role="band"):
    return {"role": role, "band": band, "size": str(size)}


# L2A holds a band at several resolutions: the finest, the largest file, is what is read
FILES = {
    PRODUCT: [row("B2", 100_000_000), row("B2", 9_000_000), row("B5", 30_000_000), row("", 500_000, "mask")]
}


def estimate(outputs, jobs):
    return cost.estimate(CONFIG, SITES, jobs, outputs, FILES)


def test_a_window_needs_the_tiles_that_it_touches():
    assert cost.window_share(SENSOR, 5000, 10) == pytest.approx((15_240 / 109_800) ** 2)
    assert cost.window_share(SENSOR, 200_000, 10) == 1


def test_bytes_of_a_window_and_of_whole_files():
    side = 0.08 * 111_320
    streamed = estimate([Output("stream_product", "here", PRODUCT, pending=True)], {})
    assert streamed["transfer_bytes"] == round(500_000 + 100_000_000 * ((side + 10_240) / 109_800) ** 2)
    assert (
        estimate([Output("download_product", "", PRODUCT, pending=True)], {})["transfer_bytes"] == 130_500_000
    )
    # what is read in place is not fetched, and what is there already not again
    outputs = [
        Output("resample_product", "", PRODUCT, pending=True),
        Output("download_product", "", PRODUCT, pending=False),
    ]
    assert estimate(outputs, {})["transfer_bytes"] == 0


def test_cpu_disk_and_money():
    outputs = [
        Output("composite_date", "here", "2017-01-16", pending=True),
        Output("subset_product", "here", PRODUCT, pending=True),
        Output("subset_product", "here", PRODUCT.replace("R122", "R022"), pending=False),
    ]
    estimated = estimate(outputs, {"composite_date": 1, "subset_product": 1, "all": 1})
    start = cost.CPU_SECONDS["composite_date"][0] + cost.CPU_SECONDS["subset_product"][0] + cost.OTHER_SECONDS
    # the composite is of both products of its date
    pixels = cost.CPU_SECONDS["composite_date"][1] * 2 + cost.CPU_SECONDS["subset_product"][1]
    hours = (start + pixels * MEGAPIXELS) / 3600
    assert estimated["cpu_hours"] == pytest.approx(hours, abs=1e-4)
    assert (estimated["products"], estimated["dates"]) == (1, 1)
    assert estimated["disk_bytes"] == round((cost.PRODUCT_BYTES + cost.DATE_BYTES) * MEGAPIXELS)
    assert estimated["cost"]["total"] == pytest.approx(hours / 2 * 0.5, abs=1e-4)
    assert "2 CPUs, all in use, 0.5 EUR/h, prices of 2026-01-01" in cost.report(estimated)


def test_a_scene_costs_what_its_bands_have_of_pixels():
    outputs = [Output("resample_scene", "", PRODUCT, pending=True)]
    estimated = estimate(outputs, {"resample_scene": 1})
    megapixels = 10_980**2 / 1e6 + 5_490**2 / 1e6
    assert estimated["cpu_hours"] == pytest.approx((0.4 + 0.2 * megapixels) / 3600, abs=1e-4)
    assert estimated["disk_bytes"] == round(2 * 5_490**2 * cost.SCENE_BYTES)


def test_a_virtual_machine_without_a_price():
    estimated = cost.estimate(CONFIG | {"plan": {"vm_size": "other", "prices": {}}}, SITES, {}, [], {})
    assert estimated["cost"] == {"vm_size": "other", "total": None}
    assert "plan.prices has no price for other" in cost.report(estimated)


@pytest.mark.parametrize(
    ("profile", "submitted"),
    [
        ({}, 1 + 20 + 20 + 9 + 9),
        ({"groups": {"resample_product": "product", "subset_product": "product"}}, 1 + 20 + 9 + 9),
        (
            {
                "groups": [
                    "resample_product=product", "subset_product=product", "composite_date=date", "render_date=date"
                ],
                "group-components": ["product=8", "date=8"],
            },
            1 + 3 + 2,
        ),
    ],
)  # fmt: skip
def test_a_job_of_a_cluster_holds_the_chains_of_a_group(profile, submitted):
    jobs = {"all": 1, "resample_product": 20, "subset_product": 20, "composite_date": 9, "render_date": 9}
    assert cost.submitted_jobs(jobs, profile) == submitted
    estimated = cost.estimate(CONFIG, SITES, {}, [], {}, starts=submitted)
    assert estimated["cpu_hours"] == pytest.approx(submitted * cost.START_SECONDS / 3600, abs=1e-4)


def test_what_snakemake_prints():
    assert jobs_of(
        "x\nJob stats:\njob      count\n-----  -----\nall   1\nsubset_product   12\ntotal   13\n\nall 7\n"
    ) == {
        "all": 1,
        "subset_product": 12,
    }
    assert jobs_of("Nothing to be done.") == {}


def test_what_jobs_make_of_products_and_dates():
    """Of two sites that share a product, one is finished; the scene is there already."""
    bundle = f"results/windows/{PRODUCT}/0.zip"
    jobs = [
        Job("resample_product", set(), {f"results/windows/{PRODUCT}/resampled.zip"}, pending=True),
        Job("subset_product", set(), {bundle, f"results/windows/{PRODUCT}/0.json"}, pending=True),
        Job("resample_scene", set(), {f"results/scenes/{PRODUCT}.tif"}),
        Job("download_product", set(), {f"results/downloads/{PRODUCT}.zip"}, pending=True),
        Job("composite_date", {bundle, f"results/windows/{PRODUCT}/0.json"}, {"results/here/2017-01-16/composite.tif"}),
        Job("composite_date", {bundle}, {"results/there/2017-01-16/composite.tif"}, pending=True),
        Job("summarise_site", set(), {"results/here/missing.tsv"}, pending=True),
    ]  # fmt: skip
    assert outputs_of(jobs) == [
        Output("resample_scene", "", PRODUCT, pending=False),
        Output("download_product", "", PRODUCT, pending=True),
        Output("composite_date", "here", "2017-01-16", pending=False),
        Output("composite_date", "there", "2017-01-16", pending=True),
        Output("resample_product", "here", PRODUCT, pending=False),
        Output("subset_product", "here", PRODUCT, pending=False),
        Output("resample_product", "there", PRODUCT, pending=True),
        Output("subset_product", "there", PRODUCT, pending=True),
    ]


def test_words_that_no_command_knows():
    for name, command in (("status", status), ("plan", plan)):
        with pytest.raises(TigerbushError) as error:
            command.run(None, ["--x", "y"])
        assert str(error.value) == f"{name} does not know '--x y'; see ./tigerbush {name} --help."


@pytest.fixture
def planned(monkeypatch, tmp_path):
    """`planned()` plans the run of a folder without a profile; what it asked of snakemake and of the model is kept."""

    def run(json=False):
        options = SimpleNamespace(
            targets=["t"], json=json, directory=tmp_path, profile=None, configfile=[], config=["a=b"]
        )
        return plan.run(options, [])

    def read_snakemake(words, program=()):
        run.asked.append((words, program))
        return run.answers[(len(run.asked) - 1) % 2]

    def estimate(*given, **options):
        run.estimated.append((given, options))
        return {"a": 1}

    run.asked, run.estimated, run.stale = [], [], None
    run.answers = [
        "Job stats:\njob  count\ndate  2\n\n",
        '{"rule": "date", "inputs": [], "outputs": ["results/here/2017-01-16/a"], "pending": true, "missing": false}\n',
    ]
    period = {"start": "2017-01-01", "end": "2017-03-01", "step": "1m"}
    config = {"products": "table.tsv", "sites": "sites.tsv", "period": period}
    monkeypatch.setattr(plan, "read_run_configuration", lambda options: config)
    monkeypatch.setattr(plan, "sites_of", lambda config, directory: {"here": directory / config["sites"]})
    monkeypatch.setattr(plan, "stale_table", lambda config, sites, directory: run.stale)
    monkeypatch.setattr(plan, "read_snakemake", read_snakemake)
    monkeypatch.setattr(plan, "estimate", estimate)
    monkeypatch.setattr(plan, "report", lambda estimate: f"report of {estimate}")
    (tmp_path / "table.tsv").touch()
    (tmp_path / "files.tsv").write_text("product\tsize\nP\t1\nQ\t2\nP\t3\n")
    return run


def test_a_plan(planned, capsys, tmp_path):
    """Two dry runs of snakemake, without a profile."""
    assert planned() == 0
    arguments = [
        "t",
        "--cores",
        "1",
        "--workflow-profile",
        "none",
        "--directory",
        str(tmp_path),
        "--config",
        "a=b",
    ]
    assert planned.asked == [(["--dry-run", *arguments], ()), (arguments, status.PLAN)]
    files = {
        "P": [{"product": "P", "size": "1"}, {"product": "P", "size": "3"}],
        "Q": [{"product": "Q", "size": "2"}],
    }
    config, sites, jobs, outputs, sizes = planned.estimated[0][0]
    assert (config["sites"], sites, jobs, sizes) == (
        "sites.tsv",
        {"here": tmp_path / "sites.tsv"},
        {"date": 2},
        files,
    )
    assert outputs == [Output("date", "here", "2017-01-16", pending=True)]
    assert capsys.readouterr().out == "report of {'a': 1}\n"


def test_groups_of_a_profile_count_where_jobs_are_submitted(planned, monkeypatch, capsys):
    for executor, starts in ((None, 0), ("local", 0), ("slurm", 2)):
        profile = {} if executor is None else {"executor": executor}
        monkeypatch.setattr(plan, "read_profile", lambda name, profile=profile: profile)
        assert planned(json=True) == 0
        assert planned.estimated[-1][1] == {"starts": starts}
    assert capsys.readouterr().out == '{\n "a": 1\n}\n' * 3


def test_a_plan_without_a_table(planned, tmp_path):
    (tmp_path / "table.tsv").unlink()
    with pytest.raises(TigerbushError) as error:
        planned()
    assert str(error.value) == (
        f"{tmp_path}/table.tsv does not exist yet; run ./tigerbush discover with the same options first."
    )


def test_a_stale_table_is_refused_before_anything_is_planned(planned):
    planned.stale = "table.tsv is of other settings."
    with pytest.raises(TigerbushError, match=r"^table\.tsv is of other settings\.$"):
        planned()
    assert planned.asked == []
