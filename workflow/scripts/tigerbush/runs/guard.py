"""One run at a time on the same results; the end of a run that has lost them."""

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
from tigerbush.runs.folder import Folder
from tigerbush.runs.judge import Judge
from tigerbush.runs.mark import LostError, Mark, end_children, own_mark


class Place(Protocol):
    """Where results are, and with them the mark of their run."""

    name: str
    renew_seconds: float

    def look(self) -> None:
        """See that they can be read."""

    def take(self, mark: Mark, judge: Judge, say: Callable[[str], None]) -> None:
        """Mark the results."""

    def renew(self, mark: Mark) -> None:
        """Give a sign of life."""

    def rewrite(self, mark: Mark) -> None:
        """Replace the mark."""

    def release(self, mark: Mark) -> None:
        """Take the mark away."""

    def unlock(self, mark: Mark, judge: Judge) -> None:
        """Take the mark of a dead run away."""


def place_of(results: Path, service: object = None, prefix: str | None = None) -> Place:
    """Return the place of results: a container of Blob storage, when there is a service, or a folder."""
    if service is None:
        return Folder(results)
    # slow to import, and only needed here
    from tigerbush.runs.lease import Lease

    return Lease(service, prefix or "")


@dataclass
class Hold:
    """The results that this run holds."""

    place: Place
    mark: Mark


# of this process; more than one when the workflow is there twice, as modules of another
_holds: list[Hold] = []


def guard(
    workflow: Any,
    place: Callable[[], Place],
    *,
    refusal: type[Exception],
    say: Callable[[str], None] = print,
    within: Callable[[dict], AbstractContextManager] = lambda _: nullcontext(),
) -> None:
    """Let the methods of a workflow that change results run only while no other run does.

    They are wrapped here and not in the Snakefile, which Snakemake would blame for whatever goes wrong in them.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
    place : callable
        Returns the place of the results.
    refusal : type of exception
        Is raised with the sentence, when the results cannot be held.
    say : callable
        Gets sentences that are no reason to end.
    within : callable
        Returns what to enter once the results are held, before anything is planned, for the options of the method.
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
                        place().look()
                    else:
                        stack.enter_context(
                            alone(place(), name, say=say, unlock=lambda: workflow.persistence.unlock())
                        )
                except (TigerbushError, OSError) as error:
                    raise refusal(str(error)) from None
                if not dry:
                    stack.enter_context(within(options))
                return method(*arguments, **options)

        return run

    def unlocking() -> object:
        unlock(place(), say)
        return unlock_folder()

    unlock_folder = workflow.unlock
    workflow.execute = wrapped(workflow.execute)
    workflow.delete_output = wrapped(workflow.delete_output)
    workflow.unlock = unlocking


@contextmanager
def alone(
    place: Place,
    executor: str,
    *,
    say: Callable[[str], None] = print,
    unlock: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold results for the time of a block.

    Parameters
    ----------
    place : Place
    executor : str
        What runs the jobs.
    say : callable
        Gets a sentence when there is something to wait for.
    unlock : callable
        Is called before the process ends because another run has the results.

    Raises
    ------
    TigerbushError, WriteError
        When the results cannot be held.
    """
    if any(hold.place.name == place.name for hold in _holds):
        yield
        return
    directory = Path.cwd()
    hold = Hold(place, own_mark(executor, directory))
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(hold, ended, unlock), daemon=True)
    held = True
    with _ended_by_sigterm():
        try:
            try:
                place.take(hold.mark, Judge(place.name, directory), say)
            except (TigerbushError, OSError):
                held = False
                raise
            _holds.append(hold)
            keeper.start()
            yield
        finally:
            ended.set()
            if hold in _holds:
                _holds.remove(hold)
                # what it renews afterwards would stay; an interruption may have come before its start
                if keeper.is_alive():
                    keeper.join(30)
            if held:
                place.release(hold.mark)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C, until Snakemake's scheduler, which waits for its jobs, handles it."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is _exit:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _: object) -> None:
    sys.exit(128 + number)


def know(**values: str) -> None:
    """Add to the mark of this run what is known only after its start."""
    for hold in _holds:
        hold.mark = replace(hold.mark, **values)
        hold.place.rewrite(hold.mark)


def held() -> bool:
    """Whether this run still has its results, as far as it can be known now."""
    try:
        for hold in _holds:
            hold.place.renew(hold.mark)
    except Exception:
        # lost, or nobody answers
        return False
    return bool(_holds)


def unlock(place: Place, say: Callable[[str], None] = print) -> None:
    """Take away the mark of a dead run; say why it stays where it has to."""
    directory = Path.cwd()
    try:
        place.unlock(own_mark("", directory), Judge(place.name, directory, unlocking=True))
    except TigerbushError as error:
        say(str(error))


def _keep(hold: Hold, ended: threading.Event, unlock: Callable[[], None]) -> None:
    while not ended.wait(hold.place.renew_seconds):
        try:
            hold.place.renew(hold.mark)
        except LostError as error:
            if not ended.is_set():
                _end(f"{error}; this run ends here and deletes nothing.", unlock)
        except Exception:  # noqa: S112 - of a disk or a server that does not answer
            # which the jobs tell; the mark is older then, that is all
            continue


def _end(sentence: str, unlock: Callable[[], None]) -> None:
    """End the process at once: whatever Snakemake does at the end of a run deletes files, jobs and pools."""
    print(f"tigerbush: {sentence}", file=sys.stderr, flush=True)
    end_children()
    with suppress(Exception):
        unlock()
    os._exit(1)
