"""A comparison that the tests of its page share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from trilemma.compare import compare
from trilemma.model import Budget, Epoch, FloatArray
from trilemma.report import Report
from trilemma.report.document import document
from trilemma.worlds import Preset

RULES = ("yuma", "quadratic", "dao_vote", "dictator", "uniform")


class Hostile:
    """A mechanism whose name would be a script if a page let it."""

    name = "</script><script>document.title='run'</script>"

    def __repr__(self) -> str:
        return self.name

    def __call__(self, epoch: Epoch) -> FloatArray:
        return np.asarray(epoch.stake @ epoch.weights / epoch.stake.sum())


@lru_cache
def report() -> Report:
    """Return a small comparison with a search, seen from both sides."""
    return compare(
        RULES,
        world=Preset(validators=12, miners=16),
        worlds=3,
        budget=Budget(identities=4, evaluations=40),
        workers=1,
    )


@lru_cache
def told() -> dict[str, Any]:
    """Return its document; not to be changed."""
    return document(report())
