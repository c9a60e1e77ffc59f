"""Validation of single numbers that somebody asked for."""

from __future__ import annotations

from numbers import Real
from operator import index
from typing import Any

from trilemma.errors import UsageError

__all__ = ["NOTHING", "real", "whole"]

NOTHING = 1e-9  # pay or harm that does not count


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return a whole number of any integer type within its bounds."""
    try:
        number = index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        bounds = f"a whole number, {low} or more" if high is None else f"in {low}..{high}"
        raise UsageError(f"{name} must be {low if low == high else bounds}, not {value!r}")
    return number


def real(name: str, value: Any, low: float, high: float, *, open_end: bool = False) -> float:
    """Return a real number of any type within its bounds; NaN is in none."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else None
    if number is None or not (low <= number <= high) or (open_end and number == high):
        end = ")" if open_end else "]"
        raise UsageError(f"{name} must be in [{low:g}, {high:g}{end}, not {value!r}")
    return number
