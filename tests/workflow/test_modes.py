"""Every way to start the workflow, and what an edit of the library re-runs."""

import ast
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from fabricate import ROOT
from runs import SUMMARIES, keep

pytestmark = pytest.mark.workflow

SCRIPTS = ROOT / "workflow" / "scripts"


def tracked(target: Path) -> Path:
    """Copy what git tracks (or would), without .git: the source archive."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    return target


def test_from_the_source_archive_without_git(run, tmp_path):
    keep(run, "20170110")
    source = tracked(tmp_path / "source")
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as archive:
        archive.add(source, "tigerbush")
    with tarfile.open(tmp_path / "source.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    run.snakemake(snakefile=tmp_path / "unpacked" / "tigerbush" / "workflow" / "Snakefile")
    assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4


def test_from_another_working_directory(run, tmp_path):
    keep(run, "20170110")
    run.snakemake("--directory", str(tmp_path / "elsewhere"), status=1)  # its sites.tsv is not there
    shutil.copytree(run.folder, tmp_path / "moved")
    run.snakemake(SUMMARIES, "--directory", str(tmp_path / "moved"))
    assert (tmp_path / "moved" / "results" / "here" / "results_summary.json").exists()
    assert not (run.folder / "results").exists()


def test_as_a_module_of_another_workflow(run):
    keep(run, "20170110")
    (run.folder / "Snakefile").write_text(
        'configfile: "config.yaml"\n\n\n'
        "module vegetation:\n"
        f'    snakefile: "{ROOT / "workflow" / "Snakefile"}"\n'
        "    config: config\n\n\n"
        "use rule * from vegetation as vegetation_*\n\n\n"
        'rule all:\n    default_target: True\n    input: "results/here/results_summary.json",\n'
    )
    run.snakemake(snakefile=run.folder / "Snakefile")
    assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
    assert "Nothing to be done" in run.snakemake(snakefile=run.folder / "Snakefile")


def test_an_edited_module_reruns_what_uses_it(run, tmp_path):
    keep(run, "20170110", "20170210")
    source = tracked(tmp_path / "source")
    snakefile = source / "workflow" / "Snakefile"
    run.snakemake(SUMMARIES, snakefile=snakefile)
    module = source / "workflow" / "scripts" / "tigerbush" / "centrality.py"
    module.write_text(module.read_text() + "\n# edited\n")
    output = run.snakemake(SUMMARIES, "--dry-run", snakefile=snakefile)
    jobs = dict(re.findall(r"^([a-z_]+) +([0-9]+)$", output.partition("Reasons:")[0], re.MULTILINE))
    for rule, count in {"compute_centrality": "2", "summarise_date": "2", "summarise_site": "1"}.items():
        assert jobs[rule] == count
    for rule in ("discover_products", "resample_product", "composite_date", "render_date"):
        assert rule not in jobs


def test_results_stay_when_the_checkout_moves(run, tmp_path):
    keep(run, "20170110")
    run.snakemake(SUMMARIES, snakefile=tracked(tmp_path / "one") / "workflow" / "Snakefile")
    other = tracked(tmp_path / "other") / "workflow" / "Snakefile"
    assert "Nothing to be done" in run.snakemake(SUMMARIES, snakefile=other)


def imports(path: Path) -> set[str]:
    """The modules of the library that a file imports, directly or through others."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tigerbush":
            names = (
                [node.module.partition(".")[2]]
                if "." in node.module
                else [alias.name for alias in node.names]
            )
            found |= {name for name in names if (SCRIPTS / "tigerbush" / f"{name}.py").exists()}
    for name in set(found):
        found |= imports(SCRIPTS / "tigerbush" / f"{name}.py")
    return found


def rules() -> dict[str, str]:
    """The text of each rule by name."""
    texts = {}
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        parts = re.split(
            r"^(?:rule|checkpoint|use rule \w+ as) (\w+)(?: with)?:$", path.read_text(), flags=re.MULTILINE
        )
        texts |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return texts


def named_libraries() -> dict[str, str]:
    text = (ROOT / "workflow" / "rules" / "scenes_mpi.smk").read_text()
    return dict(re.findall(r"^(\w+_LIBRARY) = (library\(.*?\))$", text, re.DOTALL | re.MULTILINE))


def declared(text: str) -> set[str] | None:
    # scenes_mpi.smk names it once, for the rule and for the folder of the ranks
    text = text.replace("library=SCENE_LIBRARY", f"library={named_libraries()['SCENE_LIBRARY']}")
    match = re.search(r"library=library\((.*?)\)", text, re.DOTALL)
    return set(re.findall(r'"(\w+)"', match[1])) if match else None


@pytest.mark.parametrize("rule", sorted(rules()))
def test_a_rule_declares_its_script_and_the_modules_that_it_imports(rule):
    text = rules()[rule]
    script = re.search(r'script:\s*"\.\./scripts/(\w+)\.py"', text)
    name = script[1] if script else {"check_scenes": "check_products"}[rule]
    assert (SCRIPTS / f"{name}.py").exists()
    if rule in {"discover_products", "download_product", "stream_product", "check_scenes", "publish_scene"}:
        # an edit must not list or fetch everything again; check_scenes inherits; publish_scene follows its manifest
        assert declared(text) is None
    else:
        assert declared(text) == {name} | imports(SCRIPTS / f"{name}.py")
    assert len(rule) <= 27
    assert script is None or name == rule


def test_every_module_of_the_library_is_registered():
    registered = set(
        re.findall(r"scripts/tigerbush/(\w+)\.py", (ROOT / "workflow" / "rules" / "common.smk").read_text())
    )
    present = {path.stem for path in (SCRIPTS / "tigerbush").glob("*.py")}
    assert registered == present


def test_the_version_is_the_same_everywhere():
    from tigerbush.version import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
