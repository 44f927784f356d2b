"""The code that a rule runs: which files it is, and a fingerprint of what of it makes numbers.

A rule's library is what its script imports of tigerbush, directly or through others. Two versions of a file have one
fingerprint when they differ in comments, blank lines, docstrings, the texts given to an exception, or what is logged.
"""

import ast
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

# how scripts and library import from the library; a test compares it with what Python reads
IMPORT = re.compile(r"^ *(?:from|import) (tigerbush[.\w]*)", re.MULTILINE)
# a release alone makes no result again
VERSION = "tigerbush/version.py"
_EXCEPTION = re.compile(r"\w*(?:Error|Exception|Warning|Exit)")
_BODIES = {"body", "orelse", "finalbody"}
_LOGS = {"log", "logger", "logging", "warnings"}

Digest = Callable[[str], str]


def modules_of(text: str, read: Callable[[str], str]) -> list[str]:
    """Name the files of the library that a text imports, directly or through others, sorted.

    Parameters
    ----------
    text : str
        Of a script.
    read : callable
        Returns the text of a file below workflow/scripts/.
    """
    found: set[str] = set()
    waiting = [text]
    while waiting:
        new = _imported(waiting.pop()) - found
        found |= new
        waiting += map(read, new)
    return sorted(found)


def _imported(text: str) -> set[str]:
    """Name the files that a text imports, and those of the packages they are in."""
    files = set()
    for module in IMPORT.findall(text):
        parts = module.split(".")
        files |= {"/".join([*parts[:i], "__init__.py"]) for i in range(1, len(parts))}
        files.add("/".join(parts) + ".py" if len(parts) > 1 else "tigerbush/__init__.py")
    return files


def fingerprint(files: Iterable[str], digest: Digest) -> str:
    """Return 16 hexadecimal digits for the code of some files.

    Parameters
    ----------
    files : iterable of str
        Below workflow/scripts/.
    digest : callable
        Returns `code_digest` of a file's text, perhaps from a cache.
    """
    lines = [f"{name} {digest(name)}\n" for name in sorted(set(files) - {VERSION})]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def code_digest(text: str) -> str:
    """Return a digest of what a Python file does: of its syntax tree without what makes no number.

    Node types and fields that are not empty are compared, by a walk of our own: `ast.dump` differs between versions
    of Python, as do fields that newer ones add. The class of an exception counts, its text does not.

    Raises
    ------
    SyntaxError
    """
    digest = hashlib.sha256()
    for word in _words(ast.parse(text), False):
        digest.update(word.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def _words(node: object, said: bool) -> Iterator[str]:
    """Yield what counts of a node and below; `said` within what is given to an exception."""
    if isinstance(node, ast.AST):
        if said and _is_text(node):
            yield "text"
            return
        yield f"({type(node).__name__}"
        said = said or isinstance(node, ast.Raise)
        for name, value in ast.iter_fields(node):
            if name in {"kind", "type_comment", "ctx"} or value is None or value == []:
                continue
            yield name
            given = name in {"args", "keywords"} and isinstance(node, ast.Call) and _is_exception(node.func)
            yield from _words(_without_talk(value) if name in _BODIES else value, said or given)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for one in node:
            yield from _words(one, said)
        yield "]"
    else:
        yield f"{type(node).__name__} {node!r}"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_exception(function: ast.expr) -> bool:
    name = getattr(function, "attr", getattr(function, "id", ""))
    return _EXCEPTION.fullmatch(name) is not None


def _without_talk(body: object) -> object:
    """Return the statements of a body that are neither docstrings nor messages of a log."""
    if not isinstance(body, list):
        return body  # of a lambda, or of "x if y else z"
    return [one for one in body if not (isinstance(one, ast.Expr) and _is_talk(one.value))]


def _is_talk(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return True
    function = getattr(value, "func", None)
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id in _LOGS
    )


class Digests:
    """`code_digest` of files, each computed once for its content; what is known is kept beside compiled modules.

    Parameters
    ----------
    folder : Path
        Of the library; where nothing can be written there, nothing is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._store = Path(cache_from_source(str(folder / "code.py"))).with_name("code_digests.json")
        self._known = self._read()

    def of(self, path: Path) -> str:
        """Return the digest of a file."""
        content = path.read_bytes()
        key = hashlib.sha256(content).hexdigest()
        if key not in self._known:
            self._known[key] = code_digest(content.decode())
            self._write()
        return self._known[key]

    def _read(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._store.read_text()))
        except (OSError, ValueError, TypeError):
            return {}

    def _write(self) -> None:
        with suppress(OSError):
            self._store.parent.mkdir(exist_ok=True)
            temporary = self._store.with_name(f".{self._store.name}.{os.getpid()}")
            temporary.write_text(json.dumps(self._known))
            temporary.replace(self._store)


def read_same_numbers(text: str) -> dict[str, str]:
    """Read which code makes the numbers of an earlier one: fingerprint to that of the earlier.

    Parameters
    ----------
    text : str
        The table workflow/same_numbers.tsv: script, code, numbers_of.
    """
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return {code: earlier for _, code, earlier in rows}
