"""What the documentation names exists: links, files, targets of make, subcommands."""

import re
import runpy
import subprocess
from pathlib import PurePosixPath

import pytest

from fabricate import ROOT
from tigerbush.cli.__main__ import COMMANDS

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "config" / "README.md",
    *(ROOT / "docs").glob("*.md"),
]
# for developers
REPORTS = [ROOT / "plugins" / "README.md", *(ROOT / "docs" / "upstream").glob("*.md")]
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
MADE_BY_USERS = {"config/azure.yaml", "config/SITE.yaml", "config/SITE_sites.tsv"}
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def tracked():
    """The files that git tracks (or would), and the folders that they are in."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    paths = {PurePosixPath(name) for name in files if (ROOT / name).exists()}
    return {str(part) for path in paths for part in (path, *path.parents)}


def code(text):
    """The lines of code blocks and the code within lines, prose left out."""
    blocks = [line.strip() for block in FENCED.findall(text) for line in block.splitlines()[1:-1]]
    return blocks + re.findall(r"`([^`\n]+)`", FENCED.sub("", text))


def anchors(text):
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def local_links(path):
    """The links of a document to files: the target as written, the file, the anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", path.read_text())):
        name, _, anchor = target.partition("#")
        if not re.match(r"[a-z]+:", target):
            yield target, (path.parent / name).resolve() if name else path, anchor


def broken_links(path):
    """The links of a document to files and headings that the repository does not have."""
    files = tracked()
    for target, linked, anchor in local_links(path):
        if not linked.is_relative_to(ROOT) or str(linked.relative_to(ROOT)) not in files:
            yield f"link {target}"
        elif anchor and anchor not in anchors(linked.read_text()):
            yield f"anchor {target}"


def unknown_names(path):
    """The targets of make, subcommands and files in the code of a document that the repository does not have."""
    files = tracked()
    for line in code(path.read_text()):
        yield from (f"make {name}" for name in re.findall(r"^make ([a-z-]+)", line) if name not in TARGETS)
        yield from (
            f"./tigerbush {name}"
            for name in re.findall(r"\./tigerbush ([a-z][\w-]*)", line)
            if name not in COMMANDS
        )
        for name in re.findall(r"(?<![\w./-])(?:config|workflow)/[\w./-]+", line):
            if name.rstrip("/") not in files | MADE_BY_USERS:
                yield f"file {name}"
        for name, function in re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", line):
            if name not in files or (function and f"def {function}(" not in (ROOT / name).read_text()):
                yield f"test {name}::{function}"


@pytest.mark.parametrize("path", [*DOCUMENTS, *REPORTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(path):
    assert [*broken_links(path), *unknown_names(path)] == []


def test_the_links_of_the_changelog():
    """Not the names in it, some of which are of the past."""
    assert list(broken_links(ROOT / "CHANGELOG.md")) == []


def test_the_readme_is_short_and_leads_to_every_page():
    readme = ROOT / "README.md"
    assert len(readme.read_text().splitlines()) <= 200
    seen, pages = set(), {readme}
    while pages:
        page = pages.pop()
        seen.add(page)
        pages |= {linked for _, linked, _ in local_links(page) if linked in DOCUMENTS} - seen
    assert set(DOCUMENTS) - seen == set()


def test_what_does_not_exist_is_found(tmp_path):
    text = (
        "make nothing of prose. [a](config/no.md) [b](README.md#no) [c](../outside) `make no` `config/no.yaml`\n"
        "`./tigerbush no` [d](README.md#two-commands) [e](https://example.org) `make test` `config/` `./tigerbush retry`\n"
        "`tests/runs.py` `tests/no.py` `tests/unit/test_docs.py::tracked` `tests/unit/test_docs.py::test_no`\n"
        "```sh\nmake never  # comment\nsnakemake --configfile config/never.yaml\n```\n"
    )
    document = ROOT / "README.md"

    class Text(type(document)):
        def read_text(self):
            return text if self.name == "it.md" else super().read_text()

    it = Text(ROOT / "it.md")
    assert [*broken_links(it), *unknown_names(it)] == [
        "link config/no.md",
        "anchor README.md#no",
        "link ../outside",
        "make never",
        "file config/never.yaml",
        "make no",
        "file config/no.yaml",
        "./tigerbush no",
        "test tests/no.py::",
        "test tests/unit/test_docs.py::test_no",
    ]


def test_the_tables_of_inputs_are_those_of_the_tests():
    tables = runpy.run_path(str(ROOT / "docs" / "inputs_table.py"))
    text = tables["PAGE"].read_text()
    assert tables["with_tables"](text) == text, "docs/inputs.md is behind the tests: run make docs"
    assert len(re.findall(r"^\| .* \| .* \| \[.*\]\(.*\) \|$", text, re.MULTILINE)) == len(
        list(tables["markers"]())
    )
