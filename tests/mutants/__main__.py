"""Put small faults into modules, one at a time, and run the unit tests that execute the changed line.

    make mutants MODULES="analysis/series cli/init"   a random sample of 12 faults per module
    make mutants SINCE=HEAD~3                         only in lines that were changed since a commit
    make mutants MODULES=all SAMPLE=20 SEED=7 TESTS="tests/unit tests/workflow/test_config.py"

Faults that no test detects are listed. CONTRIBUTING.md explains how to read them.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from fabricate import ROOT
from mutants.contexts import LIBRARY, Contexts, run_with_contexts
from mutants.copies import Copy, import_all
from mutants.operators import Mutant, mutants

# exit codes of pytest: a test failed, collection was interrupted, conftest.py cannot be imported
DETECTED = (1, 2, 4)


def main() -> int:
    """Draw faults, try them, and print those that were not detected."""
    options = _options()
    drawn = {path: _sample(path, options) for path in _modules(options)}
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        copies = [Copy.make(Path(temporary) / f"copy{i}" / "tigerbush") for i in range(options.workers)]
        data = Path(temporary) / "coverage"
        print("Running the tests once, to record which lines each executes.", flush=True)
        seconds = run_with_contexts(copies[0].folder, data, options.tests, options.workers)
        contexts = Contexts(copies[0].folder, data)
        counts = _try_all(drawn, contexts, seconds, copies)
    share = 100 * counts["detected"] / max(counts.total(), 1)
    print(f"seed {options.seed}: {counts['detected']} of {counts.total()} faults detected ({share:.0f} %)")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "modules",
        nargs="*",
        help="modules of the library, such as analysis/series or cli/status/command; or all",
    )
    parser.add_argument("--since", help="only lines that were changed since this commit")
    parser.add_argument("--sample", type=int, default=12, help="faults per module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", nargs="+", default=["tests/unit"])
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if not options.modules and not options.since:
        parser.error("name modules, or a commit with --since.")
    return options


def _modules(options: argparse.Namespace) -> list[Path]:
    modules = sorted(path.relative_to(ROOT) for path in (ROOT / LIBRARY).rglob("*.py"))
    if options.modules and options.modules != ["all"]:
        return [LIBRARY / f"{name}.py" for name in options.modules]
    if options.since:
        return [path for path in modules if _changed_lines(path, options.since)]
    return modules


def _changed_lines(path: Path, since: str) -> set[int]:
    command = ["git", "-C", ROOT, "diff", "--unified=0", since, "--", path]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    hunks = re.findall(r"^@@ .* \+(\d+)(?:,(\d+))? @@", text, re.MULTILINE)
    return {line for start, count in hunks for line in range(int(start), int(start) + int(count or 1))}


def _sample(path: Path, options: argparse.Namespace) -> list[Mutant]:
    candidates = mutants((ROOT / path).read_bytes())
    if options.since:
        changed = _changed_lines(path, options.since)
        candidates = [mutant for mutant in candidates if mutant.line in changed]
    # the sample of a module does not depend on the other modules
    generator = random.Random(f"{options.seed} {path}")  # noqa: S311
    return generator.sample(candidates, min(options.sample, len(candidates)))


_copy: Copy


def _begin(copies: SimpleQueue) -> None:
    global _copy
    _copy = copies.get()
    import_all()


def _try(path: Path, mutant: Mutant, tests: list[str], seconds: float) -> str:
    if not tests:
        return "NOT RUN"
    source = (_copy.folder / path).read_bytes()
    code = _copy.run_tests(path, mutant.applied(source), tests, seconds)
    # timeouts and ends by a signal count as detected
    if code is None or code < 0 or code in DETECTED:
        return "detected"
    return f"pytest ended with {code}" if code else "UNDETECTED"


def _try_all(
    drawn: dict[Path, list[Mutant]], contexts: Contexts, seconds: dict[str, float], copies: list[Copy]
) -> Counter[str]:
    """Try all faults; print those of a module once all of them are tried."""
    context = get_context("fork")
    queue = context.SimpleQueue()
    for copy in copies:
        queue.put(copy)
    with ProcessPoolExecutor(len(copies), context, _begin, (queue,)) as pool:
        running = {}
        for path, sample in drawn.items():
            for mutant in sample:
                tests = contexts.tests(path, mutant.statement)
                files = {test.partition("::")[0] for test in tests}
                limit = 30 + 5 * sum(seconds[file] for file in files)
                running[pool.submit(_try, path, mutant, tests, limit)] = path, mutant
        verdicts: dict[Path, dict[Mutant, str]] = {path: {} for path in drawn}
        for future in as_completed(running):
            path, mutant = running[future]
            verdicts[path][mutant] = future.result()
            if len(verdicts[path]) == len(drawn[path]):
                _print(path, verdicts[path])
    return Counter(verdict for of_module in verdicts.values() for verdict in of_module.values())


def _print(path: Path, verdicts: dict[Mutant, str]) -> None:
    source = (ROOT / path).read_bytes()
    name = path.relative_to(LIBRARY).with_suffix("")
    detected = sum(verdict == "detected" for verdict in verdicts.values())
    print(f"{name}: {detected} of {len(verdicts)} detected")
    for mutant in sorted(verdicts, key=lambda mutant: (mutant.line, mutant.after)):
        if (verdict := verdicts[mutant]) != "detected":
            before, after = (" ".join(text.split()) for text in (mutant.before(source), mutant.after))
            print(f"    {verdict} {path.name}:{mutant.line}  {before}  ->  {after}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
