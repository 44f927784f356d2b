"""Slow references of the analysis, written from the papers and docs/analysis.md; nothing is imported from the analysis."""

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import kurtosis, pearsonr, skew

YEAR = 365.2425
# grid of rate times step from 0.03 to 4
RATES = [0.03 * (4 / 0.03) ** (k / 24) for k in range(25)]
DIRECTIONS = {
    "ar1": 1, "variance": 1, "skewness": 0, "kurtosis": 0, "lag2": 1,
    "rate_from_ar1": -1, "rate_from_variance": -1, "rate_ou": -1,
}  # fmt: skip


def regressors(days, harmonics, degree, drift=False):
    """Regressors, row by row: level, powers of time, and annual harmonics, with drift those times time as well."""
    middle, length = sum(days) / len(days), max(days) - min(days)
    rows = []
    for day in days:
        angles = [2 * math.pi * (k + 1) * day / YEAR for k in range(harmonics)]
        powers = [((day - middle) / length) ** k for k in range(degree + 1)]
        season = [*map(math.cos, angles), *map(math.sin, angles)]
        drifting = [(day - middle) / length * wave for wave in season] if drift else []
        rows.append([*powers, *season, *drifting])
    return np.array(rows)


def rest_of(days, values, harmonics, degree=1, drift=False, columns=None):
    """Residuals (n,) or (b, n) after removing level, line, season and columns (n, k)."""
    means = regressors(days, harmonics, degree, drift)
    means = means if columns is None else np.column_stack([means, columns])
    fitted, *_ = np.linalg.lstsq(means, np.atleast_2d(values).T, rcond=None)
    return values - (means @ fitted).T.reshape(np.shape(values))


def detrended(days, values, bandwidth, harmonics, columns=None):
    """Residuals (n,) or (b, n) after removing line, drifting season, columns, and then the Gaussian kernel mean."""
    rest = rest_of(days, values, harmonics, drift=True, columns=columns)
    # quartiles of the kernel at a quarter of the bandwidth
    width = bandwidth * (days[-1] - days[0]) * 0.25 / 0.6744897501960817
    smooth = []
    for day in days:
        weights = [math.exp(-((day - date) ** 2) / (2 * width**2)) for date in days]
        smooth.append(sum(weight * rest[..., i] for i, weight in enumerate(weights)) / sum(weights))
    return rest - np.stack(smooth, axis=-1)


def correlation(series, places, lag):
    """Correlation over pairs of which both values exist, (b,)."""
    column = {place: i for i, place in enumerate(places)}
    pairs = [(column[place], column[place + lag]) for place in places if place + lag in column]
    if len(pairs) < 5:
        return np.full(len(series), np.nan)
    earlier, later = (series[:, list(which)] for which in zip(*pairs, strict=True))
    earlier, later = earlier - earlier.mean(axis=1)[:, None], later - later.mean(axis=1)[:, None]
    return (earlier * later).sum(axis=1) / np.sqrt((earlier**2).sum(axis=1) * (later**2).sum(axis=1))


def bounded_rate(kept):
    return -np.log(np.clip(kept, math.exp(-4), math.exp(-0.03)))


def likeliest_rate(series, times):
    """Rate times step at the maximum of the stationary Ornstein-Uhlenbeck likelihood with profiled variance; (b,)."""
    apart = np.abs(np.subtract.outer(times, times))
    scores = []
    for rate in RATES:
        matrix = np.exp(-rate * apart)
        squares = (series @ np.linalg.inv(matrix) * series).sum(axis=1)
        scores.append(-0.5 * (len(times) * np.log(squares) + np.linalg.slogdet(matrix)[1]))
    where = np.array([top(column)[1] for column in np.transpose(scores)])
    return 0.03 * (4 / 0.03) ** (where / 24)


