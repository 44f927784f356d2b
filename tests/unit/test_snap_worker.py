"""The process that starts SNAP, with modules in memory in place of SNAP."""

import json
import sys
import zipfile
from subprocess import CompletedProcess
from types import ModuleType

import pytest

from tigerbush.scenes import snap_worker
from tigerbush.scenes.snap_worker import ADVICE, check, first_line, main, process


class Product:
    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def dispose(self):
        self.calls.append(("dispose", self.name))


class FakeSnap(ModuleType):
    """Records calls; `fails` names the calls that raise."""

    def __init__(self):
        super().__init__("esa_snappy")
        self.calls, self.fails, self.class_path = [], {}, ""
        self.GPF = self.ProductIO = self.SystemUtils = self.jpy = self
        self.HashMap = lambda: Table()

    def _call(self, *call):
        self.calls.append(call)
        if call[0] in self.fails:
            raise self.fails[call[0]]

    def readProduct(self, path):  # noqa: N802
        self._call("read", path)
        return None if path == "unknown" else Product(path, self.calls)

    def createProduct(self, operator, table, product):  # noqa: N802
        self._call(operator, dict(table), product.name)
        return Product(f"{product.name}>{operator}", self.calls)

    def writeProduct(self, product, target, form):  # noqa: N802
        self._call("write", product.name, target, form)

    def getReleaseVersion(self):  # noqa: N802
        self._call("version")
        return 13.0

    def get_type(self, name):
        assert name == "java.lang.System"
        return self

    def getProperty(self, name):  # noqa: N802
        assert name == "java.class.path"
        return self.class_path


class Table(dict):
    def put(self, key, value):
        self[key] = value


@pytest.fixture
def snap(monkeypatch):
    module = FakeSnap()
    monkeypatch.setitem(sys.modules, "esa_snappy", module)
    return module


JOB = {
    "product": "in.SAFE",
    "target": "out.tif",
    "format": "GeoTIFF",
    "steps": [
        ["Resample", {"targetResolution": "20", "upsampling": "Nearest"}],
        ["Subset", {"region": "1,2"}],
    ],
}
DISPOSED = [("dispose", "in.SAFE>Resample>Subset"), ("dispose", "in.SAFE>Resample"), ("dispose", "in.SAFE")]


def test_operators_are_chained_and_products_disposed_in_reverse(snap):
    assert process(JOB) == {"status": "ok", "reason": ""}
    assert snap.calls == [
        ("read", "in.SAFE"),
        ("Resample", {"targetResolution": "20", "upsampling": "Nearest"}, "in.SAFE"),
        ("Subset", {"region": "1,2"}, "in.SAFE>Resample"),
        ("write", "in.SAFE>Resample>Subset", "out.tif", "GeoTIFF"),
        *DISPOSED,
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("  Java heap space\n\tat x.y.z(a.java)\n"), "Java heap space"),
        (RuntimeError(""), "RuntimeError"),
        (MemoryError(), "MemoryError: MemoryError"),
        (ImportError("No module named 'x'"), "ImportError: No module named 'x'"),
    ],
)
@pytest.mark.parametrize(("where", "left"), [("read", 3), ("Resample", 2), ("write", 0)])
def test_errors_are_reported_and_products_disposed(snap, where, left, error, reason):
    snap.fails[where] = error
    assert process(JOB) == {"status": "failed", "reason": reason}
    assert [call for call in snap.calls if call[0] == "dispose"] == DISPOSED[left:]


def test_a_product_without_a_reader(snap):
    assert process(JOB | {"product": "unknown"}) == {
        "status": "failed",
        "reason": "no reader for this product",
    }
    assert snap.calls == [("read", "unknown")]


