"""Fixtures of the unit tests: a clean log, and commands of `./tigerbush`."""

import csv
import json
import logging

import pytest

from small_images import read_rgb
from tigerbush.cli.__main__ import main


@pytest.fixture(autouse=True)
def own_log():
    """Restore the log, which a job configures for its whole process (`tigerbush.job.job_log`)."""
    root, others = logging.getLogger(), [logging.getLogger(name) for name in ("rasterio", "botocore")]
    handlers, levels = list(root.handlers), [logger.level for logger in (root, *others)]
    yield
    for handler in [logger for logger in root.handlers if logger not in handlers]:
        root.removeHandler(handler)
        handler.close()
    for logger, level in zip((root, *others), levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def refused_command(tmp_path, capsys):
    """Run a command of `./tigerbush`, check that it wrote nothing, and return its one sentence."""

    def run(*words):
        output = tmp_path / "output"
        assert main([*map(str, words), "--output", str(output)]) == 1
        assert not output.exists()
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("tigerbush: ")
        assert err.count("\n") == 1
        return err

    return run


@pytest.fixture
def measure(tmp_path, capsys):
    """Run `./tigerbush centrality`, and return the JSON, the rows of the CSV and the RGB picture."""

    def run(path, *options):
        output = tmp_path / "output"
        assert main(["centrality", str(path), "--output", str(output), *map(str, options)]) == 0
        assert capsys.readouterr().err == ""
        names = [f"{path.stem}_centrality.{kind}" for kind in ("csv", "json", "png")]
        assert sorted(file.name for file in output.iterdir()) == names
        table, record, picture = (output / name for name in names)
        with table.open() as lines:
            rows = list(csv.DictReader(lines))
        return json.loads(record.read_text()), rows, read_rgb(picture)

    return run
