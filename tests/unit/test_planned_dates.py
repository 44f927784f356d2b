"""The products of a site and of its dates, by hand."""

import pytest

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.dates import cloudier_products, plan_dates, products_of, why_left_out

# in 33TVL alone, and where 33TVL and 33TWL overlap
MIDDLE = {"site": "middle", "longitude": 14.56, "latitude": 45.87, "region_size": 0.01}
EDGE = {"site": "edge", "longitude": 15.05, "latitude": 45.9, "region_size": 0.01}
PERIODS = {"2017-01-16": ("2017-01-01", "2017-02-01"), "2017-02-15": ("2017-02-01", "2017-03-01")}


def config(**composite):
    fine = {"max_cloud_percent": 100, "relative_orbits": None, "max_takes": None}
    return {
        "composite": fine | composite, "mode": "default", "source": {"level": None}, "products": "p.tsv", "sites": "s.tsv",
    }  # fmt: skip


def row(product, day="2017-01-05", **fields):
    fields = {
        "tile": "33TVL",
        "level": "L1C",
        "platform": "S2A",
        "cloud_percent": 0.0,
        "relative_orbit": "22",
    } | fields
    return {"product": product, "sensing_time": f"{day}T10:00:00"} | fields


def products(*names):
    """The table of some products; their tiles and levels are those of their names."""
    rows = [row(name, tile=name.split("_T")[1][:5], level=name.split("_")[1][3:]) for name in names]
    return {row["product"]: row for row in rows}


def names(rows):
    return [row["product"] for row in rows]


FIRST, SECOND, SIDE, ABOVE = (
    name_of("20170103"), name_of("20170102"), name_of("20170103", tile="33TWL"), name_of("20170103", tile="33TVM"),
)  # fmt: skip
CORRECTED = FIRST.replace("MSIL1C", "MSIL2A")


def test_products_that_reach_a_site():
    table = products(FIRST, SIDE, ABOVE, SECOND)
    assert names(products_of(MIDDLE, table, config())) == [FIRST, SECOND]
    assert names(products_of(EDGE, table, config())) == [FIRST, SIDE, SECOND]


def test_a_site_without_products():
    sentence = (
        "site middle at 14.56, 45.87 lies outside every tile of p.tsv; correct it in s.tsv, or add products that "
        "cover it and run ./tigerbush discover."
    )
    other_level = config() | {"source": {"level": "L2A"}}
    for table, settings in (({}, config()), (products(ABOVE), config()), (products(FIRST), other_level)):
        with pytest.raises(TigerbushError) as error:
            products_of(MIDDLE, table, settings)
        assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("longitude", "latitude", "exchanged"),
    [
        (45.87, 14.56, True),
        (45.9, 15.05, True),
        (45.87, 20.0, False),
        (-14.56, 45.87, False),
        (145.87, 14.56, False),
    ],
)
def test_a_site_whose_coordinates_are_exchanged(longitude, latitude, exchanged):
    """As its latitude, 145.87 would not be on the earth."""
    site = {"site": "middle", "longitude": longitude, "latitude": latitude, "region_size": 0.01}
    with pytest.raises(TigerbushError) as error:
        products_of(site, products(FIRST), config())
    subject = f"site middle at {longitude:g}, {latitude:g} lies outside every tile of p.tsv"
    assert str(error.value) == (
        f"{subject}, and inside with longitude and latitude exchanged; correct them in s.tsv."
        if exchanged
        else f"{subject}; correct it in s.tsv, or add products that cover it and run ./tigerbush discover."
    )


def test_two_levels():
    with pytest.raises(TigerbushError) as error:
        products_of(MIDDLE, products(FIRST, CORRECTED), config())
    assert str(error.value) == (
        "site middle has products of two levels (L1C and L2A) in p.tsv; set source.level to the one to use."
    )
    # another site's does not count
    table = products(FIRST, ABOVE.replace("MSIL1C", "MSIL2A"))
    assert names(products_of(MIDDLE, table, config())) == [FIRST]
    settings = config() | {"source": {"level": "L2A"}}
    assert names(products_of(MIDDLE, products(FIRST, CORRECTED), settings)) == [CORRECTED]


def test_products_by_date():
    rows = [
        row("f", "2017-02-28"), row("e", "2017-02-01"), row("c", "2017-01-31"), row("a", "2017-01-01"),
        # before the first day and after the last
        row("g", "2016-12-31"), row("h", "2017-03-01"),
    ]  # fmt: skip
    assert plan_dates(rows, PERIODS, config()) == {
        "2017-01-16": {"products": ["a", "c"], "left_out": {}},
        "2017-02-15": {"products": ["e", "f"], "left_out": {}},
    }
    assert plan_dates(rows[:2], PERIODS, config()) == {
        "2017-02-15": {"products": ["e", "f"], "left_out": {}},
    }
    assert plan_dates([], PERIODS, config()) == {}


