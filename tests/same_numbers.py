"""Write workflow/same_numbers.tsv: which of today's code gives the same numbers as that of an earlier commit.

For code that was renamed, moved or rewritten without changing a number: results of that commit then count as up to date.
The fingerprints of the code of each job of the sample, and of the templates of reports, are read from dry runs of both
versions, whatever way either computes them. Lines that no longer apply are dropped.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checkouts import ROOT, copy_checkout

# folders that a run of the sample needs
NAMES = ("workflow", "config", "profiles")
TABLE = "workflow/same_numbers.tsv"
HEADER = ("script", "code", "numbers_of")
# together these configurations run every rule whose code is recorded
CONFIGURATIONS = (
    {"subimages": {"write": True}},
    {"scene": {"mpi": {"ranks": 2}}},
    {"scene": {"mask": True}},
)
PROBE = """
import json
from pathlib import Path
from snakemake.dag import DAG

include: "workflow/Snakefile"

original = DAG.update_needrun

async def update_needrun(dag, *args, **options):
    result = await original(dag, *args, **options)
    codes = {
        f"{job.output[0]} {name}": (job.rule.name if name == "library" else name, job.params[name])
        for job in dag.jobs for name in ("library", "templates") if name in job.params.keys()
    }
    Path("codes.json").write_text(json.dumps(codes))
    return result

DAG.update_needrun = update_needrun
"""


def recorded_codes(checkout: Path) -> dict[str, tuple[str, str]]:
    """Return the code and templates that each job of the sample records; files are written into the checkout.

    Returns
    -------
    dict of str to tuple of str
        Rule, or "templates", and fingerprint; by the job's first output and the name of the parameter.
    """
    (checkout / "probe.smk").write_text(PROBE)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    codes = {}
    for changes in CONFIGURATIONS:
        (checkout / "changes.json").write_text(json.dumps(changes))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            "probe.smk",
            "--dry-run",
            "--quiet",
            "all",
        ]
        command += ["--configfile", "config/config.yaml", "changes.json", "--", "all", "scenes"]
        completed = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        if completed.returncode:
            sys.exit(f"{checkout.name} cannot be planned: {completed.stdout}{completed.stderr}")
        codes |= json.loads((checkout / "codes.json").read_text())
    return {output: tuple(code) for output, code in codes.items()}


def table(today: dict[str, tuple[str, str]], earlier: dict[str, tuple[str, str]], but: set[str]) -> str:
    """Return the table of equivalent codes.

    Parameters
    ----------
    today, earlier : dict of str to tuple of str
        From `recorded_codes`, of today's code without a table, and of the earlier commit.
    but : set of str
        Rules whose numbers have changed since the earlier commit.
    """
    rows = {}
    for output, (rule, code) in sorted(today.items(), key=lambda item: item[1]):
        if output not in earlier or rule in but or code == earlier[output][1]:
            continue
        # several rules may run one script: the first by name is listed
        row = rows.setdefault(code, (rule, code, earlier[output][1]))
        if row[2] != earlier[output][1]:
            sys.exit(
                f"{rule} and {row[0]} share one code today, but had two before: {row[2]}, {earlier[output][1]}."
            )
    return "".join("\t".join(row) + "\n" for row in (HEADER, *sorted(rows.values())))


def check_out(commit: str, folder: Path, root: Path) -> Path:
    """Extract the files of a commit that a run needs into a folder."""
    completed = subprocess.run(["git", "archive", commit, *NAMES], cwd=root, capture_output=True, check=False)
    if completed.returncode:
        sys.exit(f"SINCE={commit}: {completed.stderr.decode()}")
    with tarfile.open(fileobj=io.BytesIO(completed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def main(arguments: list[str], root: Path = ROOT) -> None:
    """Compare the two versions, and write the table."""
    parser = argparse.ArgumentParser(prog="same_numbers", description=__doc__.partition("\n")[0])
    parser.add_argument("since", help="commit whose numbers today's code reproduces")
    parser.add_argument(
        "--except", dest="but", nargs="*", default=[], metavar="RULE", help="rules whose numbers have changed"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        checkout = copy_checkout(Path(folder, "today"), *NAMES, root=root)
        (checkout / TABLE).write_text("\t".join(HEADER) + "\n")
        earlier = check_out(options.since, Path(folder, "earlier"), root)
        with ThreadPoolExecutor() as pool:
            today, earlier = pool.map(recorded_codes, (checkout, earlier))
        if unknown := set(options.but) - {rule for rule, _ in today.values()}:
            sys.exit(f"EXCEPT: no rule of that name records its code: {', '.join(sorted(unknown))}")
    text = table(today, earlier, set(options.but))
    (root / TABLE).write_text(text)
    count = text.count("\n") - 1
    print(
        f"{TABLE}: {count} of {len({code for _, code in today.values()})} fingerprints map to those of {options.since}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
