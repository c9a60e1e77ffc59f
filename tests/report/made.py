"""A comparison that the tests of its page share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from trilemma.compare import compare
from trilemma.model import Budget
from trilemma.report import Report
from trilemma.report.document import document
from trilemma.worlds import Preset

RULES = ("yuma", "quadratic", "dao_vote", "dictator", "uniform")


@lru_cache
def report() -> Report:
    """Return a small comparison with a search, seen from both sides."""
    return compare(
        RULES,
        world=Preset(validators=12, miners=16),
        worlds=2,
        budget=Budget(identities=4, evaluations=20),
        workers=1,
    )


@lru_cache
def told() -> dict[str, Any]:
    """Return its document; not to be changed."""
    return document(report())
