"""A real SLURM cluster: several nodes on this host, each with its own slurmd.

Only one can exist on a host, because job steps look up their controller in /etc/slurm/slurm.conf only. Starting one takes a
lock on the host, for which others wait. The configuration of a real cluster is never replaced.

    with slurm_cluster(nodes=2) as cluster:
        cluster.run("sinfo")
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from processes import comm, ends_of_logs, kill, processes_with, wait_until, with_descendants
from seaweedfs import free_port
from skipping import skip_unless_ci
from slurm_files import SLURM_CONF, SLURMDBD_CONF

CONFIGURATION = Path("/etc/slurm/slurm.conf")
LOCK = Path(tempfile.gettempdir()) / "tigerbush-slurm.lock"
# the first line of our configuration; the folder of the cluster follows
MARK = "# a test cluster of tigerbush in "
PROGRAMS = ("slurmctld", "slurmd", "munged", "srun")
ACCOUNTING_PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db")
ACCOUNT, PARTITION = "tests", "all"
PMIX = Path("/usr/lib/x86_64-linux-gnu/pmix2/lib")


class Cluster:
    """The running cluster.

    Attributes
    ----------
    folder : Path
        Configuration, logs (`log/`) and state.
    nodes : list of str
        n1, n2, ...
    """

    def __init__(self, folder: Path, nodes: int, cpus: int, memory_mb: int, accounting: bool, extra: str):
        self.folder = folder
        self.accounting = accounting
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self.ports = {name: free_port() for name in ("ctld", "dbd", "sql", *self.nodes)}
        for name in (
            "run",
            "log",
            "state",
            "sql",
            *(f"{kind}/{node}" for kind in ("spool", "local") for node in self.nodes),
        ):
            (folder / name).mkdir(parents=True)
        self._write("munge.key", secrets.token_bytes(1024), 0o400)
        self._write("slurm.conf", self._slurm_conf(cpus, memory_mb, extra).encode(), 0o644)
        self._write("slurmdbd.conf", self._slurmdbd_conf().encode(), 0o600)

    def start(self) -> None:
        self._spawn("munged", "--foreground", "--force", *self._munge_files())
        wait_until(self._munge_socket().exists, 20, "munged does not listen", self.folder)
        if self.accounting:
            self._start_accounting()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_idle()

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        """Run a command such as squeue and return its output."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self.logs()}"
        return done.stdout

    def jobs(self, states: str = "all") -> dict[str, dict[str, str]]:
        """Return the jobs that the controller knows, by ID: state, name, comment, node."""
        lines = self.run("squeue", "--noheader", f"--states={states}", "--format=%i|%T|%j|%k|%N").splitlines()
        rows = [line.split("|") for line in lines]
        return {row[0]: dict(zip(("state", "name", "comment", "node"), row[1:], strict=True)) for row in rows}

    def wait_idle(self, nodes: list[str] | None = None, seconds: float = 60) -> None:
        """Wait until nodes (all by default) accept jobs."""
        expected = set(nodes or self.nodes)

        def idle():
            rows = self.run("sinfo", "--noheader", "--Node", "--format=%N %t", check=False).splitlines()
            return expected <= {row.split()[0] for row in rows if row.split()[1] in ("idle", "mix", "alloc")}

        wait_until(idle, seconds, "nodes do not come up", self.folder)

    def start_node(self, node: str) -> None:
        self._spawn("slurmd", "-D", "-N", node, "-f", str(self.folder / "slurm.conf"), node=node)

    def kill_node(self, node: str) -> None:
        """Simulate a power cut: the slurmd, its steps and their jobs end at once."""
        kill(with_descendants(processes_with(f"TIGERBUSH_NODE={self.folder}/{node}")))

    def start_controller(self) -> None:
        """Start slurmctld; after `stop_controller` it restores its jobs and nodes."""
        self._spawn("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))

        def answers():
            return "is UP" in self.run("scontrol", "ping", check=False)

        wait_until(answers, 60, "slurmctld does not answer", self.folder)

    def stop_controller(self) -> None:
        """Stop slurmctld as an administrator does, so that it saves its state; killed, it would lose the latest jobs."""
        kill(self._programs("slurmctld"), signal.SIGTERM)

    def logs(self) -> str:
        return ends_of_logs(self.folder)

    def _start_accounting(self) -> None:
        """Start a database and slurmdbd, and create the account `tests`."""
        data, sock = self.folder / "sql", self.folder / "run" / "sql.socket"
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db",
                 "--auth-root-authentication-method=normal", "--skip-name-resolve")  # fmt: skip
        self._spawn("mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={sock}", "--user=root",
                    "--bind-address=127.0.0.1", f"--port={self.ports['sql']}", "--skip-grant-tables",
                    "--innodb-flush-log-at-trx-commit=0", "--innodb-lock-wait-timeout=900")  # fmt: skip
        wait_until(lambda: listens(self.ports["sql"]), 60, "mariadbd does not listen", self.folder)
        self._spawn("slurmdbd", "-D")
        wait_until(lambda: listens(self.ports["dbd"]), 60, "slurmdbd does not listen", self.folder)

        def account_exists():
            self.run("sacctmgr", "--immediate", "add", "cluster", "tigerbush", check=False)
            self.run("sacctmgr", "--immediate", "add", "account", ACCOUNT, check=False)
            self.run("sacctmgr", "--immediate", "add", "user", "root", f"account={ACCOUNT}", check=False)
            return ACCOUNT in self.run(
                "sacctmgr", "--noheader", "list", "user", "root", "withassoc", check=False
            )

        wait_until(account_exists, 60, "sacctmgr creates no account", self.folder)

    def _spawn(self, program: str, *arguments: str, node: str = "") -> None:
        """Start a daemon that can be found by its environment when its parent has ended."""
        environment = os.environ | {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "TIGERBUSH_SLURM": str(self.folder),
            "TIGERBUSH_NODE": f"{self.folder}/{node}",
        }
        with (self.folder / "log" / f"{program}{node}.out").open("ab") as log:
            subprocess.Popen(
                [shutil.which(program, path=search_path()), *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _programs(self, name: str) -> list[int]:
        return [pid for pid in processes_with(f"TIGERBUSH_SLURM={self.folder}") if comm(pid) == name]

    def _write(self, name: str, content: bytes, mode: int) -> None:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)

    def _munge_socket(self) -> Path:
        return self.folder / "run" / "munge.socket"

    def _munge_files(self) -> list[str]:
        run = self.folder / "run"
        return [
            f"--key-file={self.folder / 'munge.key'}",
            f"--socket={self._munge_socket()}",
            f"--pid-file={run / 'munged.pid'}",
            f"--seed-file={run / 'munged.seed'}",
            f"--log-file={self.folder / 'log' / 'munged.log'}",
        ]

    def _slurm_conf(self, cpus: int, memory_mb: int, extra: str) -> str:
        folder, host = self.folder, socket.gethostname().partition(".")[0]
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.ports[node]} CPUs={cpus} "
            f"RealMemory={memory_mb} State=UNKNOWN"
            for node in self.nodes
        )
        return SLURM_CONF.format(
            mark=MARK,
            folder=folder,
            host=host,
            munge=self._munge_socket(),
            storage="slurmdbd" if self.accounting else "none",
            extra=extra,
            nodes=nodes,
            partition=PARTITION,
            **self.ports,
        )

    def _slurmdbd_conf(self) -> str:
        return SLURMDBD_CONF.format(folder=self.folder, munge=self._munge_socket(), **self.ports)


