"""The table of `make prove` matches the code: each repair is in it once, and its test exists."""

import pytest

from fabricate import ROOT
from proof.table import REPAIRS


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.description)
def test_the_repair_and_its_test_exist(repair):
    assert (ROOT / repair.file).read_text().count(repair.old) == 1
    file, _, name = repair.test.split()[0].partition("::")
    assert f"def {name}" in (ROOT / file).read_text()
