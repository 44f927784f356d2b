"""Simulate a long record of the sample's ecosystem, without images and products."""

from pathlib import Path

from tigerbush.files import write_json
from tigerbush.job import job_log
from tigerbush.sample.records import simulate_record

if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        write_json(Path(snakemake.output.summary), simulate_record(snakemake.wildcards.record))
