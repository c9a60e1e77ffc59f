"""Numbers as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["at_least", "at_most", "line", "lines", "numbers"]


def numbers(values: Any) -> str:
    """Return an array in four digits; rows apart."""
    array = np.asarray(values)
    return lines(array.tolist()) if array.ndim == 2 else line(np.atleast_1d(array).tolist())


def line(row: Iterable[Any]) -> str:
    """Return numbers on one line, floats in four digits."""
    return " ".join(f"{it:.4g}" if isinstance(it, float) else str(it) for it in row)


def lines(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows of numbers on one line."""
    return " | ".join(map(line, rows))


def at_most(limit: float, found: float) -> str:
    """Say that something was expected to be a number at most."""
    return f"expected {limit:.4g} at most, found {_apart(limit, found, 'more')}"


def at_least(limit: float, found: float) -> str:
    """Say that something was expected to be a number at least."""
    return f"expected {limit:.4g} or more, found {_apart(limit, found, 'less')}"


def _apart(limit: float, found: float, by: str) -> str:
    """Write a number so that it can be told from another one, by their difference if need be."""
    short = f"{found:.4g}"
    return short if short != f"{limit:.4g}" else f"{abs(found - limit):.2g} {by}"
