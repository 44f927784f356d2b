"""The repairs that `proof.repairs` reverts."""

from dataclasses import dataclass

SLURM = "plugins/snakemake_executor_plugin_slurm_batch"
AZURE = "plugins/snakemake_executor_plugin_azure"
REFUSED, TAKEOVER = "tests/services/test_azure_refused.py", "tests/services/test_azure_takeover.py"
FAULTS = "tests/services/test_azure_faults.py"
STORES, RESULTS = "tests/services/test_odd_stores.py", "tests/services/test_results.py"
ELSEWHERE = "tests/workflow/test_installed_elsewhere.py"
PLUGIN, ATTEMPTS = "tests/unit/test_slurm_plugin.py", "tests/unit/test_slurm_attempts.py"


@dataclass(frozen=True)
class Repair:
    """A repair: what it does, its file, its lines, what replaces them without it, and its test."""

    description: str
    file: str
    old: str
    new: str
    test: str


REPAIRS = [
    Repair(
        "the error of sbatch for a group is reported",
        f"{SLURM}/__init__.py",
        "self._refusal = \" \".join(str(error.__context__ or error).split())",
        "pass",
        f"{PLUGIN}::test_a_group_that_upstream_fails_on_is_told",
    ),
    Repair(
        "a permanent refusal of sbatch is not retried",
        f"{SLURM}/__init__.py",
        "        self._forbid_retries(job)\n        super()._report",
        "        super()._report",
        f"{PLUGIN}::test_other_refusals_end_the_job_with_what_sbatch_said",
    ),
    Repair(
        "a temporary refusal does not count as an attempt",
        f"{SLURM}/__init__.py",
        "if is_temporary(refusal):",
        "if False:",
        f"{PLUGIN}::test_a_refusal_for_now_is_no_attempt",
    ),
    Repair(
        "temporary refusals are counted for status",
        f"{SLURM}/__init__.py",
        "        self._record.count_refusal(refusal)\n",
        "",
        f"{PLUGIN}::test_refusals_are_counted_for_status",
    ),
    Repair(
        "no job is submitted twice after a timeout of sbatch",
        f"{SLURM}/__init__.py",
        "            if self._lost_submission and not self._cancel_untracked(self._list_jobs()):\n",
        "            if False:\n",
        f"{PLUGIN}::test_nothing_is_submitted_until_squeue_has_told_of_copies",
    ),
    Repair(
        "a job ID is found among the lines of a banner",
        f"{SLURM}/__init__.py",
        "        upstream.validate_or_get_slurm_job_id = self._register_job_id\n",
        "",
        "tests/services/test_slurm.py::test_the_sample_gives_the_results_of_one_machine",
    ),
    Repair(
        "only the first word of a state counts",
        f"{SLURM}/__init__.py",
        "upstream_state(state, requeue) for job_id",
        "state for job_id",
        f"{PLUGIN}::test_ends_of_jobs",
    ),
    Repair(
        "a preempted job has ended unless it is requeued (on a cluster)",
        f"{SLURM}/states.py",
        "if word in _DISTINGUISHED or (word == \"PREEMPTED\" and requeue):",
        "if word in _DISTINGUISHED or word == \"PREEMPTED\":",
        "tests/services/test_slurm.py::test_an_interrupted_run_cancels_its_jobs_and_goes_on",
    ),
    Repair(
        "an unknown final state ends the job, which is cancelled",
        f"{SLURM}/__init__.py",
        "            if base_state(state) not in FINAL:\n",
        "            if False:\n",
        f"{PLUGIN}::test_ends_of_jobs",
    ),
    Repair(
        "memory grows only after a job ran out of memory",
        f"{SLURM}/attempts.py",
        "            case \"time\":\n                return replace(self, time=self.time + 1)\n",
        "            case \"time\" | \"external\":\n                return replace(self, time=self.time + 1, memory=self.memory + 1)\n",
        ATTEMPTS,
    ),
    Repair(
        "requests stay within the limits of the partition",
        f"{SLURM}/attempts.py",
        "min(factor * amount, limit or factor * amount)",
        "factor * amount",
        ATTEMPTS,
    ),
    Repair(
        "jobs that can never start are given up (on a cluster)",
        f"{SLURM}/watch.py",
        "return reason if state == \"PENDING\" and _NEVER_STARTS.search(reason) else None",
        "return None",
        "tests/services/test_slurm.py::test_jobs_that_can_never_start_are_given_up",
    ),
    Repair(
        "jobs that SLURM has forgotten are detected",
        f"{SLURM}/watch.py",
        "            return \"\"\n        state, reason",
        "            return None\n        state, reason",
        f"{ATTEMPTS}::test_a_job_that_slurm_has_forgotten",
    ),
    Repair(
        "no job is lost while SLURM does not answer",
        f"{SLURM}/__init__.py",
        "        async for _ in super().check_active_jobs(active_jobs):\n            pass\n        remaining = [info for info in active_jobs if info.external_jobid not in self._ended]\n",
        "        remaining = [info async for info in super().check_active_jobs(active_jobs)]\n",
        f"{PLUGIN}::test_jobs_are_not_lost_when_slurm_does_not_answer",
    ),
    Repair(
        "when all nodes have failed, none is excluded",
        f"{SLURM}/__init__.py",
        "            elif self._failed_nodes > self._excluded_nodes and \"node\" in refusal.lower():\n",
        "            elif False:\n",
        f"{PLUGIN}::test_when_all_nodes_have_failed_none_is_excluded",
    ),
    Repair(
        "SLURM commands that are not on the PATH are named",
        f"{SLURM}/__init__.py",
        "        self._refuse_without_commands()\n",
        "",
        f"{PLUGIN}::test_without_slurm_on_the_path",
    ),
    Repair(
        "SLURM_EXPORT_ENV=NONE is harmless",
        f"{SLURM}/__init__.py",
        "srun -n1 --export=ALL",
        "srun -n1",
        f"{PLUGIN}::test_a_job_is_one_step_on_its_cpus",
    ),
    Repair(
        "scripts import the library beside them",
        "workflow/rules/python.smk",
        "    return f\"import sys; sys.path.insert(0, {str(folder)!r})\\n{original(script)}\"\n",
        "    return original(script)\n",
        f"{ELSEWHERE}::test_jobs_import_the_library_of_their_checkout",
    ),
    Repair(
        "rules import the library of their checkout",
        "workflow/rules/library.smk",
        "\nprefer_own_library()\n",
        "\nsys.path.append(str(SCRIPTS))\n",
        f"{ELSEWHERE}::test_jobs_import_the_library_of_their_checkout",
    ),
    Repair(
        "rules do not use a library that another workflow has loaded",
        "workflow/rules/library.smk",
        "            del sys.modules[name]\n",
        "            pass\n",
        f"{ELSEWHERE}::test_another_version_that_the_user_has_loaded",
    ),
    Repair(
        "scripts start where Python's path has a space",
        "workflow/rules/python.smk",
        "        options[\"py_exec\"] = shlex.quote(options[\"py_exec\"])\n",
        "        pass\n",
        f"{ELSEWHERE}::test_jobs_import_the_library_of_their_checkout",
    ),
    Repair(
        "submitted jobs start where Python's path has a space",
        "workflow/rules/python.smk",
        "    return shlex.quote(original(executor))\n",
        "    return original(executor)\n",
        "tests/services/test_slurm_checkout.py::test_jobs_of_a_checkout_in_a_folder_with_a_space",
    ),
    Repair(
        "groups do not grow while a run is planned",
        "workflow/rules/start.smk",
        "    dag.group_job_factory.cache.clear()\n",
        "",
        "tests/workflow/test_slurm_requests.py",
    ),
    Repair(
        "a submitted job does not retry its rules itself",
        "workflow/rules/start.smk",
        "    Job.restart_times = 0\n",
        "    pass\n",
        "tests/workflow/test_slurm_requests.py::test_a_job_does_not_try_its_rules_again",
    ),
    Repair(
        "mem_mb_per_cpu is refused",
        "workflow/rules/start.smk",
        "    refuse_memory_per_cpu()\n    refuse_local",
        "    refuse_local",
        "tests/workflow/test_config.py -k memory_per_cpu",
    ),
    Repair(
        "a listing that repeats a name is ended",
        "workflow/scripts/tigerbush/sources/store.py",
        "seen & marks or ",
        "",
        f"{STORES}::test_an_endless_listing",
    ),
    Repair(
        "a server that never stops sending is abandoned",
        "workflow/scripts/tigerbush/sources/retries.py",
        "result.result(STEP_SECONDS)",
        "result.result()",
        f"{STORES}::test_a_server_that_never_stops_sending",
    ),
    Repair(
        "a wait for a server is logged",
        "workflow/scripts/tigerbush/sources/retries.py",
        "        log.warning(\"%s; retrying",
        "        log.debug(\"%s; retrying",
        f"{STORES}::test_a_wait_is_reported",
    ),
    Repair(
        "a zip is not written behind a link",
        "workflow/scripts/tigerbush/cli/results/pull.py",
        "        if path.is_symlink():\n",
        "        if False:\n",
        f"{RESULTS}::test_links_are_neither_read_nor_written_behind",
    ),
    Repair(
        "links among results are skipped",
        "workflow/scripts/tigerbush/cli/results/storage.py",
        "        if not stat.S_ISREG(status.st_mode):\n",
        "        if False:\n",
        f"{RESULTS}::test_links_are_neither_read_nor_written_behind",
    ),
    Repair(
        "names that differ only in case are reported",
        "workflow/scripts/tigerbush/cli/results/names.py",
        "if len(group) > 1",
        "if False",
        f"{RESULTS}::test_names_that_other_systems_cannot_keep",
    ),
    Repair(
        "the library checks access to a store before Snakemake's plugin uses it",
        "workflow/rules/store.smk",
        "        call_store(lambda: open_store().size_of(key))\n",
        "        pass\n",
        "tests/services/test_s3.py::test_storage_is_first_tried_by_the_library",
    ),
    Repair(
        "a dry run checks login and container",
        "workflow/scripts/tigerbush/runs/guard.py",
        "                        lock().check_access()\n",
        "                        pass\n",
        f"{REFUSED}::test_a_run_reports_it_before_it_plans",
    ),
    Repair(
        "an upload creates no container, and a later refusal is one sentence",
        "workflow/rules/blob.smk",
        "    @wrap_method(StorageObject, \"store_object\")\n",
        "    @wrap_method(StorageObject, \"inventory\")\n",
        f"{REFUSED}::test_a_refusal_later",
    ),
    Repair(
        "a refusal by a firewall is not reported as a missing role",
        "workflow/scripts/tigerbush/runs/blob_errors.py",
        "    if status == 403 and code in _NETWORK:\n",
        "    if False:\n",
        f"{REFUSED}::test_a_network_that_is_not_allowed",
    ),
    Repair(
        "an incomplete login is refused in one sentence",
        "plugins/tigerbush_azure.py",
        "    check_login()\n    path",
        "    path",
        "tests/unit/test_azure_plugin.py::test_an_incomplete_login",
    ),
    Repair(
        "tasks of a dead run that succeeded are taken over",
        f"{AZURE}/takeover.py",
        "        if names and names <= succeeded:\n",
        "        if False:\n",
        f"{TAKEOVER}::test_the_main_process_is_killed",
    ),
    Repair(
        "tasks that finished after the last poll are taken over",
        f"{AZURE}/__init__.py",
        "            accept_outputs(self.workflow.persistence, self.in_flight[task])\n",
        "            pass\n",
        f"{TAKEOVER}::test_an_interrupted_run_keeps_what_has_ended_since_the_last_poll",
    ),
    Repair(
        "a run that holds its lease deletes what is left of it",
        f"{AZURE}/__init__.py",
        "        if self.holds_lease():\n            raise WorkflowError(",
        "        if False:\n            raise WorkflowError(",
        f"{FAULTS}::test_the_job_is_gone",
    ),
    Repair(
        "a run without its lease deletes nothing",
        f"{AZURE}/__init__.py",
        "        if self.holds_lease():\n            raise WorkflowError(",
        "        if True:\n            raise WorkflowError(",
        f"{FAULTS}::test_the_job_and_the_lease_are_gone",
    ),
    Repair(
        "SIGTERM deletes the pool immediately",
        f"{AZURE}/__init__.py",
        "            signal.signal(signal.SIGTERM, _interrupt)\n",
        "            pass\n",
        f"{FAULTS}::test_sigterm_ends_it_like_ctrl_c",
    ),
    Repair(
        "a pool is resized again when nodes are missing",
        f"{AZURE}/__init__.py",
        "        if resize:\n            self.resize()\n",
        "",
        f"{FAULTS}::test_a_kept_pool_with_an_old_error",
    ),
    Repair(
        "unusable nodes are named",
        f"{AZURE}/capacity.py",
        "            if name not in self.reported and (overdue or start_task_failed(node)):\n",
        "            if name not in self.reported and start_task_failed(node):\n",
        "tests/unit/test_azure_capacity.py",
    ),
    Repair(
        "a reused job ID is another job",
        f"{SLURM}/__init__.py",
        "        self._ended.discard(job_id)\n",
        "",
        f"{PLUGIN}::test_a_reused_job_id_is_another_job",
    ),
    Repair(
        "a scancel that does not answer does not end the run",
        f"{SLURM}/__init__.py",
        "        except (OSError, subprocess.TimeoutExpired):\n",
        "        except ZeroDivisionError:\n",
        f"{PLUGIN}::test_scancel_does_not_answer",
    ),
    Repair(
        "nothing is submitted after SIGTERM",
        f"{SLURM}/__init__.py",
        "return self._ending.is_set() or bool(getattr(self.workflow.scheduler, \"_user_kill\", None))",
        "return self._ending.is_set()",
        f"{PLUGIN}::test_after_sigterm_nothing_is_submitted",
    ),
    Repair(
        "a task is added only once when the response was lost",
        f"{AZURE}/retries.py",
        "        added = status == 409 and ",
        "        added = False and ",
        f"{FAULTS}::test_nodes_are_lost_and_polls_fail",
    ),
    Repair(
        "a run started right after Ctrl-C waits for Batch to finish deleting",
        f"{AZURE}/takeover.py",
        "status not in {409, 429} and status < 500:\n",
        "status != 429:\n",
        f"{FAULTS}::test_a_run_right_after_ctrl_c",
    ),
    Repair(
        "nodes that have worked are requested again whatever the quota says",
        f"{AZURE}/capacity.py",
        "quota = not self.has_worked and any(",
        "quota = any(",
        "tests/unit/test_azure_capacity.py::test_quota_for_some_of_the_nodes_only",
    ),
]  # fmt: skip
