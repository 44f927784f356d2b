"""The code that a rule runs: which files it is, and a fingerprint of what of it makes numbers.

The library of a rule is what its script imports of tigerbush, directly or through others. Two versions of a file have
one fingerprint when they differ in comments, blank lines, docstrings, texts given to exceptions, or what is logged. An
edit of `code_digest` gives every file another one: results then need `make same-numbers`.
"""

import ast
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

# how scripts and library import from the library; a test compares it with what Python reads
IMPORT = re.compile(r"^ *(?:from|import) (tigerbush(?:\.\w+)*)(?!\w)", re.MULTILINE)
# what is found instead of imported: the modules of a name, at most one in the folder of each sensor
FOUND = {
    "tigerbush/sensors.py": "sensor.py",
    "tigerbush/readers.py": "reader.py",
    "tigerbush/archives.py": "archive.py",
}
# a release alone makes no result again
VERSION = "tigerbush/version.py"
# digests that are kept: those of a few versions of the library
KEPT_DIGESTS = 1000
_EXCEPTION = re.compile(r"\w*(?:Error|Exception|Warning|Exit)")
_BODIES = {"body", "orelse", "finalbody"}
# of no consequence, or implied by the place of a node
_IGNORED = {"kind", "type_comment", "ctx"}
_LOGGERS = {"log", "logger", "logging", "warnings"}
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log", "warn"}


def imported(text: str) -> set[str]:
    """Name the files of the library that a text imports, with those of the packages they are in.

    Parameters
    ----------
    text : str
        Of a Python file.

    Returns
    -------
    set of str
        Paths below workflow/scripts/.
    """
    files = set()
    for module in IMPORT.findall(text):
        parts = module.split(".")
        files |= {"/".join([*parts[:i], "__init__.py"]) for i in range(1, len(parts))}
        files.add("/".join(parts) + ".py" if len(parts) > 1 else "tigerbush/__init__.py")
    return files


def files_of_sensors(files: Iterable[str], sensors: Iterable[str] | None = None) -> list[str]:
    """Return the files that lie in folders of sensors, those with a module `sensor`.

    Parameters
    ----------
    files : iterable of str
        Paths below workflow/scripts/.
    sensors : iterable of str, optional
        Folders; without it all.
    """
    files = list(files)
    folders = {folder for folder, _, name in (file.rpartition("/") for file in files) if name == "sensor.py"}
    wanted = folders if sensors is None else folders & set(sensors)
    return [file for file in files if file.rpartition("/")[0] in wanted]


def found(name: str, files: Iterable[str]) -> set[str]:
    """Name the modules in folders of sensors that a file finds, where it is one that does.

    Parameters
    ----------
    name : str
        Path below workflow/scripts/, as `imported` returns it.
    files : iterable of str
        What there is to find.
    """
    return {file for file in files if file.rpartition("/")[2] == FOUND[name]} if name in FOUND else set()


def closure(files: Iterable[str], imports: Callable[[str], set[str]]) -> list[str]:
    """Name files and those that they import, directly or through others.

    Parameters
    ----------
    files : iterable of str
        Paths below workflow/scripts/.
    imports : callable
        Returns what `imported` finds in a file.

    Returns
    -------
    list of str
        Sorted.
    """
    found: set[str] = set()
    waiting = set(files)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= imports(name) - found
    return sorted(found)


