"""Claims about power: how far a share of stake moves pay, and what it can stop or carry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import ceil

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from trilemma.testing.case import Case, Rows
from trilemma.testing.check import SLACK, Fault, Subject, moved
from trilemma.testing.claims.claim import Claim, require
from trilemma.testing.drawing import LARGE, cases, place, reporting, reports
from trilemma.testing.words import line, lines, numbers

__all__ = [
    "CARRIED_BY",
    "CONTINUOUS",
    "NO_BOOST_BELOW",
    "NO_VETO_BELOW",
    "SUSPENDED_BY",
    "WEIGHT_BLIND",
]


@st.composite
def _changed_reports(draw: st.DrawFn) -> Case:
    case = draw(cases(silent=False))
    who = draw(place(case.shape[0]))
    said = draw(reports(1, case.shape[1], silent=False))
    return replace(case, validators=(who,), reports=said)


def _continuous(subject: Subject, case: Case, most: float) -> Fault | None:
    require(len(case.validators) == len(case.reports) == 1)
    require(all(map(any, (*case.weights, *case.reports))))
    [who], [said] = case.validators, case.reports
    was, now = subject.pay(case).miners, subject.pay(case.saying({who: said})).miners
    share = case.share(who)
    if np.abs(now - was).max() <= most * share + SLACK:
        return None
    done = f"validator {who}, with {share:.4g} of the stake, reports {line(said)} instead"
    paid = f"miners are paid {numbers(was)}, then {numbers(now)}"
    return Fault(done, paid, f"expected no miner's pay to move by more than {most * share:.4g}")


# --- coalitions for or against a miner -----------------------------------------------------------


@st.composite
def _coalitions(draw: st.DrawFn, share: float, *, reach: bool) -> Case:
    """Draw a case, a miner, and validators who reach a share of stake, or who do not."""
    case = draw(cases(validators=2))
    if 0 < share < 1 and draw(st.booleans()):
        case = draw(_at_the_share(case, ceil(share * LARGE) - (not reach)))
    chosen: list[int] = []
    for it in draw(st.permutations(range(case.shape[0]))):
        if reach and chosen and case.share(*chosen) >= share:
            break
        if reach or case.share(*chosen, it) < share:
            chosen.append(it)
    assume(chosen)
    miner = draw(place(case.shape[1]))
    return replace(case, validators=tuple(sorted(chosen)), miners=(miner,))


@st.composite
def _at_the_share(draw: st.DrawFn, case: Case, amount: int) -> Case:
    """Let one validator hold so many parts of LARGE, and another the rest."""
    one, other = draw(st.permutations(range(case.shape[0])))[:2]
    nobody = dict.fromkeys(range(case.shape[0]), 0)
    return case.holding({**nobody, one: amount, other: LARGE - amount})


def _supported(case: Case, by: Collection[int]) -> Case:
    """Return the case in which these validators report on the miner, and nobody else does."""
    [miner] = case.miners
    rows = enumerate(case.weights)
    return case.saying({it: reporting(row, miner, on=it in by) for it, row in rows})


def _supporters(case: Case) -> set[int]:
    [miner] = case.miners
    return {it for it, row in enumerate(case.weights) if row[miner]}


def _others(case: Case) -> set[int]:
    return set(range(case.shape[0])) - set(case.validators)


def _held(case: Case) -> str:
    several = "s" if len(case.validators) > 1 else ""
    held = case.share(*case.validators)
    return f"validator{several} {line(case.validators)}, with {held:.4g} of the stake,"


def _verdict(subject: Subject, case: Case, done: str, *, paid: bool) -> Fault | None:
    """Tell whether the miner is paid, as it should be."""
    require(len(case.validators) > 0)
    [miner], found = case.miners, subject.pay(case).miners
    if found[miner] > 0 if paid else found[miner] <= SLACK:
        return None
    expected = f"expected miner {miner} to be paid {'something' if paid else 'nothing'}"
    return Fault(f"{done} miner {miner}", f"miners are paid {numbers(found)}", expected)


def _against(case: Case) -> Case:
    """Return the case in which the coalition does all it can against the miner, others do not."""
    [miner], own = case.miners, case.validators
    votes = _turned(case.votes, miner, [it in own for it in range(case.shape[0])])
    orders = _turned(case.orders, miner, [it in own for it in case.seats])
    return replace(_supported(case, _others(case)), votes=votes, orders=orders)


def _turned(acts: Rows, miner: int, own: list[bool]) -> Rows:
    """Let their own acts be against the miner, and others' not."""
    rows = zip(acts, own, strict=False)  # no row at all where nobody votes
    return tuple(
        (*row[:miner], 1 if mine else min(row[miner], 0), *row[miner + 1 :]) for row, mine in rows
    )


def _no_veto_below(subject: Subject, case: Case, share: float) -> Fault | None:
    require(len(case.miners) == 1 and case.share(*case.validators) < share)
    require(case == _against(case))
    return _verdict(subject, case, f"{_held(case)} acting against", paid=True)


