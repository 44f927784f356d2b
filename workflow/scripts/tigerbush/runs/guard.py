"""One run at a time on the same results, and the end of a run that has lost them."""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from tigerbush.errors import TigerbushError
from tigerbush.runs.lock_file import LockFile
from tigerbush.runs.mark import LostLockError, Mark, kill_descendants, new_mark
from tigerbush.runs.takeover import Takeover


class Lock(Protocol):
    """A lock on results, which holds the mark of the run that has acquired it."""

    name: str
    renew_seconds: float

    def check_access(self) -> None:
        """See that the results can be read."""

    def acquire(self, mark: Mark, takeover: Takeover, notify: Callable[[str], None]) -> None:
        """Mark the results as those of this run."""

    def renew(self, mark: Mark) -> None:
        """Give a heartbeat."""

    def update(self, mark: Mark) -> None:
        """Replace the mark of this run."""

    def release(self, mark: Mark) -> None:
        """Remove the mark of this run."""

    def unlock(self, mark: Mark, takeover: Takeover) -> None:
        """Remove the mark of a dead run."""


def results_lock(results: Path, service: object = None, prefix: str | None = None) -> Lock:
    """Return the lock on results: in a container of Blob storage if there is a service, else in a folder."""
    if service is None:
        return LockFile(results)
    # slow to import, and only needed here
    from tigerbush.runs.lease import BlobLease

    return BlobLease(service, prefix or "")


@dataclass
class HeldLock:
    """A lock that this run holds, and its mark."""

    lock: Lock
    mark: Mark


# of this process; more than one when another workflow includes this one twice as a module
_held_locks: list[HeldLock] = []


def guard(
    workflow: Any,
    lock: Callable[[], Lock],
    *,
    error_type: type[Exception],
    notify: Callable[[str], None] = print,
    context: Callable[[dict], AbstractContextManager] = lambda _: nullcontext(),
) -> None:
    """Let the methods of a workflow that change results run only while no other run does.

    They are wrapped here rather than in the Snakefile, which Snakemake would blame for any error in them.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
    lock : callable
        Returns the lock on the results.
    error_type : type of exception
        Raised, with a sentence, when the lock cannot be acquired.
    notify : callable
        Receives sentences that are no reason to end.
    context : callable
        Receives the options of the method; returns a context to enter once the lock is held, before the run is planned.
    """

    def wrapped(method: Callable) -> Callable:
        @functools.wraps(method)
        def run(*arguments: object, **options: Any) -> object:
            plugin = options.get("executor_plugin")
            dry = options.get("dryrun") or (plugin and plugin.common_settings.dryrun_exec)
            name = plugin.name if plugin else "local"
            with ExitStack() as stack:
                try:
                    if dry:
                        lock().check_access()
                    else:
                        stack.enter_context(
                            exclusive_run(
                                lock(), name, notify=notify, unlock=lambda: workflow.persistence.unlock()
                            )
                        )
                except (TigerbushError, OSError) as error:
                    raise error_type(str(error)) from None
                if not dry:
                    stack.enter_context(context(options))
                return method(*arguments, **options)

        return run

    def unlock_both() -> object:
        unlock(lock(), notify)
        return unlock_folder()

    unlock_folder = workflow.unlock
    workflow.execute = wrapped(workflow.execute)
    workflow.delete_output = wrapped(workflow.delete_output)
    workflow.unlock = unlock_both


@contextmanager
def exclusive_run(
    lock: Lock,
    executor: str,
    *,
    notify: Callable[[str], None] = print,
    unlock: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold the lock on results for the duration of a block.

    Parameters
    ----------
    lock : Lock
    executor : str
        What runs the jobs.
    notify : callable
        Receives a sentence when there is something to wait for.
    unlock : callable
        Called before the process ends because another run has taken over the results.

    Raises
    ------
    TigerbushError, WriteError
        When the lock cannot be acquired.
    """
    if any(held.lock.name == lock.name for held in _held_locks):
        yield
        return
    directory = Path.cwd()
    held = HeldLock(lock, new_mark(executor, directory))
    ended = threading.Event()
    heartbeat = threading.Thread(target=_send_heartbeats, args=(held, ended, unlock), daemon=True)
    acquired = True
    with _signals_end_the_run():
        try:
            try:
                lock.acquire(held.mark, Takeover(lock.name, directory), notify)
            except (TigerbushError, OSError):
                acquired = False
                raise
            _held_locks.append(held)
            heartbeat.start()
            yield
        finally:
            ended.set()
            if held in _held_locks:
                _held_locks.remove(held)
                # a later heartbeat would leave the mark behind; an interruption may have come before the thread started
                if heartbeat.is_alive():
                    heartbeat.join(30)
            if acquired:
                lock.release(held.mark)


@contextmanager
def _signals_end_the_run() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C, until Snakemake's scheduler, which waits for its jobs, handles it.

    Ctrl-C itself, too: asyncio would cancel its task at the next time that it waits, which a task that plans may never
    do, so that the run would go on.
    """
    handlers = {
        signal.SIGTERM: (signal.SIG_DFL, _exit),
        signal.SIGINT: (signal.default_int_handler, _interrupt),
    }
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        replaced = {number: pair for number, pair in handlers.items() if signal.getsignal(number) == pair[0]}
    for number, (_, handler) in replaced.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, (default, handler) in replaced.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, default)


def _exit(number: int, _: object) -> None:
    sys.exit(128 + number)


def _interrupt(_: int, __: object) -> None:
    raise KeyboardInterrupt


def update_mark(**values: str) -> None:
    """Add to the mark of this run what is known only after it has started."""
    for held in _held_locks:
        held.mark = replace(held.mark, **values)
        held.lock.update(held.mark)


def holds_results() -> bool:
    """Whether this run still holds its results, as far as can be determined now."""
    try:
        for held in _held_locks:
            held.lock.renew(held.mark)
    except Exception:
        # lost, or the disk or server does not respond
        return False
    return bool(_held_locks)


def unlock(lock: Lock, notify: Callable[[str], None] = print) -> None:
    """Remove the mark of a dead run, or say why it has to stay."""
    directory = Path.cwd()
    try:
        lock.unlock(new_mark("", directory), Takeover(lock.name, directory, unlocking=True))
    except TigerbushError as error:
        notify(str(error))


def _send_heartbeats(held: HeldLock, ended: threading.Event, unlock: Callable[[], None]) -> None:
    while not ended.wait(held.lock.renew_seconds):
        try:
            held.lock.renew(held.mark)
        except LostLockError as error:
            if not ended.is_set():
                _abort(f"{error}; this run ends here and deletes nothing.", unlock)
        except Exception:  # noqa: S112 - of a disk or server that does not respond
            # jobs report that; the heartbeat is only late
            continue


def _abort(sentence: str, unlock: Callable[[], None]) -> None:
    """End the process at once: anything Snakemake does at the end of a run deletes files, jobs and pools."""
    print(f"tigerbush: {sentence}", file=sys.stderr, flush=True)
    kill_descendants()
    with suppress(Exception):
        unlock()
    os._exit(1)