def fingerprint(digests: Mapping[str, str]) -> str:
    """Return 16 hexadecimal digits for the code of some files.

    Parameters
    ----------
    digests : mapping of str to str
        `code_digest` of the files, by their paths below workflow/scripts/.
    """
    lines = [f"{name} {digest}\n" for name, digest in sorted(digests.items()) if name != VERSION]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def code_digest(text: str) -> str:
    """Return a digest of what a Python file does: of its syntax tree without what makes no number.

    Node types and fields that are not empty are compared, by a walk of our own: `ast.dump` differs between versions of
    Python, as do fields that newer ones add. The class of an exception counts; a text given to it does not, nor does
    the message of an assertion. A text that reaches an exception by a variable counts: it may reach a result as well.

    Raises
    ------
    SyntaxError
    """
    words: list[str] = []
    _collect(ast.parse(text), words)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _collect(node: object, words: list[str], said: bool = False, raised: bool = False) -> None:
    """Collect what counts of a node and below: `said` within what is given to an exception, `raised` if it is one."""
    if isinstance(node, list):
        words.append("[")
        for item in node:
            _collect(item, words, said)
        words.append("]")
    elif not isinstance(node, ast.AST):
        # by ascii: which characters Python prints as they are differs between versions
        words.append(f"{type(node).__name__} {node!a}")
    elif said and _is_text(node):
        words.append("text")
    else:
        words.append(f"({type(node).__name__}")
        given = _given_to_exception(node, raised)
        for name, value in ast.iter_fields(node):
            if name in _IGNORED or value is None or value == []:
                continue
            words.append(name)
            if name in _BODIES:
                value = _without_talk(value)
            elif isinstance(node, ast.JoinedStr):
                value = [item for item in value if not _is_empty(item)]
            _collect(value, words, said or name in given, isinstance(node, ast.Raise) and name == "exc")
        words.append(")")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_empty(node: ast.AST) -> bool:
    """Whether a part of an f-string is one that Python 3.12 puts between two fields of a format."""
    return isinstance(node, ast.Constant) and node.value == ""


def _given_to_exception(node: ast.AST, raised: bool) -> set[str]:
    """Name the fields of a node that hold what is said when something fails."""
    if isinstance(node, ast.Assert):
        return {"msg"}
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if raised or _EXCEPTION.fullmatch(name):
            return {"args", "keywords"}
    return set()


def _without_talk(body: object) -> object:
    """Return the statements of a body that are neither docstrings nor messages of a log."""
    if not isinstance(body, list):
        return body  # of a lambda, or of "x if y else z"
    return [node for node in body if not (isinstance(node, ast.Expr) and _is_talk(node.value))]


def _is_talk(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return True
    function = getattr(value, "func", None)
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _LEVELS
        and isinstance(function.value, ast.Name)
        and function.value.id in _LOGGERS
    )


class Digests:
    """`code_digest` of files, computed once for each content; what is known is kept beside compiled modules.

    Runs that write at the same time may each lose what the other has added: it is computed again.

    Parameters
    ----------
    folder : Path
        Of the library; where nothing can be written there, nothing is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._store = Path(cache_from_source(str(folder / "code.py"))).with_name("code_digests.json")
        # of another version of this file nothing is taken
        self._salt = Path(__file__).read_bytes()
        self._known = self._read()

    def of(self, paths: Mapping[str, Path]) -> dict[str, str]:
        """Return the digests of files, by the names that they are given by."""
        contents = {name: path.read_bytes() for name, path in paths.items()}
        keys = {name: hashlib.sha256(self._salt + content).hexdigest() for name, content in contents.items()}
        new = {keys[name]: content for name, content in contents.items() if keys[name] not in self._known}
        self._known |= {key: code_digest(content.decode()) for key, content in new.items()}
        if new:
            self._write()
        return {name: self._known[key] for name, key in keys.items()}

    def _read(self) -> dict[str, str]:
        try:
            return {str(key): str(digest) for key, digest in json.loads(self._store.read_bytes()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _write(self) -> None:
        kept = dict(list(self._known.items())[-KEPT_DIGESTS:])
        temporary = self._store.with_name(f".{self._store.name}.{uuid.uuid4().hex}")
        with suppress(OSError):
            self._store.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(kept))
            temporary.replace(self._store)


def read_same_numbers(text: str) -> dict[str, str]:
    """Read which code makes the numbers of an earlier one: its fingerprint, to that by which results are recorded.

    Parameters
    ----------
    text : str
        The table workflow/same_numbers.tsv: script, code, numbers_of.
    """
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return {code: earlier for _, code, earlier in rows}
