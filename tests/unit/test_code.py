"""Which code a rule runs, and the fingerprint of what of it makes numbers."""

import ast
import hashlib
import json
import re
from pathlib import Path

import pytest

from fabricate import ROOT
from tigerbush.planning import code
from tigerbush.planning.code import (
    Digests,
    closure,
    code_digest,
    discovered_files,
    files_of_sensors,
    fingerprint,
    imported_files,
    read_same_numbers,
)

SCRIPTS = ROOT / "workflow" / "scripts"
# the command line is of no rule
FILES = sorted(
    path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.py") if "cli" not in path.parts
)

TEXT = '''"""Mean of a series."""
import logging

log = logging.getLogger(__name__)


class Refused(ValueError):
    """It is refused."""


@cached(size=2)
def mean(values, *, start: int = 0, **others):
    """Return the mean."""
    # of what is there
    if not values:
        log.warning("nothing %s", start)
        raise Refused(f"{start} is 'nothing'", reason="nothing") from None
    total = start
    for value in values:
        total += value * 2.5
    else:
        log.info("done")
    first, *rest = [value for value in values if value is not None and -1 <= value < 3]
    try:
        return {"mean": total / len(values), **others}["mean"], b"\\0", 2j, ..., f"{total:>{start}.2f} {rest!r}"
    except (KeyError, ZeroDivisionError) as error:
        error = OSError("no mean")
        assert first, "no first"
    finally:
        total: float = (lambda x, /: x)(total) if total else "\\u0394"
'''
# of other versions of Python it is the same (3.11, 3.12 and 3.13 gave it)
DIGEST = "af591acb6f4a97aea7e9acb5277d28e1a0cf1b0e8aa25ada880b0976a33bf0f0"


def test_the_digest_of_a_text_is_the_one_that_results_are_recorded_by():
    assert code_digest(TEXT) == DIGEST


def test_node_types_and_fields_are_compared():
    words = (
        "(Module|body|[|(Assign|targets|[|(Name|id|str 'x'|)|]|value|(BinOp|left|(Constant|value|int 1|)|op|(Add|)|right|"
        "(Constant|value|str '\\xe9'|)|)|)|]|)"
    )
    expected = hashlib.sha256(words.replace("|", "\n").encode()).hexdigest()
    assert code_digest("x = 1 + 'é'\n") == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # of what is there\n", ""),
        ("import logging\n", "import logging  # noqa\n\n\n\n"),
        ('"""Mean of a series."""\n', ""),
        ('    """Return the mean."""\n', '    """Return what is meant.\n\n    At length.\n    """\n'),
        ('    """It is refused."""\n', '    """No."""\n'),
        ('b"\\0"', "b'\\x00'"),
        ('["mean"]', "['mean']"),
        ("2.5", "2.50"),
        ("(start: int", "(\n    start: int"),
        ("= [value for value in values if value", "= [\n        value for value in values if value"),
        ('log.warning("nothing %s", start)', 'log.error("there is nothing")'),
        ('        log.warning("nothing %s", start)\n', ""),
        ('        log.info("done")\n', '        warnings.warn("done", stacklevel=2)\n'),
        ("f\"{start} is 'nothing'\"", '"nothing is there"'),
        ("f\"{start} is 'nothing'\"", 'f"{len(values)} of them, {start}"'),
        ('reason="nothing"', 'reason=f"nothing {values}"'),
        ('OSError("no mean")', 'OSError("there is no mean")'),
        ('assert first, "no first"', 'assert first, f"no {first}"'),
    ],
)  # fmt: skip
def test_what_makes_no_number_does_not_count(old, new):
    # what a test is about has to be there
    assert old in TEXT or old == "(start: int"
    changed = TEXT.replace(old, new)
    assert code_digest(changed) == DIGEST


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.5", "2.6"),
        ("2.5", "2.5j"),
        ("-1 <=", "-1 <"),
        ("value * 2.5", "value / 2.5"),
        ("not values", "values"),
        ("start: int = 0", "start: int = 1"),
        ("*, start", "start"),
        ("@cached(size=2)\n", ""),
        ("size=2", "sizes=2"),
        ("    total = start\n    for value", "    for value"),
        ("first, *rest", "*rest, first"),
        ("raise Refused(f", "raise KeyError(f"),
        ("Refused(ValueError)", "Refused(TypeError)"),
        ("from None", "from error"),
        ("(KeyError, ZeroDivisionError)", "ZeroDivisionError"),
        ('reason="nothing"', "reason=values"),
        ('reason="nothing"', 'why="nothing"'),
        (".2f", ".3f"),
        ("!r", "!s"),
        ('["mean"]', '["first"]'),
        ("...", "None"),
        ("assert first", "assert rest"),
        ("x, /", "x"),
        ("\\u0394", "\\u0395"),
        ("log = logging.getLogger(__name__)", "log = None"),
    ],
)  # fmt: skip
def test_what_makes_numbers_counts(old, new):
    assert old in TEXT
    assert code_digest(TEXT.replace(old, new)) != DIGEST


