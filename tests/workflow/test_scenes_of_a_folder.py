"""Scenes of a folder, without and with sites: what is made, added, kept and refused."""

import json
import re
import shutil

import numpy as np
import pytest
from test_kept import contents, move_away

from fabricate import name_of, scene_of
from runs import BASE, DAYS, Run
from tigerbush.raster import STATUS, read_raster, read_tags
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("kept")]

NAMES = [name_of(day) for day in DAYS]
WITHOUT = {key: value for key, value in BASE.items() if key not in ("sites", "subimages")}


def scenes(run):
    return contents(run, "results/scenes/**/*.tif")


def files(names, ends=(".tif", "_mask.tif")):
    return sorted(f"results/scenes/{name}{end}" for name in names for end in ends)


def changed(run, config=WITHOUT, **scene):
    run.configure(config | {"scene": scene})


def refused(run, *arguments):
    """The sentence with which a run ends before its first job."""
    output = run.snakemake(*arguments, status=1)
    assert "Select jobs" not in output and "Traceback (most" not in output
    return re.search(r"^ *WorkflowError[^\n]*:\n *(\S.+)$", output, re.MULTILINE)[1]


@pytest.mark.input(
    "Scenes",
    "a folder and no table of sites",
    "`scenes` runs; `all` ends with the sentence that sites is null",
)
def test_without_a_table_of_sites(run):
    (run.folder / "sites.tsv").unlink()
    changed(run, limit=2)
    assert refused(run).startswith("sites is null, and only the target `scenes` works without sites")
    run.snakemake("scenes")
    assert sorted(scenes(run)) == files(NAMES[:2])
    assert run.planned("scenes") == {}
    before = scenes(run)
    # more are added
    changed(run, limit=3)
    assert run.planned("scenes") == {"resample_scene": 1, "mask_scene": 1, "check_scenes": 1, "scenes": 1}
    # fewer need nothing but the gate
    changed(run, products=[f"{NAMES[1]}.SAFE"])
    assert run.planned("scenes") == {"check_scenes": 1, "scenes": 1}
    # a period of its own, of which no step is a whole part
    run.configure(
        run.config | {"period": {"start": "2017-02-01", "end": "2017-02-11", "step": "1m"}, "scene": {}}
    )
    run.snakemake("scenes")
    assert sorted(scenes(run).keys() - before.keys()) == files(NAMES[2:])
    assert {name: scenes(run)[name] for name in before} == before
    # the same two, in folders
    changed(run, layout="by_tile_and_date", tiles=["33TVL"])
    run.snakemake("scenes")
    tree = {f"results/scenes/33TVL/{day[:4]}-{day[4:6]}-{day[6:]}/{name_of(day)}" for day in DAYS}
    assert scenes(run).keys() - set(files(NAMES)) == {
        f"{path}{end}" for path in tree for end in (".tif", "_mask.tif")
    }
    assert (run.folder / "results/scenes/33TVL/2017-01-10" / f"{NAMES[0]}.tif").read_bytes() == (
        run.folder / "results/scenes" / f"{NAMES[0]}.tif"
    ).read_bytes()


@pytest.mark.input(
    "Scenes",
    "finished scenes without masks, and `scene.mask: true`",
    "masks are added; no scene is made again",
)
def test_masks_are_added_to_finished_scenes(run):
    """With sites they are asked for: what an earlier version has made is up to date without them."""
    run.snakemake("scenes")
    before = scenes(run)
    assert sorted(before) == files(NAMES, [".tif"])
    gate = json.loads((run.folder / "results/fingerprints/check_scenes.json").read_text())
    assert set(gate) == {"inputs", "on_failure"}
    changed(run, BASE, mask=True)
    assert run.planned("scenes") == {"mask_scene": 3, "check_scenes": 1, "scenes": 1}
    run.snakemake("scenes")
    assert {name: scenes(run)[name] for name in before} == before
    assert sorted(scenes(run)) == files(NAMES)
    # only masks depend on what is masked
    run.configure(run.config | {"composite": {"mask_buffer": 2}})
    assert run.planned("scenes") == {"mask_scene": 3, "check_scenes": 1, "scenes": 1}
    run.configure(run.config | {"composite": {}, "scene": {"mask": True, "bands": ["B4"]}})
    assert run.planned("scenes")["mask_scene"] == 0


def test_a_product_without_scene_in_the_table_of_sites(run):
    """The period and clouds choose; sites have no say."""
    write_product(run.folder / "products", name_of("20170615"), scene_of(7, clouds=[]))
    write_product(run.folder / "products", name_of("20170112", tile="60KYF"), scene_of(8, clouds=[]))
    cloudy = scene_of(9, clouds=[], cloud_percent=50.5)
    write_product(run.folder / "products", name_of("20170113"), cloudy)
    output = run.snakemake("scenes")
    assert sorted(scenes(run)) == files([*NAMES, name_of("20170112", tile="60KYF")], [".tif"])
    assert (
        f"1 product(s) become no scene, the first is {name_of('20170113')}: more than 50 % cloud "
        "(composite.max_cloud_percent)."
    ) in output


