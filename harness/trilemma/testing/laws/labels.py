"""That neither labels nor units matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from hypothesis import strategies as st

from trilemma.contract import Pay
from trilemma.testing.case import Case
from trilemma.testing.check import Fault, NotJudged, Subject, moved
from trilemma.testing.drawing import cases, places
from trilemma.testing.laws.law import law
from trilemma.testing.words import line

__all__ = [
    "MINERS_EQUIVARIANT",
    "SCALE_FREE",
    "VALIDATORS_EQUIVARIANT",
]

POWERS = (
    1,
    2,
    5,
    10,
    480,
    -1,
    -5,
    -10,
    -480,
)  # of 4: the square roots of such factors are exact as well


@st.composite
def _swaps(draw: st.DrawFn, of: Literal["validators", "miners"]) -> Case:
    """Draw a case with two places that change; every relabelling is a row of such swaps."""
    case = draw(cases(validators=2, miners=2, trades=True))
    if of == "validators":
        return replace(case, validators=draw(places(case.shape[0], 2, 2)))
    return replace(case, miners=draw(places(case.shape[1], 2, 2)))


def _swapped(size: int, pair: tuple[int, ...]) -> list[int]:
    if len(pair) != 2 or pair[0] == pair[1]:
        raise NotJudged("no two places to change")
    order = list(range(size))
    here, there = pair
    order[here], order[there] = there, here
    return order


def _validators_equivariant(subject: Subject, case: Case) -> Fault | None:
    order = _swapped(case.shape[0], case.validators)
    after = (Pay(it.miners, it.validators[order]) for it in _epochs(subject, case.taking(order)))
    return _relabelled(subject, case, after, f"validators {line(case.validators)} change places")


def _miners_equivariant(subject: Subject, case: Case) -> Fault | None:
    order = _swapped(case.shape[1], case.miners)
    swapped = case.taking(columns=order)
    after = (Pay(it.miners[order], it.validators) for it in _epochs(subject, swapped))
    return _relabelled(subject, case, after, f"miners {line(case.miners)} change places")


def _epochs(subject: Subject, case: Case) -> Iterator[Pay]:
    """Yield what is paid, and, if anything is carried, in the same epoch once more."""
    first = subject.pay(case)
    yield first
    if first.carry is not None:
        yield subject.pay(case, first.carry)


def _relabelled(subject: Subject, case: Case, after: Iterator[Pay], done: str) -> Fault | None:
    pairs = zip(_epochs(subject, case), after, ("", ", in a second epoch"), strict=False)
    for was, now, when in pairs:
        if change := moved(was, now):
            return Fault(done + when, change, "expected everybody's pay to follow its account")
    return None


@st.composite
def _rescaled(draw: st.DrawFn) -> Case:
    return replace(draw(cases()), numbers=(draw(st.sampled_from(POWERS)),))


def _scale_free(subject: Subject, case: Case) -> Fault | None:
    if len(case.numbers) != 1 or abs(case.numbers[0]) > max(POWERS):
        raise NotJudged("no factor")
    factor = 4.0 ** case.numbers[0]
    scaled = replace(case, stake=tuple(amount * factor for amount in case.stake))
    change = moved(subject.pay(case), subject.pay(scaled))
    done = f"stake is counted in other units: times {factor:g}"
    return Fault(done, change, "expected the same pay: only shares matter") if change else None


# -------------------------------------------------------------------------------------------------

VALIDATORS_EQUIVARIANT = law(
    "validators_equivariant",
    "other labels for the same validators change nobody's pay",
    _validators_equivariant,
    _swaps("validators"),
)
MINERS_EQUIVARIANT = law(
    "miners_equivariant",
    "other labels for the same miners change nobody's pay",
    _miners_equivariant,
    _swaps("miners"),
)
SCALE_FREE = law("scale_free", "the unit of stake does not matter", _scale_free, _rescaled())
