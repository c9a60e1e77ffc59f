"""Claims about who stands behind accounts: splitting, merging, cloning, empty ones, seats."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from operator import mul

from hypothesis import assume
from hypothesis import strategies as st

from trilemma.contract import Pay
from trilemma.testing.case import Case, Places, Row
from trilemma.testing.check import SLACK, Fault, Subject, moved
from trilemma.testing.claims.claim import Claim, require
from trilemma.testing.drawing import cases, place, places, reports
from trilemma.testing.words import at_most, line, numbers

__all__ = ["ANONYMOUS", "CLONE_PROOF", "MERGE_PROOF", "SPLIT_PROOF", "ZERO_STAKE_IGNORED", "parts"]

MOST_PARTS = 4


@st.composite
def parts(draw: st.DrawFn, amount: int, most: int = MOST_PARTS) -> Row:
    """Draw two or more positive whole numbers that sum to an amount of two or more."""
    cuts = draw(st.sets(st.integers(1, amount - 1), min_size=1, max_size=most - 1))
    ends = [0, *sorted(cuts), amount]
    return tuple(after - before for before, after in pairwise(ends))


def _unit(m: int, miner: int) -> Row:
    return tuple(int(it == miner) for it in range(m))


def _praised(case: Case, validator: int) -> int | None:
    """Return the miner that a validator gives everything."""
    given = [it for it, amount in enumerate(case.weights[validator]) if amount]
    return given[0] if len(given) == 1 else None


@st.composite
def _praising(draw: st.DrawFn, case: Case, validator: int) -> Case:
    """Have a validator give one miner everything, or leave it."""
    m = case.shape[1]
    miner = draw(st.none() | place(m))
    return case if miner is None else case.saying({validator: _unit(m, miner)})


# --- splitting and merging -----------------------------------------------------------------------


@st.composite
def _splits(draw: st.DrawFn) -> Case:
    case = draw(cases())
    able = [it for it, amount in enumerate(case.stake) if amount >= 2]
    assume(able)
    who = draw(st.sampled_from(able))
    case = draw(_praising(case, who))
    return replace(case, validators=(who,), numbers=draw(parts(int(case.stake[who]))))


def _split(case: Case) -> Case:
    """Return the case in which the stake is split; the first part keeps place and seats."""
    [who] = case.validators
    n, added = case.shape[0], len(case.numbers) - 1
    more = case.taking(rows=[*range(n), *[who] * added])
    places_of_parts = [who, *range(n, n + added)]
    return more.holding(dict(zip(places_of_parts, case.numbers, strict=True)))


def _gains(
    subject: Subject, case: Case, after: Case, one: Places, many: Places, done: str
) -> Fault | None:
    """Compare what accounts earn, and the miner whom they give everything."""
    was, now = subject.pay(case), subject.pay(after)
    earned = was.validators[list(one)].sum(), now.validators[list(many)].sum()
    if earned[1] > earned[0] + SLACK:
        paid = f"validators earn {numbers(was.validators)}, then {numbers(now.validators)}"
        return Fault(done, paid, at_most(*earned))
    miner = _praised(case, case.validators[0])
    if miner is not None and now.miners[miner] > was.miners[miner] + SLACK:
        paid = f"miners are paid {numbers(was.miners)}, then {numbers(now.miners)}"
        return Fault(done, paid, f"expected no more for miner {miner}, to whom it gives everything")
    return None


def _split_proof(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.validators) == 1 and len(case.numbers) >= 2 and min(case.numbers) > 0)
    [who] = case.validators
    require(sum(case.numbers) == case.stake[who])
    n, added = case.shape[0], len(case.numbers) - 1
    done = f"validator {who} splits its stake into {line(case.numbers)}"
    many = (who, *range(n, n + added))
    return _gains(subject, case, _split(case), (who,), many, done)


@st.composite
def _merges(draw: st.DrawFn) -> Case:
    case = draw(cases(validators=2))
    one, other = draw(places(case.shape[0], 2, 2))
    case = draw(_praising(case, one))
    return replace(_alike(case, one, other), validators=(one, other))


def _alike(case: Case, one: int, other: int) -> Case:
    """Return the case in which a validator says and does what another one does."""
    n = case.shape[0]
    copied = case.taking(rows=[one if it == other else it for it in range(n)])
    return replace(copied.holding({other: case.stake[other]}), seats=(), orders=())


def _merge_proof(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.validators) == len(set(case.validators)) == 2 and not case.seats)
    one, other = case.validators
    alike = (case.weights, case.votes, case.flows)
    require(all(not rows or rows[one] == rows[other] for rows in alike))
    stay = [it for it in range(case.shape[0]) if it != other]
    after = case.holding({one: case.stake[one] + case.stake[other]}).taking(rows=stay)
    done = f"validators {one} and {other}, who say the same, become one"
    return _gains(subject, case, after, (one, other), (stay.index(one),), done)


# --- clones, empty accounts, seats ---------------------------------------------------------------


@st.composite
def _clonings(draw: st.DrawFn) -> Case:
    case = draw(cases())
    miner, names = draw(place(case.shape[1])), draw(st.sampled_from((2, 4)))
    return replace(case, miners=(miner,), numbers=(names,))


def _clone_proof(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.miners) == 1 and len(case.numbers) == 1 and case.numbers[0] in range(2, 65))
    [miner], names, m = case.miners, int(case.numbers[0]), case.shape[1]
    factors = [1 if it == miner else names for it in range(m)]
    shared = replace(case, weights=tuple(tuple(map(mul, row, factors)) for row in case.weights))
    after = shared.taking(columns=[*range(m), *[miner] * (names - 1)])
    was, now = subject.pay(case).miners, subject.pay(after).miners
    found = now[miner] + now[m:].sum()
    if found <= was[miner] + SLACK:
        return None
    done = f"miner {miner} shows its work under {names} names, which share its credit"
    paid = f"miners are paid {numbers(was)}, then {numbers(now)}"
    return Fault(done, paid, at_most(was[miner], found))


@st.composite
def _empty_accounts(draw: st.DrawFn) -> Case:
    case = draw(cases())
    likeness = draw(place(case.shape[0]))  # whose ballots it repeats
    return replace(case, validators=(likeness,), reports=draw(reports(1, case.shape[1])))


def _zero_stake_ignored(subject: Subject, case: Case, _: float) -> Fault | None:
    require(len(case.validators) == 1 and len(case.reports) == 1)
    n = case.shape[0]
    more = case.taking(rows=[*range(n), case.validators[0]])
    now = subject.pay(more.holding({n: 0}).saying({n: case.reports[0]}))
    change = moved(subject.pay(case), Pay(now.miners, now.validators[:n]))
    done = f"an account without stake joins, and reports {line(case.reports[0])}"
    return Fault(done, change, "expected nobody's pay to change") if change else None


@st.composite
def _other_seats(draw: st.DrawFn) -> Case:
    case = draw(cases())
    return replace(case, validators=draw(places(case.shape[0], 0, 2)))


def _anonymous(subject: Subject, case: Case, _: float) -> Fault | None:
    orders = ((1,) * case.shape[1],) * len(case.validators)
    other = replace(case, seats=case.validators, orders=orders)
    change = moved(subject.pay(case), subject.pay(other))
    holders = f"validators {line(case.validators)} hold the seats and suspend everybody"
    done = holders if case.validators else "nobody holds a seat"
    return Fault(done, change, "expected seats not to matter") if change else None


# -------------------------------------------------------------------------------------------------

SPLIT_PROOF = Claim(
    "split_proof",
    "sum of v' over the parts <= v; r'_j <= r_j where the split stake gives miner j everything",
    "Chen, Papadimitriou and Roughgarden 2019 (Sybil-proofness)",
    lambda _: _splits(),
    _split_proof,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": True},
)
MERGE_PROOF = Claim(
    "merge_proof",
    "v' of the merged account <= v + v of two that say the same; r_j as for split_proof",
    "Chen, Papadimitriou and Roughgarden 2019 (collusion-proofness)",
    lambda _: _merges(),
    _merge_proof,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": True},
)
CLONE_PROOF = Claim(
    "clone_proof",
    "sum of r' over the names of one work <= r, where reports split its credit over them",
    "Tideman 1987 (independence of clones)",
    lambda _: _clonings(),
    _clone_proof,
    {"uniform": False, "stake_proportional": True, "stake_weighted": True, "dictator": True},
)
ZERO_STAKE_IGNORED = Claim(
    "zero_stake_ignored",
    "r' = r and v' = v when an account without stake joins",
    "Douceur 2002 (identities that cost nothing)",
    lambda _: _empty_accounts(),
    _zero_stake_ignored,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": True},
)
ANONYMOUS = Claim(
    "anonymous",
    "r' = r and v' = v whoever holds the seats, and whatever they order",
    "May 1952 (anonymity)",
    lambda _: _other_seats(),
    _anonymous,
    {"uniform": True, "stake_proportional": True, "stake_weighted": True, "dictator": False},
)
