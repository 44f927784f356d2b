"""Files are complete or absent; logs end with a sentence."""

import errno
import json
import logging
import os
import re
import stat
import tempfile
from pathlib import Path

import pytest

from tigerbush.errors import MachineError, RemoteError, TigerbushError, WriteError
from tigerbush.files import (
    atomic_write,
    link_or_copy,
    parse_json,
    read_json,
    scratch_folder,
    write_bytes,
    write_error,
    write_json,
)
from tigerbush.job import job_arguments, job_log, job_outputs


def no_link(*_):
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def test_a_failed_atomic_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


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


def test_atomic_write_uses_a_temporary_name_beside_the_target(tmp_path):
    """It is hidden and has the same suffix, from which GDAL infers the driver."""
    target = tmp_path / "new" / "below" / ("a" * 50 + ".b.tif")
    with atomic_write(target) as temporary:
        assert (temporary.parent, temporary.suffix) == (target.parent, ".tif")
        assert re.fullmatch(r"\.a{40}\.[a-z0-9_]{8}\.tif", temporary.name)
        temporary.write_bytes(b"x")
        assert not target.exists()
    assert list(target.parent.iterdir()) == [target]


def test_atomic_write_raises_write_errors_only_for_the_target(tmp_path):
    target = tmp_path / "a.tif"
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        with pytest.raises(WriteError) as error, atomic_write(target):
            raise OSError(number, os.strerror(number))
        assert (
            str(error.value) == f"{target} cannot be written ({os.strerror(number)}); fix that and run again."
        )
    with pytest.raises(OSError, match="Input/output error") as error, atomic_write(target):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert not isinstance(error.value, WriteError)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(WriteError) as error:
        write_bytes(tmp_path / "file" / "a.tif", b"")
    assert (
        str(error.value) == f"{tmp_path}/file/a.tif cannot be written (File exists); fix that and run again."
    )
    assert (
        str(write_error(target, ValueError("a\n  b")))
        == f"{target} cannot be written (a b); fix that and run again."
    )


def test_written_files_have_default_permissions(tmp_path):
    before = os.umask(0)
    try:
        for umask, mode in ((0o027, 0o640), (0, 0o666)):
            os.umask(umask)
            write_bytes(tmp_path / "a", b"")
            assert os.umask(umask) == umask
            assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    finally:
        os.umask(before)


def test_a_hard_link_or_a_copy(tmp_path, monkeypatch):
    """Newer than the job's inputs, or Snakemake would run the job again every time."""
    source = tmp_path / "source.tif"
    for link in (os.link, None):
        source.write_bytes(b"content")
        os.utime(source, (1, 1))
        (tmp_path / "target.tif").write_bytes(b"old")
        if link is None:
            monkeypatch.setattr(os, "link", no_link)
        link_or_copy(source, tmp_path / "target.tif")
        assert (tmp_path / "target.tif").read_bytes() == b"content"
        assert (tmp_path / "target.tif").samefile(source) == (link is not None)
        assert (tmp_path / "target.tif").stat().st_mtime > 1e9
        assert sorted(path.name for path in tmp_path.iterdir()) == ["source.tif", "target.tif"]
        (tmp_path / "target.tif").unlink()


def test_the_format_of_written_json(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, {}], "a": "ü"})
    assert (tmp_path / "a.json").read_bytes() == b'{\n "b": [\n  1,\n  {}\n ],\n "a": "\\u00fc"\n}\n'


def test_integers_in_json():
    """Integers with more digits than any float become infinite; a sign counts as a digit."""
    assert parse_json("[" + "9" * 400 + ", 7, -3]") == [int("9" * 400), 7, -3]
    assert parse_json(b"[" + b"9" * 401 + b", -" + b"9" * 400 + b", 0.5]") == [
        float("inf"),
        float("-inf"),
        0.5,
    ]
    assert parse_json("-" + "9" * 399) == -int("9" * 399)


def test_a_scratch_folder(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "link"))
    with scratch_folder("mine-") as folder:
        assert folder.parent == (tmp_path / "real").resolve()
        assert folder.name.startswith("mine-")
        (folder / "a").touch()
    assert list((tmp_path / "real").iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(WriteError) as error, scratch_folder("mine-"):
        pass
    assert str(error.value) == (
        "the folder for temporary files (TMPDIR) cannot be written (No such file or directory); fix that and run again."
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MachineError("a."), "a."), (RemoteError("b."), "b."), (WriteError("c."), "c."),
        (PermissionError(13, "Permission denied", "/d"), "/d: Permission denied; fix that and run again."),
        (MemoryError(), "the job ran out of memory (MemoryError); give it more (mem_mb of its rule) and run again."),
    ],
)  # fmt: skip
def test_a_job_ends_with_a_sentence(tmp_path, capsys, error, text):
    (tmp_path / "a.log").write_text("of an earlier attempt\n")
    with pytest.raises(SystemExit) as end, job_log(tmp_path / "a.log"):
        logging.getLogger("tigerbush.x").info("at work")
        logging.getLogger("tigerbush.x").debug("not reported")
        raise error
    assert end.value.code == 1
    assert (tmp_path / "a.log").read_text() == f"INFO: at work\nERROR: {text}\n"
    assert capsys.readouterr().err == f"INFO: at work\nERROR: {text}\n"


def test_the_log_of_a_job(tmp_path):
    with job_log(tmp_path / "new" / "new" / "a.log"):
        for name in ("rasterio._env", "botocore.credentials", "tigerbush"):
            for level in (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
                logging.getLogger(name).log(level, "%s", name)
    assert (tmp_path / "new" / "new" / "a.log").read_text().splitlines() == [
        "CRITICAL: rasterio._env",
        *(f"{level}: botocore.credentials" for level in ("WARNING", "ERROR", "CRITICAL")),
        *(f"{level}: tigerbush" for level in ("INFO", "WARNING", "ERROR", "CRITICAL")),
    ]
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "new" / "a.log"):
        1 / 0  # noqa: B018
    lines = (tmp_path / "new" / "a.log").read_text().splitlines()
    assert lines[0] == "ERROR: this is a bug in tigerbush or a problem with the machine:"
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_arguments_of_a_job():
    params = {"a": 1, "library": "x", "b": None, "composite.indices": ["ndvi"]}
    assert job_arguments(params) == {"a": 1, "b": None, "indices": ["ndvi"]}
    assert job_outputs({"out": "a/b", "fingerprint": "c"}) == {"out": Path("a/b")}
