"""Items of a catalogue that cannot be used: named at the end of the table of products, counted by status."""

import pytest

import discover_products
from catalogues_in_memory import URL, Stac, bucket_of, item, page
from fabricate import name_of
from stores_in_memory import store_of
from test_run_records import folder, report
from tigerbush.planning.notes import SKIPPED_LINE, read_notes
from tigerbush.planning.tables import COLUMNS, write_table
from tigerbush.sources import catalogue

# fixtures
__all__ = ["folder", "report"]

NAMES = [name_of(f"2017020{day}", level="L2A", baseline="0500") for day in (1, 2)]
SITES = {"here": {"site": "here", "longitude": 14.5593, "latitude": 45.8694, "region_size": 0.0037}}
SOURCE = {
    "kind": "stac", "level": "L2A", "bucket": "eodata", "prefixes": None, "collections": None, "path": None, "catalogue": URL,
}  # fmt: skip
SCENES = {"prefixes": None, "tiles": ["33TVL"], "bbox": None, "products": None, "limit": None}


def good(name):
    return item(name, **{"s2:product_uri": f"{name}.SAFE"})


@pytest.fixture
def discover(monkeypatch, tmp_path):
    """Run discovery on these items of a catalogue; return which of them its table names, with the reasons."""

    def run(*items, scenes=None):
        stac = Stac(*[page(items)] * (2 if scenes else 1))
        store = store_of(monkeypatch, bucket_of(*NAMES), stac, tries=1)
        monkeypatch.setattr(catalogue, "Web", stac)
        monkeypatch.setattr("tigerbush.sources.listing.open_store", lambda source, connections: store)
        monkeypatch.chdir(tmp_path)
        table = tmp_path / "products.tsv"
        discover_products.main(
            table, tmp_path / "files.tsv", source=SOURCE, sites=SITES, period=("2017-02-01", "2017-03-01"),
            connections=1, scenes=scenes,
        )  # fmt: skip
        assert all(name in table.read_text() for name in NAMES)
        return read_notes(table, SKIPPED_LINE)

    return run


BAD = [{"id": "a\tb\nc"}, good(NAMES[0]) | {"properties": ["list"]}, {"id": "é" * 400}]


@pytest.mark.input(
    "Hostile input", "items of a catalogue that cannot be used, however many",
    "the table of products names each with the reason, in its last lines; `status` counts them until a discovery finds none",
)  # fmt: skip
@pytest.mark.parametrize("scenes", [None, SCENES])
def test_items_are_named_until_they_are_gone(discover, scenes):
    """One line each, whatever their names are; an item that two searches find is one item."""
    skipped = discover(*BAD, *map(good, NAMES), scenes=scenes)
    assert [name for name, _ in skipped[:2]] == [r"'a\tb\nc'", repr(NAMES[0])]
    assert skipped[2][0].startswith("'éé") and len(skipped) == 3
    assert all(len(name) <= 120 and 0 < len(reason) <= 200 for name, reason in skipped)
    assert len(discover(*BAD[:1], *map(good, NAMES), scenes=scenes)) == 1
    assert discover(*map(good, NAMES), scenes=scenes) == []


def test_names_with_keys_are_not_recorded(discover, tmp_path):
    key = "X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    skipped = discover({"id": f"https://a.example/x?{key}"}, *map(good, NAMES))
    assert skipped == [("an item", "its name or fields contain a key or password")]
    assert "0123456789abcdef" not in (tmp_path / "products.tsv").read_text()


def test_status_counts_them(report, folder):
    """More than the twenty that a log names."""
    table = folder / "table.tsv"
    sentence = (
        "25 item(s) of the catalogue could not be used when it was searched last; the last lines of the table of products "
        "name them."
    )
    write_table(table, [], COLUMNS, [(SKIPPED_LINE, f"x{i}", "bad") for i in range(25)])
    assert sentence in report()[1].splitlines()
    write_table(table, [], COLUMNS)
    assert "of the catalogue" not in report()[1]
