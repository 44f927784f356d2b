"""Run `python -m snakemake`, scripts and ./tigerbush as forks of a process that has imported what they need.

Runs on small products spend most of their time on imports: 2.5 of the 3.5 s of CPU of a start of Snakemake, 0.5 of the
0.6 s of a job. A fork already has the third-party modules; it runs as its own process, with its own working directory and
environment, and imports tigerbush itself. Jobs on SLURM and Azure and runs that are interrupted are started as users
start them, and so is ./tigerbush in its own tests.

multiprocessing's forkserver would do only the forking. It serves the process that has started it, whereas Snakemake and
its shells start `python` for each script. It calls a function, whereas a program has to run: exit handlers are not called,
standard input is empty, the main module of pytest is imported first, and code that uses multiprocessing finds itself in a
child whose start method is `forkserver`. Arguments, descriptors 0 to 2, folder, environment and process group would have
to be handed over by hand as well, and so would the death of the client. And it silently skips modules that it cannot
preload.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# environment variable with the python by which a forked Snakemake starts scripts, and ./tigerbush starts Snakemake
VARIABLE = "TIGERBUSH_WARM"


@functools.cache
def warm_python() -> str:
    """Return the path of a python whose runs are forked, until this test session ends."""
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    python = Path(folder.name) / "python"
    # without site-packages it starts in 0.03 s; by a shell, as what pip writes, since the path may have a space
    start = f"#!/bin/sh\n'''exec' \"{sys.executable}\" -SI \"$0\" \"$@\"\n' '''\n"
    python.write_text(start + (HERE / "warm_python.py").read_text())
    python.chmod(0o700)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    server = subprocess.Popen(
        [sys.executable, __file__, python.with_name("socket")],
        env=environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    atexit.register(folder.cleanup)
    atexit.register(os.killpg, server.pid, signal.SIGKILL)
    assert server.stdout.readline() == b"ready\n", "the server of warm.py does not start; see above"
    return str(python)


def import_all() -> None:
    """Import what Snakemake and the scripts import, and unload the modules of this project."""
    from snakemake.cli import get_argument_parser

    # imports the plugins
    get_argument_parser()
    scripts = HERE.parent / "workflow" / "scripts"
    sys.path.insert(0, str(scripts))
    for path in scripts.glob("*.py"):
        importlib.import_module(path.stem)
    del sys.path[0]
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(scripts)):
            del sys.modules[name]
    # the garbage collector would write to, and so copy, all memory that forks share
    gc.collect()
    gc.freeze()


def serve(address: str) -> list[str]:
    """Fork for each request; only a fork returns, with the arguments of the python that it becomes."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("ready", flush=True)
    # forks that have ended leave no zombies
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            return answer(connection)
        connection.close()


def answer(connection: socket.socket) -> list[str]:
    """Handle a request in a fork of its own, and send back the exit status."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as stream:
        request = json.load(stream)
    if pid := os.fork():
        wait(pid, connection)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.setsid()
    connection.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    return request["arguments"]


def wait(pid: int, connection: socket.socket) -> None:
    """Wait for the end of a fork; if its client dies first, kill the fork and all that it has started."""
    end = os.pidfd_open(pid)
    events = select.poll()
    events.register(end, select.POLLIN)
    # reports that the client is gone, not that it has sent everything
    events.register(connection, 0)
    if end not in dict(events.poll()):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def become(arguments: list[str]) -> None:
    """Do what `python` does with these arguments."""
    # the server runs without PYTHONPATH
    sys.path[:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if safe := arguments[0] == "-P":
        arguments = arguments[1:]
    if module := arguments[0] == "-m":
        arguments = arguments[1:]
        sys.executable = os.environ.get(VARIABLE, sys.executable)
    if not safe:
        sys.path.insert(0, str(Path.cwd() if module else Path(arguments[0]).parent))
    sys.argv = arguments
    if module:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(arguments[0], run_name="__main__")


class ExitWithoutCleanup:
    """End a fork at the very end of its exit, without freeing its memory, which would be copied for that."""

    status = 1

    def __call__(self):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.status)


if __name__ == "__main__":
    # the handler that is registered first is called last
    leave = atexit.register(ExitWithoutCleanup())
    import_all()
    arguments = serve(sys.argv[1])
    try:
        become(arguments)
        leave.status = 0
    except SystemExit as error:
        leave.status = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
