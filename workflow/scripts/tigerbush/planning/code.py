"""The code of a rule: which files it is, and a fingerprint of the part that determines numbers.

The library of a rule is what its script imports from tigerbush, directly or through others. Two versions of a file have
the same fingerprint when they differ only in comments, blank lines, docstrings, texts given to exceptions, or log
messages. An edit of `code_digest` may change every fingerprint: results then need `make same-numbers`.
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

# imports from the library, in scripts and in the library; a test compares it with the syntax tree
IMPORT = re.compile(r"^ *(?:from|import) (tigerbush(?:\.\w+)*)(?!\w)", re.MULTILINE)
# modules that find others instead of importing them: at most one of this name in the folder of each sensor
DISCOVERED = {
    "tigerbush/sensors.py": "sensor.py",
    "tigerbush/readers.py": "reader.py",
    "tigerbush/archives.py": "archive.py",
}
# a new release alone does not make results outdated
VERSION = "tigerbush/version.py"
# enough for a few versions of the library
KEPT_DIGESTS = 1000
_EXCEPTION = re.compile(r"\w*(?:Error|Exception|Warning|Exit)")
_BODIES = {"body", "orelse", "finalbody"}
# irrelevant, or implied by the position of a node
_IGNORED = {"kind", "type_comment", "ctx"}
_LOGGERS = {"log", "logger", "logging", "warnings"}
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log", "warn"}


def imported_files(text: str) -> set[str]:
    """Return the files of the library that a text imports, with the `__init__` of their packages.

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
    """Return the files in the folders of sensors, which are those with a module `sensor`.

    Parameters
    ----------
    files : iterable of str
        Paths below workflow/scripts/.
    sensors : iterable of str, optional
        Folders; all by default.
    """
    files = list(files)
    folders = {folder for folder, _, name in (file.rpartition("/") for file in files) if name == "sensor.py"}
    wanted = folders if sensors is None else folders & set(sensors)
    return [file for file in files if file.rpartition("/")[0] in wanted]


def discovered_files(name: str, files: Iterable[str]) -> set[str]:
    """Return the modules in folders of sensors that a module of the library discovers, if it is one that does.

    Parameters
    ----------
    name : str
        Path below workflow/scripts/, as `imported_files` returns it.
    files : iterable of str
        The modules that it can find.
    """
    if name not in DISCOVERED:
        return set()
    return {file for file in files if file.rpartition("/")[2] == DISCOVERED[name]}


def closure(files: Iterable[str], imports: Callable[[str], set[str]]) -> list[str]:
    """Return files and those that they import, directly or through others.

    Parameters
    ----------
    files : iterable of str
        Paths below workflow/scripts/.
    imports : callable
        Returns the files that a file imports.

    Returns
    -------
    list of str
        Sorted.
    """
    visited: set[str] = set()
    pending = set(files)
    while pending:
        name = pending.pop()
        visited.add(name)
        pending |= imports(name) - visited
    return sorted(visited)


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
    """Return a digest of what a Python file does: of its syntax tree without the parts that determine no numbers.

    Node types and non-empty fields are compared. The tree is not walked by `ast.dump`, which differs between versions
    of Python; newer ones also add fields. The class of an exception counts; a text given to it does not, nor does the
    message of an assertion. A text that reaches an exception through a variable counts, since it may reach a result.

    Raises
    ------
    SyntaxError
    """
    words: list[str] = []
    _collect(ast.parse(text), words)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _collect(node: object, words: list[str], in_message: bool = False, is_raised: bool = False) -> None:
    """Collect the relevant parts of a node and its descendants.

    Parameters
    ----------
    node : AST, list or constant
    words : list of str
        Is extended.
    in_message : bool
        Whether the node is within the arguments of an exception, where texts do not count.
    is_raised : bool
        Whether the node is the expression of a `raise`.
    """
    if isinstance(node, list):
        words.append("[")
        for item in node:
            _collect(item, words, in_message)
        words.append("]")
    elif not isinstance(node, ast.AST):
        # in ASCII: which characters repr escapes differs between versions of Python
        words.append(f"{type(node).__name__} {node!a}")
    elif in_message and _is_text(node):
        words.append("text")
    else:
        words.append(f"({type(node).__name__}")
        message_fields = _message_fields(node, is_raised)
        for name, value in ast.iter_fields(node):
            if name in _IGNORED or value is None or value == []:
                continue
            words.append(name)
            if name in _BODIES:
                value = _without_docstrings_and_logs(value)
            elif isinstance(node, ast.JoinedStr):
                value = [item for item in value if not _is_empty(item)]
            _collect(
                value,
                words,
                in_message or name in message_fields,
                isinstance(node, ast.Raise) and name == "exc",
            )
        words.append(")")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_empty(node: ast.AST) -> bool:
    """Whether a part of an f-string is an empty one, as Python 3.12 puts between two fields of a format."""
    return isinstance(node, ast.Constant) and node.value == ""


def _message_fields(node: ast.AST, is_raised: bool) -> set[str]:
    """Return the fields of a node that contain an error message."""
    if isinstance(node, ast.Assert):
        return {"msg"}
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if is_raised or _EXCEPTION.fullmatch(name):
            return {"args", "keywords"}
    return set()


def _without_docstrings_and_logs(body: object) -> object:
    """Return the statements of a body that are neither docstrings nor log messages."""
    if not isinstance(body, list):
        return body  # of a lambda or a conditional expression
    return [node for node in body if not (isinstance(node, ast.Expr) and _is_docstring_or_log(node.value))]


def _is_docstring_or_log(value: ast.expr) -> bool:
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
    """`code_digest` of files, computed once for each content and cached beside the compiled modules.

    Runs that write at the same time may each lose what the other has added, which is then computed again.

    Parameters
    ----------
    folder : Path
        Of the library; if it is not writable, nothing is cached.
    """

    def __init__(self, folder: Path) -> None:
        self._cache = Path(cache_from_source(str(folder / "code.py"))).with_name("code_digests.json")
        # digests of another version of this file are not used
        self._salt = Path(__file__).read_bytes()
        self._known = self._read()

    def of(self, paths: Mapping[str, Path]) -> dict[str, str]:
        """Return the digests of files by name."""
        contents = {name: path.read_bytes() for name, path in paths.items()}
        keys = {name: hashlib.sha256(self._salt + content).hexdigest() for name, content in contents.items()}
        new = {keys[name]: content for name, content in contents.items() if keys[name] not in self._known}
        self._known |= {key: code_digest(content.decode()) for key, content in new.items()}
        if new:
            self._write()
        return {name: self._known[key] for name, key in keys.items()}

    def _read(self) -> dict[str, str]:
        try:
            return {str(key): str(digest) for key, digest in json.loads(self._cache.read_bytes()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _write(self) -> None:
        newest = dict(list(self._known.items())[-KEPT_DIGESTS:])
        temporary = self._cache.with_name(f".{self._cache.name}.{uuid.uuid4().hex}")
        with suppress(OSError):
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(newest))
            temporary.replace(self._cache)


def read_same_numbers(text: str) -> dict[str, str]:
    """Read which code makes the same numbers as earlier code: its fingerprint, and the one recorded with results.

    Parameters
    ----------
    text : str
        The table workflow/same_numbers.tsv: script, code, numbers_of.
    """
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return {code: earlier for _, code, earlier in rows}