def test_masks_of_products_that_cannot_be_read(run):
    """The scene is made, the mask fails, the run ends with an error, and retry makes the mask alone."""
    name = name_of("20170301", level="L2A", baseline="0500")
    scl = np.full((63, 63), 9, np.uint8)
    safe = write_product(run.folder / "products", name, scene_of(5, level="L2A", offset=-1000, scl=scl))
    path = next(safe.glob("GRANULE/*/IMG_DATA/R20m/*_SCL_20m.jp2"))
    content = path.read_bytes()
    path.write_bytes(content[:300])
    # else the size of that file, which the product states, has failed the scene
    unverified = WITHOUT | {"source": WITHOUT["source"] | {"verify": "never"}}
    changed(run, unverified, products=[name, NAMES[0]])
    output = run.snakemake("scenes", status=1)
    assert f"{name} failed: " in output and "1 product(s) failed" in output
    mask = run.folder / "results" / "scenes" / f"{name}_mask.tif"
    assert (read_tags(mask)[STATUS], read_tags(mask.with_name(f"{name}.tif"))[STATUS]) == ("failed", "ok")
    status = run.tigerbush("status", "--configfile", "config.yaml", status=1)
    assert f"1 product(s) failed, the first is {name};" in status
    before = scenes(run)
    path.write_bytes(content)
    run.tigerbush("retry", "--configfile", "config.yaml", "--cores", "2")
    made = {file for file in before if scenes(run)[file] != before[file]}
    assert made == {f"results/scenes/{name}_mask.tif"}
    assert (read_raster(mask).data == 1).all()


@pytest.mark.input(
    "Scenes",
    "a product replaced under its name, or a scene or mask damaged after it was finished, without sites",
    "the scene and mask of that product alone are made again, the latter by `retry`",
)
def test_replaced_products_and_damaged_scenes_without_sites(run):
    (run.folder / "sites.tsv").unlink()
    changed(run, limit=2)
    run.snakemake("scenes")
    before = scenes(run)
    shutil.rmtree(run.folder / "products" / f"{NAMES[0]}.SAFE")
    write_product(run.folder / "products", NAMES[0], scene_of(7, clouds=[]))
    assert f"replaced: {NAMES[0]} (" in run.tigerbush("discover", "--configfile", "config.yaml")
    assert run.planned("scenes") == {"resample_scene": 1, "mask_scene": 1, "check_scenes": 1, "scenes": 1}
    run.snakemake("scenes")
    assert scenes(run).keys() == before.keys()
    assert {name for name in before if NAMES[1] in name} == {
        name for name in before if scenes(run)[name] == before[name]
    }
    finished = scenes(run)
    damaged = [run.folder / name for name in files(NAMES[:1], ["_mask.tif"]) + files(NAMES[1:2], [".tif"])]
    for path in damaged:
        # in the last block; the header is whole
        path.write_bytes(path.read_bytes()[:-40])
    printed = run.tigerbush("doctor", "--results", "--configfile", "config.yaml", status=1)
    assert printed.count("./tigerbush retry makes it again\n") == len(printed.splitlines()) == 2
    printed = run.tigerbush("retry", "--configfile", "config.yaml", "--cores", "2")
    assert printed.startswith("2 damaged result(s):\n")
    assert {name: content[0] for name, content in scenes(run).items()} == {
        name: content[0] for name, content in finished.items()
    }
    assert run.planned("scenes") == {}


def test_masks_of_products_that_are_gone(run):
    """A finished mask is kept, as a scene is; a mask that never was is a failed product, and its scene stays."""
    changed(run, mask=False)
    run.snakemake("scenes")
    before = scenes(run)
    move_away(run, DAYS[0])
    changed(run)
    assert f"{NAMES[0]} failed: " in run.snakemake("scenes", status=1)
    assert {name: scenes(run)[name] for name in before} == before
    move_away(run, DAYS[1])
    run.configure(run.config | {"composite": {"mask_buffer": 1}})
    before = scenes(run)
    assert f"the results are results/scenes/{NAMES[1]}." in refused(run, "scenes")
    assert scenes(run) == before