def top(scores):
    """Maximum of values at 0, 1, 2 ... and its position, by the parabola through it and its neighbours."""
    best = max(range(len(scores)), key=lambda k: scores[k])
    if best in (0, len(scores) - 1):
        return scores[best], float(best)
    bend = (scores[best - 1] + scores[best + 1]) / 2 - scores[best]
    slope = (scores[best + 1] - scores[best - 1]) / 2
    return scores[best] - slope**2 / (4 * bend), best - slope / (2 * bend)


def indicators(series, places, days, width, step, names=tuple(DIRECTIONS)):
    """Indicators of detrended series (b, n) in moving windows of periods; each (b, windows)."""
    places = [place - places[0] for place in places]
    days = np.asarray(days)
    innovation = series.var(axis=1) * (1 - correlation(series, places, 1) ** 2)
    values_of = {name: [] for name in names}
    for first in range(places[-1] + 2 - width):
        inside = [i for i, place in enumerate(places) if first <= place < first + width]
        part, places_inside = series[:, inside], [places[i] for i in inside]
        few = len(inside) < 5
        missing = np.full(len(series), np.nan)
        variance = missing if few else part.var(axis=1, ddof=1)
        window = {
            "ar1": correlation(part, places_inside, 1),
            "lag2": correlation(part, places_inside, 2),
            "variance": variance,
            "skewness": missing if few else skew(part, axis=1, bias=False),
            "kurtosis": missing if few else kurtosis(part, axis=1, bias=False),
            "rate_from_variance": bounded_rate(np.sqrt(np.maximum(1 - innovation / variance, 1e-9))) / step,
            "rate_ou": missing
            if few or "rate_ou" not in names
            else likeliest_rate(part, days[inside] / step) / step,
        }
        window["rate_from_ar1"] = bounded_rate(window["ar1"]) / step
        for name in names:
            values_of[name].append(window[name])
    return {name: np.transpose(values) for name, values in values_of.items()}


def tau_b(values):
    """Kendall's tau-b against the order."""
    values = [value for value in values if not math.isnan(value)]
    number = len(values)
    signs = np.sign(np.subtract.outer(values, values))[np.tril_indices(number, -1)]
    return signs.sum() / math.sqrt(max(np.abs(signs).sum(), 1) * number * (number - 1) / 2)


def taus(indicator_values):
    return {name: np.array([tau_b(row) for row in rows]) for name, rows in indicator_values.items()}


def share_as_far(observed, drawn, direction):
    """One-sided p-value, or twice the smaller one; the series itself counts."""
    above = (1 + sum(value >= observed for value in drawn)) / (1 + len(drawn))
    below = (1 + sum(value <= observed for value in drawn)) / (1 + len(drawn))
    return {1: above, -1: below, 0: min(1.0, 2 * min(above, below))}[direction]


