"""Simulate the embedded sample: its products, its weather and the truth behind them."""

from pathlib import Path

from tigerbush.job import job_log
from tigerbush.sample.simulate import simulate_products

if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        simulate_products(Path(snakemake.output.truth).parent)
