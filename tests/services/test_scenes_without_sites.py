"""The example of the article on MPI jobs: scenes of the first products of a day in a bucket, without sites."""

import re
import shutil

import numpy as np
import pytest
import rasterio

from fabricate import name_of, scene_of
from runs import Run, count_jobs
from seaweedfs import PUBLIC
from skipping import skip_unless_ci
from tigerbush.masks import CLEAR, MASKED
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("s3")]

PREFIX = "Sentinel-2/MSI/L1C/2022/10/01/"
# of zone 33, like the corner in which the pixels lie
TILES = ("33TUL", "33TUM", "33TVK", "33TVL", "33TVM", "33TWK", "33TWL", "33TWM", "33TXL", "33TXM")
CLOUDY = name_of("20221001", tile="33TVK")
NAMES = sorted(name_of("20221001", tile=tile) for tile in TILES)
# ten, of which one is too cloudy; a store lists them by name
FIRST = [name for name in NAMES if name != CLOUDY][:8]
X, Y, WIDTH, HEIGHT = 3, 5, 40, 30
# the upper left quarter, in metres: half of the corner of 1260 m
CLOUD = [(465180, 5080260), (465810, 5080260), (465810, 5079630), (465180, 5079630)]
MPI = (
    "OMPI_ALLOW_RUN_AS_ROOT",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
    "OMPI_MCA_rmaps_base_oversubscribe",
    "OMPI_MCA_mpi_yield_when_idle",
)


@pytest.fixture(scope="module")
def day(seaweedfs, tmp_path_factory):
    """The day in the bucket, beside another one; returns the scenes by product."""
    folder, scenes = tmp_path_factory.mktemp("eodata"), {}
    for seed, name in enumerate(NAMES):
        cloud = 77.0 if name == CLOUDY else 3.0
        clouds = [CLOUD] if name == FIRST[0] else []
        scenes[name] = scene_of(seed, clouds=clouds, cloud_percent=cloud)
        seaweedfs.put_product(PUBLIC, write_product(folder, name, scenes[name]), "Sentinel-2/MSI/L1C/")
    other = write_product(folder, name_of("20221002"), scene_of(99, clouds=[]))
    seaweedfs.put_product(PUBLIC, other, "Sentinel-2/MSI/L1C/")
    # beside the products, in their day
    seaweedfs.put(PUBLIC, f"{PREFIX}index.html", b"no product")
    return scenes


def configure_run(folder, server, **scene):
    """The settings of the article; there is neither a table of sites nor a key that names one."""
    config = {
        "period": {"start": "2022-10-01", "end": "2022-10-02", "step": "1d"},
        "source": {
            "kind": "s3",
            "level": "L1C",
            "endpoint_url": server.url,
            "bucket": PUBLIC,
            "anonymous": True,
        },
        "scene": {
            "prefixes": [PREFIX],
            "limit": 8,
            "resolution": 20,
            "bands": ["B2", "B3", "B4"],
            "region": [X, Y, WIDTH, HEIGHT],
        }
        | scene,
    }
    run = Run(folder, config)
    (folder / "sites.tsv").unlink()
    return run


def scenes_of(run):
    """The scenes and masks of a run, by path."""
    folder = run.folder / "results" / "scenes"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.tif")}


@pytest.fixture(scope="module")
def by_jobs(day, seaweedfs, tmp_path_factory):
    run = configure_run(tmp_path_factory.mktemp("article"), seaweedfs)
    run.output = run.snakemake("scenes")
    return run


@pytest.mark.input(
    "Scenes",
    "a prefix, a number and no table of sites (the MPI article)",
    "the first products by name that are not too cloudy become scenes, with a cloud mask beside each",
)
def test_eight_geotiffs(by_jobs, day):
    """The first eight products by name that are not too cloudy, with a mask beside each."""
    assert sorted(scenes_of(by_jobs)) == sorted(f"{name}{end}.tif" for name in FIRST for end in ("", "_mask"))
    for name in FIRST:
        with rasterio.open(by_jobs.folder / "results" / "scenes" / f"{name}.tif") as image:
            assert (image.count, image.shape, image.res) == (3, (HEIGHT, WIDTH), (20, 20))
            assert image.descriptions == ("B2", "B3", "B4")
            # SNAP's First takes the upper left pixel of four
            for number, band in enumerate(image.descriptions, 1):
                expected = day[name].bands[band][::2, ::2][Y : Y + HEIGHT, X : X + WIDTH]
                np.testing.assert_array_equal(image.read(number), expected)
        with rasterio.open(by_jobs.folder / "results" / "scenes" / f"{name}_mask.tif") as mask:
            assert (mask.shape, mask.transform, mask.nodata) == (image.shape, image.transform, 255)
            expected = np.full((HEIGHT, WIDTH), CLEAR)
            if name == FIRST[0]:
                # the cloud ends in pixel 31 of the product, and every pixel that it touches is masked
                expected[: 32 - Y, : 32 - X] = MASKED
            np.testing.assert_array_equal(mask.read(1), expected)


