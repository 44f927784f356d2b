"""`~` and `$HOME` in the paths of the configuration."""

import pytest

from tigerbush.planning.configuration import expand_home


def with_paths(path):
    """A configuration whose paths are all the same."""
    weather = {"path": path} | {quantity: {"path": path} for quantity in ("precipitation", "temperature")}
    return {"sites": path, "products": path, "source": {"path": path, "bucket": path}, "weather": weather}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~", "/home/me"), ("~/a b/{site}.csv", "/home/me/a b/{site}.csv"), ("$HOME", "/home/me"), ("$HOME/a", "/home/me/a"),
        ("${HOME}/a", "/home/me/a"), ("~root/a", "/root/a"),
        ("a/~/b", "a/~/b"), ("a/$HOME", "a/$HOME"), ("$HOMES/a", "$HOMES/a"), ("$SECRET/a", "$SECRET/a"),
        ("~nobody-of-that-name/a", "~nobody-of-that-name/a"), ("./~", "./~"), ("data//x/", "data//x/"), (None, None),
    ],
)  # fmt: skip
def test_the_home_folder_in_paths(monkeypatch, path, expected):
    """No other variable: its value, which may be a key, would be in results."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SECRET", "/key")
    config = with_paths(path)
    expand_home(config)
    assert config == with_paths(expected) | {"source": {"path": expected, "bucket": path}}
