"""Witnesses: bad numbers that anybody can replay, explain, make smaller and turn into a test."""

from trilemma.witness.as_test import as_test
from trilemma.witness.explain import Explanation, Line, explain, explained, text
from trilemma.witness.finding import Case, witnesses
from trilemma.witness.minimise import minimised
from trilemma.witness.witness import Replay, Witness

__all__ = [
    "Case",
    "Explanation",
    "Line",
    "Replay",
    "Witness",
    "as_test",
    "explain",
    "explained",
    "minimised",
    "text",
    "witnesses",
]
