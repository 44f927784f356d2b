"""The table of code that gives the same numbers as earlier code, and the tool that writes it."""

import hashlib
import re
from functools import cache

import pytest

from fabricate import ROOT
from same_numbers import table
from tigerbush.planning.code import (
    closure,
    code_digest,
    discovered_files,
    files_of_sensors,
    fingerprint,
    imported_files,
)

TABLE = ROOT / "workflow" / "same_numbers.tsv"
# By these Snakemake's records know earlier code (2026-11-30), most of it of the last commit whose rules named their
# modules: of a script whose numbers are another version's the line goes, or has that version's code.
RECORDED = {
    "analyse_site": "93ab79b4b6d54a57",
    "check_products": "826297371b013068",
    "compare_truth": "55b9ce7d228e4172",
    "composite_date": "402121c11d74fb4b",
    "compute_centrality": "1fb0e6c70d729249",
    "compute_ndvi": "05339430e1d28af0",
    "map_site": "d214c28b0dbf940d",
    "mask_scene": "b73f1d2e498c0702",
    "plot_site": "51ab7e40505ade30",
    "read_weather": "9d2a2385761d96ba",
    "render_date": "68045623ca48dfa8",
    "report_site": "11c86ab1ff238845",
    "report_sites": "4d88f7df8387ed39",
    "resample_product": "0e1a625a6483e507",
    "resample_scene": "ae6cfa7783954ab2",
    "resample_scenes": "e37921f8353c1795",
    "simulate_products": "7273e7557e55e8eb",
    "subset_product": "b3e9f7ea92cf5090",
    "summarise_date": "aea7449bbab2face",
    "summarise_site": "449dfbee9a0de715",
    "write_subimages": "48606495d61528e7",
}


def test_the_table_is_whole():
    header, *rows = [line.split("\t") for line in TABLE.read_text().splitlines()]
    assert header == ["script", "code", "numbers_of"]
    assert rows == sorted(rows)
    assert len({code for _, code, _ in rows}) == len(rows)
    for script, code, earlier in rows:
        assert script == "templates" or (ROOT / "workflow" / "scripts" / f"{script}.py").exists()
        assert re.fullmatch("[0-9a-f]{16}", code) and re.fullmatch("[0-9a-f]{16}", earlier)
        assert code != earlier


def test_results_of_the_rules_that_named_their_modules_are_taken_over():
    rows = [line.split("\t") for line in TABLE.read_text().splitlines()[1:]]
    assert {script: earlier for script, _, earlier in rows} == RECORDED


# rules that start another script beside their own
MORE = {"resample_scenes": ["resample_scenes_rank"]}


def test_the_codes_are_those_of_today():
    """After a change of code that leaves all numbers: `make same-numbers`; the line of changed numbers goes."""
    scripts = ROOT / "workflow" / "scripts"
    of_sensors = files_of_sensors(
        path.relative_to(scripts).as_posix() for path in scripts.glob("tigerbush/*/*.py")
    )

    @cache
    def text(name):
        return (scripts / name).read_text()

    def code_of(script):
        if script == "templates":
            return templates_code(scripts / "tigerbush" / "report" / "templates")
        names = [f"{name}.py" for name in (script, *MORE.get(script, ()))]
        files = closure(names, lambda name: imported_files(text(name)) | discovered_files(name, of_sensors))
        return fingerprint({name: digest(text(name)) for name in files})

    digest = cache(code_digest)
    rows = [line.split("\t") for line in TABLE.read_text().splitlines()[1:]]
    assert {script: code for script, code, _ in rows} == {script: code_of(script) for script, _, _ in rows}


def templates_code(folder):
    pages = b"".join((folder / f"{name}.html").read_bytes() for name in ("base", "site", "sites"))
    return hashlib.sha256(pages).hexdigest()[:16]


TODAY = {
    "a/1.tif": ("make_a", "11"),
    "a/2.tif": ("make_a", "11"),
    "b.tif": ("make_b", "22"),
    "c.tif": ("make_c", "33"),
    "d.tif": ("make_d", "44"),
    "new.tif": ("make_new", "55"),
}
EARLIER = {
    "a/1.tif": ("make_a", "aa"),
    "a/2.tif": ("make_a", "aa"),
    "b.tif": ("make_b", "bb"),
    "c.tif": ("make_c", "33"),
    "d.tif": ("named_d", "dd"),
    "old.tif": ("make_old", "ee"),
}


def test_a_line_for_each_code_that_was_another():
    assert table(TODAY, EARLIER, set()) == (
        "script\tcode\tnumbers_of\nmake_a\t11\taa\nmake_b\t22\tbb\nmake_d\t44\tdd\n"
    )
    assert table(TODAY, EARLIER, {"make_a"}) == "script\tcode\tnumbers_of\nmake_b\t22\tbb\nmake_d\t44\tdd\n"
    assert table(TODAY, TODAY, set()) == "script\tcode\tnumbers_of\n"


def test_a_code_for_each_sensor():
    """What a job records may hang on its products."""
    today = {"a/1.tif": ("make_a", "11"), "a/2.tif": ("make_a", "12")}
    earlier = {"a/1.tif": ("make_a", "aa"), "a/2.tif": ("make_a", "ab")}
    assert table(today, earlier, set()) == "script\tcode\tnumbers_of\nmake_a\t11\taa\nmake_a\t12\tab\n"


def test_rules_with_one_script():
    today = {"b.txt": ("check_b", "11"), "a.txt": ("check_a", "11")}
    earlier = {"b.txt": ("check_b", "aa"), "a.txt": ("check_a", "aa")}
    assert table(today, earlier, set()) == "script\tcode\tnumbers_of\ncheck_a\t11\taa\n"
    with pytest.raises(SystemExit) as error:
        table(today, earlier | {"b.txt": ("check_b", "bb")}, set())
    assert str(error.value) == "check_b and check_a share one code today, but had two before: aa, bb."
