"""Calls of SNAP and their results, without running any program: commands, graphs, sentences."""

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from defusedxml import ElementTree

from fabricate import CORNER, name_of, scene_of
from tigerbush.errors import EngineError, TigerbushError
from tigerbush.raster import PRODUCT, REASON, STATUS, read_raster, read_tags
from tigerbush.scenes import snap
from tigerbush.scenes.engines import make_scene, run_engine
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits, check_engine, gpt_command, snappy_ini, write_snap_scene
from tigerbush.scenes.snap_graph import graph_xml, scene_steps
from tigerbush.sentinel2.safe import open_product

LIMITS = Limits(threads=3, memory_mb=4001)
ASKED = SceneOptions(["B8A", "B2"], 20)
SMALL = CORNER | {"width": 36, "height": 24}


def test_limits():
    assert (LIMITS.heap_mb, LIMITS.cache_mb) == (3000, 1500)
    # at least 512 MB of heap
    assert [Limits(1, memory).heap_mb for memory in (100, 682, 683, 684, 685)] == [512, 512, 512, 513, 513]
    assert LIMITS.java_options(Path("/job")) == [
        "-Dsnap.userdir=/job/user",
        "-Djava.io.tmpdir=/job",
        "-Dsnap.jai.tileCacheSize=1500",
        "-Dsnap.parallelism=3",
        "-Dsnap.log.level=WARNING",
        "-Dsnap.versionCheck.interval=NEVER",
    ]


def test_commands_and_configuration():
    folder = Path("/50%")
    options = (
        "-Dsnap.userdir=/50%/user|-Djava.io.tmpdir=/50%|-Dsnap.jai.tileCacheSize=1500|-Dsnap.parallelism=3"
        "|-Dsnap.log.level=WARNING|-Dsnap.versionCheck.interval=NEVER"
    )
    assert snappy_ini(folder, LIMITS) == (
        f"[DEFAULT]\njava_max_mem = 3000M\njava_options = {options.replace('%', '%%')}\n"
    )
    assert gpt_command(Path("/g.xml"), folder, LIMITS) == [
        "gpt", "/g.xml", "-q", "3", "-c", "1500M", "-J-Xmx3000M", *(f"-J{option}" for option in options.split("|"))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("region", "geo_region", "subset"),
    [
        (None, None, {}),
        ((1, 2, 3, 4), None, {"region": "1,2,3,4"}),
        ((1, 2, 3, 4), "POLYGON", {"region": "1,2,3,4"}),
        (None, "POLYGON", {"geoRegion": "POLYGON"}),
    ],
)
def test_operators(region, geo_region, subset):
    steps = scene_steps(SceneOptions(["B2", "B11"], 20, "Bilinear", "Mean", region, geo_region))
    assert steps == [
        ("Resample", {"targetResolution": "20", "upsampling": "Bilinear", "downsampling": "Mean"}),
        ("Subset", {"sourceBands": "B2,B11", "copyMetadata": "true"} | subset),
    ]


def test_the_complete_graph():
    graph = ElementTree.fromstring(
        graph_xml(Path("/a.SAFE"), Path("/o.tif"), [("Resample", {"x": "1"}), ("Subset", {})])
    )
    assert (graph.tag, graph.get("id"), graph.findtext("version")) == ("graph", "scene", "1.0")
    nodes = [
        (
            node.get("id"),
            node.findtext("operator"),
            [source.get("refid") for source in node.iterfind("sources/sourceProduct")],
            {value.tag: value.text for value in node.find("parameters")},
        )
        for node in graph.iterfind("node")
    ]
    assert nodes == [
        ("Read", "Read", [], {"file": "/a.SAFE"}),
        ("Resample", "Resample", ["Read"], {"x": "1"}),
        ("Subset", "Subset", ["Resample"], {}),
        ("Write", "Write", ["Subset"], {"file": "/o.tif", "formatName": "GeoTIFF"}),
    ]
    text = graph_xml(Path("/ä.SAFE"), Path("/o.tif"), [])
    assert text.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<graph id=\"scene\">\n  <version>")
    assert "<file>/ä.SAFE</file>".encode() in text
    with pytest.raises(TigerbushError) as error:
        graph_xml(Path("/a$b"), Path("/o.tif"), [])
    assert str(error.value) == (
        "'/a$b' contains $, which gpt takes for a variable; rename the folder, or set scene.engine: snap."
    )


@pytest.fixture
def safe(product):
    return product(baseline="0400", scene=scene_of(offset=-1000, place=SMALL))


