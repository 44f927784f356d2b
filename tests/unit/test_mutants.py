"""The faults that `make mutants` inserts."""

import ast

from mutants.operators import mutants

SOURCE = b'''"""A module."""
import os

LEAST = 5


def mean(values: list, *, strict: bool = True) -> float:
    """Return the mean."""
    kept = [value for value in values if value > LEAST]
    if not kept:
        raise ValueError(f"fewer than {LEAST}")
    total = sum(kept, start=0)
    total -= min(kept[1:], key=abs)
    return divide("\xc3\xa4", total) or -1
'''


def test_every_fault_of_a_module():
    faults = [(mutant.line, mutant.before(SOURCE), mutant.after) for mutant in mutants(SOURCE)]
    assert faults == [
        (4, "5", "(6)"),
        (4, "5", "(4)"),
        (7, "True", "(False)"),
        (9, "[value for value in values if value > LEAST]", "([value for value in values])"),
        (
            9,
            "[value for value in values if value > LEAST]",
            "([value for value in values if not value > LEAST])",
        ),
        (9, "value > LEAST", "(value >= LEAST)"),
        (9, "value > LEAST", "(value <= LEAST)"),
        (10, "not kept", "(kept)"),
        (12, "sum(kept, start=0)", "(sum(kept))"),
        (12, "0", "(1)"),
        (13, "total -= min(kept[1:], key=abs)", "pass"),
        (13, "min(kept[1:], key=abs)", "(min(kept[1:]))"),
        (13, "min(kept[1:], key=abs)", "(kept[1:])"),
        (13, "1:", ":"),
        (13, "1", "(2)"),
        (14, 'return divide("ä", total) or -1', "return None"),
        (14, 'divide("ä", total) or -1', "(divide('ä', total) and -1)"),
        (14, 'divide("ä", total) or -1', "(-1)"),
        (14, 'divide("ä", total) or -1', "(divide('ä', total))"),
        (14, 'divide("ä", total)', "(divide(total, 'ä'))"),
        (14, '"ä"', "('ä?')"),
        (14, "-1", "(1)"),
        (14, "1", "(2)"),
    ]


def test_a_fault_leaves_the_rest_of_the_module_as_it_is():
    for mutant in mutants(SOURCE):
        changed = mutant.applied(SOURCE)
        ast.parse(changed)
        assert changed.count(b"\n") == SOURCE.count(b"\n")
        assert changed != SOURCE
    drop = next(mutant for mutant in mutants(SOURCE) if mutant.after == "pass")
    assert drop.applied(SOURCE) == SOURCE.replace(b"total -= min(kept[1:], key=abs)", b"pass")


def test_the_lines_of_the_statement_are_those_whose_tests_run():
    source = b"if (\n    a\n    < 1\n):\n    b(\n        1, 2\n    )\n"
    lines = {mutant.before(source): list(mutant.statement) for mutant in mutants(source)}
    assert lines["a\n    < 1"] == [1, 2, 3, 4]
    assert lines["2"] == [5, 6, 7]