def test_what_the_gate_and_the_tables_say(by_jobs):
    results = by_jobs.folder / "results"
    assert (results / "scenes_checked.txt").read_text().splitlines() == [
        "0 failed",
        "1 left out",
        f"{CLOUDY}\tmore than 50 % cloud (composite.max_cloud_percent)",
    ]
    # no more products were examined than needed, and no more fetched; B8 is for sites
    rows = (results / "products.tsv").read_text().splitlines()[1:]
    assert [row.partition("\t")[0] for row in rows] == [name for name in NAMES if name <= FIRST[-1]]
    assert sorted(path.stem for path in (results / "downloads").iterdir()) == FIRST
    assert "skipped" not in by_jobs.output
    assert by_jobs.planned("scenes") == {}


def test_commands_without_sites(by_jobs):
    options = ("--configfile", "config.yaml")
    sentence = (
        "sites is null, and only the target `scenes` works without sites: add it to the command, or set sites to a table "
        "of sites."
    )
    assert sentence in re.sub(r"^ +", "", by_jobs.snakemake(status=1), flags=re.MULTILINE)
    for command in ("plan", "status"):
        assert by_jobs.tigerbush(command, "all", *options, status=1).strip() == f"tigerbush: {sentence}"
    # of the only target that works
    assert by_jobs.tigerbush("plan", *options).splitlines()[0].split() == ["products", "0"]
    assert re.search(r"^ +scenes +16 *$", by_jobs.tigerbush("status", *options), re.MULTILINE)
    assert "No product of results/products.tsv failed." in by_jobs.tigerbush("retry", *options)
    doctor = by_jobs.tigerbush("doctor", *options)
    assert "ok      sites           none, for the target scenes alone (sites is null)" in doctor
    by_jobs.tigerbush("discover", *options)
    assert by_jobs.planned("scenes") == {}


def test_a_dry_run_shows_every_job(day, seaweedfs, tmp_path):
    run = configure_run(tmp_path / "work", seaweedfs)
    run.tigerbush("discover", "--configfile", "config.yaml")
    jobs = {"download_product": 8, "resample_scene": 8, "mask_scene": 8, "check_scenes": 1, "scenes": 1}
    assert run.planned("scenes") == jobs
    # another number needs another table; what is known is not examined again
    run.configure(run.config | {"scene": run.config["scene"] | {"limit": 9}})
    run.tigerbush("discover", "--configfile", "config.yaml")
    assert "1 of 1 products" in (run.folder / "logs" / "discover_products.log").read_text()
    assert run.planned("scenes")["resample_scene"] == 9


@pytest.mark.input(
    "Scenes",
    "the same, as one MPI job, by tile and date",
    "the same files",
)
def test_four_ranks_of_one_mpi_job(by_jobs, seaweedfs, tmp_path, monkeypatch):
    """The same files, by tile and date."""
    if shutil.which("mpirun") is None:
        skip_unless_ci("this test needs mpirun (Debian: openmpi-bin)")
    for name in MPI:
        monkeypatch.setenv(name, "1")
    run = configure_run(tmp_path / "work", seaweedfs, mpi={"ranks": 4}, layout="by_tile_and_date")
    run.tigerbush("discover", "--configfile", "config.yaml")
    jobs = {"download_product": 8, "resample_scenes": 1, "publish_scene": 8, "publish_mask": 8}
    assert run.planned("scenes") == jobs | {"check_scenes": 1, "scenes": 1}
    run.snakemake("scenes")
    flat = scenes_of(by_jobs)
    assert scenes_of(run) == {f"{name.split('_T')[1][:5]}/2022-10-01/{name}": flat[name] for name in flat}
    log = (run.folder / "logs" / "resample_scenes.log").read_text()
    assert "8 of 8 scenes to make, by 4 ranks" in log and "8 of 8 masks to make, by 4 ranks" in log
    assert count_jobs(run.snakemake("--dry-run", "scenes")) == {}


def test_other_ways_to_choose(day, seaweedfs, tmp_path):
    """By tile, box and name, with the day folders that the period gives."""
    run = configure_run(tmp_path / "work", seaweedfs)
    for scene, names in (
        ({"tiles": ["33TVL", "33TXM"]}, [NAMES[3], NAMES[9]]),
        # in 33TVL alone: 33TVM begins at 45.96 degrees
        ({"bbox": [14.4, 45.9, 14.6, 45.95]}, [NAMES[3]]),
        ({"products": [f"{NAMES[6]}.SAFE", NAMES[0]]}, [NAMES[0], NAMES[6]]),
        ({"prefixes": ["Sentinel-2/MSI/L1C/2022/"], "limit": 3}, FIRST[:3]),
    ):
        run.configure(run.config | {"scene": scene | {"mask": False}})
        output = run.snakemake("--dry-run", "scenes")
        assert count_jobs(output)["discover_products"] == 1
        run.tigerbush("discover", "--configfile", "config.yaml")
        planned = re.findall(r": Resampling (\w+)", run.snakemake("--dry-run", "scenes"))
        assert sorted(planned) == names, scene


@pytest.mark.input(
    "Scenes",
    "a prefix, tile or box without products",
    "one sentence with the keys to check",
)
def test_nothing_is_there(day, seaweedfs, tmp_path):
    run = configure_run(tmp_path / "work", seaweedfs, prefixes=["Sentinel-2/MSI/L1C/2022/10/03/"])
    output = run.tigerbush("discover", "--configfile", "config.yaml", status=1)
    assert (
        "s3://public/ has no L1C products chosen by the keys of scene in the period; check source.prefixes, source.level, "
        "period and scene.prefixes, scene.tiles, scene.bbox, scene.products."
    ) in output
    assert "Traceback" not in output
