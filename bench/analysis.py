"""Rows for the analysis of many sites, from their summaries."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from bench.table import Row, in_child
from tigerbush.analysis.series import read_series, tidy_rows, write_series
from tigerbush.analysis.site import analyse_site
from tigerbush.analysis.sites import compare
from tigerbush.files import read_json, write_json
from tigerbush.summary.results import VEGETATION_COLLECTION, WEATHER_COLLECTION

ROOT = Path(__file__).parents[1]
PARTS = 16


def summary(seed: int, dates: int) -> dict:
    """Return the summary of a site: AR(1) around a seasonal cycle, 16 sub-images, a tenth of the dates without data."""
    random = np.random.default_rng(seed)
    days = [f"{2016 + i // 12}-{i % 12 + 1:02}-16" for i in range(dates)]
    state, series, weather = 0.0, {}, {}
    for i, day in enumerate(days):
        state = 0.6 * state + random.normal(0, 0.02)
        index = 0.3 + state + 0.1 * np.cos(2 * np.pi * i / 12) + random.normal(0, 0.01, PARTS)
        series[day] = None if random.random() < 0.1 else [
            {"latitude": 13 + k / 200, "longitude": 2.6, "date": day, "offset50": round(-2000 * value),
             "ndvi_mean": value, "ndvi_veg": 127.5 * (value + 1.1), "n_obs": 2.0}
            for k, value in enumerate(index.tolist())
        ]  # fmt: skip
        weather[day] = {"total_precipitation": random.gamma(2, 0.02), "mean_2m_air_temperature": 300.0}
    return {
        WEATHER_COLLECTION: {"type": "weather", "time-series-data": weather},
        VEGETATION_COLLECTION: {"type": "vegetation", "time-series-data": series},
        "metadata": {"coords_id": f"site{seed:03}"},
    }


def analyse(folder: Path, sites: int, settings: dict) -> None:
    """Analyse every summary of a folder."""
    paths = sorted(folder.glob("*.summary.json"))[:sites]
    for path in paths:
        series = read_series(read_json(path), path.name)
        write_series(tidy_rows(series), path.with_suffix(".csv"), path.with_suffix(".parquet"))
        write_json(folder / path.name.replace("summary", "analysis"), analyse_site(series, settings))


def compare_many(folder: Path, sites: int, settings: dict) -> None:
    """Compare so many sites, of which the analyses of a folder are used again and again."""
    paths = sorted(folder.glob("*.analysis.json"))
    analyses = (read_json(paths[i % len(paths)]) | {"site": f"site{i}"} for i in range(sites))
    write_json(folder / "sites.json", compare(analyses, **settings["fdr"]))


def analysis(small: bool) -> Iterator[Row]:
    """Measure, each in its own process, the analysis of sites, which do not know of others, and comparisons of many."""
    settings = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {"mode": "default"}
    dates, sites, numbers = (48, 2, (2, 4)) if small else (60, 25, (100, 1000, 10_000))
    if small:
        settings |= {"surrogates": 99, "repetitions": 2}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(sites):
            (folder / f"site{seed:03}.summary.json").write_text(json.dumps(summary(seed, dates)))
        usage = in_child(analyse, folder, sites, settings)
        title = f"analysis of {sites} sites of {dates} dates, from summary to table"
        yield Row(title, usage.seconds, f"{usage.seconds / sites:.2f} s per site", usage.peak)
        for number in numbers:
            usage = in_child(compare_many, folder, number, settings)
            yield Row(
                f"comparison of {number} of them",
                usage.seconds,
                f"{1000 * usage.seconds / number:.1f} ms per site",
                usage.peak,
            )
