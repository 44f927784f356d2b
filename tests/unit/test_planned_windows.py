"""Which windows are made: those that are missing, forgotten, or of something else."""

from types import SimpleNamespace

import pytest

from tigerbush.planning.windows import by_part, digest, outdated, part_of, with_version


def test_windows_that_are_missing_or_of_something_else():
    index = {
        name: SimpleNamespace(made=made)
        for name, made in (("a", "1"), ("b", ""), ("c", "2"), ("d", "1 v"), ("x", "9"))
    }
    wanted = {"a": ["1"], "b": ["1"], "c": ["1"], "d": ["1 w", "1"], "e": ["1"]}
    assert outdated(index, wanted) == ["b", "c", "d", "e"]
    assert outdated(index, {"d": ["1 v", "1"], "a": ["1 v", "1"]}) == []
    assert outdated({}, {}) == []


@pytest.mark.parametrize(
    ("version", "first", "made"),
    [
        (None, None, ("f",)), ("", None, ("f",)), ("v", None, ("f v",)), ("v", "v", ("f v", "f")), ("w", "v", ("f w",)),
    ],
)  # fmt: skip
def test_a_window_without_a_version_is_of_the_first_one(version, first, made):
    assert with_version("f", version, first) == made


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
