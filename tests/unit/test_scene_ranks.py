"""The ranks of an MPI job, with a communicator in memory."""

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fabricate import name_of
from tigerbush.errors import KeptError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.placeholder import product_tags
from tigerbush.raster import Raster, write_raster
from tigerbush.scenes import ranks as scene_ranks
from tigerbush.scenes.ranks import (
    check_outcomes,
    outcome,
    process_products,
    run_rank,
    scene_part,
    start_command,
    tasks_of,
    unfinished_products,
)
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits
from tigerbush.sentinel2.names import parse_name

LIMITS = Limits(2, 3000)
NAMES = [name_of(f"2017011{day}") for day in range(7)]


def write_scene(folder, name, status="ok", reason=""):
    tags = product_tags(parse_name(name), status, reason)
    raster = Raster(np.ones((1, 1, 1), np.uint16), Grid(0, 0, 20, 1, 1), 32633, ("B2",), 0, tags=tags)
    write_raster(scene_part(folder, name), raster)


def aged(path, nanoseconds):
    os.utime(path, ns=(nanoseconds, nanoseconds))


@pytest.fixture
def products(tmp_path):
    """Products by name, unsorted, with the same modification time."""
    paths = {}
    for name in NAMES[::-1]:
        path = tmp_path / "products" / f"{name}.zip"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        aged(path, 10**18)
        paths[name] = str(path)
    return paths


@pytest.fixture
def folder(tmp_path):
    """Scenes: newer, of the same age, older, failed, outside, without tags; and a missing one."""
    place = tmp_path / "scenes"
    for name, status, age in zip(
        NAMES, ["ok", "ok", "ok", "failed", "outside"], [1, 0, -1, 1, 1], strict=False
    ):
        write_scene(place, name, status, f"{name} is {status}")
        aged(scene_part(place, name), 10**18 + age * 1000)
    scene_part(place, NAMES[5]).write_bytes(b"no image")
    return place


def test_scenes_are_named_after_their_products(tmp_path):
    assert scene_part(tmp_path, "A") == tmp_path / "A.tif"
    assert scene_part(str(tmp_path), "A.SAFE") == tmp_path / "A.SAFE.tif"


def test_unfinished_products(products, folder):
    assert unfinished_products(products, folder) == [NAMES[i] for i in (1, 2, 3, 5, 6)]
    Path(products[NAMES[0]]).unlink()
    assert unfinished_products(products, folder) == [NAMES[i] for i in (0, 1, 2, 3, 5, 6)]


def test_outcomes_are_read_from_scenes(folder):
    assert outcome(scene_part(folder, NAMES[0])) == {"status": "ok", "reason": f"{NAMES[0]} is ok"}
    assert outcome(scene_part(folder, NAMES[3])) == {"status": "failed", "reason": f"{NAMES[3]} is failed"}


ERRORS = {
    NAMES[1]: KeptError("a long sentence", "its reason"),
    NAMES[2]: OSError("reset\n  by peer"),
    NAMES[3]: ValueError("a\tdefect"),
}
SCENE = SceneOptions(["B2"], 60)


@pytest.fixture
def maker(monkeypatch):
    """Stands in for `make_scene`: records calls, fails for some products, writes scenes for others."""
    calls = []

    def make(path, target, product, scene, *, limits, last_attempt, records):
        assert records is None
        calls.append((str(path), target, product, scene, limits, last_attempt))
        if product in ERRORS:
            raise ERRORS[product]
        write_scene(target.parent, product, "outside" if product == NAMES[4] else "ok", f"made {product}")

    monkeypatch.setattr(scene_ranks, "make_scene", make)
    return calls


EXPECTED = {
    NAMES[0]: {"status": "ok", "reason": f"made {NAMES[0]}"},
    NAMES[1]: {"status": "kept", "reason": "its reason"},
    NAMES[2]: {"status": "transient", "reason": "reset by peer"},
    NAMES[3]: {"status": "transient", "reason": "ValueError: a defect"},
    NAMES[4]: {"status": "outside", "reason": f"made {NAMES[4]}"},
}


