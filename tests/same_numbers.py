"""Write workflow/same_numbers.tsv: which of today's code makes the numbers of an earlier commit.

For code that was renamed, moved or written anew without changing a number: results of that commit are then taken over
instead of made again. What each job of the sample records as its code is asked of both, so that nothing needs to be
known of how either finds it. Lines that are of no use any more go.
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

from checkouts import ROOT, copied

# what a run of the sample needs
NAMES = ("workflow", "config", "profiles")
TABLE = "workflow/same_numbers.tsv"
HEADER = ("script", "code", "numbers_of")
# together they have every rule whose code is recorded
CONFIGURATIONS = ({"subimages": {"write": True}}, {"scene": {"mpi": {"ranks": 2}}})
PROBE = """
import json
from pathlib import Path
from snakemake.dag import DAG

include: "workflow/Snakefile"

planned = DAG.update_needrun

async def update_needrun(dag, *args, **options):
    result = await planned(dag, *args, **options)
    codes = {
        str(job.output[0]): (job.rule.name, job.params.library)
        for job in dag.jobs if "library" in job.params.keys()
    }
    Path("codes.json").write_text(json.dumps(codes))
    return result

DAG.update_needrun = update_needrun
"""


def codes_of(checkout: Path) -> dict[str, tuple[str, str]]:
    """Return which code each job of the sample records, in a checkout that this may write into.

    Returns
    -------
    dict of str to tuple of str
        Rule and fingerprint, by the job's first output.
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
        done = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{checkout.name} cannot be planned: {done.stdout}{done.stderr}")
        codes |= json.loads((checkout / "codes.json").read_text())
    return {output: tuple(code) for output, code in codes.items()}


def table(today: dict[str, tuple[str, str]], earlier: dict[str, tuple[str, str]], but: set[str]) -> str:
    """Return the table for what `codes_of` says of today's code, without its table, and of the earlier commit's.

    Parameters
    ----------
    but : set of str
        Rules whose numbers are no longer those of the earlier commit.
    """
    rows = {}
    for output, (rule, code) in sorted(today.items(), key=lambda item: item[1]):
        if output not in earlier or rule in but or code == earlier[output][1]:
            continue
        # of rules with one script the first by name
        row = rows.setdefault(code, (rule, code, earlier[output][1]))
        if row[2] != earlier[output][1]:
            sys.exit(f"{rule} and {row[0]} have one code today, and had two: {row[2]}, {earlier[output][1]}.")
    return "".join("\t".join(row) + "\n" for row in (HEADER, *sorted(rows.values())))


def checked_out(commit: str, folder: Path, root: Path) -> Path:
    """Write what a run needs of a commit into a folder."""
    done = subprocess.run(["git", "archive", commit, *NAMES], cwd=root, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"SINCE={commit}: {done.stderr.decode()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def main(arguments: list[str], root: Path = ROOT) -> None:
    """Compare, and write the table."""
    parser = argparse.ArgumentParser(prog="same_numbers", description=__doc__.partition("\n")[0])
    parser.add_argument("since", help="commit whose numbers today's code makes")
    parser.add_argument(
        "--except", dest="but", nargs="*", default=[], metavar="RULE", help="whose numbers changed"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        checkout = copied(Path(folder, "today"), *NAMES, root=root)
        (checkout / TABLE).write_text("\t".join(HEADER) + "\n")
        earlier = checked_out(options.since, Path(folder, "earlier"), root)
        with ThreadPoolExecutor() as pool:
            today, earlier = pool.map(codes_of, (checkout, earlier))
        if unknown := set(options.but) - {rule for rule, _ in today.values()}:
            sys.exit(f"EXCEPT: no rule of that name records its code: {', '.join(sorted(unknown))}")
    text = table(today, earlier, set(options.but))
    (root / TABLE).write_text(text)
    count = text.count("\n") - 1
    print(
        f"{TABLE}: {count} of {len({code for _, code in today.values()})} fingerprints stand for those of {options.since}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
