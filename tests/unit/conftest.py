"""Fixtures of the unit tests: what a test begins with, and commands of `./tigerbush`."""

import logging

import pytest

from tigerbush.cli.__main__ import main


@pytest.fixture(autouse=True)
def own_log():
    """The log of a job is that of its process (`tigerbush.files.job_log`): the next test begins anew."""
    root, others = logging.getLogger(), [logging.getLogger(name) for name in ("rasterio", "botocore")]
    handlers, levels = list(root.handlers), [one.level for one in (root, *others)]
    yield
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
        handler.close()
    for one, level in zip((root, *others), levels, strict=True):
        one.setLevel(level)


@pytest.fixture
def refused_command(tmp_path, capsys):
    """Run a command of `./tigerbush`; give its one sentence, having checked that it wrote nothing."""

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
