"""Steps of the mean: where they are, how large, and that there are none where nothing stepped."""

from types import SimpleNamespace

import numpy as np
import pytest
from statsmodels.regression.linear_model import GLS

import slow
from slow_evidence import Model
from tigerbush.analysis import steps as module
from tigerbush.analysis.null_model import fit_null
from tigerbush.analysis.steps import Step, find_steps
from tigerbush.analysis.surrogates import ornstein_uhlenbeck

STEP = 365.2425 / 12


def record(number, seed, steps=(), without=()):
    """Days and values of a site that forgets at 0.7 a month and has a deviation of 1, with steps (place, size)."""
    days = np.arange(number) * STEP
    values = ornstein_uhlenbeck(days, 0.7 / STEP, 1, np.random.default_rng(seed))[0] * np.sqrt(1.4 / STEP)
    for place, size in steps:
        values = values + size * (np.arange(number) >= place)
    kept = [i for i in range(number) if i not in without]
    return days[kept], values[kept]


def steps_of(days, values, seed=1):
    null = fit_null(days, STEP, values, slow.regressors(days.tolist(), 0, 1))
    return find_steps(null.with_columns, len(days), np.random.default_rng(seed))


@pytest.mark.parametrize(("number", "without"), [(120, ()), (121, (10, 11, 60, 90))])
def test_steps_are_found_in_order_where_they_are(number, without):
    """The later one is the larger, and so found first."""
    days, values = record(number, 2, [(45, -6), (95, 7)], without)
    steps, columns = steps_of(days, values)
    # of the dates that are there
    places = [int(np.sum(days < place * STEP - 1)) for place in (45, 95)]
    assert len(steps) == 2
    for step, column, place, size in zip(steps, columns.T, places, (-6, 7), strict=True):
        assert step.earliest <= place <= step.latest and step.earliest <= step.index <= step.latest
        assert abs(step.index - place) <= 1
        assert step.low < step.size < step.high and step.low < size < step.high
        assert 1 / 200 <= step.p <= 0.01
        np.testing.assert_array_equal(column, np.arange(len(days)) >= step.index)


def test_a_record_that_does_not_step_has_no_steps():
    """Of eight, more than one would have a step in 0.3 % of trials."""
    found = [steps_of(*record(60, seed)) for seed in range(8)]
    assert sum(bool(steps) for steps, _ in found) <= 1
    without = next(columns for steps, columns in found if not steps)
    assert without.shape == (60, 0)


class Scripted:
    """A null model whose surrogates are told: the places found, and how many surrogates have steps as clear."""

    def __init__(self, single, pair):
        self.evidence = SimpleNamespace(step=np.array([5.0]), place=np.array([single[0]]))
        self.test = SimpleNamespace(
            places=np.arange(100),
            likely_steps=lambda drawn: (None, self.drawn(single[1])),
            likely_pairs=lambda values: (
                np.array([pair[0]]),
                np.array([5.0]) if values is None else self.drawn(pair[1]),
            ),
        )
        self.values = {None: None}

    def drawn(self, larger):
        return np.where(np.arange(199) < larger, 5.0, 4.9)

    def simulate(self, size, random):
        assert size == 199
        return "surrogates"


# how many of 199 surrogates are as clear: with the record itself 2 of 200 are the level
NONE = (0, 2), ((0, 0), 2)


@pytest.mark.parametrize(
    ("found", "places"),
    [
        ([NONE], []),
        ([((70, 0), None), ((20, 1), None), NONE], [70, 20]),
        # a pair where no single step is clear
        ([((9, 2), ((30, 60), 1)), ((80, 1), None), NONE], [30, 60, 80]),
        ([((9, 50), ((30, 60), 1)), ((9, 50), ((10, 90), 0))], [30, 60, 10, 90]),
        ([((place, 0), None) for place in (70, 20, 40, 10)], [70, 20, 40, 10]),
        # three, and no room for two more
        ([((70, 0), None), ((20, 0), None), ((40, 0), None), ((9, 50), ((30, 60), 0))], [70, 20, 40]),
    ],
)
def test_there_are_four_at_most_and_each_is_clear(monkeypatch, found, places):
    """Each search with the columns of those before; then the place and size of each, given all others."""
    fitted, models = [], [Scripted(single, pair or ((0, 0), 199)) for single, pair in found]

    def fit(columns):
        fitted.append([int(column.argmax()) for column in columns.T])
        return models[len(fitted) - 1] if len(fitted) <= len(models) else None

    moved = [place + 1 for place in places]
    sized = iter(moved)
    monkeypatch.setattr(module, "_step", lambda null, p: Step(next(sized), 0, 0, 0.0, 0, 0, p))
    steps, columns = find_steps(fit, 100, np.random.default_rng(1))
    assert [step.index for step in steps] == sorted(moved)
    assert [int(column.argmax()) for column in columns.T] == sorted(moved)
    assert columns.shape == (100, len(places))
    # of each step, the others where they are known to be by then
    assert fitted[len(models) :] == [moved[:i] + places[i + 1 :] for i in range(len(places))]


def test_a_fall_and_a_rise_are_both_found():
    """Of steps down and up again each hides the other: in 7 of 12 records and more both are found."""
    found = 0
    for seed in range(12):
        steps, _ = steps_of(*record(120, 300 + seed, [(40, -6), (85, 6)]))
        found += sum(abs(step.index - place) <= 2 for step in steps for place in (40, 85)) == 2
    assert found >= 7


def test_sizes_lie_within_their_bounds():
    """In 9 of 12 records and more: of bounds of 95 % fewer do so in 0.2 % of trials."""
    held, seen = 0, 0
    for seed in range(12):
        steps, _ = steps_of(*record(50, 100 + seed, [(25, 6)]))
        nearest = min(steps, key=lambda step: abs(step.index - 25), default=None)
        if nearest is not None and abs(nearest.index - 25) <= 1:
            seen += 1
            held += nearest.low < 6 < nearest.high
    assert seen >= 11 and held >= 9


def test_size_and_bounds_are_those_of_generalised_least_squares():
    """With the curvature free; the place is the likeliest, and its bounds those of its likelihood."""
    days, values = record(60, 4, [(35, 5)], without=(7, 8, 50))
    means = slow.regressors(days.tolist(), 0, 1)
    null = fit_null(days, STEP, values, means)
    steps, _ = find_steps(null.with_columns, len(days), np.random.default_rng(1))
    assert len(steps) == 1
    model = Model(days, STEP, means)
    evidence = model.evidence(values)
    rates = [float(np.exp(evidence["rate"]))] * (len(days) - 1)
    sigma = model.covariance(rates, evidence["intensity"])
    step = (np.arange(len(days)) >= evidence["place"]).astype(float)
    fitted = GLS(values, np.column_stack([means, model.arc, step]), sigma=sigma).fit()
    expected = fitted.params[-1] + np.array([0, -1.96, 1.96]) * fitted.bse[-1]
    found = steps[0]
    assert found.index == evidence["place"]
    np.testing.assert_allclose([found.size, found.low, found.high], expected, rtol=1e-6)
    squares, gains = model.step_gains(values, rates, evidence["intensity"])
    # twice the lack of likelihood is below -2 ln(1 - sqrt(0.95))
    likelihood = {place: -model.freedom * np.log(squares - gain) for (place,), gain in gains.items()}
    least = max(likelihood.values()) + 2 * np.log(1 - np.sqrt(0.95))
    likely = [place for place, value in likelihood.items() if value >= least]
    assert (found.earliest, found.latest) == (min(likely), max(likely))