@pytest.mark.parametrize("error", [ImportError("gone\nmore"), OSError("gone"), RuntimeError("gone")])
def test_snap_does_not_start(monkeypatch, error):
    class Finder:
        def find_spec(self, name, *_):
            if name == "esa_snappy":
                raise error

    monkeypatch.delitem(sys.modules, "esa_snappy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert process(JOB) == {"status": "unavailable", "reason": "gone"}
    assert check("snap") == (False, f"esa_snappy cannot be imported by {sys.executable} (gone); {ADVICE}.")


def jar(folder, name, manifest="Manifest-Version: 1.0\nOpenIDE-Module-Specification-Version: 13.0.2\n"):
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF" if manifest else "other", manifest)
    return path


def test_the_reader_is_named_with_its_version(snap, tmp_path):
    names = ["opttbx-s2msi-reader-ui.jar", "opttbx-s2msi-reader.jar", "zz-s2msi-reader.jar", "ceres.jar"]
    snap.class_path = ":".join(str(jar(tmp_path, name)) for name in names)
    assert check("snap") == (True, "SNAP 13.0, opttbx-s2msi-reader 13.0.2")
    # without a version, without a manifest, and not a jar
    jar(
        tmp_path,
        "opttbx-s2msi-reader.jar",
        "Manifest-Version: 1.0\nX-OpenIDE-Module-Specification-Version: 1\n",
    )
    assert check("snap") == (True, "SNAP 13.0, opttbx-s2msi-reader")
    jar(tmp_path, "opttbx-s2msi-reader.jar", "")
    assert check("snap") == (True, "SNAP 13.0, opttbx-s2msi-reader")
    (tmp_path / "opttbx-s2msi-reader.jar").write_bytes(b"no zip")
    assert check("snap") == (True, "SNAP 13.0, opttbx-s2msi-reader")
    (tmp_path / "opttbx-s2msi-reader.jar").unlink()
    assert check("snap") == (True, "SNAP 13.0, opttbx-s2msi-reader")
    snap.class_path = f"{tmp_path / names[0]}:{tmp_path / names[3]}"
    assert check("snap") == (
        False,
        "SNAP 13.0 has no reader for Sentinel-2 products; install its Optical Toolbox.",
    )


def test_the_version_and_folder_of_gpt(monkeypatch, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    jar(tmp_path / "a" / "b", "opttbx-s2msi-reader.jar")
    outputs = iter(
        [
            (0, "SNAP Release version 12.0.0\n", f"SNAP home: {tmp_path} \nmore"),
            (0, "SNAP Release version 12.0.0", ""),
            (0, f"SNAP home: {tmp_path}", " nothing else\n"),
            (3, f"SNAP Release version 12.0.0\nSNAP home: {tmp_path}", ""),
            (5, "", " "),
        ]
    )
    commands = []

    def run(command, **options):
        commands.append((command, options))
        return CompletedProcess(command, *next(outputs))

    monkeypatch.setattr(snap_worker.subprocess, "run", run)
    assert check("gpt") == (True, "SNAP 12.0.0, opttbx-s2msi-reader 13.0.2")
    for reason in (
        "SNAP Release version 12.0.0",
        f"SNAP home: {tmp_path} nothing else",
        "SNAP Release version 12.0.0",
        "exit status 5",
    ):
        assert check("gpt") == (False, f"gpt cannot be run ({reason}); {ADVICE}.")
    assert commands == [(["gpt", "--diag"], {"capture_output": True, "text": True, "check": False})] * 5


def test_the_two_commands(snap, tmp_path, capsys):
    snap.class_path = str(jar(tmp_path, "opttbx-s2msi-reader.jar"))
    assert main(["check", "snap"]) == 0
    snap.class_path = ""
    assert main(["check", "snap"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "SNAP 13.0, opttbx-s2msi-reader 13.0.2",
        "SNAP 13.0 has no reader for Sentinel-2 products; install its Optical Toolbox.",
    ]
    (tmp_path / "job.json").write_text(json.dumps(JOB | {"product": "unknown"}))
    assert main(["process", str(tmp_path / "job.json"), str(tmp_path / "report.json")]) == 0
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "status": "failed",
        "reason": "no reader for this product",
    }


def test_first_lines():
    assert [first_line(error) for error in ("\n  a \nb", OSError(2, "no"), KeyError())] == [
        "a",
        "[Errno 2] no",
        "KeyError",
    ]
