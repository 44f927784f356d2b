"""Every way to start the workflow."""

import re
import shutil
import subprocess
import tarfile

import pytest

from checkouts import commit_all, copy_checkout, write_other_version
from fabricate import ROOT, name_of
from runs import DAYS, SUMMARIES, keep_days

pytestmark = pytest.mark.workflow

SCRIPTS = ROOT / "workflow" / "scripts"


def test_from_the_source_archive_without_git(run, tmp_path):
    keep_days(run, "20170110")
    source = copy_checkout(tmp_path / "source")
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as archive:
        archive.add(source, "tigerbush")
    with tarfile.open(tmp_path / "source.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    run.snakemake(snakefile=tmp_path / "unpacked" / "tigerbush" / "workflow" / "Snakefile")
    assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4


def test_from_another_working_directory(run, tmp_path):
    keep_days(run, "20170110")
    run.snakemake("--directory", str(tmp_path / "elsewhere"), status=1)  # its sites.tsv is not there
    shutil.copytree(run.folder, tmp_path / "moved")
    run.snakemake(SUMMARIES, "--directory", str(tmp_path / "moved"))
    assert (tmp_path / "moved" / "results" / "here" / "results_summary.json").exists()
    assert not (run.folder / "results").exists()


def test_as_a_module_of_another_workflow(run):
    keep_days(run, "20170110")
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


def write_module(run, product, *targets):
    """A workflow that has this one as a module in a folder, and a rule of its own with a wildcard of the same name."""
    (run.folder / "Snakefile").write_text(
        'configfile: "config.yaml"\n\n\n'
        "module vegetation:\n"
        f'    snakefile: "{ROOT / "workflow" / "Snakefile"}"\n'
        "    config: config\n"
        '    prefix: "veg"\n\n\n'
        "use rule * from vegetation as vegetation_*\n\n\n"
        'rule thumbnail:\n    output: "thumbnails/{product}.txt"\n    shell: "echo x > {output}"\n\n\n'
        f'rule all:\n    default_target: True\n    input: {", ".join(map(repr, targets))}, "thumbnails/{product}.txt"\n'
    )
    return {"snakefile": run.folder / "Snakefile"}


@pytest.mark.parametrize("product", ["other", name_of("20180110"), name_of("20170110")])
def test_a_foreign_rule_with_the_wildcard_of_a_product(run, product):
    """It is planned with rules that read products: what they would lose is asked of them alone."""
    keep_days(run, "20170110")
    target = "veg/results/here/2017-01-16/composite.tif"
    run.snakemake(**write_module(run, product, target))
    assert (run.folder / target).exists()
    assert (run.folder / "thumbnails" / f"{product}.txt").read_text() == "x\n"
    # the image of a finished composite is made again
    (run.folder / "thumbnails" / f"{product}.txt").unlink()
    run.configure(run.config | {"composite": {"mask_buffer": 1}})
    run.snakemake(snakefile=run.folder / "Snakefile")
    assert (run.folder / "thumbnails" / f"{product}.txt").exists()


def test_as_a_module_with_a_prefix(run):
    """Everything is below its folder: records of verified files, and what is known of weather and products that are gone."""
    weather = run.folder / "weather.csv"
    weather.write_text(
        "date,precipitation,temperature\n" + "".join(f"2017-{i:02},3,20\n" for i in range(1, 5))
    )
    scene = {"bands": ["B4"], "resolution": 60, "mask": True}
    run.configure(run.config | {"weather": {"path": "weather.csv"}, "scene": scene})
    module = write_module(run, "x", "veg/results/here/results_summary.json", "veg/results/scenes_checked.txt")
    run.snakemake(**module)
    results = run.folder / "veg" / "results"
    records = sorted(results.glob("downloads/*.checked.json"))
    assert [path.name for path in records] == [f"{name_of(day)}.checked.json" for day in DAYS]
    assert sorted(path.name for path in run.folder.iterdir() if path.is_dir()) == [
        ".snakemake", "products", "thumbnails", "veg",
    ]  # fmt: skip
    # weather that was read outlives its file
    weather.unlink()
    assert "Nothing to be done" in run.snakemake(**module)
    # so do results of a product that is gone, and its row in the table
    shutil.rmtree(run.folder / "products" / f"{name_of(DAYS[2])}.SAFE")
    words = ("veg/results/products.tsv", "--forcerun", "vegetation_discover_products")
    output = run.snakemake(*words, **module)
    kept = [results / "windows" / name_of(DAYS[2]) / "here", results / "scenes" / f"{name_of(DAYS[2])}.tif"]
    files = ", ".join(str(path.relative_to(run.folder)) for path in kept)
    assert (
        f"gone: {name_of(DAYS[2])} (no longer at products/{name_of(DAYS[2])}.SAFE; kept: {files})" in output
    )
    assert "Nothing to be done" in run.snakemake(**module)


def test_as_a_module_of_another_workflow_from_github(run, tmp_path):
    """A repository on this machine that git is configured to find; another version is on PYTHONPATH."""
    keep_days(run, "20170110")
    hub = commit_all(copy_checkout(tmp_path / "hub" / "o" / "tigerbush", "workflow"))
    subprocess.run(["git", "tag", "v1"], cwd=hub, check=True)
    (run.folder / "Snakefile").write_text(
        'configfile: "config.yaml"\n\n\n'
        "module vegetation:\n"
        '    snakefile: github("o/tigerbush", path="workflow/Snakefile", tag="v1")\n'
        "    config: config\n\n\n"
        "use rule * from vegetation as vegetation_*\n\n\n"
        'rule all:\n    default_target: True\n    input: "results/here/results_summary.json",\n'
    )
    run.variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{tmp_path / 'hub'}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(write_other_version(tmp_path / "other")),
    }
    run.snakemake(snakefile=run.folder / "Snakefile")
    assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
    # with the library of a checkout
    summary = "results/here/2017-01-16/summary.json"
    output = run.snakemake(summary, "--dry-run", "--rerun-triggers", "mtime", "params", "input")
    assert "Nothing to be done" in output


