"""Fixtures of the tests of `./tigerbush`."""

import pytest

from tigerbush.cli.__main__ import main


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