@pytest.fixture
def child(monkeypatch):
    """Stands in for the program: records commands, graphs and jobs; returns status and output, and writes a report."""
    calls = []

    def answer(code=0, out="", report=None, error=None, writes=True):
        def run(command, folder):
            calls.append((command, sorted(path.name for path in folder.iterdir())))
            if error:
                raise error
            if report:
                (folder / "report.json").write_text(report)
            if writes:
                (folder / "scene.tif").write_bytes(b"written")
            return CompletedProcess(command, code, out)

        monkeypatch.setattr(snap, "_run", run)
        monkeypatch.setattr(
            snap,
            "rewrite_output",
            lambda plain, target, product, bands: target.write_bytes(plain.read_bytes()),
        )
        return calls

    return answer


def made(safe, tmp_path, engine, **changes):
    target = tmp_path / "made.tif"
    write_snap_scene(safe, target, replace(ASKED, engine=engine, **changes), LIMITS)
    return target.read_bytes()


def test_gpt_is_called_on_a_graph_in_the_folder_of_the_job(child, safe, tmp_path):
    calls = child(0)
    assert made(safe, tmp_path, "gpt") == b"written"
    ((command, files),) = calls
    assert files == ["graph.xml", "user"]
    folder = Path(command[1]).parent
    assert command == gpt_command(folder / "graph.xml", folder, LIMITS) and not folder.exists()


def test_esa_snappy_is_called_with_a_job_in_the_folder(child, safe, tmp_path):
    calls = child(0, report='{"status": "ok", "reason": ""}')
    assert made(safe, tmp_path, "snap") == b"written"
    ((command, files),) = calls
    assert files == ["esa_snappy.ini", "job.json", "user"]
    folder = Path(command[-1]).parent
    assert command == [
        sys.executable,
        "-P",
        str(snap.WORKER),
        "process",
        f"{folder}/job.json",
        f"{folder}/report.json",
    ]


def test_a_region_is_clipped_before_snap_sees_it(monkeypatch, child, safe, tmp_path):
    """The scene is 18 by 12 pixels of 20 m."""
    asked = []
    child(0)
    monkeypatch.setattr(snap, "scene_steps", lambda options: asked.append(options) or [])
    made(safe, tmp_path, "gpt", region=(15, 2, 10, 5))
    made(safe, tmp_path, "gpt", region=(-2, -3, 10, 40))
    made(safe, tmp_path, "gpt")
    by_gpt = replace(ASKED, engine="gpt")
    assert asked == [replace(by_gpt, region=region) for region in ((15, 2, 3, 5), (0, 0, 8, 12), None)]
    target = tmp_path / "outside.tif"
    write_snap_scene(safe, target, replace(by_gpt, region=(18, 0, 1, 1)), LIMITS)
    assert len(asked) == 3 and read_tags(target)[STATUS] == "outside"


MEMORY = "ran out of memory; the next attempt gets more, or raise mem_mb of the rule"
NO_FILE = (
    "gpt ended without an error and without a file, as it may with too little memory; run again, with more mem_mb of the "
    "rule if it happens again."
)
ADVICE = "set scene.engine: rasterio, which says what it cannot read, or report this product, or delete its line from the table of products to leave it out."