@pytest.mark.parametrize("last", [True, False])
def test_an_error_of_one_product_does_not_stop_the_others(maker, products, tmp_path, last, caplog):
    order = [NAMES[i] for i in (3, 0, 2, 1, 4)]
    [task] = tasks_of(ORDER | {"folder": str(tmp_path), "last_attempt": last}).values()
    outcomes = process_products(order, products, task)
    assert outcomes == EXPECTED and list(outcomes) == order
    assert maker == [(products[name], tmp_path / f"{name}.tif", name, SCENE, LIMITS, last) for name in order]
    # only a bug is logged with its traceback
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]
    assert caplog.records[0].getMessage() == f"{NAMES[3]}:"


ORDER = {"scene": asdict(SCENE), "threads": 2, "memory_mb": 3000, "last_attempt": True}


class Communicator:
    """One of several ranks, with the given shares of the others."""

    def __init__(self, rank, size, sent=None, others=()):
        self.rank, self.size, self.sent, self.others = rank, size, sent, others

    def bcast(self, value):
        if self.rank == 0:
            self.sent = value
        else:
            assert value is None
        return self.sent

    def gather(self, value):
        self.mine = value
        return [value, *self.others] if self.rank == 0 else None


@pytest.fixture
def job(tmp_path, products, folder, monkeypatch):
    def run(communicator):
        module = ModuleType("mpi4py")
        module.MPI = SimpleNamespace(COMM_WORLD=communicator)
        monkeypatch.setitem(sys.modules, "mpi4py", module)
        order = ORDER | {"products": products, "folder": str(folder)}
        (tmp_path / "job.json").write_text(json.dumps(order))
        return run_rank(tmp_path / "job.json")

    return run


def test_the_first_rank_distributes_and_collects(job, maker, folder, caplog):
    caplog.set_level(logging.INFO)
    left = folder / ".half.tif"
    left.write_bytes(b"half")
    others = [{NAMES[2]: {"status": "failed", "reason": "b"}}, {NAMES[5]: {"status": "ok", "reason": ""}}]
    [(kind, outcomes)] = job(Communicator(0, 3, others=[{"scenes": share} for share in others])).items()
    assert kind == "scenes"
    # every third of the five unfinished ones; the outcomes of the others are read
    assert [call[2] for call in maker] == [NAMES[1], NAMES[5]]
    assert [call[4:] for call in maker] == [(LIMITS, True)] * 2
    assert outcomes == {
        NAMES[0]: {"status": "ok", "reason": f"{NAMES[0]} is ok"},
        NAMES[1]: {"status": "kept", "reason": "its reason"},
        NAMES[2]: {"status": "failed", "reason": "b"},
        NAMES[4]: {"status": "outside", "reason": f"{NAMES[4]} is outside"},
        NAMES[5]: {"status": "ok", "reason": ""},
    }
    assert list(outcomes) == sorted(outcomes)
    assert not left.exists()
    assert "5 of 7 scenes to make, by 3 ranks" in [record.getMessage() for record in caplog.records]


def test_another_rank_only_processes_its_share(job, maker, folder):
    left = folder / ".half.tif"
    left.write_bytes(b"half")
    communicator = Communicator(1, 3, sent={"scenes": [NAMES[i] for i in (1, 4, 3, 5, 0)]})
    assert job(communicator) is None
    assert [call[2] for call in maker] == [NAMES[4], NAMES[0]]
    assert communicator.mine == {"scenes": {name: EXPECTED[name] for name in (NAMES[4], NAMES[0])}}
    assert left.exists()


def test_transient_errors_are_raised_at_the_end(caplog):
    outcomes = {"A": {"status": "ok", "reason": ""}, "B": {"status": "failed", "reason": "b"}}
    check_outcomes(outcomes)
    assert [record.getMessage() for record in caplog.records] == ["B: failed: b"]
    outcomes |= {name: {"status": "transient", "reason": name.lower()} for name in "DC"}
    with pytest.raises(TigerbushError) as error:
        check_outcomes(outcomes)
    assert str(error.value) == (
        "2 of 4 products failed with errors that may be temporary, the first D (d); the others are finished: run "
        "again to process only these."
    )


def test_the_command_that_starts_the_ranks(tmp_path):
    assert start_command(["srun", "--mpi=pmix"], 4, tmp_path / "r.py", tmp_path / "j", tmp_path / "o") == [
        "srun", "--mpi=pmix", "-n", "4", sys.executable, "-m", "mpi4py", f"{tmp_path}/r.py", f"{tmp_path}/j", f"{tmp_path}/o"
    ]  # fmt: skip
