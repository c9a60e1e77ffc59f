"""Checks are asked about cases that nobody drew for them, as a file may hold any case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.testing.looking import CHECKS, FULL, PLAIN, sent
from trilemma.registry import load
from trilemma.testing.case import Case
from trilemma.testing.check import Check, Fault, NotJudged
from trilemma.testing.drawing import cases, places, reports
from trilemma.testing.smaller import smaller

swift = settings(deadline=None)


ODD = {
    "nobody acts": PLAIN,
    "everybody acts": FULL,
    "the same acts twice": Case(
        (2, 1), ((1, 0), (1, 0)), validators=(0, 1, 0), miners=(0, 1, 0), numbers=(1, 1)
    ),
    "shares": Case(
        (0.5, 0.25), ((0.5, 0.25), (0.25, 0.5)), validators=(0,), miners=(0,), numbers=(0.5,)
    ),
    "a large number": Case((1, 1), ((1, 0), (1, 1)), validators=(0,), numbers=(600,)),
    "large stake": Case((1e308, 1), ((1, 0), (1, 1)), validators=(1,), numbers=(2,)),
    "large stake of one who acts": Case(
        (1e308, 1), ((1, 0), (1, 1)), validators=(0,), numbers=(9,)
    ),
    "large reports": Case((1, 1), ((1e308, 0), (1, 1)), validators=(1,), miners=(1,), numbers=(2,)),
}


def judged(check: Check, case: Case) -> bool:
    """Tell whether a check comes to an end; anything but `NotJudged` that it raises is raised."""
    try:
        fault = check.fault(load("stake_weighted"), case)
    except NotJudged:
        return True
    return fault is None or isinstance(fault, Fault)


@st.composite
def acts(draw: st.DrawFn) -> Case:
    """Draw a case with actors, reports and numbers of any kind."""
    case = draw(cases(trades=True))
    n, m = case.shape
    number = st.integers(0, 5) | st.sampled_from((0.5, 1e6, 600))
    return replace(
        case,
        validators=draw(places(n, 0, 3)),
        miners=draw(places(m, 0, 2)),
        reports=draw(reports(draw(st.integers(0, n)), m)),
        numbers=tuple(draw(st.lists(number, max_size=3))),
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_judges_any_case_or_says_that_it_cannot(check: Check) -> None:
    @settings(swift, max_examples=20)
    @given(acts())
    def judges(case: Case) -> None:
        assert judged(check, case)

    judges()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("name", ODD)
def test_a_check_judges_an_odd_case_or_says_that_it_cannot(name: str, check: Check) -> None:
    assert judged(check, sent(ODD[name]))


@settings(swift, max_examples=15)
@given(acts())
def test_what_is_smaller_is_a_case_as_well(case: Case) -> None:
    for one in smaller(case):
        assert sent(one) == one
