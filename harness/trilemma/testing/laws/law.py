"""What laws have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from trilemma.model import Epoch
from trilemma.testing.case import Case
from trilemma.testing.check import Check, Look
from trilemma.testing.drawing import cases, reports

__all__ = ["ANY", "FIELDS", "law", "own", "two_epochs"]

CONTRACT = "the plug-in contract"
FIELDS = ("stake", "weights", "votes", "seats", "orders", "flows", "tenure", "subnets")
ANY = cases(trades=True)


def law(name: str, formula: str, look: Look, tried: st.SearchStrategy[Case] = ANY) -> Check:
    """Return a check that binds every mechanism."""
    return Check(name, "law", formula, CONTRACT, tried, look)


def own(epoch: Epoch) -> Epoch:
    """Return an epoch that may be written to."""
    return epoch.trusting(**{name: np.array(getattr(epoch, name)) for name in FIELDS})


@st.composite
def two_epochs(draw: st.DrawFn) -> Case:
    """Draw a case and, as reports, all that is said in another epoch."""
    case = draw(cases())
    return replace(case, reports=draw(reports(*case.shape)))
