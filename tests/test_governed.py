"""Any mechanism under any governance: parts composed at random, and the laws that stay."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.few_attacks import few_attacks
from tests.naive_governance import FIRST, SIGNS, decided, shown, slow
from trilemma import Budget, Preset, compare
from trilemma.contract import Pay, call, call_each, takes_batches
from trilemma.errors import PluginError
from trilemma.model import AnyArray, Epoch, Mechanism
from trilemma.profiles import Profile
from trilemma.registry import label, load
from trilemma.testing.finding import tried
from trilemma.testing.verdict import checks_of
from trilemma_mechanisms.controls import StakeWeighted, Uniform
from trilemma_mechanisms.dao_vote import DaoVote
from trilemma_mechanisms.governance import (
    Appeal,
    Both,
    ByConviction,
    ByIdentity,
    ByStake,
    ByTenure,
    Delayed,
    Keys,
    Lasting,
    Override,
    Review,
    Ruling,
    Suspension,
    Vote,
)
from trilemma_mechanisms.governed import Governed, withheld
from trilemma_mechanisms.yuma import Yuma

__all__ = ["few_attacks"]  # a fixture that every test here takes

BRIEF = Profile(4, same=True)

some = settings(deadline=None, max_examples=24)
many = settings(deadline=None, max_examples=120)


# --- parts composed at random ---------------------------------------------------------------------

SPANS = st.sampled_from((1, 2, 3, math.inf))
SHARES = (0.0, 1 / 3, 0.5, 0.75)
BODIES = st.one_of(
    st.builds(
        Vote,
        st.sampled_from((ByStake(), ByIdentity(), ByTenure(), ByConviction(2, 3))),
        st.sampled_from((*SHARES, 1.0)),
        st.sampled_from(SHARES),
        st.sampled_from(("cast", "all")),
    ),
    st.sampled_from(
        [Keys(k + 1, seats) for seats in ((0,), (1, 2), (4, 0, 9)) for k in range(len(seats))]
    ),
)


def composed(depth: int) -> st.SearchStrategy[Suspension]:
    """Draw a part that holds others, so many inside one another."""
    if depth == 1:
        return BODIES
    of = composed(depth - 1)
    panels = st.sampled_from(((1, 2, 3), (0, 1, 2, 3, 9)))
    shares = st.sampled_from((0.25, 0.51, 0.75, 1.0))
    return st.one_of(
        BODIES,
        st.builds(Both, of, of),
        st.builds(Override, of, of),
        st.builds(Delayed, of, st.integers(1, 2)),
        st.builds(Lasting, of, SPANS, st.integers(0, 2)),
        st.builds(Appeal, of, of, st.integers(0, 1), st.sampled_from((2, math.inf)), SPANS),
        st.builds(Review, of, panels, st.integers(0, 1), st.integers(1, 3), shares, shares),
    )


@st.composite
def plays(draw: st.DrawFn, length: int = 6) -> list[Epoch]:
    """Draw epochs of three validators, five seats and three miners; nobody names the last one."""
    ballots, orders = (
        draw(arrays(np.int8, (length, size, 3), elements=st.sampled_from(SIGNS))) for size in (3, 5)
    )
    ballots[:, :, 2] = orders[:, :, 2] = 0
    stake = draw(st.tuples(*[st.integers(0, 4)] * 3))
    seats = draw(st.tuples(*[st.integers(0, 2)] * 5))
    tenure = draw(st.tuples(*[st.sampled_from((0, 1, 15, math.inf))] * 3))
    weights = draw(arrays(np.float64, (3, 3), elements=st.integers(0, 3).map(float)))
    return [
        Epoch(stake, weights, votes=votes, seats=seats, orders=said, tenure=tenure)
        for votes, said in zip(ballots, orders, strict=True)
    ]


@many
@given(composed(3), plays())
def test_parts_composed_at_random_decide_what_their_slow_twins_do(
    part: Suspension, epochs: list[Epoch]
) -> None:
    found = decided(part, epochs)
    assert found.T.tolist() == [slow(part, epochs, miner) for miner in range(3)]
    assert not (found[:, 2] == 1).any()  # whom nobody names


@some
@given(composed(3), plays())
def test_parts_composed_at_random_are_read_from_their_label_and_withhold_pay(
    part: Suspension, epochs: list[Epoch]
) -> None:
    rule: Any = Governed(StakeWeighted(), part)
    assert load(label(rule)) == rule
    carry = None
    for epoch in epochs:
        epoch = epoch.replace(carry=pickle.loads(pickle.dumps(carry)))
        pay, due = call("it", rule, epoch), call("it", StakeWeighted(), epoch)
        suspended = rule.stages(epoch)["suspended"]
        left = np.where(suspended, 0, due.miners)
        expected = left / (left.sum() or 1) * due.miners.sum()
        np.testing.assert_allclose(pay.miners, expected, atol=1e-12)
        np.testing.assert_array_equal(pay.validators, due.validators)
        carry = pay.carry


# --- any mechanism inside -------------------------------------------------------------------------
@some
@given(
    st.sampled_from(("identity", "stake")),
    st.sampled_from((*SHARES, 1.0)),
    st.sampled_from(SHARES),
    plays(length=2),
)
def test_dao_vote_pays_what_it_paid_before_it_was_made_of_parts(
    electorate: Any, quorum: float, threshold: float, epochs: list[Epoch]
) -> None:
    """As it was: units of power that are cast, and those in favour, counted by miner."""
    rule = DaoVote(electorate, quorum, threshold, StakeWeighted())
    for epoch in epochs:
        power = epoch.stake if electorate == "stake" else np.ones(3, np.int64)
        due = call("it", StakeWeighted(), epoch.replace(stake=power)).miners
        cast, favour = power @ (epoch.votes != 0), power @ (epoch.votes == 1)
        least, total = Fraction(quorum).limit_denominator(9), int(power.sum())
        lost = [
            all_ >= max(1, least * total) and yes > Fraction(threshold).limit_denominator(9) * all_
            for yes, all_ in zip(favour.tolist(), cast.tolist(), strict=True)
        ]
        left = np.where(lost, 0, due)
        expected = left / (left.sum() or 1) * due.sum()
        np.testing.assert_allclose(call("it", rule, epoch).miners, expected, rtol=1e-14)


PARTS = (
    "keys",
    "lasting(of=vote(electorate=by_tenure, threshold=0.25, of='all'), epochs=2, cooldown=1)",
    "appeal(of=vote(quorum=0.25), to=keys(needed=1, seats=(0, 1)), hearing=1)",
    "delayed(of=both(first=vote(electorate=by_identity), second=keys(needed=1)), epochs=1)",
    "override(of=vote(electorate=by_conviction(maturity=2)), by=keys(needed=1, seats=(1, 0)))",
    "lasting(of=review(of=keys(needed=1), panel=(1, 0)))",
    "appeal(of=lasting(of=delayed(of=keys(needed=1), epochs=1)), to=vote, window=2, final=1)",
    "both(first=override, second=lasting(of=vote, epochs=3))",
)


@pytest.mark.parametrize("inner", ["stake_weighted", "yuma", "price_share"])
@pytest.mark.parametrize("part", PARTS)
def test_laws_and_claims_hold_whatever_is_composed(part: str, inner: str) -> None:
    rule = load(f"governed(inner={inner}, suspension={part})")
    assert [it.name for it in checks_of(rule) if tried(it, rule, BRIEF).case is not None] == []


@settings(some, max_examples=20)
@given(st.lists(plays(length=2), min_size=2, max_size=3), st.sampled_from(PARTS))
def test_a_batch_is_paid_what_its_epochs_are_paid_alone(
    several: list[list[Epoch]], part: str
) -> None:
    rule: Any = load(f"governed(suspension={part})")
    assert rule.batched
    epochs = [epoch for pair in several for epoch in pair]
    for one, other in zip(call_each("it", rule, epochs), map(paid(rule), epochs), strict=True):
        np.testing.assert_array_equal(one.miners, other.miners)


def test_in_a_batch_pay_stays_what_it_is_where_nobody_is_suspended() -> None:
    miners = 0.7 * np.random.default_rng(0).dirichlet([1.0] * 7, size=50)  # the rest is burnt
    suspended = np.zeros(miners.shape, np.bool_)
    suspended[::2, 3] = True
    found = withheld(miners, suspended)
    np.testing.assert_array_equal(found[1::2], miners[1::2])
    np.testing.assert_allclose(found.sum(axis=1), 0.7, rtol=1e-14)
    assert not found[::2, 3].any()


def paid(rule: Mechanism) -> Callable[[Epoch], Pay]:
    return lambda epoch: call("it", rule, epoch)


def test_an_electorate_that_knows_one_epoch_only_is_asked_one_by_one() -> None:
    def largest(epoch: Epoch) -> AnyArray:
        return np.asarray(epoch.stake == epoch.stake.max())

    part = Vote(largest)
    epochs = [shown(votes=[[1, 0], [0, 0]], stake=it) for it in ([1, 9], [99, 1], [3, 2], [1, 2])]
    found = [it.miners.tolist() for it in call_each("it", Governed(StakeWeighted(), part), epochs)]
    assert found == [[0.5, 0.5], [0, 1], [0, 1], [0.5, 0.5]]
    wrapped = (Both(part), Both(Vote(), part), Override(part), Override(Vote(), part))
    later = (Delayed(part), Lasting(part), Appeal(part), Appeal(Vote(), part), Review(part))
    for outer in (part, *wrapped, *later):
        assert not takes_batches("it", Governed(Yuma(), outer))


def test_where_nobody_is_left_pay_is_burnt_and_a_plain_list_is_pay_as_well() -> None:
    def listed(_: Epoch) -> Any:
        return [0.5, 0.25]

    for orders, expected in (([1, 0], [0, 0.75]), ([1, 1], [0, 0]), ([0, 0], [0.5, 0.25])):
        assert call("it", Governed(listed, FIRST), shown([orders])).miners.tolist() == expected


def test_one_key_cuts_anybody_off_whatever_pays() -> None:
    specs = [
        f"governed(inner={inner}, suspension=keys(needed=1, seats=(0,)))"
        for inner in ("yuma", "quadratic", "stake_capped")
    ]
    budget = Budget(identities=1, evaluations=0, insiders=(1,))
    report = compare(
        specs, world=Preset(validators=16, miners=24), worlds=1, budget=budget, workers=1
    )
    for row in report.rows:
        assert row.verified.neutrality.value == pytest.approx(0, abs=1e-9)
        assert row.verified.cutoff_number == 1


def test_what_answers_with_no_ruling_is_refused_by_name() -> None:
    def says_no(_: Epoch) -> Any:
        return False

    pays: Any = Yuma()
    wrong: list[tuple[Any, str, str]] = [
        (Uniform(), "Uniform", "ndarray"),
        (Lasting(says_no), "says_no", "bool"),
        (Appeal(to=pays), "Yuma", "Rewards"),
    ]
    for part, name, kind in wrong:
        with pytest.raises(PluginError, match=f"{name} must return a Ruling, not {kind}"):
            call("it", Governed(suspension=part), shown([[1]]))


def test_a_part_is_any_callable_that_rules() -> None:
    def never_the_last(epoch: Epoch) -> Ruling:
        return Ruling(np.array([1] * (epoch.weights.shape[1] - 1) + [0]))

    found = call("it", Governed(Uniform(), never_the_last), shown([[0, 0, 0]])).miners
    assert found.tolist() == [0, 0, 1]
