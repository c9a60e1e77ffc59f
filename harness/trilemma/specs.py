"""How a mechanism is written, `yuma(kappa=0.6)`, and which parameters its class takes.

Nothing is imported or looked up here, and no text is ever evaluated.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from inspect import Parameter
from numbers import Integral, Real
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from trilemma.errors import UsageError

__all__ = ["Spec", "adjusted", "bind", "meant", "parameters", "parse", "signature", "write"]

LONGEST = 2000  # characters; keeps Python's own parser far from the end of its stack
DEEPEST = 20  # mechanisms or tuples inside one another
NUMBER_WORDS = {"inf": math.inf, "nan": math.nan}  # what Python writes but does not read back

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_CALL = r"\s*(?P<call>(?s:\(.*\)))?"
_NAMED = re.compile(rf"(?P<head>{_DOTTED}:{_DOTTED}|[\w.-]+){_CALL}")
_IN_FILE = re.compile(rf"(?P<head>.*?\.py:{_DOTTED}){_CALL}")


@dataclass(frozen=True)
class Spec:
    """A mechanism as it is written; `str()` writes it.

    Parameters
    ----------
    head : str
        An entry-point name, `module:Name` or `path/file.py:Name`.
    arguments : tuple of (str, object)
        Parameters in the order written. A value is a number, a string, a boolean, None, a tuple
        of these, or the `Spec` of another mechanism.
    """

    head: str
    arguments: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={write(value)}" for name, value in self.arguments)
        return f"{self.head}({inside})" if inside else self.head


def write(value: object) -> str:
    """Write a value so that equal numbers look the same and `parse` reads it back, on one line."""
    match value:
        case Spec(head=head):
            bare = head.isascii() and head.isidentifier() and not keyword.iskeyword(head)
            return str(value) if bare and head not in NUMBER_WORDS else repr(str(value))
        case str():
            return str.__repr__(value)
        case bool():
            return repr(value)
        case Integral():
            return repr(int(value))
        case Real():
            return repr(float(value) + 0.0).removesuffix(".0")  # + 0.0: no minus zero
        case tuple():
            inside = ", ".join(write(element) for element in value)
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        case _:
            return " ".join((getattr(value, "__name__", None) or repr(value)).split())


def meant(word: str, options: Iterable[str]) -> str:
    """Return what a message about an unknown word may end with."""
    close = get_close_matches(word, list(options), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def parse(text: str) -> Spec:
    """Read a spec.

    Raises
    ------
    UsageError
        If the text is not `head` or `head(parameter=value, ...)`.
    """
    if not isinstance(text, str):
        raise UsageError(f"a plug-in is named by text, not by {type(text).__name__}")
    text = text.strip()
    if len(text) > LONGEST:
        raise UsageError(f"{text[:40]!r}...: a plug-in is named in {LONGEST} characters or fewer")
    # a path may look like a call, `old(1)/rule.py:Rule(x=1)`: then only the second reading parses
    matches = (form.fullmatch(text) for form in (_NAMED, _IN_FILE))
    readings = [match for match in matches if match and match["head"].isprintable()]
    if not readings:
        raise UsageError(
            f"{text!r} names no plug-in; expected name, module:Name or ./file.py:Name, "
            "then perhaps (parameter=value, ...)"
        )
    for reading in readings:
        call = _call(reading["call"] or "()")
        if call is not None:
            return _spec(reading["head"], call, text, depth=1)
    raise UsageError(f"{text!r}: cannot read the parameters; expected (parameter=value, ...)")


def _call(text: str) -> ast.Call | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash in a string is the user's affair
            body = ast.parse("_" + text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return body if isinstance(body, ast.Call) and isinstance(body.func, ast.Name) else None


def _spec(head: str, call: ast.Call, text: str, depth: int) -> Spec:
    if call.args:
        raise UsageError(f"{text!r}: {head} takes its parameters by name, (parameter=value)")
    arguments: dict[str, object] = {}
    for argument in call.keywords:
        if argument.arg is None:
            raise UsageError(f"{text!r}: ** cannot be used; write each parameter of {head}")
        if argument.arg in arguments:
            raise UsageError(f"{text!r}: {head} is given {argument.arg} twice")
        arguments[argument.arg] = _value(argument.arg, argument.value, text, depth)
    return Spec(head, tuple(arguments.items()))


def _value(name: str, node: ast.expr, text: str, depth: int) -> object:
    if depth > DEEPEST:
        raise UsageError(f"{text[:40]!r}...: {name} is nested more than {DEEPEST} deep")
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.Name(id=word):
            return NUMBER_WORDS.get(word) or Spec(word)
        case ast.Call(func=ast.Name(id=head)):
            return _spec(head, node, text, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() | ast.Name() as operand):
            size = _value(name, operand, text, depth)
            if isinstance(size, int | float) and not isinstance(size, bool):
                return -size
        case ast.Tuple(elts=elements):
            values = tuple(_value(name, element, text, depth + 1) for element in elements)
            if not any(isinstance(value, Spec) for value in values):
                return values
    raise UsageError(
        f"{text!r}: {name} must be a number, a string, True, False, None, a tuple of these "
        "or a mechanism"
    )


def parameters(mechanism: object) -> dict[str, object]:
    """Return a mechanism's parameters, name to value; none for a function."""
    return {field.name: getattr(mechanism, field.name) for field in _fields(type(mechanism))}


