"""Small faults of a module: comparisons, constants, signs, arguments, conditions, filters, statements."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.MatMult: ast.Mult,
}
# calls that can be replaced by their first argument
REPLACEABLE = {"abs", "ceil", "clip", "floor", "max", "maximum", "min", "minimum", "rint", "round", "sorted"}
# code without effect on numbers: imports, error messages
SKIPPED = (ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr)


@dataclass(frozen=True)
class Mutant:
    """A module with one fault.

    Attributes
    ----------
    line : int
        First line of the changed code.
    statement : range
        Lines of the statement, or of the head of the block, that contains the code.
    start, stop : int
        Position of the changed code in the bytes of the module.
    after : str
        The code that replaces it.
    """

    line: int
    statement: range
    start: int
    stop: int
    after: str

    def before(self, source: bytes) -> str:
        """Return the code that is changed."""
        return source[self.start : self.stop].decode()

    def applied(self, source: bytes) -> bytes:
        """Return the module with its fault."""
        return source[: self.start] + self.after.encode() + source[self.stop :]


def mutants(source: bytes) -> list[Mutant]:
    """List every fault that the operators can put into a module, in the order of its statements."""
    lines = source.splitlines(keepends=True)
    return list(_of_block(ast.parse(source).body, [0, *accumulate(map(len, lines))]))


def _of_block(statements: list[ast.stmt], starts: list[int]) -> Iterator[Mutant]:
    for statement in statements:
        if isinstance(statement, SKIPPED) or _is_docstring(statement):
            continue
        blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
        blocks += [
            part.body for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))
        ]
        inner = {id(node) for block in blocks for node in block}
        last = min((block[0].lineno - 1 for block in blocks if block), default=statement.end_lineno)
        lines = range(statement.lineno, max(last, statement.lineno) + 1)
        for node, changed in chain(_of_statement(statement), _of_expressions(statement, inner)):
            yield _mutant(node, changed, lines, starts)
        for block in blocks:
            yield from _of_block(block, starts)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _mutant(node: ast.AST, changed: ast.AST, lines: range, starts: list[int]) -> Mutant:
    start = starts[node.lineno - 1] + node.col_offset
    stop = starts[node.end_lineno - 1] + node.end_col_offset
    after = ast.unparse(changed)
    bare = isinstance(node, ast.Slice) or not isinstance(node, ast.expr)
    return Mutant(node.lineno, lines, start, stop, after if bare else f"({after})")


def _of_statement(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Drop a call or an augmented assignment; return None; exchange continue and break."""
    match statement:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete():
            yield statement, ast.Pass()
        case ast.Return(value=ast.expr()) if not isinstance(statement.value, ast.Constant):
            yield statement, ast.Return(ast.Constant(None))
        case ast.Continue():
            yield statement, ast.Break()
        case ast.Break():
            yield statement, ast.Continue()


def _of_expressions(statement: ast.stmt, blocks: set[int]) -> Iterator[tuple[ast.AST, ast.AST]]:
    for field, value in ast.iter_fields(statement):
        if field in ("annotation", "returns", "decorator_list", "type_params", "handlers", "cases"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and id(node) not in blocks:
                yield from _of_node(node)


def _of_node(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    if isinstance(node, SKIPPED):
        return
    if isinstance(node, ast.expr):
        for changed in _changes(node):
            yield node, changed
    for field, child in ast.iter_fields(node):
        if field == "annotation" or (field == "func" and isinstance(child, ast.Name)):
            continue
        for part in child if isinstance(child, list) else [child]:
            # targets of assignments have no value
            if isinstance(part, ast.AST) and not isinstance(getattr(part, "ctx", None), ast.Store | ast.Del):
                yield from _of_node(part)


def _changes(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare():
            for i, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator)]:
                    yield _with(node, ops=[*node.ops[:i], other(), *node.ops[i + 1 :]])
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield _with(node, op=ARITHMETIC[type(node.op)]())
        case ast.BoolOp():
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
            for i in range(len(node.values)):
                rest = [*node.values[:i], *node.values[i + 1 :]]
                yield rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.UnaryOp():
            yield node.operand
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Constant():
            yield from _other_constants(node.value)
        case ast.Call():
            yield from _calls(node)
        case ast.Slice():
            for bound in ("lower", "upper", "step"):
                if getattr(node, bound):
                    yield _with(node, **{bound: None})
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from _unfiltered(node)


def _other_constants(value: object) -> Iterator[ast.expr]:
    match value:
        case bool():
            yield ast.Constant(not value)
        case int() | float():
            yield ast.Constant(value + 1)
            if value not in (0, 1):
                yield ast.Constant(value - 1 if isinstance(value, int) else value * 1.5)
        case str() if value:
            yield ast.Constant(f"{value}?")


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    for i in range(len(node.args) - 1):
        first, second = node.args[i : i + 2]
        if ast.dump(first) != ast.dump(second) and not isinstance(second, ast.Starred | ast.GeneratorExp):
            yield _with(node, args=[*node.args[:i], second, first, *node.args[i + 2 :]])
    for i, keyword in enumerate(node.keywords):
        # dropping `strict` changes nothing for valid input
        if keyword.arg == "strict":
            continue
        yield _with(node, keywords=[*node.keywords[:i], *node.keywords[i + 1 :]])
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in REPLACEABLE and node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]


def _unfiltered(node: ast.expr) -> Iterator[ast.expr]:
    for i, loop in enumerate(node.generators):
        if loop.ifs:
            yield _with(
                node, generators=[*node.generators[:i], _with(loop, ifs=[]), *node.generators[i + 1 :]]
            )
            for j, condition in enumerate(loop.ifs):
                negated = [*loop.ifs[:j], ast.UnaryOp(ast.Not(), condition), *loop.ifs[j + 1 :]]
                changed = _with(loop, ifs=negated)
                yield _with(node, generators=[*node.generators[:i], changed, *node.generators[i + 1 :]])


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
