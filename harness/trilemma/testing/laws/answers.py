"""What a single answer has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from trilemma.errors import one_line
from trilemma.model import OVERPAYMENT, AnyArray, Epoch, Rewards
from trilemma.testing.case import Case
from trilemma.testing.check import Fault, NotJudged, Subject
from trilemma.testing.drawing import cases
from trilemma.testing.laws.law import law, own
from trilemma.testing.words import numbers

__all__ = [
    "ANSWERS",
    "DEGENERATE",
    "FINITE",
    "NON_NEGATIVE",
    "NO_OVERPAYMENT",
    "SHAPES",
]


def _answer(subject: Subject, epoch: Epoch) -> Rewards:
    try:
        return subject.raw(own(epoch))
    except (Exception, SystemExit) as error:
        raise NotJudged(one_line(error)) from error


def _answers(subject: Subject, case: Case) -> Fault | None:
    try:
        subject.raw(own(case.epoch()))
    except (Exception, SystemExit) as error:
        return Fault("", f"it raises {one_line(error)}", "expected an answer to every epoch")
    return None


def _pools(subject: Subject, case: Case) -> dict[str, tuple[Any, int]]:
    """Return by name what is paid, and for how many accounts."""
    answer, (n, m) = _answer(subject, case.epoch()), case.shape
    pools = {"miners": (answer.miners, m), "validators": (answer.validators, n)}
    return {name: pool for name, pool in pools.items() if pool[0] is not None or name == "miners"}


def _shapes(subject: Subject, case: Case) -> Fault | None:
    for name, (pool, size) in _pools(subject, case).items():
        found = _array(pool)
        if found is None or found.shape != (size,):
            shown = "no numbers" if found is None else f"shape {found.shape}"
            return Fault("", f"{name} are paid {shown}", f"expected one number each: ({size},)")
    return None


def _array(pool: Any) -> AnyArray | None:
    try:
        found = np.asarray(pool)
        return found.astype(np.float64) if found.dtype.kind in "biufO" else None
    except (TypeError, ValueError, OverflowError):
        return None


def _holds_of_pools(
    holds: Callable[[AnyArray], bool], expected: str
) -> Callable[[Subject, Case], Fault | None]:
    def look(subject: Subject, case: Case) -> Fault | None:
        for name, (pool, size) in _pools(subject, case).items():
            paid = _array(pool)
            if paid is None or paid.shape != (size,):
                raise NotJudged("shapes")
            if not holds(paid):
                return Fault("", f"{name} are paid {numbers(paid)}", expected)
        return None

    return look


_finite = _holds_of_pools(lambda paid: bool(np.isfinite(paid).all()), "expected finite numbers")
_non_negative = _holds_of_pools(lambda paid: not (paid < 0).any(), "expected 0 or more")
_at_most_all = _holds_of_pools(
    lambda paid: not paid.sum() > 1 + OVERPAYMENT, "expected a sum of 1 at most"
)


def _degenerate(subject: Subject, case: Case) -> Fault | None:
    try:
        subject.pay(case)
    except NotJudged as error:
        return Fault("", str(error), "expected pay as in any other epoch")
    return None


@st.composite
def _degenerates(draw: st.DrawFn) -> Case:
    case = draw(cases())
    n, m = case.shape
    kinds = (0, 0.0, 5e-324, 1e-310, 1e300, 2**62 // n)
    extremes = st.lists(st.sampled_from(kinds), min_size=n, max_size=n).map(tuple)
    alike = st.sampled_from(kinds).map(lambda amount: (amount,) * n)
    silence = st.just(((0,) * m,) * n)
    dust = st.tuples(*[st.tuples(*[st.sampled_from((0, 1, 1e-300, 1e-16))] * m)] * n)
    stake = draw(alike | extremes)
    if isinstance(sum(stake), float):
        stake = tuple(map(float, stake))
    return replace(case, stake=stake, weights=draw(silence | st.just(case.weights) | dust))


# -------------------------------------------------------------------------------------------------

ANSWERS = law("answers", "every epoch has an answer", _answers)
SHAPES = law("shapes", "one number for every miner, and for every validator or none", _shapes)
FINITE = law("finite", "no NaN, no infinity", _finite)
NON_NEGATIVE = law("non_negative", "nobody pays in", _non_negative)
NO_OVERPAYMENT = law("no_overpayment", "each pool sums to 1 at most", _at_most_all)
DEGENERATE = law(
    "degenerate",
    "without stake, without reports, with extreme numbers: pay as in any epoch",
    _degenerate,
    _degenerates(),
)
