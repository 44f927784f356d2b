"""Versions of products in the fingerprints of jobs that have read them."""

import pytest

from fabricate import name_of
from tigerbush.planning.fingerprints import (
    replaced_products,
    text_differences,
    text_of,
    with_first_versions,
    with_versions,
)

A, B, C = (name_of(day) for day in ("20170110", "20170120", "20170210"))


def versions(etag, first=None):
    return {A: {"etag": etag, "first_etag": etag if first is None else first}}


@pytest.mark.parametrize(
    ("recorded", "rows", "difference"),
    [
        # made of this version; of another
        ({A: "v1"}, versions("v1"), None),
        ({A: "v1"}, versions("v2", "v1"), f'versions.{A}: "v1" -> "v2"'),
        # replaced, and the first one is back
        ({A: "v1"}, versions("v1", "v0"), None),
        # no record: made of the version that was recorded first
        ({}, versions("v1"), None),
        ({}, versions("v2", "v1"), f'versions.{A}: "v1" -> "v2"'),
        ({}, versions("v1", ""), f'versions.{A}: "" -> "v1"'),
        # a table of the last release
        ({A: "v1"}, {A: {"product": A}}, None),
        ({}, {A: {"product": A}}, None),
        ({A: "v1"}, versions(""), None),
    ],
)
def test_versions_in_the_fingerprint_of_a_job(recorded, rows, difference):
    old = text_of({"inputs": "x"} | ({"versions": recorded} if recorded else {}))
    new = text_of(with_versions({"inputs": "x"}, rows))
    assert text_differences(with_first_versions(old, new, rows), new) == difference


def test_a_damaged_fingerprint_stays_damaged():
    new = text_of(with_versions({"inputs": "x"}, versions("v1")))
    for old in ("{", "[1]", "null", '{"versions": 3}'):
        assert text_differences(with_first_versions(old, new, versions("v1")), new) is not None


def test_results_without_a_fingerprint():
    assert replaced_products(versions("v1")) is None
    assert replaced_products({A: {"product": A}}) is None
    assert replaced_products(versions("v2", "v1")) == f"replaced: {A}"
