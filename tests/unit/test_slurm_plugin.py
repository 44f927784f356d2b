"""The plugin without SLURM: the commands of jobs. Runs are in tests/services/test_slurm.py."""

from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as upstream
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_slurm_batch import Executor

COMMAND = "cd /home && /env/bin/python -m snakemake --target-jobs x:y=-m snakemake"


@pytest.fixture
def executor(monkeypatch):
    monkeypatch.setattr(upstream.Executor, "format_job_exec", lambda self, job: COMMAND)
    monkeypatch.setattr(upstream.Executor, "get_python_executable", lambda self: "/env/bin/python")
    return Executor.__new__(Executor)


def test_a_job_is_one_step_on_its_cpus(executor):
    job = SimpleNamespace(threads=3, resources={})
    start = "cd /home && srun -n1 --cpu-bind=q --cpus-per-task=3 /env/bin/python -m snakemake --target-jobs"
    assert executor.format_job_exec(job) == f"{start} x:y=-m snakemake"
    # the executor of a job is the default, local
    assert executor.additional_general_args() == ""


def test_ranks_are_started_by_their_rule(executor):
    job = SimpleNamespace(threads=1, resources={"mpi": "srun --mpi=pmix", "tasks": 4})
    assert executor.format_job_exec(job) == COMMAND


def test_job_arrays_are_refused(executor):
    executor.workflow = SimpleNamespace(executor_settings=SimpleNamespace(array_jobs="all"))
    with pytest.raises(WorkflowError, match="leave slurm-batch-array-jobs unset and use groups"):
        executor.__post_init__()