def refusal(safe, tmp_path, engine, kind):
    """Return the error of a scene that an engine could not make, and check that nothing is left of it."""
    with pytest.raises(kind) as error:
        made(safe, tmp_path, engine)
    assert type(error.value) is kind
    assert not (tmp_path / "made.tif").exists()
    return str(error.value)


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        ({"code": -9}, EngineError, "gpt was ended by signal 9; run again."),
        ({"code": 137}, EngineError, "gpt was ended by signal 9; run again."),
        ({"code": 129}, EngineError, "gpt was ended by signal 1; run again."),
        ({"code": 127, "out": "sh:\n gpt: not found \n"}, EngineError, "gpt cannot be started (gpt: not found); docs/snap.md explains how to install it."),
        ({"code": 126}, EngineError, "gpt cannot be started (exit status 126, no message); docs/snap.md explains how to install it."),
        ({"error": PermissionError(13, "Permission denied")}, EngineError, "gpt cannot be started (Permission denied); docs/snap.md explains how to install it."),
        ({"error": FileNotFoundError()}, EngineError, "gpt is not on the PATH; docs/snap.md explains how to install ESA SNAP."),
        ({"code": 128, "out": "INFO\n Error: it is bad\nError: more\nend"}, TigerbushError, "{}: SNAP failed (Error: it is bad); {}"),
        ({"code": 1, "out": "INFO\nat the end \n\n"}, TigerbushError, "{}: SNAP failed (at the end); {}"),
        ({"code": 0, "writes": False}, EngineError, NO_FILE),
        ({"code": 0, "writes": False, "out": "Executing processing graph\n22%45%67%90% done.\n"}, EngineError, NO_FILE),
        ({"code": 0, "writes": False, "out": "....11%....22%\n"}, EngineError, NO_FILE),
        ({"code": 0, "writes": False, "out": "22%45%Error: [NodeId: Write] it is bad\n 67%"}, TigerbushError, "{}: SNAP failed (Error: [NodeId: Write] it is bad); {}"),
        ({"code": 1, "out": "the reason\n22%45%...\n"}, TigerbushError, "{}: SNAP failed (the reason); {}"),
        ({"code": 1, "out": "22%45%...\n"}, TigerbushError, "{}: SNAP failed (exit status 1, no message); {}"),
        ({"code": 2}, TigerbushError, "{}: SNAP failed (exit status 2, no message); {}"),
        ({"code": 1, "out": "Error: Cannot construct DataBuffer."}, EngineError, "{}: SNAP " + MEMORY + " (Error: Cannot construct DataBuffer.)."),
        ({"code": 1, "out": "Error: [NodeId: Write] null\nCaused by: java.lang.OutOfMemoryError: Java heap space"}, EngineError, "{}: SNAP " + MEMORY + " (Caused by: java.lang.OutOfMemoryError: Java heap space)."),
        ({"code": 0, "writes": False, "out": "SEVERE: Cannot construct DataBuffer.\n45%"}, EngineError, "{}: SNAP " + MEMORY + " (SEVERE: Cannot construct DataBuffer.)."),
    ],
)  # fmt: skip
def test_results_of_gpt(child, safe, tmp_path, answer, kind, sentence):
    child(**answer)
    assert refusal(safe, tmp_path, "gpt", kind) == sentence.format(safe, ADVICE)


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        ({"code": -6, "out": "a\nb\n c "}, EngineError, "SNAP ended with exit status -6 before it was done: c"),
        ({"report": '{"status": "unavailable", "reason": "gone"}'}, EngineError, "esa_snappy cannot be imported (gone); docs/snap.md explains how to install it."),
        ({"report": '{"status": "failed", "reason": "no reader for this product"}'}, TigerbushError, "{}: SNAP failed (no reader for this product); {}"),
    ],
)  # fmt: skip
def test_results_of_esa_snappy(child, safe, tmp_path, answer, kind, sentence):
    child(**answer)
    assert refusal(safe, tmp_path, "snap", kind) == sentence.format(safe, ADVICE)


DISK = "found the disk full; free space in the folder for temporary files (TMPDIR)"
LOST = "lost a file system; mount it again"
START = "does not start or is incomplete; check mem_mb of the rule and the installation (docs/snap.md)"
SIGNS = {
    "java.lang.OutOfMemoryError: x": MEMORY,
    "MemoryError: x": MEMORY,
    "x Java heap space": MEMORY,
    "GC overhead limit exceeded": MEMORY,
    "Cannot allocate memory": MEMORY,
    "There is insufficient memory": MEMORY,
    "java.lang.IllegalArgumentException: Cannot construct DataBuffer.": MEMORY,
    "No space left on device": DISK,
    "Disk quota exceeded": DISK,
    "File too large": DISK,
    "Read-only file system": DISK,
    "x (Too many open files)": "could not open enough files; raise the limit (ulimit -n)",
    "Stale file handle": LOST,
    "Transport endpoint is not connected": LOST,
    "Host is down": LOST,
    "could not create the Java Virtual Machine": START,
    "Error occurred during initialization of VM": START,
    "java.lang.NoClassDefFoundError": START,
    "java.lang.ClassNotFoundException": START,
    "UnsatisfiedLinkError": START,
    "ImportError: x": START,
    "ModuleNotFoundError: x": START,
}


def test_messages_that_indicate_faults_of_the_machine(safe):
    product = open_product(safe)
    for sign, sentence in SIGNS.items():
        error = snap._snap_error(product, sign)
        assert type(error) is EngineError
        assert str(error) == f"{safe}: SNAP {sentence} ({sign})."


