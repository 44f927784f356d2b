"""Fuzz everything that comes from outside for some time (`make fuzz`), or a number of times.

Each kind of input runs in a process of its own, so that a crash of a decoder is seen as well.
"""

import argparse
import logging
import multiprocessing
import re
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

from fuzz.targets import TARGETS
from tigerbush.errors import MachineError, RemoteError, TigerbushError

OWN = (TigerbushError, RemoteError, MachineError)
LONGEST = 1500
# one sentence in printable characters, not a traceback or a dump
SENTENCE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def complaint(error: BaseException) -> str | None:
    """Return what is wrong with an exception; None for a sentence of our own."""
    if not isinstance(error, OWN):
        return "".join(traceback.format_exception(error)[-8:])
    text = str(error)
    if not SENTENCE.fullmatch(text) or len(text) > LONGEST:
        return f"{type(error).__name__} is not one sentence: {text[:600]!r}"
    return None


def fuzz(name: str, seed: int, seconds: float, number: int | None, results: multiprocessing.Queue) -> None:
    """Mutate and read one kind of input until the time is over, or so many times."""
    logging.disable()
    warnings.simplefilter("ignore")
    target, count, own = TARGETS[name], 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "zips").mkdir()
        prepared = target.prepare(folder)
        end = time.monotonic() + seconds
        while time.monotonic() < end if number is None else count < number:
            try:
                target.attempt(folder, prepared, np.random.default_rng([seed, count]))
            except Exception as error:
                own += 1
                if problem := complaint(error):
                    results.put((name, f"seed {seed}, case {count}: {problem}"))
                    break
            count += 1
    results.put((name, count, own))


def run(names: list[str], seed: int, seconds: float, number: int | None) -> list[str]:
    """Fuzz kinds of input one after another; return what is wrong with each."""
    problems = []
    context = multiprocessing.get_context("fork")
    for name in names:
        results = context.SimpleQueue()
        process = context.Process(target=fuzz, args=(name, seed, seconds / len(names), number, results))
        process.start()
        process.join()
        answers = []
        while not results.empty():
            answers.append(results.get())
        problems += [f"{name}: {answer[1]}" for answer in answers if len(answer) == 2]
        if process.exitcode:
            problems.append(f"{name}: the process ended with {process.exitcode}")
        for _, count, own in (answer for answer in answers if len(answer) == 3):
            print(f"{name}: {count} inputs, {own} refused in a sentence", flush=True)
    return problems


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="for all kinds together (default: 120)")
    parser.add_argument("--number", type=int, help="inputs of each kind, instead of a time")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="default: the time, which is printed"
    )
    parser.add_argument("--only", help="a kind of input")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    names = [options.only] if options.only else list(TARGETS)
    problems = run(names, options.seed, options.seconds, options.number)
    print(*problems, sep="\n\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
