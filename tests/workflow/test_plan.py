"""./tigerbush plan for a small configuration, against the run that follows."""

import json

import pytest

from runs import SUMMARIES

pytestmark = pytest.mark.workflow


def test_the_plan_is_what_the_run_does(run):
    output = run.tigerbush("plan", "--configfile", "config.yaml", status=1)
    assert "results/products.tsv does not exist yet; run ./tigerbush discover" in output
    run.tigerbush("discover", "--configfile", "config.yaml")
    plan = json.loads(run.tigerbush("plan", "--configfile", "config.yaml", "--json"))
    assert plan["jobs"] == run.planned()
    assert (plan["products"], plan["dates"], plan["transfer_bytes"]) == (3, 2, 0)
    assert plan["cost"]["total"] > 0
    copied = ("--config", "source={access: storage, path: products}")
    stored = json.loads(run.tigerbush("plan", "--configfile", "config.yaml", *copied, "--json"))
    assert stored["jobs"]["download_product"] == 3
    run.snakemake(SUMMARIES, *copied)
    bytes_copied = sum(path.stat().st_size for path in (run.folder / "results" / "downloads").iterdir())
    # zips also hold names, and every file starts a new block
    assert 0 <= bytes_copied - stored["transfer_bytes"] < 0.1 * bytes_copied
    # finished results cost nothing; the scenes are still to be made
    left = run.tigerbush("plan", SUMMARIES, "scenes", "--configfile", "config.yaml", *copied)
    assert "jobs     5\n" in left
    assert "3 resample_scene" in left
    assert "transfer 0.00 MB" in left
    assert "h of Standard_D4s_v5 (4 CPUs" in left
