"""The tables of sites, products and files: what is written is read, and whatever else they hold is a sentence."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import (
    COLUMNS,
    FILE_COLUMNS,
    PRODUCT,
    file_row,
    read_files,
    read_products,
    read_sites,
    read_table,
    table_row,
    write_table,
)
from tigerbush.sentinel2.names import parse_name


def refused(read, path, *arguments):
    """What is said of a table, without its name."""
    with pytest.raises(TigerbushError) as error:
        read(path, *arguments)
    text = str(error.value)
    assert text.startswith(str(path)) and "\n" not in text
    return text.removeprefix(str(path))


def test_rows_and_their_lines(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("\ufeffa\tb\n1\t2\n\n3\t4\n", encoding="utf-8")
    assert read_table(path, ("b", "a")) == [(2, {"a": "1", "b": "2"}), (4, {"a": "3", "b": "4"})]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a\n1\n", " has no column 'b'; expected a, b, separated by tabs."),
        (b"a,b\n1,2\n", " has no column 'a'; expected a, b, separated by tabs."),
        (b"a  b\n1  2\n", " has no column 'a'; expected a, b, separated by tabs."),
        (b"# mine\na\tb\n1\t2\n", " has no column 'a'; expected a, b, separated by tabs."),
        (b"A\tb\n1\t2\n", " has no column 'a'; expected a, b, separated by tabs."),
        (b"", " has no column 'a'; expected a, b, separated by tabs."),
        (b"\n\n", " has no column 'a'; expected a, b, separated by tabs."),
        (b"a\tb\tb\n1\t2\t3\n", " has two columns 'b'; expected a, b, separated by tabs."),
        (b"a\tb\n1\t2\t3\n", ", line 2: expected 2 fields separated by tabs."),
        (b"a\tb\n1\t2\n1\n", ", line 3: expected 2 fields separated by tabs."),
        *((content, " is not text in UTF-8; save it as UTF-8, with fields separated by tabs.") for content in (
            "a\tb\nS\xe9n\xe9gal\t2\n".encode("latin-1"), "a\tb\n1\t2\n".encode("utf-16"), b"PK\x03\x04\xfe\xff",
        )),
        (
            b"a\tb\n1\thttps://user:secret@host\n",
            ", line 2: b contains a user, password, key or signature in a URL, which everyone can see who reads a "
            "configuration, log or result; remove it, and set keys in the environment (docs/sources.md).",
        ),
    ],
)  # fmt: skip
def test_what_is_no_table(tmp_path, content, sentence):
    path = tmp_path / "t.tsv"
    path.write_bytes(content)
    assert refused(read_table, path, ("a", "b")) == sentence


def test_a_table_that_is_not_there(tmp_path):
    path = tmp_path / "t.tsv"
    assert refused(read_table, path, ("a",)) == (
        f" cannot be read as a table: [Errno 2] No such file or directory: '{path}'."
    )


def sites_of(folder, *rows):
    path = folder / "sites.tsv"
    path.write_text(
        "".join("\t".join(row) + "\n" for row in [("site", "longitude", "latitude", "region_size"), *rows])
    )
    return path


def test_sites(tmp_path):
    path = sites_of(tmp_path, ("a", "-180", "84", "0.5"), ("B_1-x", "180", "-80", "1e-6"))
    sites = read_sites(path, 0)
    assert sites == {
        "a": {"site": "a", "longitude": -180, "latitude": 84, "region_size": 0.5},
        "B_1-x": {"site": "B_1-x", "longitude": 180, "latitude": -80, "region_size": 1e-6},
    }
    # parameters of rules: their order counts, too
    assert list(sites["a"]) == ["site", "longitude", "latitude", "region_size"]


NAME = "is reserved, used twice or not made of letters, digits, - and _; choose another."


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        *(((name, "1", "2", "0.1"), f"site name '{name}' {NAME}") for name in ("here", "analysis", "downloads", "fingerprints", "scenes", "", "-a", "a/b", "a" * 65)),
        (("a" * 90, "1", "2", "0.1"), f"site name '{'a' * 80}' {NAME}"),
        (("a", "180.1", "2", "0.1"), "longitude '180.1' of site a is not a number from -180 to 180; correct it."),
        (("a", "nan", "2", "0.1"), "longitude 'nan' of site a is not a number from -180 to 180; correct it."),
        (("a", "1", "84.1", "0.1"), "latitude '84.1' of site a is not a number from -80 to 84; correct it (are longitude and latitude exchanged?)."),
        (("a", "-11.5", "-142.3", "0.1"), "latitude '-142.3' of site a is not a number from -80 to 84; correct it (are longitude and latitude exchanged?)."),
        # no degree of latitude either
        (("a", "100", "-80.1", "0.1"), "latitude '-80.1' of site a is not a number from -80 to 84; correct it."),
        (("a", "1", "181", "0.1"), "latitude '181' of site a is not a number from -80 to 84; correct it."),
        (("a", "14,5593", "45,8694", "0,0037"), "longitude '14,5593' of site a is not a number from -180 to 180; correct it."),
        (("a", "inf", "2", "0.1"), "longitude 'inf' of site a is not a number from -180 to 180; correct it."),
        (("site", "longitude", "latitude", "region_size"), "longitude 'longitude' of site site is not a number from -180 to 180; correct it."),
        (("a", "1", "x" * 50, "0.1"), f"latitude '{'x' * 40}' of site a is not a number from -80 to 84; correct it."),
        (("a", "1", "2", "0.51"), "region_size '0.51' of site a is not a number from 1e-06 to 0.5; correct it."),
        (("a", "1", "2", "0"), "region_size '0' of site a is not a number from 1e-06 to 0.5; correct it."),
        # 0.004 degrees of 111320 m are 445.28 m
        (("a", "1", "2", "0.004"), "site a of 0.004 degrees is smaller than one sub-image of 500 m; make it at least 0.0045 or subimages.size smaller."),
    ],
)  # fmt: skip
def test_a_site_that_is_refused(tmp_path, row, sentence):
    assert (
        refused(read_sites, sites_of(tmp_path, ("here", "1", "2", "0.0045"), row), 500)
        == f", line 3: {sentence}"
    )


def test_a_site_as_large_as_a_sub_image(tmp_path):
    path = sites_of(tmp_path, ("a", "1", "2", "0.5"))
    assert list(read_sites(path, 55_660)) == ["a"]
    assert refused(read_sites, path, 55_661).startswith(
        ", line 2: site a of 0.5 degrees is smaller than one sub-image"
    )


def test_no_site(tmp_path):
    sentence = " contains no sites; add a line with site, longitude, latitude, region_size."
    assert refused(read_sites, sites_of(tmp_path), 500) == sentence


def rows_of(*names):
    return [
        table_row(parse_name(name), url="x", granule="g", size_bytes=1, cloud_percent=5) for name in names
    ]


def test_what_discovery_writes_the_workflow_reads(tmp_path):
    write_table(tmp_path / "products.tsv", rows_of(name_of(), name_of("20170120", orbit="007")), COLUMNS)
    read = read_products(tmp_path / "products.tsv")
    assert list(read) == [name_of(), name_of("20170120", orbit="007")]
    assert read[name_of()]["cloud_percent"] == 5


def test_a_table_of_100_000_rows(tmp_path):
    names = [
        name_of(f"2017{month:02}{day:02}", orbit=f"{orbit:03}", tile=f"{zone:02}TVL")
        for month in range(1, 13)
        for day in range(1, 29)
        for zone in range(1, 61)
        for orbit in range(1, 6)
    ]
    assert len(names) > 100_000
    write_table(tmp_path / "products.tsv", rows_of(*names), COLUMNS)
    assert len(read_products(tmp_path / "products.tsv")) == len(names)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_table_is_refused_or_read(tmp_path, data):
    """Whatever is changed in a table: a sentence, or rows that are in order."""
    path = tmp_path / "products.tsv"
    write_table(path, rows_of(name_of(), name_of("20170120")), COLUMNS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position : position + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    path.write_bytes(content)
    try:
        products = read_products(path)
    except TigerbushError as error:
        assert str(path) in str(error)
    else:
        for name, row in products.items():
            assert parse_name(name).tile == row["tile"]
            assert 0 <= row["cloud_percent"] <= 100


REFRESH = "correct it, or run ./tigerbush discover to write a new table."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"product": name_of() + ".SAFE"}, f"{name_of() + '.SAFE'!r} is not a Sentinel-2 product name"),
        ({"product": "x" * 90}, f"{'x' * 80!r} is not a Sentinel-2 product name"),
        ({"product": name_of(tile="61TVL")}, f"{name_of(tile='61TVL')!r} is not a Sentinel-2 product name"),
        ({"product": name_of(tile="00TVL")}, f"{name_of(tile='00TVL')!r} is not a Sentinel-2 product name"),
        ({"product": name_of("20170117")}, f"product {name_of('20170117')} is listed twice"),
        ({"platform": "S2B"}, "platform is 'S2B' but the product name says 'S2A'"),
        ({"level": "L2A"}, "level is 'L2A' but the product name says 'L1C'"),
        ({"sensing_time": "2017-01-16"}, "sensing_time is '2017-01-16' but the product name says '2017-01-16T10:00:00'"),
        ({"tile": "33TVM" + "x" * 40}, f"tile is '33TVM{'x' * 35}' but the product name says '33TVL'"),
        ({"relative_orbit": "0122"}, "relative_orbit is '0122' but the product name says '122'"),
        *(
            ({"cloud_percent": text}, f"cloud_percent {text[:40]!r} is not a number from 0 to 100, or sensing_time 2017-01-16T10:00:00 is not a date")
            for text in ("100.1", "-0.1", "nan", "inf", "x" * 41)
        ),
        (
            {"product": name_of("20171316"), "sensing_time": "2017-13-16T10:00:00"},
            "cloud_percent '5' is not a number from 0 to 100, or sensing_time 2017-13-16T10:00:00 is not a date",
        ),
    ],
)  # fmt: skip
def test_a_product_that_is_refused(tmp_path, changes, sentence):
    first, row = rows_of(name_of("20170117"), name_of("20170116"))
    write_table(tmp_path / "products.tsv", [first, row | changes], COLUMNS)
    assert refused(read_products, tmp_path / "products.tsv") == f", line 3: {sentence}; {REFRESH}"


@pytest.mark.parametrize(("text", "cloud"), [("", 0), ("0", 0), ("100", 100), ("12.5", 12.5)])
def test_a_product_that_is_read(tmp_path, text, cloud):
    [row] = rows_of(name_of())
    write_table(tmp_path / "products.tsv", [row | {"cloud_percent": text}], COLUMNS)
    assert read_products(tmp_path / "products.tsv") == {name_of(): row | {"cloud_percent": cloud}}


def test_the_pattern_of_names_has_no_groups():
    """It stands in patterns of Snakemake, whose wildcards are the groups."""
    assert re.compile(PRODUCT).groups == 0
    assert re.fullmatch(PRODUCT, name_of())


FILE = file_row(name_of(), ("band", "B4"), "GRANULE/a/B04.jp2", "Sentinel-2/x/B04.jp2", 7, "0a-1")


def files_of(folder, *rows):
    write_table(folder / "files.tsv", rows, FILE_COLUMNS)
    return folder / "files.tsv"


def test_files_by_product_and_name(tmp_path):
    other = FILE | {"product": name_of("20170117"), "etag": "", "role": "mask", "band": "", "size": "0"}
    later = FILE | {"name": "GRANULE/a/B05.jp2", "band": "B8A", "key": "https://host:80/a/b.tif"}
    first = FILE | {"name": "A", "role": "metadata", "band": "", "key": "s3://bucket/a/b.xml"}
    assert read_files(files_of(tmp_path, later, other, FILE, first)) == {
        name_of(): [first, FILE, later],
        name_of("20170117"): [other],
    }


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("product", name_of() + "x"), ("role", "bands"), ("band", "4"), ("band", "B123"), ("name", "/a"), ("name", "a/../b"), ("name", ""),
        ("name", "a b"), ("key", "../a"), ("key", "s3://bucket"), ("key", "s3://bucket/../a"), ("key", "ftp://host/a"), ("key", "a//b"),
        ("key", "https://host:123456/a"), ("key", "https://-host/a"), ("key", "a;b"), ("key", "k" * 1025), ("size", "-1"), ("size", "1" * 16),
        ("size", ""), ("etag", "a" * 201), ("etag", "x y"),
    ],
)  # fmt: skip
def test_a_file_that_is_refused(tmp_path, column, text):
    path = files_of(tmp_path, FILE, FILE | {"name": "z", column: text})
    assert refused(read_files, path) == (
        f", line 3: {column} {text[:80]!r} was not written by discovery; run ./tigerbush discover to write a new table."
    )
