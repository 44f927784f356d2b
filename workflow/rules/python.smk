"""How Snakemake starts Python: with the library of this workflow, and in a folder of any name."""

import shlex
from pathlib import Path

from snakemake.script import PythonScript
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


@wrap_method(PythonScript, "get_preamble")
def prefer_library_beside_script(original, script):
    """Put the folder of a script first on Python's path: Snakemake 9.27 appends it, so an installed tigerbush would win."""
    folder = Path(script.local_path if script.is_local else script.cache_path).resolve().parent
    if not (folder / "tigerbush" / "__init__.py").is_file():
        return original(script)
    return f"import sys; sys.path.insert(0, {str(folder)!r})\n{original(script)}"


@wrap_method(PythonScript, "_execute_cmd")
def quote_python_of_script(original, script, command, **options):
    """Quote the path of Python in the command of a script, which Snakemake 9.27 does not."""
    if "py_exec" in options:
        options["py_exec"] = shlex.quote(options["py_exec"])
    return original(script, command, **options)


@wrap_method(RemoteExecutor, "get_python_executable")
def quote_python_of_job(original, executor):
    """Quote the path of Python in the command of a submitted job."""
    return shlex.quote(original(executor))
