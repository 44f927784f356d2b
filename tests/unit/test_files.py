"""Files are whole or not there; logs end with a sentence."""

import json
import stat

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.files import job_log, read_json, replacing, write_bytes, write_json


def test_replacing_keeps_the_old_file_when_writing_fails(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_replacing_makes_an_ordinary_file(tmp_path):
    target = tmp_path / "deep" / "a.bin"
    write_bytes(target, b"x")
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert list(target.parent.iterdir()) == [target]


def test_write_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_json_round_trip(tmp_path):
    data = {"b": [1, None, 0.1 + 0.2], "a": "ü"}
    write_json(tmp_path / "a.json", data)
    assert read_json(tmp_path / "a.json") == data
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["b", "a"]


def test_read_json_names_the_file(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(TigerbushError, match=r"a\.json is not valid JSON"):
        read_json(tmp_path / "a.json")


def test_job_log_ends_with_the_sentence(tmp_path):
    with pytest.raises(SystemExit) as end, job_log(tmp_path / "logs" / "a.log"):
        raise TigerbushError("B4 is missing.")
    assert end.value.code == 1
    assert (tmp_path / "logs" / "a.log").read_text() == "ERROR: B4 is missing.\n"


def test_job_log_shows_the_traceback_of_a_defect(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "a.log"):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in (tmp_path / "a.log").read_text()