def test_a_product_that_is_gone_before_anything_was_made_of_it():
    """It is left out with the reason; one whose results are there stays, and so does one of unknown results."""
    rows = [
        row("a", "2017-01-03") | {"gone": "2026-11-30 unused"},
        row("b", "2017-01-04") | {"gone": "2026-11-30"},
        row("c", "2017-01-05") | {"gone": ""},
        row("d", "2017-02-03") | {"gone": "2026-11-29 unused"},
    ]
    reason = "no longer in the source since {}, and nothing was made of it before"
    assert plan_dates(rows, PERIODS, config()) == {
        "2017-01-16": {"products": ["b", "c"], "left_out": {"a": reason.format("2026-11-30")}},
        "2017-02-15": {"products": [], "left_out": {"d": reason.format("2026-11-29")}},
    }


CLOUD = "more than {} % cloud (composite.max_cloud_percent)"
ORBIT = "another orbit (composite.relative_orbits)"


@pytest.mark.parametrize(
    ("cloud", "orbit", "changes", "mode", "reason"),
    [
        (100, "22", {}, "default", None),
        (80, "22", {"max_cloud_percent": 80}, "default", None),
        (80.1, "22", {"max_cloud_percent": 80}, "default", CLOUD.format("80")),
        (80, "22", {"max_cloud_percent": 79.5}, "default", CLOUD.format("79.5")),
        (0, "22", {"relative_orbits": [122, 22]}, "default", None),
        (0, "22", {"relative_orbits": [122, 2]}, "default", ORBIT),
        (0, "22", {"relative_orbits": []}, "default", None),
        (90, "22", {"max_cloud_percent": 80, "relative_orbits": [2]}, "default", CLOUD.format("80")),
        (49.9, "22", {}, "pyveg", None),
        (50, "22", {}, "pyveg", "50 % cloud or more (mode: pyveg)"),
        (50, "22", {}, "default", None),
        (45, "22", {"max_cloud_percent": 40}, "pyveg", CLOUD.format("40")),
    ],
)
def test_why_a_product_is_left_out(cloud, orbit, changes, mode, reason):
    product = row("a", cloud_percent=cloud, relative_orbit=orbit)
    settings = config(**changes) | {"mode": mode}
    assert why_left_out(product, settings) == reason
    planned = plan_dates([product], PERIODS, settings)["2017-01-16"]
    assert planned == (
        {"products": ["a"], "left_out": {}} if reason is None else {"products": [], "left_out": {"a": reason}}
    )


def test_the_clearest_takes():
    """A take is a time of a platform: of two tiles the mean counts; of equals the earlier."""
    rows = [
        row("a", "2017-01-03", cloud_percent=10.0), row("b", "2017-01-03", cloud_percent=40.0, tile="33TWL"),
        row("c", "2017-01-05", cloud_percent=20.0), row("d", "2017-01-05", cloud_percent=30.0, platform="S2B"),
        row("e", "2017-01-07", cloud_percent=30.0),
    ]  # fmt: skip
    assert cloudier_products(rows, 4) == []
    assert cloudier_products(rows, 3) == ["e"]
    assert cloudier_products(rows, 2) == ["d", "e"]
    assert cloudier_products(rows, 1) == ["a", "b", "d", "e"]


MORE = "more cloud than the data takes that are used (composite.max_takes)"


def test_takes_of_each_date():
    rows = [
        row("a", cloud_percent=2.0), row("b", "2017-01-06", cloud_percent=1.0), row("c", "2017-01-07", cloud_percent=99.0),
        row("d", "2017-02-07", cloud_percent=50.0),
    ]  # fmt: skip
    assert plan_dates(rows, PERIODS, config(max_takes=1, max_cloud_percent=90)) == {
        "2017-01-16": {"products": ["b"], "left_out": {"c": CLOUD.format("90"), "a": MORE}},
        "2017-02-15": {"products": ["d"], "left_out": {}},
    }


def test_dates_whose_results_are_kept():
    rows = [row("a"), row("b", cloud_percent=99.0), row("c", "2017-02-07")]
    kept = {"2017-01-16": "kept", "2017-03-16": "kept, too"}
    assert plan_dates(rows, PERIODS, config(max_takes=1, max_cloud_percent=90), kept) == {
        "2017-01-16": {"products": [], "left_out": {"b": CLOUD.format("90"), "a": "kept"}},
        "2017-02-15": {"products": ["c"], "left_out": {}},
    }


def test_products_of_older_baselines_are_named():
    """At the date of the product that takes their place, used or not; others are of another site or period."""
    rows = [row("a"), row("b", "2017-01-06", cloud_percent=99.0), row("c", "2018-02-07")]
    replaced = {"a1": "a", "a2": "a", "b1": "b", "c1": "c", "e1": "elsewhere"}
    reason = "{} takes its place (another baseline of the same data)"
    assert plan_dates(rows, PERIODS, config(max_cloud_percent=90), replaced=replaced) == {
        "2017-01-16": {
            "products": ["a"],
            "left_out": {
                "a1": reason.format("a"),
                "a2": reason.format("a"),
                "b": CLOUD.format("90"),
                "b1": reason.format("b"),
            },
        },
    }
    assert plan_dates(rows[:1], PERIODS, config(), replaced={}) == plan_dates(rows[:1], PERIODS, config())
