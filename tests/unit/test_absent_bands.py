"""Bands that products never have are refused before the first job."""

from dataclasses import replace

import pytest

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.planning import bands
from tigerbush.planning.bands import check_bands, check_folder, refuse_scene_bands, refuse_site_bands
from tigerbush.sentinel2.sensor import SENSOR
from tigerbush.variables import VARIABLES, Variable

# a sensor of four bands of its own, without blue
OTHER = replace(
    SENSOR,
    package="other",
    title="Other",
    pattern="OTHER_[0-9]+",
    bands={"green": 30, "red": 30, "nir": 30, "B2": 30},
    site_bands=("green", "red", "nir"),
    absent_bands={"L2A": ("red", "B2")},
)
ABSENT = (
    "scene.bands: Sentinel-2 L2A products never have band B10; take it out of scene.bands, or use products that have it "
    "(source.level)."
)


def config(chosen=("B2",), level=None, indices=("ndvi",), **source):
    return {
        "source": {"kind": "local", "path": "products", "level": level} | source,
        "products": "results/products.tsv",
        "scene": {"bands": list(chosen)},
        "composite": {"indices": list(indices)},
    }


def sentence(function, *arguments):
    with pytest.raises(TigerbushError) as error:
        function(*arguments)
    return str(error.value)


@pytest.fixture
def two_sensors(monkeypatch):
    monkeypatch.setattr(bands, "sensors", lambda: (OTHER, SENSOR))
    monkeypatch.setattr(bands, "sensor_of", lambda name: OTHER if name.startswith("OTHER") else SENSOR)


@pytest.fixture
def index(monkeypatch):
    monkeypatch.setitem(
        VARIABLES, "haze", Variable("haze", label="haze", short="haze", bands=("red", "blue"))
    )


def test_by_the_level_of_the_configuration():
    assert sentence(check_bands, config(["B2", "B10"], "L2A")) == ABSENT
    for level in (None, "L1C"):
        check_bands(config(["B2", "B10"], level))
    check_bands(config([name for name in SENSOR.bands if name != "B10"], "L2A"))


def test_every_sensor_must_lack_one(two_sensors):
    assert sentence(check_bands, config(["B10"], "L2A")) == ABSENT
    # each has one of them, none both
    assert sentence(check_bands, config(["B10", "green"], "L1C")) == (
        "scene.bands: Other L1C products never have band B10; take it out of scene.bands, or use products that have it "
        "(source.level)."
    )
    assert sentence(check_bands, config(["B10", "B8", "green"])) == (
        "scene.bands: Sentinel-2 products never have band green; take it out of scene.bands, or use products that have "
        "it (source.level)."
    )
    check_bands(config(["B2"], "L2A"))
    check_bands(config(["green"], "L2A"))
    check_bands(config(["nir"], "L2A"))


def test_by_the_products_that_become_scenes(two_sensors):
    """Any of them: its scene would fail."""
    rows = [
        {"product": name_of(), "level": "L1C"},
        {"product": "OTHER_1", "level": "L1C"},
        {"product": name_of(level="L2A"), "level": "L2A"},
        {"product": "OTHER_2", "level": "L2A"},
    ]
    refuse_scene_bands(rows[:1], config(["B10"]))
    refuse_scene_bands(rows[1:2], config(["B2", "green"]))
    refuse_scene_bands([], config(["B10"]))
    assert sentence(refuse_scene_bands, [rows[0], rows[2]], config(["B2", "B10"])) == ABSENT
    assert sentence(refuse_scene_bands, rows[3:], config(["red", "green", "B2"])) == (
        "scene.bands: Other L2A products never have the bands red, B2; take them out of scene.bands, or use products that "
        "have them (source.level)."
    )
    assert "Other L1C products never have band B8;" in sentence(refuse_scene_bands, rows[:2], config(["B8"]))


@pytest.mark.input(
    "Scenes",
    "an index of a band that the products never have",
    "refused once, before the first job",
)
def test_by_the_bands_of_an_index(two_sensors, index):
    """By what the bands of sites are: a sensor of three has no blue, and a level may lack one."""
    rows = [{"product": "OTHER_1", "level": "L1C"}, {"product": name_of(), "level": "L1C"}]
    refuse_site_bands(rows, config(indices=["ndvi", "msavi"]))
    refuse_site_bands(rows[1:], config(indices=["ndvi", "haze"]))
    assert sentence(refuse_site_bands, rows, config(indices=["ndvi", "haze"])) == (
        "composite.indices: haze needs blue, which Other L1C products never have; remove it."
    )
    rows[0]["level"] = "L2A"
    assert sentence(refuse_site_bands, rows, config(indices=["ndvi"])) == (
        "composite.indices: ndvi needs red, which Other L2A products never have; remove it."
    )
    # Sentinel-2 may be the sensor
    check_bands(config(indices=["ndvi", "haze"]))


def test_an_index_that_no_sensor_can_give(monkeypatch, index):
    monkeypatch.setattr(bands, "sensors", lambda: (OTHER,))
    assert sentence(check_bands, config(["green"], indices=["ndvi", "haze"])) == (
        "composite.indices: haze needs blue, which Other products never have; remove it."
    )


def test_by_the_names_in_a_folder(tmp_path):
    folder = tmp_path / "products"
    both = config(["B2", "B10"])
    # a missing folder is refused when it is listed
    check_folder(both, tmp_path)
    for name in (name_of(level="L2A"), name_of("20170210", level="L2A"), "notes", "S2A_cut"):
        (folder / f"{name}.SAFE").mkdir(parents=True)
    (folder / f"{name_of('20170301', level='L2A')}.zip").touch()
    (folder / f"{name_of()}.txt").touch()
    assert sentence(check_folder, both, tmp_path) == ABSENT
    check_folder(config(["B2"]), tmp_path)
    # a table says what is used of the folder
    table = tmp_path / "results" / "products.tsv"
    table.parent.mkdir()
    table.touch()
    check_folder(both, tmp_path)
    table.unlink()
    # with an L1C product the choice is known after discovery
    (folder / f"{name_of()}.SAFE").mkdir()
    check_folder(both, tmp_path)
    assert sentence(check_folder, config(["B10"], "L2A"), tmp_path) == ABSENT
    check_folder(config(["B10"], kind="s3", path=None), tmp_path)