def test_a_mask_that_cannot_be_made_again(run):
    """It stays as it is, and fails each run; with on_gone: keep the run leaves the product alone."""
    changed(run, WITHOUT | {"source": WITHOUT["source"] | {"verify": "never"}})
    run.snakemake("scenes")
    [mask] = (run.folder / "products" / f"{NAMES[0]}.SAFE").glob("GRANULE/*/QI_DATA/MSK_CLOUDS_B00.gml")
    size = mask.stat().st_size
    mask.write_bytes(b"x" * size)
    run.configure(run.config | {"composite": {"mask_buffer": 1}})
    for _ in range(2):
        output = run.snakemake("scenes", status=1)
        assert "mask_scene" in output
    record = run.folder / "results" / "scenes" / f"{NAMES[0]}_mask.unreadable.json"
    reason = json.loads(record.read_text())["reason"]
    before = scenes(run)
    run.configure(run.config | {"on_gone": "keep"})
    output = run.snakemake("scenes")
    told = f"{NAMES[0]} could not be read again ({reason.rstrip('.')}; ./tigerbush retry tries again)."
    assert f"results/scenes/{NAMES[0]} stays as an earlier run made it: {told}" in output
    # the other masks were made again before the run ended
    assert scenes(run) == before


@pytest.mark.input(
    "Scenes",
    "`B10` of L2A in `scene.bands`",
    "refused once, before the first job",
)
def test_bands_that_the_chosen_products_never_have(run):
    """A folder of both levels: what is chosen decides, once the table tells."""
    name = name_of("20170111", level="L2A", baseline="0500")
    write_product(run.folder / "products", name, scene_of(6, level="L2A", offset=-1000))
    sentence = (
        "scene.bands: Sentinel-2 L2A products never have band B10; take it out of scene.bands, or use products that have "
        "it (source.level)."
    )
    changed(run, bands=["B2", "B10"], resolution=60)
    output = run.snakemake("scenes", status=1)
    assert sentence in output and not (run.folder / "results" / "scenes").exists()
    assert refused(run, "--dry-run", "scenes") == sentence
    for command in ("plan", "status"):
        printed = run.tigerbush(command, "--configfile", "config.yaml", status=1)
        assert printed == f"tigerbush: {sentence}\n"
    run.configure(run.config | {"source": run.config["source"] | {"level": "L2A"}})
    assert refused(run, "--dry-run", "scenes") == sentence
    run.configure(run.config | {"source": run.config["source"] | {"level": "L1C"}})
    run.snakemake("scenes")
    assert sorted(scenes(run)) == files(NAMES)
    # a folder of L2A alone is refused before it is listed
    for day in DAYS:
        shutil.rmtree(run.folder / "products" / f"{name_of(day)}.SAFE")
    shutil.rmtree(run.folder / "results")
    run.configure(run.config | {"source": {"path": "products"}})
    assert refused(run, "scenes") == sentence
    assert not (run.folder / "results" / "products.tsv").exists()
    assert f"failed  sites           {sentence}" in run.tigerbush(
        "doctor", "--configfile", "config.yaml", status=1
    )


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"prefixes": ["../up/"]}, "scene.prefixes.0: '../up/' does not match"),
        ({"prefixes": ["/etc/"]}, "scene.prefixes.0: '/etc/' does not match"),
        ({"prefixes": ["a"]}, "scene.prefixes.0: 'a' does not match"),
        ({"prefixes": []}, "scene.prefixes: [] should be non-empty"),
        ({"tiles": ["../.."]}, "scene.tiles.0: '../..' does not match"),
        ({"tiles": "33TVL"}, "scene.tiles: '33TVL' is not of type 'array', 'null'"),
        ({"tiles": ["00AAA"]}, "scene.tiles: '00AAA' is not the name of a tile"),
        ({"products": ["$(reboot)"]}, "scene.products.0: '$(reboot)' does not match"),
        ({"products": ["x"]}, "scene.products: 'x' is not a Sentinel-2 product name"),
        ({"bbox": [0, 0, 1]}, "scene.bbox: [0, 0, 1] is too short"),
        ({"bbox": [0, 0, 1, 91]}, "scene.bbox.3: 91 is greater than the maximum of 90"),
        ({"bbox": [170, 0, -170, 1]}, "scene.bbox: west 170 must be less than east -170;"),
        ({"limit": 0}, "scene.limit: 0 is less than the minimum of 1"),
        ({"limit": 2.5}, "scene.limit: 2.5 is not of type 'integer', 'null'"),
        ({"layout": "../{product}"}, "scene.layout: '../{product}' is not one of"),
        ({"tiles": ["33TWL"]}, None),
    ],
)
def test_wrong_values(tmp_path, change, start):
    run = Run(tmp_path / "work", WITHOUT | {"scene": change})
    write_product(run.folder / "products", NAMES[0], scene_of(clouds=[]))
    if start:
        assert refused(run, "--dry-run", "scenes").startswith(start)
        return
    # discovery has to tell
    output = run.snakemake("scenes", status=1)
    assert (
        "none of the 1 products of results/products.tsv is chosen for the target scenes; check scene.tiles"
        in output
    )
