"""Which windows are made: those that are missing, forgotten, or of something else."""

from types import SimpleNamespace

import pytest

from tigerbush.planning.windows import Made, by_part, digest, outdated, part_of


def test_windows_that_are_missing_or_of_something_else():
    recorded = {"a": "1", "b": "", "c": "2", "d": "1 v", "x": "9"}
    index = {name: SimpleNamespace(made=made) for name, made in recorded.items()}
    wanted = dict.fromkeys("abce", Made("1")) | {"d": Made("1", "w", "w")}
    assert outdated(index, wanted) == ["b", "c", "e", "d"]
    assert outdated(index, {"d": Made("1", "v", "u"), "a": Made("1")}) == []
    assert outdated({}, {}) == []


@pytest.mark.parametrize(
    ("version", "first", "text", "current"),
    [
        # without a known version, that of a window is of no matter
        (None, None, "f", ["f", "f v", "f w", "f v w"]),
        ("", None, "f", ["f", "f v", "f w", "f v w"]),
        ("v", None, "f v", ["f v"]),
        # a window without a record was made of the first one
        ("v", "v", "f v", ["f", "f v"]),
        ("w", "v", "f w", ["f w"]),
    ],
)
def test_what_a_window_is_made_of(version, first, text, current):
    made = Made("f", version, first)
    assert made.text == text
    recorded = ["", "f", "g", "f v", "f w", "g v", "f v w"]
    assert [each for each in recorded if made.is_that_of(each)] == current


def test_a_site_stays_in_its_part_whatever_others_there_are():
    """CRC-32 of the name modulo the number of parts; that of `abc` is 891568578."""
    sites = ["site", "zzz", "abc"]
    assert [part_of(site, 1) for site in sites] == [0, 0, 0]
    assert part_of("abc", 5) == 891_568_578 % 5
    divided = by_part(sites, 3)
    assert sorted(site for part in divided for site in part) == sorted(sites) and len(divided) == 3
    for site in sites:
        assert site in divided[part_of(site, 3)]
        assert by_part([site], 3)[part_of(site, 3)] == [site]


def test_a_fingerprint_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
    assert len(digest({})) == 16
