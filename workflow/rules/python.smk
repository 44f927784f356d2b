"""How Snakemake starts Python: with the library of this workflow, and in a folder of any name."""

import shlex
from pathlib import Path

from snakemake.script import PythonScript
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


@wrap_method(PythonScript, "get_preamble")
def prefer_library_beside_script(original, script):
    """Snakemake 9.27 appends the folder of a script to Python's path: an installed tigerbush, or one on PYTHONPATH, would win."""
    folder = Path(script.local_path if script.is_local else script.cache_path).resolve().parent
    first = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        if (folder / "tigerbush/__init__.py").is_file()
        else ""
    )
    return first + original(script)


@wrap_method(PythonScript, "_execute_cmd")
def quote_python_of_script(original, script, command, **options):
    """Snakemake 9.27 writes Python's path into the command of a script as it is."""
    if "py_exec" in options:
        options["py_exec"] = shlex.quote(options["py_exec"])
    return original(script, command, **options)


@wrap_method(RemoteExecutor, "get_python_executable")
def quote_python_of_job(original, executor):
    """And into the command of a job that it submits."""
    return shlex.quote(original(executor))
