"""What the profile requests from SLURM, by an sbatch that records it and refuses. Runs are in tests/services/test_slurm.py."""

import os
import re

import pytest

from fabricate import ROOT, name_of, scene_of
from runs import BASE, SUMMARIES, Run
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow

DAYS = ("20170110", "20170210", "20170310", "20170410", "20170510", "20170610")
REFUSAL = "The job could not be submitted: Batch job submission failed: Invalid account"


class Refusing(Run):
    """A working directory with SLURM commands that accept no job."""

    def __init__(self, folder):
        super().__init__(
            folder, BASE | {"period": {"start": "2017-01-01", "end": "2017-07-01", "step": "1m"}}
        )
        self.asked = folder / "asked"
        programs = folder / "bin"
        programs.mkdir()
        refuse = "echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1"
        others = dict.fromkeys(("sacct", "sacctmgr", "scancel", "scontrol", "sinfo", "squeue"), "")
        for name, line in ({"sbatch": f'echo "$@" >> {self.asked}; {refuse}'} | others).items():
            (programs / name).write_text(f"#!/bin/sh\n{line}\n")
            (programs / name).chmod(0o755)
        self.variables = {"PATH": f"{programs}:{os.environ['PATH']}"}

    def submitted(self, *arguments, status=1):
        """The requests: memory in MB, minutes and CPUs of each job."""
        self.asked.write_text("")
        self.printed = self.forked(
            ["--snakefile", str(ROOT / "workflow" / "Snakefile"), "--configfile", "config.yaml",
             "--profile", str(ROOT / "profiles" / "slurm"), SUMMARIES, *arguments], status,
        )  # fmt: skip
        pattern = r"-t (\d+) --mem (\d+) .*?--cpus-per-task=(\d+)"
        return sorted(
            (int(memory), int(minutes), int(cpus))
            for minutes, memory, cpus in re.findall(pattern, self.asked.read_text())
        )


def test_full_groups_fit_a_node_of_8_gb_and_a_partition_of_an_hour(tmp_path):
    run = Refusing(tmp_path / "work")
    for seed, day in enumerate(DAYS):
        write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
    # four products and two, submitted once: another attempt would be refused as well
    assert run.submitted() == [(2000, 40, 2), (4000, 40, 4)]
    assert run.printed.count("Trying to restart") == 0
    assert f"2 job(s) failed in SLURM: {REFUSAL}" in run.printed
    printed = run.tigerbush("status", "--configfile", "config.yaml", status=1)
    assert f"2 job(s) failed in SLURM: {REFUSAL}" in printed
    run.snakemake(*(f"results/windows/{name_of(day)}/0.zip" for day in DAYS))
    assert run.submitted() == [(4000, 35, 4), (6000, 40, 4)]


def test_a_job_does_not_try_its_rules_again(tmp_path):
    """The process that submits counts the attempts, and requests more memory where that was too little."""
    run = Run(tmp_path / "work", BASE)
    (run.folder / "products").mkdir()
    snakefile = run.folder / "Snakefile"
    snakefile.write_text(
        f'include: "{ROOT}/workflow/Snakefile"\nrule fails:\n    output: "x.txt"\n    retries: 2\n'
        '    shell: "echo once >> tries; false"\n'
    )
    as_job = ("--mode", "subprocess", "--target-jobs", "fails:", "--allowed-rules", "fails")
    for arguments, tries in ((as_job, 1), (("x.txt",), 3)):
        run.snakemake(*arguments, status=1, snakefile=snakefile)
        assert (run.folder / "tries").read_text().split() == ["once"] * tries
        (run.folder / "tries").unlink()


def test_each_date_of_a_batch_is_a_job(tmp_path):
    run = Refusing(tmp_path / "work")
    run.configure(run.config | {"run": {"detail": "numbers"}})
    for seed, day in enumerate(DAYS[:3]):
        write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
    run.snakemake(*(f"results/windows/{name_of(day)}/0.zip" for day in DAYS[:3]))
    assert run.submitted() == [(1500, 20, 1)] * 3
