"""An installation of the stand-ins for ESA SNAP: the package esa_snappy on Python's path, the command gpt on PATH."""

import json
import os
import sys
import zipfile
from pathlib import Path

from fabricate import ROOT
from tigerbush.scenes.scene import SceneOptions, write_scene

STANDINS = ROOT / "tests" / "standins"


class Snap:
    """The stand-ins: the environment in which they are found, and the log of their calls."""

    def __init__(self, folder: Path):
        self.home = folder / "snap"
        self.log = folder / "snap.jsonl"
        modules = self.home / "optical" / "modules"
        modules.mkdir(parents=True)
        with zipfile.ZipFile(modules / "opttbx-s2msi-reader.jar", "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "OpenIDE-Module-Specification-Version: 13.0.2\n")
        command = self.home / "bin" / "gpt"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STANDINS / "gpt.py"}" "$@"\n')
        command.chmod(0o755)

    def environment(self):
        """Return the environment variables to set."""
        return {
            "SNAP_HOME": str(self.home),
            "SNAP_STANDIN_LOG": str(self.log),
            "PYTHONPATH": str(STANDINS),
            "PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def notes(self):
        """Return the calls of the stand-ins, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def scenes_by_arrays(products: Path, names, folder: Path):
    """Return the scenes that the engine rasterio writes of these products, by name."""
    files = {}
    for name in names:
        target = folder / f"{name}.tif"
        write_scene(products / f"{name}.SAFE", target, SceneOptions(["B2", "B3", "B4"], 20))
        files[name] = target.read_bytes()
    return files
