"""How often the long records of the sample warn: `python -m bench.records`, for docs/simulate.md.

Each seed is another record of the same ecosystem, concluded about as in the workflow. The sign rests on NDVI alone, so
that no other measure is analysed. Prints Markdown.
"""

import argparse
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml

from tigerbush.analysis.series import read_series
from tigerbush.analysis.warning import early_warning
from tigerbush.sample.records import RECORDS, simulate_record
from tigerbush.variables import NDVI

CONFIG = Path(__file__).parents[1] / "config" / "config.yaml"
SURROGATES = 199  # as in workflow/rules/records.smk


def conclusion(name: str, seed: int) -> tuple[bool | None, tuple[str, ...], float]:
    """Return sign, why and p of a record."""
    settings = yaml.safe_load(CONFIG.read_text())["analysis"] | {
        "mode": "default",
        "surrogates": SURROGATES,
    }
    series = read_series(simulate_record(name, seed), name)
    series = replace(series, vegetation={NDVI: series.vegetation[NDVI]})
    warning = early_warning(series, settings)
    return warning["sign"], tuple(warning["why"]), warning["primary"]["p"]


def main() -> None:
    """Print a row for each record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 21)))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(f"| record | seeds | sign true | false | null | why | p |\n{'|---' * 7}|")
    with ProcessPoolExecutor(options.workers) as pool:
        for name in RECORDS:
            results = list(pool.map(partial(conclusion, name), options.seeds))
            signs = Counter(sign for sign, _, _ in results)
            why = Counter(code for sign, codes, _ in results if sign is None for code in codes)
            print(
                f"| {name} | {len(results)} | {signs[True]} | {signs[False]} | {signs[None]} | "
                f"{', '.join(f'{code} {count}' for code, count in why.items()) or '–'} | "
                f"{' '.join(f'{p:.3f}' for _, _, p in results)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
