"""The table of `make prove` is in step with the code: each repair is there once, and so is its test."""

import pytest

from fabricate import ROOT
from proof.table import REPAIRS


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.what)
def test_the_repair_and_its_test_are_there(repair):
    assert (ROOT / repair.file).read_text().count(repair.old) == 1
    file, _, name = repair.test.split()[0].partition("::")
    assert f"def {name}" in (ROOT / file).read_text()
