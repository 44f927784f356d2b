"""Random damage to everything that comes from outside, a little of what `make fuzz` does for two minutes."""

import pytest

from fuzz.__main__ import complaint, run
from fuzz.targets import TARGETS
from tigerbush.errors import MachineError, RemoteError, TigerbushError


@pytest.mark.input(
    "Hostile input",
    "any input, damaged at random",
    "a sentence, or it is read",
)
@pytest.mark.parametrize("name", TARGETS)
def test_only_sentences_come_out(name, capsys):
    assert run([name], seed=22, seconds=0, number=25) == []
    assert capsys.readouterr().out.startswith(f"{name}: 25 inputs, ")


@pytest.mark.parametrize("kind", [TigerbushError, RemoteError, MachineError])
def test_what_is_a_sentence(kind):
    assert complaint(kind("x.tsv, line 3: it is wrong; correct it.")) is None
    assert complaint(kind("a\nb\x1b[2J\ud800" + "x" * 5000)) is None
    assert str(kind("a\nb\x1b[2J\ud800\u2028c")) == r"a b\x1b[2J\ud800 c"
    assert len(str(kind("x" * 5000))) == 1204


def test_what_is_none():
    assert "ValueError: x" in complaint(ValueError("x"))
    assert "KeyError" in complaint(KeyError("x"))
