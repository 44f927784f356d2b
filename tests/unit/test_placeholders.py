"""Placeholders of products that fail; finished results are never replaced by one."""

import json

import pytest

from test_retry import NAMES, record, write_image, write_zip
from tigerbush.errors import KeptError, MachineError, RemoteError, TigerbushError
from tigerbush.placeholder import (
    is_finished,
    placeholder_on_failure,
    raise_if_finished,
    raise_if_scene_has_pixels,
    record_path,
)


@pytest.mark.parametrize(
    ("write", "damage", "finished"),
    [
        (lambda path, damage: write_image(path, "ok", damage), None, True),
        (lambda path, damage: write_image(path, "outside", damage), None, True),
        (lambda path, damage: write_image(path, None, damage), None, True),
        (lambda path, damage: write_image(path, "failed", damage), None, False),
        *((lambda path, damage: write_image(path, "ok", damage), damage, False) for damage in ("cut", "empty", "a byte")),
        (lambda path, damage: write_zip(path.with_suffix(".zip"), False, damage), None, True),
        (lambda path, damage: write_zip(path.with_suffix(".zip"), True, damage), None, False),
        *((lambda path, damage: write_zip(path.with_suffix(".zip"), False, damage), damage, False) for damage in ("cut", "empty", "a byte")),
        (lambda path, damage: None, None, False),
    ],
)  # fmt: skip
def test_what_is_finished(tmp_path, write, damage, finished):
    """Whole, and no placeholder."""
    path = tmp_path / f"{NAMES['a']}.tif"
    write(path, damage)
    [path] = list(tmp_path.iterdir()) or [path]
    assert is_finished(path) is finished
    if not finished:
        raise_if_finished(path, "reason")
        assert not record_path(path).exists()
        return
    with pytest.raises(KeptError) as error:
        raise_if_finished(path, "it is gone.")
    assert error.value.reason == "it is gone."
    assert str(error.value) == (
        f"{path.stem} cannot be read again (it is gone); {path} from an earlier run is kept: fix the product, then run "
        "./tigerbush retry, or delete that file to continue without it."
    )
    assert json.loads(record_path(path).read_text()) == {"product": path.stem, "reason": "it is gone."}


@pytest.mark.parametrize(
    ("status", "kept"), [("ok", True), ("outside", False), ("failed", False), (None, False)]
)
def test_a_scene_with_pixels_is_not_replaced_by_one_without(tmp_path, status, kept):
    scene = tmp_path / f"{NAMES['a']}.tif"
    write_image(scene, status)
    if not kept:
        raise_if_scene_has_pixels(scene, "why")
        return
    with pytest.raises(KeptError) as error:
        raise_if_scene_has_pixels(scene, "why")
    assert (error.value.reason, str(error.value)) == (
        "why",
        f"why: {scene} from an earlier run is kept; correct scene.region or scene.geo_region, or delete that file to "
        "continue without it.",
    )


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "last", "reason"),
    [
        (TigerbushError("stays\n wrong."), False, "stays wrong."),
        (TigerbushError("stays."), True, "stays."),
        (RemoteError("passes\n  maybe"), True, "RemoteError: passes maybe"),
        (OSError("reset"), True, "OSError: reset"),
    ],
)
def test_a_permanent_error_becomes_a_placeholder(tmp_path, caplog, error, last, reason):
    result = tmp_path / f"{NAMES['a']}.tif"
    record(tmp_path, "a")
    made = placeholder_on_failure(raising(error), lambda text: ("placeholder", text), last, result=result)
    assert (made, caplog.messages) == (("placeholder", reason), [reason])
    # the product has a result of its own now
    assert not record_path(result).exists()
    assert placeholder_on_failure(raising(error), str, last) == reason
    write_image(result, "ok")
    with pytest.raises(KeptError) as kept:
        placeholder_on_failure(raising(error), str, last, result=result)
    assert kept.value.reason == reason


@pytest.mark.parametrize(
    "error",
    [RemoteError("x"), OSError("x"), MachineError("x"), KeptError("x", "y"), MemoryError(), KeyError("x")],
)
def test_transient_errors_and_faults_of_the_machine_are_raised(tmp_path, error):
    record(tmp_path, "a")
    for last in (
        (False, True) if not isinstance(error, OSError) or isinstance(error, MachineError) else (False,)
    ):
        with pytest.raises(type(error)) as raised:
            placeholder_on_failure(raising(error), str, last, result=tmp_path / f"{NAMES['a']}.tif")
        assert raised.value is error
    assert len(list(tmp_path.iterdir())) == 1
    # a file that is not the product's is the machine's fault
    wrong = PermissionError(13, "Permission denied", "/elsewhere/a")
    with pytest.raises(MachineError):
        placeholder_on_failure(raising(wrong), str, True, source=tmp_path / "a.SAFE")
    inside = PermissionError(13, "Permission denied", str(tmp_path / "a.SAFE" / "b"))
    assert placeholder_on_failure(raising(inside), str, True, source=tmp_path / "a.SAFE").startswith(
        "PermissionError: "
    )


def test_a_result_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    path.mkdir()
    with pytest.raises(MachineError, match=r"a\.tif: Is a directory; fix that and run again\.$"):
        is_finished(path)
