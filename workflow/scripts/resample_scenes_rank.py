"""One rank of the rule resample_scenes, started by the MPI launcher: a share of the products."""

import logging
import sys
from pathlib import Path

from tigerbush.files import write_json
from tigerbush.scenes.ranks import run_rank

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    job, report = map(Path, sys.argv[1:])
    outcomes = run_rank(job)
    if outcomes is not None:
        write_json(report, outcomes)
