"""Copies of the checkout, for tests and tools that edit them."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = "workflow/scripts/tigerbush"
# edits: file, pattern, replacement
VERSION = (f"{LIBRARY}/version.py", r'__version__ = ".*"', '__version__ = "99.0.0"')
RAISED = (r"(raise \w+Error\(\s*f?\")", r"\1In other words: ")


def copy_checkout(folder: Path, *names: str, root: Path = ROOT) -> Path:
    """Copy what git tracks or would track, without .git: everything, or only what is below the given names."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *names]
    files = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in files:
        # a deleted file may still be tracked
        if (root / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    return folder


def commit_all(folder: Path) -> Path:
    """Turn a folder into a git repository, with one commit of its content."""
    name = ("-c", "user.name=Tests", "-c", "user.email=tests@example.org")
    for command in (("init", "--quiet"), ("add", "."), (*name, "commit", "--quiet", "--message", "all")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def edit(checkout: Path, name: str, old: str, new: str) -> None:
    """Replace all matches of a pattern in a file."""
    path = checkout / name
    text, count = re.subn(old, new, path.read_text(), flags=re.MULTILINE)
    assert count, f"{name} has no {old}"
    path.write_text(text)


def move_modules(checkout: Path) -> None:
    """Move modules to other packages, rename one, and change sentences, as a release may."""
    scripts = checkout / "workflow" / "scripts"
    (scripts / "tigerbush" / "arrays").mkdir()
    (scripts / "tigerbush" / "arrays" / "__init__.py").write_text('"""Arrays only."""\n')
    moves = {"images": "arrays.pictures", "raster": "arrays.raster", "sites.composite": "median"}
    for old, new in moves.items():
        paths = [scripts / "tigerbush" / f"{name.replace('.', '/')}.py" for name in (old, new)]
        paths[0].rename(paths[1])
    for path in [*scripts.rglob("*.py"), *(checkout / "workflow" / "rules").glob("*.smk")]:
        text = path.read_text()
        for old, new in moves.items():
            text = re.sub(rf'(tigerbush\.|from_library\("){re.escape(old)}\b', rf"\g<1>{new}", text)
        path.write_text(text)
    edit(checkout, *VERSION)
    edit(checkout, f"{LIBRARY}/sentinel2/safe.py", *RAISED)


def with_environment(checkout: Path) -> Path:
    """Give a checkout an environment as `make env` does, with what this one has installed; return its Python."""
    environment = checkout / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site_packages(environment) / "z.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    subprocess.run(["make", "--silent", ".venv/.plugins"], cwd=checkout, check=True)
    return environment / "bin" / "python"


def site_packages(environment: Path) -> Path:
    """The folder of what is installed in an environment."""
    return next(environment.glob("lib/python*/site-packages"))


def write_other_version(
    folder: Path, content: str = 'raise ImportError("another version of tigerbush is imported")\n'
) -> Path:
    """Another version of the library, by default one that must not be imported; return the folder."""
    (folder / "tigerbush").mkdir(parents=True)
    (folder / "tigerbush" / "__init__.py").write_text(content)
    return folder
