"""The files that GitHub, the workflow catalog and citation managers read."""

import datetime
import re

import pytest
import yaml

from fabricate import ROOT
from tigerbush.version import __version__

FORMS = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


@pytest.fixture(scope="module")
def citation():
    return read("CITATION.cff")


def test_the_citation_is_of_this_version(citation):
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["type"] == "software"
    assert citation["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert citation["version"] == __version__


def test_the_citation_has_the_day_of_the_release(citation):
    """Until the version is released, a day on which it changed."""
    text = (ROOT / "CHANGELOG.md").read_text()
    days = re.findall(rf"^## {re.escape(__version__)} \((.+)\)$", text, re.MULTILINE) or re.findall(
        r"^- ([0-9-]{10}):", text, re.MULTILINE
    )
    assert isinstance(citation["date-released"], datetime.date)
    assert citation["date-released"].isoformat() in days


def test_the_citation_names_what_the_results_rest_on(citation):
    for work in [citation, *citation["references"]]:
        assert work["title"]
        assert all(
            "name" in author or {"family-names", "given-names"} <= set(author) for author in work["authors"]
        )
    assert {work["type"] for work in citation["references"]} == {"article", "software"}
    dois = [work["doi"] for work in citation["references"] if work["type"] == "article"]
    assert dois == ["10.1086/342078", "10.1111/gcb.15939", "10.12688/f1000research.29032.2"]


def test_the_workflow_catalog():
    """Standardised usage: workflow/Snakefile, config/README.md, and no flag that a user has to give."""
    usage = read(".snakemake-workflow-catalog.yml")["usage"]
    assert (ROOT / "workflow" / "Snakefile").is_file()
    assert (ROOT / "config" / "README.md").is_file()
    assert usage["mandatory-flags"] == {"desc": None, "flags": None}
    deployment = usage["software-stack-deployment"]
    rules = "".join(path.read_text() for path in (ROOT / "workflow").rglob("*.smk"))
    assert deployment["conda"] is ("conda:" in rules)
    assert deployment["apptainer"] is ("container:" in rules)
    assert deployment["report"] is True
    # the words by which the catalog finds repositories
    assert {"snakemake", "workflow"} <= set(re.findall(r"\w+", (ROOT / "README.md").read_text().lower()))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_ci_calls_targets_of_the_makefile(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    jobs = read(path)["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    called = {name for text in commands for name in re.findall(r"\bmake ([a-z-]+)", text)}
    assert called and called <= targets, f"no targets of the Makefile: {called - targets}"
    for job in jobs.values():
        used = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
        assert used[:2] == ["actions/checkout", "actions/setup-python"]
        assert set(used[2:]) <= {"actions/upload-artifact"}
    # hosts of packages are the business of the machine
    assert "://" not in path.read_text()


def test_ci_covers_every_kind_of_test_and_every_supported_python():
    jobs = read(".github/workflows/ci.yml")["jobs"]
    options = [job["env"]["PYTEST_ADDOPTS"] for job in jobs.values() if "env" in job]
    folders = {path.name for path in (ROOT / "tests").iterdir() if list(path.glob("test_*.py"))}
    assert {re.match(r"tests/(\w+) ", text)[1] for text in options} == folders
    assert all(text.endswith('-m "not data"') for text in options)
    assert jobs["unit"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form(path):
    form = read(path)
    assert set(form) == {"name", "description", "labels", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in fields)
    names = [field["id"] for field in fields]
    assert len(names) == len(set(names))
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_issue_forms_are_those_that_contributing_names():
    assert {path.stem for path in FORMS} == {"bug", "numbers", "feature"}
    assert read(".github/ISSUE_TEMPLATE/config.yml")["blank_issues_enabled"] is False