def test_output_of_a_program_is_logged_line_by_line(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    code = "import os, sys; print(os.getcwd()); print('b', file=sys.stderr); sys.stdout.flush(); sys.stdout.buffer.write(b'\\xff'); sys.exit(3)"
    done = snap._run([sys.executable, "-u", "-c", code], tmp_path)
    assert done.returncode == 3
    assert sorted(record.getMessage() for record in caplog.records) == sorted(
        [f"SNAP: {tmp_path.resolve()}", "SNAP: b", "SNAP: \ufffd"]
    )


def test_progress_is_not_logged(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    lines = [
        "Executing processing graph",
        "",
        "....10%....20%",
        "22%45%67%90% done.",
        " done.",
        "12%WARNING: odd",
        "... so",
    ]
    snap._run([sys.executable, "-c", f"print({chr(10).join(lines)!r})"], tmp_path)
    assert [record.getMessage() for record in caplog.records] == ["SNAP: WARNING: odd", "SNAP: ... so"]


def test_products_that_snap_cannot_read(child, safe, tmp_path):
    child(0)
    for folder in ("DATASTRIP", "GRANULE"):
        whole = tmp_path / "kept"
        (safe / folder).rename(whole)
        with pytest.raises(TigerbushError) as error:
            snap._product_folder(
                open_product(safe) if folder == "DATASTRIP" else product_of(safe, whole), tmp_path
            )
        assert str(error.value) == (
            f"{safe} has no folder {folder}, without which SNAP cannot read it; fetch the whole product, then run "
            "./tigerbush retry, or set scene.engine: rasterio."
        )
        whole.rename(safe / folder)
    assert snap._product_folder(open_product(safe), tmp_path) == safe.resolve()


def product_of(safe, granule):
    """The product as opened before its GRANULE was removed."""
    granule.rename(safe / "GRANULE")
    product = open_product(safe)
    (safe / "GRANULE").rename(granule)
    return product


@pytest.mark.parametrize(
    ("done", "answer"),
    [
        (CompletedProcess([], 0, "a\nSNAP 13\n", "x"), (True, "SNAP 13")),
        (CompletedProcess([], 1, " \n", "b\nc\n"), (False, "c")),
        (CompletedProcess([], 2, "", ""), (False, "no message")),
        (
            subprocess.TimeoutExpired("x", 2.5),
            (False, "SNAP does not start within 2.5 s; start it by hand to see why."),
        ),
    ],
)
def test_an_engine_is_started_and_waited_for(monkeypatch, done, answer):
    calls = []

    def run(command, **options):
        calls.append((command, options))
        if isinstance(done, Exception):
            raise done
        return done

    monkeypatch.setattr(snap.subprocess, "run", run)
    assert check_engine("gpt", 2.5) == answer
    ((command, options),) = calls
    assert command == [sys.executable, "-P", str(snap.WORKER), "check", "gpt"]
    assert options.pop("cwd") and options == {
        "capture_output": True,
        "text": True,
        "timeout": 2.5,
        "check": False,
    }


def test_engines_get_what_they_need(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(
        "tigerbush.scenes.engines.write_scene", lambda *given: calls.append(("arrays", *given))
    )
    monkeypatch.setattr(
        "tigerbush.scenes.engines.write_snap_scene", lambda *given: calls.append(("snap", *given))
    )
    arrays, snappy, gpt = (SceneOptions(["B2"], 20, engine=engine) for engine in ("rasterio", "snap", "gpt"))
    paths = (tmp_path, tmp_path / "a.tif")
    for options in (arrays, snappy, gpt):
        run_engine(*paths, options, LIMITS)
    assert calls == [
        ("arrays", *paths, arrays),
        ("snap", *paths, snappy, LIMITS),
        ("snap", *paths, gpt, LIMITS),
    ]


def test_a_scene_that_fails_leaves_a_placeholder_of_its_bands(monkeypatch, tmp_path):
    """Path and target are passed on, so that faults of the machine are recognised and finished scenes kept."""
    scene, calls = SceneOptions(["B4", "B2"], 60, engine="gpt"), []

    def placeholder_on_failure(work, placeholder, last_attempt, **options):
        work()
        placeholder("it is bad")
        calls.append((last_attempt, options))

    monkeypatch.setattr("tigerbush.scenes.engines.run_engine", lambda *call: calls.append(call))
    monkeypatch.setattr("tigerbush.scenes.engines.placeholder_on_failure", placeholder_on_failure)
    target = tmp_path / "a.tif"
    make_scene(tmp_path, target, name_of(), scene, limits=LIMITS, last_attempt=True)
    assert calls == [
        (tmp_path, target, scene, LIMITS),
        (True, {"source": tmp_path, "result": target}),
    ]
    result = read_raster(target)
    assert (result.bands, result.grid.resolution, result.tags[STATUS]) == (("B4", "B2"), 60, "failed")
    assert (result.tags[REASON], result.tags[PRODUCT]) == ("it is bad", name_of())
