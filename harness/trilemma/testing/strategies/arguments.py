"""Validation of what strategies are asked for."""

from __future__ import annotations

from typing import Any, TypeAlias

from trilemma.checks import whole
from trilemma.errors import UsageError
from trilemma.model import AIMS

__all__ = ["FEW", "LARGEST", "Span", "aims", "flag", "span"]

FEW = 4  # validators and miners, where nobody asks for more
LARGEST = 8  # all ways to share 8 among more are too many to list

Span: TypeAlias = tuple[int, int]


def flag(name: str, value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be True or False, not {value!r}")
    return value


def span(strategy: str, of: str, low: int, high: int | None) -> Span:
    """Return how many there are at least and at most."""
    least = whole(f"{strategy}: min_{of}", low, 1, LARGEST)
    if high is None:
        return least, max(FEW, least)
    return least, whole(f"{strategy}: max_{of}", high, least, LARGEST)


def aims(name: str, value: Any) -> tuple[str, ...]:
    """Return the aim that is asked for; both where nobody asks."""
    if value is not None and value not in AIMS:
        raise UsageError(f"{name} must be {' or '.join(map(repr, AIMS))}, not {value!r}")
    return AIMS if value is None else (value,)
