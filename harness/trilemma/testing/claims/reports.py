"""Claims about reports: what support, agreement, silence and copying lead to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from trilemma.testing.case import Case, Row
from trilemma.testing.check import SLACK, Fault, Subject
from trilemma.testing.claims.claim import Claim, require
from trilemma.testing.drawing import LARGE, cases, place, reporting, shares
from trilemma.testing.words import at_least, at_most, line, numbers

__all__ = [
    "BUDGET_BALANCED",
    "CONSENSUS_COPYING_GAINS_NOTHING",
    "PAID_BY_STAKE_WHEN_AGREED",
    "SELF_DEALING_PROOF",
    "STAKE_MONOTONE",
    "SUPPORT_MONOTONE",
    "UNANIMITY",
    "UNREPORTED_UNPAID",
]

# --- monotone ------------------------------------------------------------------------------------


@st.composite
def _more_support(draw: st.DrawFn) -> Case:
    """Draw a validator who moves part of what it gives to a miner."""
    case = draw(cases(miners=2))
    speaking = [it for it, row in enumerate(case.weights) if any(row)]
    assume(speaking)
    who, miner = draw(st.sampled_from(speaking)), draw(place(case.shape[1]))
    row = case.weights[who]
    less = tuple(draw(st.integers(0, int(it))) if at != miner else 0 for at, it in enumerate(row))
    more = tuple(
        it - taken + (sum(less) if at == miner else 0)
        for at, (it, taken) in enumerate(zip(row, less, strict=True))
    )
    return replace(case, validators=(who,), miners=(miner,), reports=(more,))


def _support_monotone(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.validators) == len(case.miners) == len(case.reports) == 1)
    [who], [miner], [said] = case.validators, case.miners, case.reports
    row = case.weights[who]
    require(sum(said) == sum(row) > 0)
    less = [it for it in range(len(row)) if said[it] < row[it]]
    require(0 <= said[miner] - row[miner] == sum(row[it] - said[it] for it in less))
    was, now = subject.pay(case).miners, subject.pay(case.saying({who: said})).miners
    if now[miner] >= was[miner] - SLACK:
        return None
    done = f"validator {who} reports {line(said)}: more for miner {miner}, less for others"
    paid = f"miners are paid {numbers(was)}, then {numbers(now)}"
    return Fault(done, paid, at_least(was[miner], now[miner]))


@st.composite
def _more_stake(draw: st.DrawFn) -> Case:
    case = draw(cases())
    more = draw(st.sampled_from((1, 2, 4, 7, LARGE)) | st.just(sum(case.stake)))
    return replace(case, validators=(draw(place(case.shape[0])),), numbers=(more,))


def _stake_monotone(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.validators) == len(case.numbers) == 1 and case.numbers[0] > 0)
    [who], [more] = case.validators, case.numbers
    after = case.holding({who: case.stake[who] + more})
    was, now = subject.pay(case).validators, subject.pay(after).validators
    if now[who] >= was[who] - SLACK:
        return None
    done = f"validator {who} gets {line((more,))} more stake"
    paid = f"validators earn {numbers(was)}, then {numbers(now)}"
    return Fault(done, paid, at_least(was[who], now[who]))


# --- agreement -----------------------------------------------------------------------------------


@st.composite
def _agreements(draw: st.DrawFn) -> Case:
    """Draw a case in which all with stake report the same."""
    case = draw(cases())
    said = draw(shares(case.shape[1]))
    held = {it: said for it, amount in enumerate(case.stake) if amount}
    return replace(case.saying(held), votes=(), orders=())


def _agreed(case: Case) -> Row:
    said = [row for row, amount in zip(case.weights, case.stake, strict=True) if amount]
    require(bool(said) and any(said[0]) and said.count(said[0]) == len(said))
    require(not (case.votes or case.orders))
    return said[0]


def _unanimity(subject: Subject, case: Case, _: float) -> Fault | None:
    said = np.array(_agreed(case), float)
    expected, found = said / said.sum(), subject.pay(case).miners
    if np.abs(found - expected).max() <= SLACK:
        return None
    paid = f"miners are paid {numbers(found)}"
    return Fault("all with stake report the same", paid, f"expected {numbers(expected)}")


def _paid_by_stake_when_agreed(subject: Subject, case: Case, power: float) -> Fault | None:
    _agreed(case)
    stake = np.array(case.stake, float)
    merit = np.where(stake > 0, stake**power, 0)
    expected, found = merit / merit.sum(), subject.pay(case).validators
    if np.abs(found - expected).max() <= SLACK:
        return None
    paid = f"validators earn {numbers(found)}"
    return Fault("all with stake report the same", paid, f"expected {numbers(expected)}")


@st.composite
def _self_dealings(draw: st.DrawFn, share: float) -> Case:
    """Draw a case in which all agree, and one with at most a share of the stake has a miner."""
    case = draw(cases(validators=2))
    n, m = case.shape
    able = [it for it in range(n) if case.share(it) <= share]
    assume(able)
    said, who, miner = draw(shares(m)), draw(st.sampled_from(able)), draw(place(m))
    praise = tuple(int(it == miner) for it in range(m))
    lie = draw(st.just(praise) | shares(m))
    agreed = case.saying(dict.fromkeys(range(n), said))
    return replace(agreed, validators=(who,), miners=(miner,), reports=(lie,))


def _self_dealing_proof(subject: Subject, case: Case, share: float) -> Fault | None:
    require(len(case.validators) == len(case.miners) == len(case.reports) == 1)
    require(len(set(case.weights)) == 1 and any(case.weights[0]))
    [who], [miner], [said] = case.validators, case.miners, case.reports
    require(case.share(who) <= share)
    pays = subject.pay(case), subject.pay(case.saying({who: said}))
    was, now = (float(it.validators[who] + it.miners[miner]) for it in pays)
    if now <= was + SLACK:
        return None
    done = f"validator {who}, who owns miner {miner}, reports {line(said)} instead of what all say"
    paid = (
        f"it earns {pays[0].validators[who]:.4g} + {pays[0].miners[miner]:.4g}, "
        f"then {pays[1].validators[who]:.4g} + {pays[1].miners[miner]:.4g}"
    )
    return Fault(done, paid, at_most(was, now))


# --- pay that somebody owes to reports -----------------------------------------------------------


@st.composite
def _unreported(draw: st.DrawFn) -> Case:
    """Draw a case in which nobody with stake reports on a miner."""
    case = draw(cases())
    miner = draw(place(case.shape[1]))
    staked = (it for it, amount in enumerate(case.stake) if amount)
    rows = {it: reporting(case.weights[it], miner, on=False) for it in staked}
    return replace(case.saying(rows), miners=(miner,))


def _unreported_unpaid(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.miners) == 1)
    [miner] = case.miners
    told = (row[miner] * amount for row, amount in zip(case.weights, case.stake, strict=True))
    require(not any(told))
    paid = subject.pay(case).miners
    if paid[miner] <= SLACK:
        return None
    done = f"nobody with stake reports on miner {miner}"
    return Fault(done, f"miners are paid {numbers(paid)}", f"expected {miner} to be paid nothing")


def _budget_balanced(subject: Subject, case: Case, _: float) -> Fault | None:
    require(all(map(any, case.weights)))
    pay = subject.pay(case)
    for name in ("miners", "validators"):
        pool = getattr(pay, name)
        if abs(pool.sum() - 1) > SLACK:
            expected = f"expected a sum of 1, found {pool.sum():.12g}"
            return Fault("everybody speaks", f"{name} are paid {numbers(pool)}", expected)
    return None


@st.composite
def _copying(draw: st.DrawFn) -> Case:
    case = draw(cases(validators=2, silent=False))
    return replace(case, validators=(draw(place(case.shape[0])),))


def _mean_of_others(case: Case, who: int) -> Row:
    """Return the stake-weighted mean of what the others say, in whole numbers."""
    others = [it for it in range(case.shape[0]) if it != who and case.stake[it]]
    require(bool(others) and all(isinstance(it, int) for row in case.weights for it in row))
    totals = {it: sum(case.weights[it]) for it in others}
    scale = np.lcm.reduce([int(it) for it in totals.values()], dtype=object)
    return tuple(
        sum(int(case.stake[it] * case.weights[it][column] * (scale // totals[it])) for it in others)
        for column in range(case.shape[1])
    )


def _copying_gains_nothing(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.validators) == 1 and all(map(any, case.weights)))
    [who] = case.validators
    copied = _mean_of_others(case, who)
    was, now = subject.pay(case).validators, subject.pay(case.saying({who: copied})).validators
    if now[who] <= was[who] + SLACK:
        return None
    done = f"validator {who} copies the stake-weighted mean of the others: {line(copied)}"
    paid = f"validators earn {numbers(was)}, then {numbers(now)}"
    return Fault(done, paid, at_most(was[who], now[who]))


# -------------------------------------------------------------------------------------------------

SUPPORT_MONOTONE = Claim(
    "support_monotone",
    "r'_j >= r_j where a validator takes from others what it gives miner j",
    "Fishburn 1982 (monotonicity)",
    lambda _: _more_support(),
    _support_monotone,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": True},
)
STAKE_MONOTONE = Claim(
    "stake_monotone",
    "v'_i >= v_i where validator i gets more stake",
    "Fishburn and Brams 1983 (participation)",
    lambda _: _more_stake(),
    _stake_monotone,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": True},
)
UNANIMITY = Claim(
    "unanimity",
    "r = w where all with stake report w, and nobody votes",
    "Arrow 1951 (unanimity)",
    lambda _: _agreements(),
    _unanimity,
    {"uniform": False, "stake_proportional": False, "stake_weighted": True, "dictator": False},
)
PAID_BY_STAKE_WHEN_AGREED = Claim(
    "paid_by_stake_when_agreed",
    "v = shares of stake^p where all with stake report the same, and nobody votes",
    "Yuma consensus: opentensor/subtensor, pallets/subtensor/src/epoch",
    lambda _: _agreements(),
    _paid_by_stake_when_agreed,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": True},
    symbol="p",
    most=8,
    usual=1.0,
)
SELF_DEALING_PROOF = Claim(
    "self_dealing_proof",
    "v'_i + r'_j <= v_i + r_j where all agree, and i, who owns j and a share <= sigma, says else",
    "Opentensor Foundation 2021 (Yuma consensus against collusion)",
    _self_dealings,
    _self_dealing_proof,
    {"uniform": True, "stake_proportional": True, "stake_weighted": False, "dictator": False},
    symbol="sigma",
    usual=0.25,
)
UNREPORTED_UNPAID = Claim(
    "unreported_unpaid",
    "r_j = 0 where nobody with stake reports on miner j",
    "Moulin 1988 (dummy player)",
    lambda _: _unreported(),
    _unreported_unpaid,
    {"uniform": False, "stake_proportional": True, "stake_weighted": True, "dictator": False},
)
BUDGET_BALANCED = Claim(
    "budget_balanced",
    "sum r = sum v = 1 where everybody speaks",
    "Chen, Papadimitriou and Roughgarden 2019 (budget balance)",
    lambda _: cases(silent=False),
    _budget_balanced,
    {"uniform": True, "stake_proportional": False, "stake_weighted": True, "dictator": False},
)
CONSENSUS_COPYING_GAINS_NOTHING = Claim(
    "consensus_copying_gains_nothing",
    "v'_i <= v_i where validator i reports the stake-weighted mean of the others instead",
    "Opentensor Foundation 2024 (weight copying in Bittensor)",
    lambda _: _copying(),
    _copying_gains_nothing,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": True},
)
