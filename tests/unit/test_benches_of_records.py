"""What counts simulated records whose truth is known: scenarios, power and steps (`make peers` and its parts)."""

import numpy as np
import pytest

from bench import breaks, power
from bench.breaks import WITH, WITHOUT, matches, share
from bench.power import TABLES, found
from bench.scenarios import CALM, SLOWING, anomalies, record_of, with_gaps


@pytest.mark.parametrize("name", WITH)
def test_a_record_is_always_the_same_and_has_the_places_of_its_steps(name):
    first, second = (record_of(name, 120, 3) for _ in range(2))
    assert (first.values == second.values).all() and (first.steps == second.steps).all()
    assert (first.values != record_of(name, 120, 4).values).all()
    assert first.steps.shape == (1, 2 if name == "two steps of 3" else 1)
    assert ((first.steps >= 18) & (first.steps <= 102)).all()


def test_a_large_step_is_at_its_place():
    """Of 1000, where the rest is noise of 1 and a season of 2."""
    name = "step of -4 at 15-50 %"
    draw, options = CALM[name]
    records = draw(5, 60, np.random.default_rng(1), **options | {"height": -1000.0})
    assert records.steps.shape == (5, 1)
    assert (np.diff(records.values).argmin(axis=1) + 1 == records.steps[:, 0]).all()
    assert (records.steps >= 9).all() and (records.steps <= 30).all()
    gappy = with_gaps(records, np.random.default_rng(1))
    assert (gappy.steps == records.steps).all() and np.isnan(gappy.values).sum() == 5 * 12


def test_both_of_two_steps_are_in_order_of_time():
    draw, options = CALM["two steps of 3"]
    records = draw(400, 120, np.random.default_rng(1), **options)
    assert records.steps.shape == (400, 2)
    assert records.steps[:, 0].min() == 18 and records.steps[:, 0].max() == 48
    assert records.steps[:, 1].min() == 60 and records.steps[:, 1].max() == 101
    # lower by 3 between them; a mean of 400 records has an error of 1 / 20
    time = np.arange(120)
    between = (time >= records.steps[:, :1]) & (time < records.steps[:, 1:])
    month = np.arange(120) % 12
    mean = np.array([records.values[:, month == one][~between[:, month == one]].mean() for one in range(12)])
    assert (records.values - mean[month])[between].mean() == pytest.approx(-3.0, abs=0.15)


def test_records_without_steps_have_none():
    assert all(record_of(name, 36, 0).steps.size == 0 for name in WITHOUT)


def test_the_scenarios_of_the_tables_exist():
    assert set(WITHOUT) | set(WITH) <= set(CALM)
    slowing, others = TABLES.values()
    assert set(slowing) == set(SLOWING)
    assert set(slowing.values()) | set(others) | set(others.values()) <= set(CALM)


def test_anomalies():
    """Months of a year and a half: the first six have two values each, the others are their own mean."""
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 3, 2, 1, 4, 7, 0])
    expected = [-1.0, 0, 1, 0, -1, 3, 0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 1, -3]
    assert anomalies(values).tolist() == expected


def test_a_share_has_its_standard_error():
    """One in five of 100: sqrt(0.2 0.8 / 100) is 0.04; none and all have no error."""
    assert share([True] * 20 + [False] * 80) == "20 ± 4.0"
    assert share([False] * 7) == "0 ± 0.0"
    assert share(np.ones(3, bool)) == "100 ± 0.0"


def test_what_is_above_the_threshold_is_found():
    """The 95 % quantile of 0, 1, ..., 20 is 19; equal to it is not above it."""
    constant = np.arange(21.0)[::-1]
    assert found(np.array([19.0, 19.1, -5.0, 40.0]), constant).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("places", "true", "count"),
    [
        ([], [50], 0),
        ([50], [], 0),
        ([53], [50], 1),
        ([47], [50], 1),
        ([54], [50], 0),
        # one place is not two steps, and one step not two places
        ([51], [50, 52], 1),
        ([49, 51], [50], 1),
        # the first step leaves the later place to the second
        ([54, 50], [52, 48], 2),
        ([20, 80, 100], [22, 101], 2),
    ],
)
def test_steps_are_matched(places, true, count):
    assert matches(places, true) == count


def test_the_cells_of_steps():
    """Three of four steps are found, sqrt(3/16 / 4) = 0.217; of two records, one has a step that is none."""
    places, true = [[40, 90], [41, 70, 90]], [[40, 90], [40, 80]]
    assert breaks.cell(places, true) == "75 ± 21.7; 50 ± 35.4"
    assert breaks.cell([[3], [], [], []], [[], [], [], []]) == "25 ± 21.7"


def test_the_error_of_power_is_binomial_where_the_threshold_is_known():
    """One in four of 100 above a threshold that never varies: sqrt(3/16 / 100) is 4.33 %."""
    estimate, error = power.power(np.repeat([1.0, -1.0], [25, 75]), np.zeros(50)).split(" ± ")
    assert estimate == "25" and float(error) == pytest.approx(4.33, abs=0.3)


def test_the_error_of_power_has_that_of_the_threshold():
    """The 95 % quantile of 1000 uniform numbers has an error of sqrt(0.05 0.95 / 1000) = 0.0069.

    Of values as dense above 0.5 as 2 in 1, that is 0.0138 of them; with 0.0095 of 1000 values themselves, 1.68 %.
    """
    grid = (np.arange(1000) + 0.5) / 1000
    estimate, error = power.power(0.5 + grid / 2, grid).split(" ± ")
    assert estimate == "10" and float(error) == pytest.approx(1.68, abs=0.12)


def test_the_table_of_power():
    """Above 19, the 95 % quantile of 0, ..., 20, is no value of the first test and each of the second."""
    values = {
        "a": {"one": np.array([-1.0, -2.0, -3.0]), "two": np.array([30.0] * 4)},
        "twin": {"one": np.arange(21.0), "two": np.arange(21.0)},
    }
    assert list(power.table({"a": "twin"}, values.get)) == [
        "| truth | one | two |",
        "|---|---|---|",
        "| a | 0 ± 0.0 | 100 ± 0.0 |",
    ]


def test_they_run(capsys, monkeypatch):
    """Two records of 24 months of a single scenario each: rows for it, and one column for the workflow's own test."""
    monkeypatch.setattr(power, "TABLES", {"found": {"AR(1) 0.3 to 0.9": "constant, AR(1) 0.3"}})
    power.main(["--months", "24", "--records", "2"])
    title, head, _, row = [line for line in capsys.readouterr().out.splitlines() if line]
    assert title == "found (± standard error, 2 records of 24 months)."
    assert head == "| truth | tigerbush |" and row.startswith("| AR(1) 0.3 to 0.9 | ")

    for names in ("WITH", "WITHOUT"):
        monkeypatch.setattr(breaks, names, getattr(breaks, names)[:1])
    breaks.main(["--months", "24", "--records", "2"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [line.split(" | ")[0] for line in lines if "---" not in line] == [
        "| truth", "| constant, AR(1) 0.0", "| truth", "| step of -4 at 50-85 %",
    ]  # fmt: skip
