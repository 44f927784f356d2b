"""Slow reference of the evidence of a falling rate: dense covariances, plain loops, nothing imported from the analysis.

A record is normal with mean X b, b unknown, and a covariance that is known up to its scale: the process, the noise of
observations, single seasons, the arc of a curvature and a step, each a term of its own.
"""

import math

import numpy as np

YEAR = 365.2425
CURVATURES = [(0.0, 0.5), (1.5, 0.3), (6.0, 0.2)]
STEPS = [(0.0, 0.93), (2.0, 0.04), (7.0, 0.03)]
LIKELY_CURVATURE = 3.0


def rates_of(number):
    """Rates times step: six or more, from 0.03 to 4."""
    count = max(round(0.73 * math.sqrt(number)), 6)
    return [0.03 * (4 / 0.03) ** (k / (count - 1)) for k in range(count)]


def intensities_of(number):
    """ln of the noise's variance at the end over that at the start, from -4 to 4."""
    half = max(math.ceil(8 / (6 * math.sqrt(24 / number))), 3)
    return [-4 + 4 * k / half for k in range(2 * half + 1)]


def exponential(time, fall=-3.0):
    return math.exp(fall * (time - 0.5))


def fold(time, fall=-3.0):
    """Square root of the distance to a fold."""
    return math.sqrt(1 - (1 - math.exp(2 * fall)) * time)


