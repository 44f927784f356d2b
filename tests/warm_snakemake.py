"""`python -m snakemake`, forked from a process that has imported it: of 3 s of CPU a start then costs one.

Snakemake imports every plugin that is installed. A run of its own imports nothing less: the fork holds what
`python -m snakemake` would have imported, in a process, a working directory and an environment of its own. Jobs on SLURM
and Azure, runs that are interrupted and those of ./tigerbush start as users start them.
"""

import atexit
import functools
import json
import os
import runpy
import select
import signal
import subprocess
import sys


class Starter:
    """The process that forks.

    A line of JSON asks for a run: arguments, folder, environment, output. Its exit status is answered.
    """

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.process.stdin.close)

    def run(
        self, arguments: list[str], folder: str, environment: dict[str, str], output: str, seconds: float
    ) -> int:
        """Run snakemake to its end, with what it prints in a file, and return its exit status."""
        request = {"arguments": arguments, "folder": folder, "environment": environment, "output": output}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            os.killpg(self.process.pid, signal.SIGKILL)
            starter.cache_clear()
            raise TimeoutError(f"snakemake {arguments} did not end within {seconds:g} s; see {output}")
        return int(self.process.stdout.readline())


@functools.cache
def starter() -> Starter:
    """Return the one of this test session."""
    return Starter()


def serve() -> None:
    """Fork for each request; a fork returns, to become snakemake."""
    from snakemake.cli import get_argument_parser

    # which imports the plugins
    get_argument_parser()
    while line := sys.stdin.readline():
        request = json.loads(line)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            become(**request)
            return
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit()


def become(arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """Take what a new process is given."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    sys.argv = ["snakemake", *arguments]
    printed = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)


if __name__ == "__main__":
    serve()
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