@contextmanager
def slurm_cluster(
    nodes: int = 2, cpus: int = 4, memory_mb: int = 8000, accounting: bool = False, extra: str = ""
):
    """Run a cluster; wait for other test clusters on this host, clean up after killed ones, leave nothing behind.

    Parameters
    ----------
    nodes, cpus, memory_mb
        The number of nodes, and what each of them claims to have.
    accounting
        Also start a database and slurmdbd (4 to 10 s), for sacct and the account `tests`.
    extra
        Further lines of slurm.conf.
    """
    require(PROGRAMS + (ACCOUNTING_PROGRAMS if accounting else ()))
    with host_lock():
        clean_up()
        link_pmix()
        folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        folder.chmod(0o755)
        cluster = Cluster(folder, nodes, cpus, memory_mb, accounting, extra)
        shutil.copy(folder / "slurm.conf", CONFIGURATION)
        try:
            cluster.start()
            yield cluster
        finally:
            clean_up()


def require(programs) -> None:
    """Skip the test, or fail in CI, when no cluster can be started here."""
    if os.geteuid() != 0:
        skip_unless_ci("a test cluster needs root")
    missing = [name for name in programs if shutil.which(name, path=search_path()) is None]
    if missing:
        skip_unless_ci(
            f"a test cluster needs {', '.join(missing)} (Debian: slurm-wlm, munge, mariadb-server)"
        )


def clean_up() -> None:
    """Stop the test cluster that /etc/slurm/slurm.conf names, if any; never touch a real one."""
    if not CONFIGURATION.exists():
        return
    first = CONFIGURATION.read_text().partition("\n")[0]
    if not first.startswith(MARK):
        pytest.fail(
            f"{CONFIGURATION} belongs to a real cluster; run the SLURM tests on a machine without one."
        )
    folder = Path(first.removeprefix(MARK))
    kill(with_descendants(processes_with(f"TIGERBUSH_SLURM={folder}")))
    shutil.rmtree(folder, ignore_errors=True)
    CONFIGURATION.unlink()


def link_pmix() -> None:
    """Create libpmix.so, which `srun --mpi=pmix` opens and Debian has only in a development package."""
    library = PMIX / "libpmix.so"
    if not library.exists() and (PMIX / "libpmix.so.2").exists():
        library.symlink_to("libpmix.so.2")


@contextmanager
def host_lock(seconds: float = 1800):
    """Allow only one cluster on this host at a time."""
    with LOCK.open("a") as file:

        def locked():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(locked, seconds, f"another test cluster holds {LOCK}")
        yield


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def search_path() -> str:
    """Return PATH with the folders of daemons, which are not in that of every shell."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
