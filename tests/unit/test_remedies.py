"""Which targets failed and damaged results belong to."""

from pathlib import Path

import pytest

from test_retry import CONFIG, NAMES, row_of
from tigerbush.cli.remedies import targets_of, targets_with_results
from tigerbush.planning.tables import COLUMNS, write_table

SITE, WINDOW, SCENE, COPY = (
    "results/here/2017-02-15/rgb.png",
    "results/windows/X/here",
    "results/scenes/33TVL/2017-02-01/X.tif",
    "results/downloads/X.zip",
)


@pytest.mark.parametrize(
    ("files", "sites", "scene", "targets"),
    [
        ([], ["here"], {}, ["all"]),
        ([], [], {}, ["scenes"]),
        ([SITE], ["here"], {}, ["all"]),
        ([SCENE], ["here"], {}, ["scenes"]),
        ([SITE, SCENE, COPY], ["here"], {}, ["scenes", "all"]),
        ([COPY], ["here"], {}, ["all"]),
        # of a site that is gone
        ([SITE], ["there"], {}, ["all"]),
        ([SITE, SCENE], ["there"], {}, ["scenes"]),
        ([SITE, SCENE], [], {}, ["scenes"]),
        # no scene is wanted any more: planning that target would be refused
        ([SITE, SCENE], ["here"], {"tiles": ["33TVM"]}, ["all"]),
        ([SCENE], ["here"], {"tiles": ["33TVM"]}, ["all"]),
        ([SCENE], [], {"tiles": ["33TVM"]}, ["scenes"]),
    ],
)
def test_targets_that_were_made(tmp_path, files, sites, scene, targets):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    write_table(tmp_path / "table.tsv", [row_of(NAMES["a"])], COLUMNS)
    config = CONFIG | {"products": "table.tsv", "scene": CONFIG["scene"] | scene}
    assert targets_with_results(tmp_path, config, sites) == targets


@pytest.mark.parametrize(
    ("files", "targets"),
    [
        ([WINDOW], ["all"]),
        ([SITE, "results/here/fingerprints/X/a.json"], ["all"]),
        (["results/analysis/report.html", "results/products_checked.txt"], ["all"]),
        ([SCENE], ["scenes"]),
        (["results/scenes_checked.txt", "results/scenes_mpi/manifest.json"], ["scenes"]),
        ([SCENE, SITE], ["scenes", "all"]),
        # of a site that is called so
        (["results/scenes_north/2017-02-15/rgb.png"], ["all"]),
        # either may have made these
        ([COPY], ["made"]),
        ([SITE, COPY], ["made"]),
        (["results/downloads/X/here"], ["made"]),
        (["results/fingerprints/X/resample_scene.json"], ["made"]),
    ],
)
def test_targets_of_results(files, targets):
    assert targets_of(map(Path, files), {"here", "scenes_north"}, ["made"]) == targets