def waves(values, phases):
    """A series with the same spectrum: the sum of its waves with other phases (shares of a turn)."""
    number = len(values)
    times = np.arange(number)
    total = np.full(number, np.mean(values))
    for k in range(1, number // 2 + 1):
        angle = 2 * np.pi * k * times / number
        a, b = 2 / number * (values @ np.cos(angle)), 2 / number * (values @ np.sin(angle))
        if 2 * k == number:
            # the fastest wave has no phase, but an amplitude of the same power on average
            total = total + a / 2 * np.cos(angle) * math.sqrt(2) * math.cos(2 * math.pi * phases[k])
        else:
            size, start = math.hypot(a, b), math.atan2(-b, a)
            total = total + size * np.cos(angle + start + 2 * np.pi * phases[k])
    return total


def phase_surrogates(days, values, places, harmonics, size, random, columns=None):
    """Series with the spectrum of the residuals, whose gaps are interpolated for it and left out again; (size, n)."""
    rest = rest_of(days, values, harmonics, drift=True, columns=columns)
    places = np.asarray(places) - places[0]
    filled = np.interp(range(places[-1] + 1), places, rest)
    draws = random.random((size, len(filled) // 2 + 1))
    return np.array([waves(filled, phases)[places] for phases in draws])


class Process:
    """Restricted likelihood of constant rates, with dense matrices."""

    def __init__(self, days, step, means, noise=None):
        self.days, self.step = np.asarray(days), step
        middle = self.days - np.mean(days)
        self.means = np.column_stack([means, middle**2 / max(middle) ** 2])
        # variance of each observation's noise, relative to the stationary variance
        self.noise = np.zeros(len(days)) if noise is None else np.asarray(noise)

    def scores(self, values):
        """Log-likelihood of all rates, (25, b): -1/2 ((n - means) ln(rest C^-1 rest) + ln |C| + ln |X' C^-1 X|)."""
        apart, rows = np.abs(np.subtract.outer(self.days, self.days)), []
        for rate in RATES:
            per_day = rate / self.step
            matrix = (np.exp(-per_day * apart) + np.diag(self.noise)) / (2 * per_day)
            factor = np.linalg.cholesky(matrix)
            white, means = np.linalg.solve(factor, values.T), np.linalg.solve(factor, self.means)
            rest = white - means @ np.linalg.solve(means.T @ means, means.T @ white)
            logs = 2 * np.log(np.diag(factor)).sum() + np.linalg.slogdet(means.T @ means)[1]
            rows.append(-0.5 * ((len(self.days) - means.shape[1]) * np.log((rest**2).sum(axis=0)) + logs))
        return np.array(rows)

    def fit(self, values):
        """Position of the best rate, and the deviance of each rate, (b,) and (25, b)."""
        scores = self.scores(values)
        best = [top(column) for column in scores.T]
        ahead = 2 * (np.array([greatest for greatest, _ in best]) - scores)
        return np.array([where for _, where in best]), ahead

    def simulate(self, rate, size, random):
        """Simulated series, drawn in the order of the dates, with observation noise drawn after them; (size, n)."""
        per_day, draws = RATES[rate] / self.step, random.standard_normal((len(self.days), size))
        series = [draws[0] / math.sqrt(2 * per_day)]
        for draw, between in zip(draws[1:], np.diff(self.days), strict=True):
            kept = math.exp(-per_day * between)
            series.append(kept * series[-1] + draw * math.sqrt((1 - kept**2) / (2 * per_day)))
        series = np.transpose(series)
        if self.noise.any():
            series = series + np.sqrt(self.noise / (2 * per_day)) * random.standard_normal(series.shape)
        return series


def crossings(grid, ahead, limit):
    """Positions where a deviance crosses a limit left and right of its minimum; None where it stays below."""
    best = int(np.argmin(ahead))
    ends = []
    for step in (-1, 1):
        k = best
        while 0 <= k < len(grid) and ahead[k] <= limit:
            k += step
        if not 0 <= k < len(grid):
            ends.append(None)
            continue
        near = k - step
        # the deviance at the minimum itself may exceed the limit
        share = 0.0 if k == best else (limit - ahead[near]) / (ahead[k] - ahead[near])
        ends.append(grid[near if k != best else k] + share * (grid[k] - grid[near if k != best else k]))
    return ends


def fit_site(process, values, size, random):
    """The restoring rate with its bounds."""
    where, ahead = process.fit(values[None])
    bias = np.median(process.fit(process.simulate(round(where[0]), size, random))[0]) - round(where[0])
    null = min(max(round(where[0] - bias), 0), 24)
    limit = np.quantile(process.fit(process.simulate(null, size, random))[1][null], 0.95)
    low, high = crossings([math.log(rate / process.step) for rate in RATES], ahead[:, 0], limit)
    inside = min(max(where[0] - bias, 0), 24)
    return {
        "rate": 0.03 * (4 / 0.03) ** (inside / 24) / process.step,
        "low": None if low is None else math.exp(low),
        "high": None if high is None else math.exp(high),
        "unit": "1/day",
        "bootstrap": size,
        "converged": bool(0 < where[0] < 24),
    }


def equal_draw(table, number, random):
    """Mean of an equal number of sub-images per date, as deviations from their own means; NaN where there are fewer."""
    keys = random.random(table.shape)
    own = [np.nanmean(column) for column in table.T]
    drawn = []
    for row, key in zip(table, keys, strict=True):
        chosen = sorted((k for k in range(len(row)) if not math.isnan(row[k])), key=lambda k: key[k])[:number]
        enough = len(chosen) == number
        drawn.append(
            sum(row[k] - own[k] for k in chosen) / number + sum(own) / len(own) if enough else math.nan
        )
    return np.array(drawn)


def trends(values, places, days, step, surrogates, phases, *, detrend, width):
    """Indicators with tau and its p against surrogates of both kinds."""
    computed = indicators(detrend(values[None]), places, days, width, step)
    observed = taus(computed)
    ar1, phase = (
        taus(indicators(detrend(series), places, days, width, step)) for series in (surrogates, phases)
    )
    return {
        name: {
            "values": computed[name][0],
            "tau": observed[name][0],
            "direction": direction,
            "p": {
                "ar1": share_as_far(observed[name][0], ar1[name], direction),
                "phase": share_as_far(observed[name][0], phase[name], direction),
            },
            "surrogates": len(surrogates),
        }
        for name, direction in DIRECTIONS.items()
    }


def best_exponential(times, values):
    """Rate and R2 of values = a exp(-rate t), with the best a of each rate; None where the best rate is not above 0."""
    times, values = np.asarray(times, dtype=float), np.asarray(values)
    if len(values) < 4 or values[0] == 0 or np.ptp(values) == 0:
        return None

    def squares(rate):
        course = np.exp(-rate * times)
        return ((values - (values @ course) / (course @ course) * course) ** 2).sum()

    # the best of a fine grid is refined
    grid = np.linspace(-0.1, 12, 243) / times[-1] * (len(times) - 1)
    best = min(range(1, len(grid) - 1), key=lambda k: squares(grid[k]))
    optimum = minimize_scalar(
        squares, bounds=(grid[best - 1], grid[best + 1]), method="bounded", options={"xatol": 1e-12}
    )
    rate = optimum.x
    return (rate, 1 - squares(rate) / ((values - values.mean()) ** 2).sum()) if rate > 0 else None


def lagged(vegetation, rain, places):
    """Pearson correlation with the rain of `lag` periods before, over the pairs that exist."""
    correlations, numbers = [], []
    for lag in range(7):
        pairs = [
            (vegetation[i], rain[places.index(place - lag)])
            for i, place in enumerate(places)
            if place - lag in places
        ]
        pairs = [pair for pair in pairs if np.isfinite(pair).all()]
        numbers.append(len(pairs))
        correlations.append(pearsonr(*zip(*pairs, strict=True)).statistic)
    return correlations, numbers


def dry_runs(rain, places, days, harmonics):
    """First and last index of runs of dates whose rain of three periods is a standard deviation below the mean."""
    odd = dict(zip(places, rest_of(days, np.asarray(rain), harmonics), strict=True))
    sums = [sum(odd.get(place - k, math.nan) for k in range(3)) for place in places]
    dry = [value / np.nanstd(sums) < -1 for value in sums]
    starts = [i for i in range(len(dry)) if dry[i] and not (i and dry[i - 1])]
    ends = [i for i in range(len(dry)) if dry[i] and not (i + 1 < len(dry) and dry[i + 1])]
    return list(zip(starts, ends, strict=True))


def rest_with_gaps(days, values, harmonics):
    """Residuals of the values that exist, after removing level, line and season."""
    finite = np.isfinite(values)
    rest = np.full(len(values), np.nan)
    rest[finite] = rest_of(np.asarray(days)[finite], np.asarray(values)[finite], harmonics)
    return rest
