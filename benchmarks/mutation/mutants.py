"""Mutants: a source with one other operator each, all of them in the order of the source."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Mutant", "mutants"]

OTHERS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
PAIRS = (("min", "max"), ("minimum", "maximum"), ("any", "all"))
CALLED = dict([*PAIRS, *((after, before) for before, after in PAIRS)])


@dataclass(frozen=True)
class Mutant:
    """A source file with one fault.

    Parameters
    ----------
    file : str
        Path from the root.
    function : str
        In which function it is, with its class.
    before, after : str
        The expression or statement without the fault, and with it.
    line : int
        Where in the file.
    number : int
        Which one it is of those that read the same, from 1.
    source : str
        All of the file, with the fault.
    """

    file: str
    function: str
    before: str
    after: str
    line: int
    number: int = 1
    source: str = field(default="", repr=False, compare=False)

    @property
    def text(self) -> str:
        """What it is known by, wherever in the file it comes to lie."""
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{self.file}, {self.function}: {self.before} -> {self.after}{again}"


def mutants(file: str, source: str, spared: Collection[str] = ()) -> Iterator[Mutant]:
    """Yield every mutant of the functions in a source.

    Faults are put into the bodies of functions, but not into what they say when they raise, nor
    into computed indices: most of those would leave the array, or not even compile.

    Parameters
    ----------
    file : str
        What to call the source.
    source : str
    spared : collection of str
        Functions that are left alone, with their class or without.
    """
    tree = ast.parse(source)
    seen: Counter[tuple[str, ...]] = Counter()
    for function, node in _nodes(tree, "", spared):
        for other in _faulty(node):
            told = function, ast.unparse(node), ast.unparse(other)
            seen[told] += 1
            faulty = _replaced(source, node, told[2])
            yield Mutant(file, *told, node.lineno, seen[told], faulty)


def _replaced(source: str, node: Any, code: str) -> str:
    """Return a source with other code in a node's place."""
    lines = source.encode().splitlines(keepends=True)  # columns are counted in bytes
    before = b"".join([*lines[: node.lineno - 1], lines[node.lineno - 1][: node.col_offset]])
    rest = b"".join([lines[node.end_lineno - 1][node.end_col_offset :], *lines[node.end_lineno :]])
    written = code if isinstance(node, ast.stmt) else f"({code})"
    return (before + written.encode() + rest).decode()


# --- where ---------------------------------------------------------------------------------------


def _nodes(parent: ast.AST, function: str, spared: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield the nodes of all function bodies, with the function, in the order of the source."""
    for node in _below(parent):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = f"{function}.{node.name}".lstrip(".")
            if not {node.name, name} & set(spared):
                yield from _nodes(node, name, spared)
        elif not isinstance(parent, ast.Module | ast.ClassDef) and not _untouched(parent, node):
            yield function, node
            yield from _nodes(node, function, spared)


def _below(node: Any) -> Iterator[Any]:
    """Yield the children of a node: of a function its body, no default and no annotation."""
    if isinstance(node, ast.FunctionDef):
        yield from node.body
    elif isinstance(node, ast.AnnAssign):
        yield from filter(None, (node.value,))
    else:
        yield from ast.iter_child_nodes(node)


def _untouched(parent: ast.AST, node: ast.AST) -> bool:
    indexes = isinstance(parent, ast.Subscript) and node is parent.slice
    computed = indexes and not isinstance(node, ast.Constant)
    return computed or isinstance(node, ast.Raise | ast.JoinedStr)


# --- what ----------------------------------------------------------------------------------------


def _faulty(node: Any) -> Iterator[Any]:
    """Yield what may stand in a node's place."""
    match node:
        case ast.Compare(ops=ops):
            for at, one in enumerate(ops):
                yield _with(node, ops=[*ops[:at], OTHERS[type(one)](), *ops[at + 1 :]])
        case ast.BinOp(op=one) | ast.BoolOp(op=one) | ast.AugAssign(op=one):
            if type(one) in OTHERS:  # a matrix product has no other
                yield _with(node, op=OTHERS[type(one)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Call(func=ast.Name(id=name) as called) if name in CALLED:
            yield _with(node, func=_with(called, id=CALLED[name]))
        case ast.Call(func=ast.Attribute(attr=name) as called) if name in CALLED:
            yield _with(node, func=_with(called, attr=CALLED[name]))


def _with(node: Any, **fields: Any) -> Any:
    changed = copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
