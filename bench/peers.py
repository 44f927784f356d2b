"""Count what other tools find in the same records: `make peers`, which gives them an environment. Prints Markdown.

ewstools: Kendall's tau of autocorrelation and variance in moving windows. Rbeast: changepoints of the trend. ruptures:
optimal partitions.
"""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

import numpy as np
import Rbeast
from ewstools import TimeSeries
from numpy.typing import NDArray
from ruptures import Pelt

from bench.breaks import report as breaks
from bench.breaks import steps_found
from bench.power import arguments, evidence
from bench.power import report as power
from bench.scenarios import MONTHS, Records, anomalies

Array = NDArray[np.float64]

PEERS = ("ewstools", "Rbeast", "ruptures")
INDICATORS = {"ac1": "AR(1)", "variance": "variance"}
# a changepoint is counted if it is more likely than not
PROBABLE = 0.5


def trends(record: Records, _seed: int, *, window: float) -> dict[str, float]:
    """Return the trends of ewstools, with its two ways to detrend, of the record and of its anomalies."""
    values = record.values[0]
    results = {}
    for treated, series in (("", values), (", anomalies", anomalies(values))):
        for method in ("Gaussian", "Lowess"):
            analysed = TimeSeries(series)
            analysed.detrend(method, bandwidth=0.2, span=0.2)
            analysed.compute_auto(rolling_window=window, lag=1)
            analysed.compute_var(rolling_window=window)
            analysed.compute_ktau()
            for indicator, label in INDICATORS.items():
                results[f"{label}, {method}{treated}"] = float(analysed.ktau[indicator])
    return results


def changepoints(record: Records, seed: int) -> dict[str, list[int]]:
    """Return the probable changepoints of Rbeast's trend; seasons are its own part of the model."""
    # a seed of 0 is another one each time
    trend = Rbeast.beast(
        record.values[0], season="harmonic", period=MONTHS, mcmc_seed=seed + 1, quiet=True
    ).trend
    # its first time is 1
    return {"Rbeast": [int(place) - 1 for place in trend.cp[trend.cpPr > PROBABLE]]}


def partitions(record: Records, _seed: int) -> dict[str, list[int]]:
    """Return the partitions of ruptures, of anomalies.

    The penalty of a change is 2 var ln n (Yao 1988, Statistics & Probability Letters 6, 181), var the cost of a value
    where nothing changes.
    """
    values = anomalies(record.values[0])
    number = len(values)
    results = {}
    for model in ("l2", "rbf"):
        search = Pelt(model, jump=1).fit(values)
        results[f"ruptures, {model}"] = search.predict(
            2 * np.log(number) * search.cost.error(0, number) / number
        )[:-1]
    return results


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    command = arguments("bench.peers", __doc__, 400)
    command.add_argument("--steps", type=int, default=100, help="records of a scenario of steps")
    command.add_argument("--window", type=float, default=0.5, help="of ewstools, share of the record")
    options = command.parse_args(words)
    print(", ".join(f"{name} {version(name)}" for name in (*PEERS, "numpy", "scipy", "pandas")), flush=True)
    tests = [evidence, partial(trends, window=options.window)]
    for line in power(tests, options.months, options.records, options.workers):
        print(line, flush=True)
    finders = [steps_found, changepoints, partitions]
    for line in breaks(finders, options.months, options.steps, options.workers):
        print(line, flush=True)


if __name__ == "__main__":
    main()
