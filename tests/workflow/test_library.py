"""Which edits of the library make results outdated: those of code that determines their numbers."""

import shutil

import pytest

import same_numbers
from checkouts import LIBRARY, RAISED, VERSION, commit_all, copy_checkout, edit, move_modules
from fabricate import ROOT
from runs import SNAKEMAKE, SUMMARIES, count_jobs

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("kept")]

# edits: file, pattern, replacement
NUMBERS_STAY = (
    VERSION,
    (f"{LIBRARY}/centrality.py", r"^import numpy", "# of numbers\n\n\nimport numpy"),
    (f"{LIBRARY}/errors.py", r"\A\"\"\"", '"""Again: '),
    (f"{LIBRARY}/placeholder.py", *RAISED),
    (f"{LIBRARY}/sentinel2/safe.py", *RAISED),
    (f"{LIBRARY}/sites/composite.py", r'log\.warning\(".*"', 'log.info("%s"'),
)
MEASURES = {"compute_centrality": 2, "compute_ndvi": 2}
SUMMARY = {"summarise_date": 2, "summarise_site": 1, "check_products": 1}


@pytest.fixture
def checkout(tmp_path):
    """A copy of the workflow, with what the sample needs."""
    return copy_checkout(tmp_path / "checkout", "workflow", "config", "profiles")


def planned(run, checkout, *arguments):
    """The number of jobs per rule in a dry run by a checkout."""
    snakefile = checkout / "workflow" / "Snakefile"
    output = run.snakemake(SUMMARIES, "--dry-run", *arguments, snakefile=snakefile)
    return "Nothing to be done" if "Nothing to be done" in output else dict(count_jobs(output))


def test_edits_without_effect_on_numbers_make_nothing_again(finished, checkout):
    """Nor does a new checkout, whose files are newer than results; also without the rerun triggers of the profiles."""
    for path in checkout.rglob("*.py"):
        path.touch()
    for words in NUMBERS_STAY:
        edit(checkout, *words)
    assert planned(finished, checkout) == "Nothing to be done"


def test_a_changed_number_makes_again_what_depends_on_it(finished, checkout):
    edit(checkout, f"{LIBRARY}/centrality.py", "CHUNK_VALUES = .*", "CHUNK_VALUES = 100_000")
    assert planned(finished, checkout) == MEASURES | SUMMARY


def test_a_changed_number_in_a_script_makes_its_results_again(finished, checkout):
    edit(checkout, "workflow/scripts/compute_centrality.py", r"\A(\"\"\".*\"\"\")", r"\1\nNUMBER = 1")
    assert planned(finished, checkout) == {"compute_centrality": 2} | SUMMARY


def test_reading_the_workflow_loads_nothing_heavy(run):
    """As each job of a cluster does before its script starts."""
    libraries = ["rasterio", "cv2", "scipy", "statsmodels", "matplotlib", "networkx"]
    (run.folder / "Snakefile").write_text(
        f"include: {str(ROOT / 'workflow' / 'Snakefile')!r}\n"
        f"import sys\nraise WorkflowError('loaded:', *[name for name in {libraries} if name in sys.modules])\n"
    )
    output = run.call([*SNAKEMAKE, "--configfile", "config.yaml", "--cores", "1", "--dry-run"], status=1)
    assert [line for line in output.splitlines() if line in ("loaded:", *libraries)] == ["loaded:"]


def test_jobs_compute_no_fingerprint(finished, checkout, tmp_path):
    """Only the process that plans does, once for each content."""
    log = tmp_path / "calls"
    count = f"    with open({str(log)!r}, 'a') as calls:\n        print('{{}}', os.getpid(), file=calls)\n"
    code = f"{LIBRARY}/planning/code.py"
    edit(checkout, code, "^import ast$", "import ast\nimport os")
    edit(checkout, code, r"^(    words: .*\n)", r"\1" + count.format("digest").replace("\\", r"\\"))
    edit(checkout, code, r"^(    lines = .*\n)", r"\1" + count.format("fingerprint").replace("\\", r"\\"))
    target = "results/here/2017-01-16/ndvi.json"
    output = finished.snakemake(target, "--force", snakefile=checkout / "workflow" / "Snakefile")
    assert "1 of 1 steps (100%) done" in output
    calls = [line.split() for line in log.read_text().splitlines()]
    assert {kind for kind, _ in calls} == {"digest", "fingerprint"}
    assert len({process for _, process in calls}) == 1
    # with the code of the other jobs
    assert planned(finished, checkout) == "Nothing to be done"
    log.unlink()
    assert planned(finished, checkout) == "Nothing to be done"
    assert "digest" not in log.read_text()


def test_a_release_that_moves_code_keeps_results(finished, checkout):
    """By the table that `make same-numbers` writes, with or without the products."""
    commit_all(checkout)
    move_modules(checkout)
    assert planned(finished, checkout)["composite_date"] == 2
    same_numbers.main(["HEAD"], checkout)
    assert planned(finished, checkout) == "Nothing to be done"
    shutil.move(finished.folder / "products", finished.folder / "archive")
    assert planned(finished, checkout) == "Nothing to be done"
    # later changes of numbers count again
    shutil.move(finished.folder / "archive", finished.folder / "products")
    edit(checkout, f"{LIBRARY}/median.py", r"^log = ", "NUMBER = 1\nlog = ")
    assert planned(finished, checkout) == {"composite_date": 2, "render_date": 2} | MEASURES | SUMMARY
