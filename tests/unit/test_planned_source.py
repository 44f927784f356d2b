"""What the rules take from the configuration of a source, and which files of a product they fetch."""

import pytest

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.source import (
    address_of,
    check_snap_input,
    discovery_parameters,
    in_object_store,
    is_remote,
    on_web_server,
    select_files,
    store_settings,
)

SOURCE = {
    "kind": "s3", "path": "here", "level": "L1C", "bucket": "b", "endpoint_url": "https://host", "region": "r", "anonymous": True,
    "requester_pays": False, "prefixes": ["p"], "catalogue": None, "collections": [], "access": "stream", "hosts": ["h"],
}  # fmt: skip
STORE = {
    "kind": "s3", "bucket": "b", "endpoint_url": "https://host", "region": "r", "anonymous": True, "requester_pays": False,
}  # fmt: skip
SITES = {
    "a": {"site": "a", "longitude": 1.0, "latitude": 2.0, "region_size": 0.1},
    "b": {"site": "b", "longitude": 3.0, "latitude": 4.0, "region_size": 0.2},
}
PERIODS = {"2017-01-16": ("2017-01-01", "2017-02-01"), "2017-02-15": ("2017-02-01", "2017-03-01")}


@pytest.mark.parametrize(
    ("kind", "remote"), [("sample", False), ("local", False), ("s3", True), ("stac", True)]
)
def test_kinds_of_sources(kind, remote):
    assert is_remote({"kind": kind}) is remote


def test_what_opens_a_store():
    # a parameter of rules: its order counts, too
    assert list(store_settings(SOURCE).items()) == list(STORE.items())


def test_what_discovery_depends_on():
    parameters = discovery_parameters(SOURCE, SITES, PERIODS)
    assert parameters == {
        "source": STORE | {"level": "L1C", "prefixes": ["p"], "catalogue": None, "collections": []},
        "sites": [
            {"longitude": 1.0, "latitude": 2.0, "region_size": 0.1}, {"longitude": 3.0, "latitude": 4.0, "region_size": 0.2},
        ],
        "period": ["2017-01-01", "2017-03-01"],
    }  # fmt: skip
    assert list(parameters["source"]) == [*STORE, "level", "prefixes", "catalogue", "collections"]


def test_a_folder_is_listed_for_all_sites_and_dates_alike():
    parameters = discovery_parameters(SOURCE | {"kind": "local"}, SITES, PERIODS)
    assert parameters == {
        "source": {"kind": "local", "path": "here", "level": "L1C"},
        "sites": [],
        "period": [],
    }


PRODUCT = name_of()


def row(role, band, name, key=None):
    return {
        "role": role,
        "band": band,
        "name": name,
        "key": f"S/{PRODUCT}.SAFE/{name}" if key is None else key,
    }


XML, CLOUDS = row("metadata", "", "MTD.xml"), row("mask", "", "QI/CLOUDS.gml")
FINE, COARSE = row("band", "B2", "R10m/B02.jp2"), row("band", "B2", "R20m/B02.jp2")
RED, OTHER = row("band", "B4", "R10m/B04.jp2"), row("band", "B1", "R60m/B01.jp2")


def test_files_of_a_product():
    rows = [XML, CLOUDS, FINE, RED, COARSE, OTHER]
    assert select_files(rows, ["B4", "B2"]) == [XML, CLOUDS, RED, FINE]
    # bands may be named twice, or not be there
    assert select_files(rows, ["B2", "B8A", "B1", "B2"]) == [XML, CLOUDS, FINE, OTHER]
    assert select_files([OTHER, XML], []) == [XML]
    assert select_files([], ["B2"]) == []


def test_masks_of_single_bands():
    """The mask of a band is fetched only on request; that of all bands always."""
    masks = [row("mask", band, f"QI/MSK_{kind}_{band}.jp2") for band in ("B1", "B2") for kind in ("A", "B")]
    rows = [XML, CLOUDS, *masks, FINE, OTHER]
    assert select_files(rows, ["B2", "B1"]) == [XML, CLOUDS, FINE, OTHER]
    assert select_files(rows, ["B2", "B1"], ["B2"]) == [XML, CLOUDS, *masks[2:], FINE, OTHER]
    assert select_files(rows, ["B1"], ["B4", "B2", "B1"]) == [XML, CLOUDS, *masks, OTHER]


@pytest.mark.parametrize(
    ("keys", "web", "store"),
    [
        ([], False, False),
        (["a/b"], False, True),
        (["s3://b/a"], False, True),
        (["https://host/a", "http://host/b"], True, False),
        (["a", "https://host/a"], True, True),
    ],
)
def test_where_files_lie(keys, web, store):
    rows = [row("band", "B2", "a", key) for key in keys]
    assert (on_web_server(rows), in_object_store(rows)) == (web, store)


def test_whole_addresses():
    assert address_of("a/b", "bucket") == "s3://bucket/a/b"
    assert address_of("s3://other/a", "bucket") == "s3://other/a"
    assert address_of("https://host/a", "bucket") == "https://host/a"


def test_snap_reads_whole_folders():
    web = row("band", "B2", "a", f"https://host/{PRODUCT}.SAFE/a")
    check_snap_input(PRODUCT, [web, XML])
    other = row("band", "B2", "a", f"S/{name_of('20170117')}.SAFE/a")
    for rows in ([], [web], [other], [row("band", "B2", "a", f"S/{PRODUCT}.SAFE/b")]):
        with pytest.raises(TigerbushError) as error:
            check_snap_input(PRODUCT, rows)
        assert str(error.value) == (
            f"{PRODUCT} is not a .SAFE folder in source.bucket, and SNAP reads nothing else; set scene.engine: "
            "rasterio."
        )