def _no_boost_below(subject: Subject, case: Case, share: float) -> Fault | None:
    require(len(case.miners) == 1 and case.share(*case.validators) < share)
    require(_supporters(case) == set(case.validators) and case.share(*case.validators) > 0)
    return _verdict(subject, case, f"only {_held(case)} reporting on", paid=False)


def _carried_by(subject: Subject, case: Case, share: float) -> Fault | None:
    require(len(case.miners) == 1 and not (case.votes or case.orders))
    require(_supporters(case) == set(case.validators))
    require(case.share(*case.validators) >= share and case.share(*case.validators) > 0)
    return _verdict(subject, case, f"{_held(case)} reporting on", paid=True)


@st.composite
def _ballots(draw: st.DrawFn, share: float) -> Case:
    """Draw a case in which validators with more than a share vote to suspend a miner."""
    case = draw(cases(validators=2))
    n, m = case.shape
    if 0 < share < 1 and draw(st.booleans()):
        case = draw(_at_the_share(case, int(share * LARGE) + 1))
    chosen: list[int] = []
    for it in draw(st.permutations(range(n))):
        if case.share(*chosen) <= share:
            chosen.append(it)
    assume(case.share(*chosen) > share)
    miner, votes = draw(place(m)), case.votes or ((0,) * m,) * n
    rows = (
        (*row[:miner], 1 if it in chosen else row[miner], *row[miner + 1 :])
        for it, row in enumerate(votes)
    )
    return replace(case, votes=tuple(rows), validators=tuple(sorted(chosen)), miners=(miner,))


def _suspended_by(subject: Subject, case: Case, share: float) -> Fault | None:
    require(len(case.miners) == 1 and case.share(*case.validators) > share and bool(case.votes))
    require(all(case.votes[it][case.miners[0]] == 1 for it in case.validators))
    return _verdict(subject, case, f"{_held(case)} voting to suspend", paid=False)


def _vetoes(share: float) -> st.SearchStrategy[Case]:
    return _coalitions(share, reach=False).map(_against)


def _boosts(share: float) -> st.SearchStrategy[Case]:
    return _coalitions(share, reach=False).map(lambda case: _supported(case, case.validators))


def _carried(share: float) -> st.SearchStrategy[Case]:
    drawn = _coalitions(share, reach=True).map(lambda case: replace(case, votes=(), orders=()))
    return drawn.map(lambda case: _supported(replace(case, seats=()), case.validators))


# -------------------------------------------------------------------------------------------------


@st.composite
def _other_reports(draw: st.DrawFn) -> Case:
    case = draw(cases())
    return replace(case, reports=draw(reports(*case.shape)))


def _weight_blind(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.reports) == case.shape[0])
    was, now = subject.pay(case), subject.pay(case.saying(dict(enumerate(case.reports))))
    done, change = f"validators report {lines(case.reports)} instead", moved(was, now)
    return Fault(done, change, "expected reports not to matter") if change else None


CONTINUOUS = Claim(
    "continuous",
    "|r'_j - r_j| <= L * share for all j, where one with a share of stake, as all speak, says else",
    "Dwork 2008 (bounded influence of one record)",
    lambda _: _changed_reports(),
    _continuous,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": False},
    symbol="L",
    most=1e9,
    usual=1.0,
)
NO_VETO_BELOW = Claim(
    "no_veto_below",
    "r_j > 0 where all report on miner j but a coalition with a share < b, alone against it",
    "Nakamoto coefficient of a veto: Srinivasan and Lee 2017",
    _vetoes,
    _no_veto_below,
    {"uniform": True, "stake_proportional": False, "stake_weighted": True, "dictator": False},
    symbol="b",
    usual=0.5,
)
NO_BOOST_BELOW = Claim(
    "no_boost_below",
    "r_j = 0 where only a coalition with a share of stake < b reports on miner j",
    "Yuma consensus: opentensor/subtensor, pallets/subtensor/src/epoch",
    _boosts,
    _no_boost_below,
    {"uniform": False, "stake_proportional": True, "stake_weighted": False, "dictator": False},
    symbol="b",
    usual=0.5,
)
CARRIED_BY = Claim(
    "carried_by",
    "r_j > 0 where validators with a share of stake >= b report on miner j, and nobody votes",
    "Yuma consensus: opentensor/subtensor, pallets/subtensor/src/epoch",
    _carried,
    _carried_by,
    {"uniform": True, "stake_proportional": False, "stake_weighted": True, "dictator": False},
    symbol="b",
    usual=0.5,
)
SUSPENDED_BY = Claim(
    "suspended_by",
    "r_j = 0 where validators with a share of stake > b vote to suspend miner j",
    "May 1952 (majority decision)",
    _ballots,
    _suspended_by,
    {"uniform": False, "stake_proportional": True, "stake_weighted": False, "dictator": False},
    symbol="b",
    usual=0.5,
)
WEIGHT_BLIND = Claim(
    "weight_blind",
    "r' = r and v' = v whatever is reported",
    "Chen, Papadimitriou and Roughgarden 2019 (rules of hashing power alone)",
    lambda _: _other_reports(),
    _weight_blind,
    {"uniform": True, "stake_proportional": True, "stake_weighted": False, "dictator": False},
)
