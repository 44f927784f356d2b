"""Of failed scenes and masks those are made again that the configuration wants."""

import shutil

import pytest

from test_retry import CONFIG, NAMES, again, forced, named, results, write_image
from tigerbush.placeholder import record_path

# fixtures
__all__ = ["again", "results"]


@pytest.mark.parametrize(
    ("scene", "paths"),
    [
        ({}, ["scenes/g.tif", "scenes/h.tif"]),
        ({"limit": 4}, ["scenes/g.tif"]),
        ({"tiles": ["33TVM"]}, []),
        ({"products": [NAMES["h"]]}, ["scenes/h.tif"]),
        ({"layout": "by_tile_and_date"}, []),
        ({"mask": True}, ["scenes/g.tif", "scenes/h.tif", "scenes/h_mask.tif"]),
    ],
)
def test_only_scenes_that_the_configuration_wants(again, results, scene, paths):
    write_image(results / named("scenes/h_mask.tif"), "failed")
    write_image(results / named("scenes/a_mask.tif"), "ok")
    for folder in ("downloads", "windows"):
        shutil.rmtree(results / folder)
    record_path(results / named("scenes/l.tif")).unlink()
    again.config["scene"] = CONFIG["scene"] | scene
    code, *called = again("aefghijk")
    words = ["scenes", "--forcerun", *forced(paths), "--rerun-incomplete", *again.words]
    assert (code, called) == ((7, [words]) if paths else (0, []))


def test_without_sites_only_scenes_are_made(again, results):
    again.config["sites"] = None
    assert again("i") == (
        7,
        ["scenes", "--forcerun", *forced(["downloads/i.zip"]), "--rerun-incomplete", *again.words],
    )