class Model:
    """The likelihood of courses of rate and noise at given times."""

    def __init__(self, days, step, means, *, noise=None, seasons=None, spread=0.0, profile=None, **options):
        drifting, steps = options.get("drifting", True), options.get("steps", True)
        self.days, self.step, self.means = list(map(float, days)), step, np.asarray(means)
        self.number = len(self.days)
        length = self.days[-1] - self.days[0]
        self.course = [(day - self.days[0]) / length for day in self.days]
        self.between = [(a + b) / 2 for a, b in zip(self.course[:-1], self.course[1:], strict=True)]
        arc = np.array([(2 * c - 1) ** 2 for c in self.course])
        self.arc = arc - arc.mean()
        self.noise = np.zeros(self.number) if noise is None else noise
        self.random = np.zeros((self.number, 1)) if seasons is None else spread * seasons
        self.profile = np.ones(self.number) if profile is None else profile
        self.rates = rates_of(self.number)
        self.intensities = intensities_of(self.number) if drifting else [0.0]
        self.steps = STEPS if steps else [(0.0, 1.0 * STEPS[0][1])]
        self.freedom = self.number - np.linalg.matrix_rank(self.means, tol=1e-8)

    def variance(self, rates):
        return 1 / (2 * sum(self.bounded(rates)) / len(rates))

    def bounded(self, rates):
        return [min(max(rate, 0.03), 4.0) / self.step for rate in rates]

    def covariance(self, rates, intensity):
        """Of the process, its innovations scaled by exp(intensity (course - 1/2)), with noise and single seasons."""
        per_day, number = self.bounded(rates), self.number
        matrix = np.zeros((number, number))
        growth = [
            math.exp(intensity * (c - 0.5)) * each**2
            for c, each in zip(self.course, self.profile, strict=True)
        ]
        matrix[0, 0] = growth[0] / (2 * per_day[0])
        for i in range(1, number):
            kept = math.exp(-per_day[i - 1] * (self.days[i] - self.days[i - 1]))
            matrix[i, :i] = matrix[:i, i] = kept * matrix[i - 1, :i]
            matrix[i, i] = kept**2 * matrix[i - 1, i - 1] + (1 - kept**2) / (2 * per_day[i - 1]) * growth[i]
        variance = self.variance(rates)
        return matrix + variance * (np.diag(self.noise) + self.random @ self.random.T)

    def restricted(self, values, matrix):
        """-1/2 (freedom ln(rest' C^-1 rest) + ln |C| + ln |X' C^-1 X|), the columns of X being independent."""
        factor = np.linalg.cholesky(matrix)
        basis = np.linalg.svd(self.means, full_matrices=False)[0][:, : self.number - self.freedom]
        white = np.linalg.solve(factor, np.column_stack([values, basis]))
        own, columns = white[:, 0], white[:, 1:]
        rest = own - columns @ np.linalg.solve(columns.T @ columns, columns.T @ own)
        logs = 2 * np.log(np.diag(factor)).sum() + np.linalg.slogdet(columns.T @ columns)[1]
        return -0.5 * (self.freedom * math.log(rest @ rest) + logs)

    def score(self, values, rates, intensity, place=None):
        """Averaged over the sizes of curvature and, at a place, step; times the prior of the intensity."""
        base, variance, total = self.covariance(rates, intensity), self.variance(rates), []
        heaviside = np.array([float(place is not None and i >= place) for i in range(self.number)])
        for curvature, share in CURVATURES:
            bent = base + curvature**2 * variance * np.outer(self.arc, self.arc)
            for size, chance in self.steps if place is not None else [(0.0, 1.0)]:
                matrix = bent + size**2 * variance * np.outer(heaviside, heaviside)
                total.append(math.log(share * chance) + self.restricted(values, matrix))
        return log_sum(total) - 0.5 * (intensity / 1.2) ** 2

    def step_gains(self, values, rates, intensity, places=None):
        """Squares left by generalised least squares, and what steps take off them: for each set of first values."""
        inverse = np.linalg.inv(np.linalg.cholesky(self.curved(rates, intensity)))

        def squares(columns):
            white = inverse @ columns
            sizes = np.linalg.lstsq(white, inverse @ values, rcond=None)[0]
            return ((inverse @ values - white @ sizes) ** 2).sum()

        without, gains = squares(self.means), {}
        for place in places or [(i,) for i in range(4, self.number - 3)]:
            after = np.arange(self.number)[:, None] >= np.array(place)
            gains[place] = without - squares(np.column_stack([self.means, after]))
        return without, gains

    def curved(self, rates, intensity):
        """The covariance, and that of a likely curvature."""
        arc = LIKELY_CURVATURE**2 * self.variance(rates) * np.outer(self.arc, self.arc)
        return self.covariance(rates, intensity) + arc

    def likely_steps(self, values, places=None):
        """The likeliest steps at any constant rate and steady noise, and the log of their ratio of likelihoods."""
        with_steps, without = {}, []
        for rate in self.rates:
            rates = [rate] * (self.number - 1)
            squares, gains = self.step_gains(values, rates, 0.0, places)
            score = self.restricted(values, self.curved(rates, 0.0))
            without.append(score)
            for place, gain in gains.items():
                better = score + 0.5 * self.freedom * math.log(squares / (squares - gain))
                with_steps[place] = max(better, with_steps.get(place, -math.inf))
        best = max(with_steps, key=with_steps.get)
        return best, with_steps[best] - max(without)

    def evidence(self, values):
        """What `Evidence` has, of one series."""
        count = self.number - 1
        cells = [([rate] * count, intensity) for rate in self.rates for intensity in self.intensities]
        (place,), step = self.likely_steps(values)
        constant = [self.score(values, *cell, place) for cell in cells]
        falling = []
        for shape in (exponential, fold):
            course = [shape(time) for time in self.between]
            if shape is fold:
                middle = math.exp(sum(map(math.log, course)) / count)
                course = [value / middle for value in course]
            for rate in self.rates:
                for intensity in self.intensities:
                    falling.append(self.score(values, [rate * c for c in course], intensity, place))
        average = log_sum(constant)
        shares = [math.exp(score - average) for score in constant]
        return {
            "slowing": log_sum(falling) - math.log(len(falling)) - average + math.log(len(constant)),
            "rate": sum(s * math.log(rates[0]) for s, (rates, _) in zip(shares, cells, strict=True)),
            "intensity": sum(s * intensity for s, (_, intensity) in zip(shares, cells, strict=True)),
            "place": place,
            "step": step,
        }


def log_sum(logs):
    """Logarithm of a sum of exponentials."""
    greatest = max(logs)
    return greatest + math.log(sum(math.exp(value - greatest) for value in logs))
