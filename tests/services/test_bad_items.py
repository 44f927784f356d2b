"""Whatever an item of a catalogue contains, the others are found."""

import copy
import json

import pytest

from fabricate import name_of
from test_catalogue import listed_days, listing
from tigerbush.errors import TigerbushError
from web_servers import rewriting_proxy

TOO_LONG = "1" * 5000


def replace_field(*path, value=None):
    """Return a change of an item that sets a field, or deletes it."""

    def change(item):
        for key in path[:-1]:
            item = item[key]
        if value is None:
            del item[path[-1]]
        else:
            item[path[-1]] = value

    return change


class Null:
    """Stands for null, because None means missing."""


SPOILT = {
    "cloud of 400 digits": replace_field("properties", "eo:cloud_cover", value=10**399),
    "cloud of 401 digits": replace_field("properties", "eo:cloud_cover", value=10**400),
    "cloud as text": replace_field("properties", "eo:cloud_cover", value="12"),
    "cloud as list": replace_field("properties", "eo:cloud_cover", value=[12]),
    "cloud below 0": replace_field("properties", "eo:cloud_cover", value=-1),
    "cloud above 100": replace_field("properties", "eo:cloud_cover", value=101),
    "cloud nan": replace_field("properties", "eo:cloud_cover", value=float("nan")),
    "cloud infinite": replace_field("properties", "eo:cloud_cover", value=float("inf")),
    "cloud true": replace_field("properties", "eo:cloud_cover", value=True),
    "properties null": replace_field("properties", value=Null),
    "properties list": replace_field("properties", value=[]),
    "properties missing": replace_field("properties"),
    "assets list": replace_field("assets", value=["blue"]),
    "assets null": replace_field("assets", value=Null),
    "assets missing": replace_field("assets"),
    "geometry missing": replace_field("geometry"),
    "geometry text": replace_field("geometry", value="POINT(0 0)"),
    "id number": replace_field("id", value=5),
    "id list": replace_field("id", value=[{}]),
    "id missing": replace_field("id"),
    "collection mapping": replace_field("collection", value={"a": 1}),
    "name mapping": lambda item: item | {"id": "x"} or item["properties"].update({"s2:product_uri": {}}),
}
WHOLE = {"null": None, "number": 5, "text": "item", "list": [], "mapping": {}, "nested": [[[{}]]]}


def with_nulls(value):
    if isinstance(value, dict):
        return {key: with_nulls(child) for key, child in value.items()}
    return None if value is Null else value


@pytest.mark.input(
    "Hostile input",
    "a catalogue item with `properties` that are a list, numbers of 400 digits, or no id",
    "passed over, by name, and counted; the others are found",
)
def test_bad_items_are_passed_over_by_name(three_days, caplog):
    good = three_days.items[0]
    bad = []
    for number, (name, change) in enumerate(SPOILT.items()):
        item = copy.deepcopy(three_days.items[1]) | {"id": name}
        item["properties"]["s2:product_uri"] = (
            f"{name_of(f'201702{number + 1:02d}', level='L2A', baseline='0500')}.SAFE"
        )
        change(item)
        bad.append(with_nulls(item))

    def change(path, document):
        if path == "/search":
            document["features"] = [*bad, *WHOLE.values(), good]
            document["links"] = []

    with rewriting_proxy(three_days, change) as server:
        caplog.clear()
        days = listed_days(three_days, server.url)
    assert days == ["2017-01-10"]
    messages = [record.getMessage() for record in caplog.records]
    assert messages[-1] == f"{server.url}: skipped {len(SPOILT) + len(WHOLE)} item(s)"
    names = [line.removeprefix(f"{server.url}: skipped ").partition(": ")[0] for line in messages[:-1]]
    without_id = {"id number": "5", "id list": "[{}]", "id missing": "None"}
    assert names == [without_id.get(name, repr(name)) for name in SPOILT][:20]


@pytest.mark.parametrize(
    "text",
    [
        f'"eo:cloud_cover": {TOO_LONG}',
        f'"eo:cloud_cover": -{TOO_LONG}',
        f'"eo:cloud_cover": {TOO_LONG}.5e99999',
        '"eo:cloud_cover": 1e400',
    ],
    ids=["long", "negative", "fraction", "infinite"],
)
def test_an_unreadable_number_affects_only_its_item(three_days, text, caplog):
    def change(path, document):
        if path != "/search":
            return None
        content = json.dumps(document)
        assert content.count('"eo:cloud_cover"') == 2
        first, _, rest = content.partition('"eo:cloud_cover": ')
        return 200, {}, f"{first}{text}{rest[rest.index(',') :]}".encode()

    three_days.items = three_days.items[:2]
    with rewriting_proxy(three_days, change) as server:
        assert listed_days(three_days, server.url) == ["2017-01-16"]
    assert f"'{three_days.items[0]['id']}': its eo:cloud_cover is not a number from 0 to 100" in caplog.text


def test_names_of_items_are_escaped_in_the_log(three_days, caplog):
    three_days.items[0] |= {"id": "a\nERROR: \x1b[2J\ud800" + "x" * 500}
    three_days.items[0]["properties"]["s2:product_uri"] = "x"
    assert len(listed_days(three_days, three_days.url)) == 2
    [line] = [record.getMessage() for record in caplog.records if ": skipped '" in record.getMessage()]
    assert line.startswith(f"{three_days.url}: skipped 'a\\nERROR: \\x1b[2J\\ud800xxx")
    assert len(line) < 350
    assert "\n" not in line


@pytest.mark.parametrize(
    "page",
    [{"features": {"a": 1}}, {"features": "text"}, {"features": 5}, [], 5, {"links": 5}, {"links": [5]}],
)
def test_a_malformed_page_is_one_sentence(three_days, page):
    def change(path, document):
        if path == "/search":
            return 200, {}, json.dumps({**document, **page} if isinstance(page, dict) else page).encode()
        return None

    with rewriting_proxy(three_days, change) as server, pytest.raises(TigerbushError) as error:
        listed_days(three_days, server.url)
    assert "\n" not in str(error.value)


def test_an_item_with_malformed_assets_is_kept_and_named(three_days, caplog):
    """Its product fails because the band is missing."""
    three_days.items = three_days.items[:1]
    three_days.items[0]["assets"] = {
        "blue": None,
        "green": [],
        "red": {"href": "https://[::1/B04.tif"},
        "nir": {"href": {"a": 1}, "proj:transform": [[]]},
        "visual": 5,
    }
    rows, files = listing(three_days, *three_days.items, bucket=None)
    assert [row["product"] for row in rows] == [name_of("20170110", level="L2A", baseline="0500")]
    assert [row["role"] for row in files] == ["metadata"]
    assert "skipped asset red: " in caplog.text