def test_the_order_of_statements_counts():
    assert code_digest("a = 1\nb = a\n") != code_digest("b = a\na = 1\n")


def test_a_text_that_an_exception_gets_by_a_variable_counts():
    """It may reach a result as well, as the reason of a failed product does."""
    raised = "{}\nraise KeyError(why)\n"
    assert code_digest(raised.format("why = 'a'")) != code_digest(raised.format("why = 'b'"))
    assert code_digest("return_of('a')") != code_digest("return_of('b')")


def test_texts_that_choose_an_exception_count():
    assert code_digest("raise KINDS['a']('said')") != code_digest("raise KINDS['b']('said')")
    assert code_digest("raise kind(of)('said')") == code_digest("raise kind(of)('told')")


def test_what_warnings_become_counts():
    assert code_digest("warnings.simplefilter('error')") != code_digest("warnings.simplefilter('ignore')")
    assert code_digest("logging.raiseExceptions = False") != code_digest("logging.raiseExceptions = True")


def test_parts_of_formats_that_python_3_12_adds_do_not_count():
    tree = ast.parse("f'{x:{y}{z}}'")
    joined = tree.body[0].value.values[0].format_spec
    assert [type(part) for part in joined.values if not isinstance(part, ast.Constant)] == [
        ast.FormattedValue
    ] * 2
    assert code_digest("a = f'{x:{y}{z}}'") != code_digest("a = f'{x:{y} {z}}'")


def test_a_fingerprint_is_of_names_and_digests_without_the_version():
    expected = hashlib.sha256(b"a.py 11\ntigerbush/b.py 22\n").hexdigest()[:16]
    assert fingerprint({"tigerbush/b.py": "22", "a.py": "11"}) == expected
    assert fingerprint({"tigerbush/b.py": "22", "a.py": "11", "tigerbush/version.py": "33"}) == expected
    assert (SCRIPTS / "tigerbush" / "version.py").exists()


def test_imports_of_each_form():
    text = (
        "from tigerbush.sites.windows import (\n    read,\n)\nimport tigerbush.masks as masks\n\n\ndef late():\n"
        "    from tigerbush.jp2 import read_window\n    import numpy\n"
    )
    assert imported_files(text) == {
        "tigerbush/__init__.py",
        "tigerbush/jp2.py",
        "tigerbush/masks.py",
        "tigerbush/sites/__init__.py",
        "tigerbush/sites/windows.py",
    }
    assert imported_files("import tigerbush_azure\nfrom tigerbushes.a import b\n") == set()
    assert imported_files("import tigerbush\n") == {"tigerbush/__init__.py"}


def test_sensors_are_the_folders_with_a_module_of_that_name():
    files = [
        "t/a/sensor.py",
        "t/a/reader.py",
        "t/b/reader.py",
        "t/c/sensor.py",
        "t/sensors.py",
        "t/c/names.py",
    ]
    assert files_of_sensors(files) == ["t/a/sensor.py", "t/a/reader.py", "t/c/sensor.py", "t/c/names.py"]
    assert files_of_sensors(files, ["t/c", "t/b"]) == ["t/c/sensor.py", "t/c/names.py"]
    assert files_of_sensors(files, []) == []


def test_what_is_found_is_of_the_name_that_is_looked_for():
    files = ["tigerbush/a/sensor.py", "tigerbush/a/reader.py", "tigerbush/b/sensor.py"]
    assert discovered_files("tigerbush/sensors.py", files) == {
        "tigerbush/a/sensor.py",
        "tigerbush/b/sensor.py",
    }
    assert discovered_files("tigerbush/readers.py", files) == {"tigerbush/a/reader.py"}
    assert discovered_files("tigerbush/raster.py", files) == set()


