"""On which line of a TOML file something is said."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any, TypeAlias

__all__ = ["places"]

KeyPath: TypeAlias = tuple[str | int, ...]

MOST_LINES = 200  # of one statement: each line more is read again with those before it
DEEPEST = 8  # parts of a path that a study can have, and some


def places(text: str) -> dict[KeyPath, int]:
    """Return the line on which the statement about each path starts, counted from 1.

    Parameters
    ----------
    text : str
        Valid TOML. What follows a statement of more than 200 lines is not placed.
    """
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counted: dict[KeyPath, int] = {}  # how often each [[table]] has been opened
    for line, statement in _statements(text):
        said = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _opened(said, counted)
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], line)
        else:
            for path in _paths(said, table):
                found.setdefault(path, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the first line of every statement and its text: the fewest lines that are TOML."""
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        for stop in range(start + 1, min(start + MOST_LINES, len(lines)) + 1):
            statement = "\n".join(lines[start:stop])
            if _is_toml(statement):
                break
        else:
            return
        yield start + 1, statement
        start = stop


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


def _opened(said: dict[str, Any], counted: dict[KeyPath, int]) -> KeyPath:
    """Return the path of the table that a header opens."""
    path: KeyPath = ()
    value: Any = said
    while value and len(path) < DEEPEST:
        if isinstance(value, list):  # the last part of [[table]]
            counted[path] = counted.get(path, -1) + 1
            return (*path, counted[path])
        if path in counted:
            path = (*path, counted[path])
        [(key, value)] = value.items()
        path = (*path, key)
    return (*path, counted[path]) if path in counted else path


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    """Yield the paths of everything inside a value, and of the value."""
    yield path
    if len(path) < DEEPEST and isinstance(value, dict | list):
        for key, it in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(it, (*path, key))