def adjusted(mechanism: Any, values: Mapping[str, object]) -> Any:
    """Return a mechanism with other parameters, its own and those of mechanisms inside it.

    Parameters
    ----------
    mechanism : Mechanism
    values : mapping
        By name. What the mechanism does not have is left out; if it has none of them, neither
        itself nor inside, it is returned as it is.

    Raises
    ------
    ValueError
        If the mechanism refuses a value.
    """
    own = parameters(mechanism)
    inside = {name: it for name, it in own.items() if callable(it)}
    changed = {name: adjusted(it, values) for name, it in inside.items()}
    changes = {name: it for name, it in changed.items() if it is not inside[name]}
    changes |= {name: value for name, value in values.items() if name in own}
    return replace(mechanism, **changes) if changes else mechanism


def _fields(kind: type) -> list[Field[Any]]:
    """Return the fields that a class takes: none if it has a constructor of its own."""
    maker = next(base for base in kind.__mro__ if "__init__" in vars(base))
    made = is_dataclass(maker) and "__dataclass_fields__" in vars(maker)
    return [it for it in fields(maker) if it.init] if made else []


def signature(kind: type) -> dict[str, Parameter]:
    """Return the parameters of a class by name: `default` (or `empty`) and type, `annotation`.

    The types of a dataclass's fields are resolved; one that only type checkers can resolve, as an
    import under `TYPE_CHECKING`, counts as a callable. Other classes may be given anything.
    """
    if taken := _fields(kind):
        scope: dict[str, object] = {}
        for base in reversed(kind.__mro__):
            scope |= getattr(sys.modules.get(base.__module__), "__dict__", {})
        return {field.name: _parameter(field, scope) for field in taken}
    try:
        declared = inspect.signature(kind).parameters
    except (TypeError, ValueError):  # a class written in C need not tell
        return {}
    by_name = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return {name: it.replace(annotation=Any) for name, it in declared.items() if it.kind in by_name}


def _parameter(field: Field[Any], scope: dict[str, object]) -> Parameter:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    default = Parameter.empty if default is MISSING else default
    hint = _type(field.type, scope)
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _type(annotation: object, scope: dict[str, object]) -> object:
    try:
        return get_type_hints(SimpleNamespace(__annotations__={"it": annotation}), scope)["it"]
    except Exception:  # an annotation may be any expression
        return Callable


def bind(
    spec: Spec, known: Mapping[str, Parameter], build: Callable[[Spec], object]
) -> dict[str, object]:
    """Return what a spec gives to the parameters of a class, with mechanisms built.

    Raises
    ------
    UsageError
        If a parameter does not exist, is missing, or has a value of another type.
    """
    given = dict(spec.arguments)
    unknown = [f"has no parameter {it!r}{meant(it, known)}" for it in given if it not in known]
    required = [name for name, it in known.items() if it.default is it.empty]
    missing = [f"needs {name}" for name in required if name not in given]
    for trouble in unknown + missing:
        offer = [f"{it}={write(known[it].default)}" if it not in required else it for it in known]
        raise UsageError(f"{spec.head} {trouble}; it takes {', '.join(offer) or 'none'}")
    return {
        name: _argument(f"{spec.head}: {name}", value, known[name].annotation, build)
        for name, value in given.items()
    }


def _argument(where: str, value: object, hint: object, build: Callable[[Spec], object]) -> object:
    given = value
    if _fits(build, hint):  # a mechanism may stand here
        if isinstance(value, str) and not _fits(value, hint):
            value = parse(value)
        if isinstance(value, Spec):
            value = build(value)
    if not _fits(value, hint):
        generic = str(hint).replace("typing.", "")
        expected = generic if get_args(hint) else getattr(hint, "__name__", generic)
        raise UsageError(f"{where} must be {expected}, not {write(given)}")
    return value


def _fits(value: object, hint: object) -> bool:
    """Tell whether a value from a spec, or a mechanism, may stand where a type is declared.

    An int may stand for a float, a boolean for no number. Any type that is no number, string,
    boolean, None, tuple, `Literal` or union of them is taken for a mechanism.
    """
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in (Any, object):
        return True
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if kind is tuple:
        if not isinstance(value, tuple) or not parts:
            return isinstance(value, tuple)
        expected = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(value) == len(expected) and all(map(_fits, value, expected))
    if kind is float:
        return type(value) in (float, int)
    if kind in (int, str, bool, NoneType):
        return type(value) is kind
    return callable(value)