def test_a_closure_follows_imports_round_in_circles():
    graph = {"a.py": {"b.py", "c.py"}, "b.py": {"d.py"}, "c.py": {"a.py"}, "d.py": {"b.py"}, "e.py": {"a.py"}}
    assert closure(["a.py"], graph.get) == ["a.py", "b.py", "c.py", "d.py"]
    assert closure(["d.py", "c.py"], graph.get) == ["a.py", "b.py", "c.py", "d.py"]


def modules_by_python(path: Path) -> set[str]:
    """The modules of the library that a file imports, as Python reads it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level], (
        "a relative import"
    )
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name for name in modules if name.partition(".")[0] == "tigerbush"}


@pytest.mark.parametrize("name", FILES)
def test_the_imports_of_a_file_are_those_that_python_sees(name):
    text = (SCRIPTS / name).read_text()
    modules = modules_by_python(SCRIPTS / name)
    assert set(re.findall(code.IMPORT, text)) == modules
    # a package has nothing to import from: its module would be missed
    assert [
        module_name
        for module_name in modules
        if not (SCRIPTS / f"{module_name.replace('.', '/')}.py").exists()
    ] in (
        [],
        ["tigerbush"],
    )
    assert all((SCRIPTS / file).exists() for file in imported_files(text))


@pytest.fixture
def counted(monkeypatch):
    """The texts whose digests are computed."""
    texts = []

    def count(text):
        texts.append(text)
        return code_digest(text)

    monkeypatch.setattr(code, "code_digest", count)
    return texts


@pytest.fixture
def library(tmp_path):
    for name, text in {"a": "x = 1\n", "b": "x = 2\n", "same": "x = 1\n"}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return {name: tmp_path / f"{name}.py" for name in ("a", "b", "same")}


def test_a_digest_is_computed_once_for_each_content(library, counted, tmp_path):
    expected = {"a": code_digest("x = 1\n"), "b": code_digest("x = 2\n"), "same": code_digest("x = 1\n")}
    digests = Digests(tmp_path)
    assert digests.of(library) == expected
    assert digests.of({"b": library["b"]}) == {"b": expected["b"]}
    # another process, another version of Python
    assert Digests(tmp_path).of(library) == expected
    assert sorted(counted) == ["x = 1\n", "x = 2\n"]
    library["b"].write_text("x = 3\n")
    assert Digests(tmp_path).of(library) == expected | {"b": code_digest("x = 3\n")}
    assert sorted(counted) == ["x = 1\n", "x = 2\n", "x = 3\n"]
    [store] = (tmp_path / "__pycache__").iterdir()
    assert store.name == "code_digests.json"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"[1]", b"\xff", b'"a"'])
def test_a_damaged_store_is_ignored_and_written_anew(library, counted, tmp_path, content):
    (tmp_path / "__pycache__").mkdir()
    store = tmp_path / "__pycache__" / "code_digests.json"
    store.write_bytes(content)
    assert Digests(tmp_path).of(library)["b"] == code_digest("x = 2\n")
    assert len(json.loads(store.read_text())) == 2
    Digests(tmp_path).of(library)
    assert len(counted) == 2


def test_where_nothing_can_be_written_nothing_is_kept(library, counted, tmp_path):
    (tmp_path / "__pycache__").write_text("no folder, for root as well")
    for _ in range(2):
        assert Digests(tmp_path).of(library)["a"] == code_digest("x = 1\n")
    assert len(counted) == 4
    assert (tmp_path / "__pycache__").read_text() == "no folder, for root as well"


def test_nothing_is_taken_from_another_version_of_this_file(library, counted, tmp_path, monkeypatch):
    Digests(tmp_path).of(library)
    (tmp_path / "other.py").write_text("# edited")
    monkeypatch.setattr(code, "__file__", str(tmp_path / "other.py"))
    Digests(tmp_path).of(library)
    assert len(counted) == 4


def test_the_store_does_not_grow_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "KEPT_DIGESTS", 3)
    for number in range(5):
        (tmp_path / "a.py").write_text(f"x = {number}\n")
        digest = Digests(tmp_path).of({"a": tmp_path / "a.py"})["a"]
    kept = json.loads((tmp_path / "__pycache__" / "code_digests.json").read_text())
    assert list(kept.values())[-1] == digest == code_digest("x = 4\n")
    assert len(kept) == 3


def test_the_table_of_same_numbers_is_read():
    assert read_same_numbers("script\tcode\tnumbers_of\na\t11\t22\nb\t33\t44\n") == {"11": "22", "33": "44"}
    assert read_same_numbers("script\tcode\tnumbers_of\n") == {}