def test_results_stay_when_the_checkout_moves(run, tmp_path):
    keep_days(run, "20170110")
    run.snakemake(SUMMARIES, snakefile=copy_checkout(tmp_path / "one") / "workflow" / "Snakefile")
    moved = copy_checkout(tmp_path / "other") / "workflow" / "Snakefile"
    assert "Nothing to be done" in run.snakemake(SUMMARIES, snakefile=moved)


def rules() -> dict[str, str]:
    """The text of each rule by name."""
    texts = {}
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        parts = re.split(
            r"^(?:rule|checkpoint|use rule \w+ as) (\w+)(?: with)?:$", path.read_text(), flags=re.MULTILINE
        )
        texts |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return texts


@pytest.mark.parametrize("rule", sorted(rules()))
def test_a_rule_names_its_script(rule):
    text = rules()[rule]
    script = re.search(r'script:\s*"\.\./scripts/(\w+)\.py"', text)
    library = re.search(r"library=library\((.*?)\)", text)
    inherited = {"check_scenes", "publish_mask", "analyse_record", "plot_record", "report_record"}
    # these list and fetch, which an edit must not repeat, or follow a manifest
    others = {"discover_products", "download_product", "stream_product", "publish_scene"} | inherited
    others -= {"analyse_record"}
    # the launcher starts another script; a record has other parameters than a site
    named = {"resample_scenes": "*SCENE_SCRIPTS", "analyse_record": '"analyse_site"'}.get(rule, f'"{rule}"')
    assert (library and library[1]) == (None if rule in others else named)
    assert len(rule) <= 27
    assert (script and script[1]) == (None if rule in inherited else rule)
    assert script is None or (SCRIPTS / f"{rule}.py").exists()
