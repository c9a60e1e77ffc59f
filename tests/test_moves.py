"""Moves on small worlds drawn at random: what each may change, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma.attacks import moves
from trilemma.fields import normalised
from trilemma.model import FloatArray, IntArray, World

Move = Callable[[World], World]

briefly = settings(max_examples=15)  # for those that run over every move
PARTS = 3
SYBIL_MOVES: dict[str, Move] = {
    "split": partial(moves.split, parts=PARTS),
    "fake": partial(moves.fake, count=PARTS),
    "clone": partial(moves.clone, count=PARTS),
    "praise_self": partial(moves.praise_self, intensity=1.0),
    "praise_self_in_part": partial(moves.praise_self, intensity=0.3),
    "praise_in_a_ring": partial(moves.praise_in_a_ring, intensity=1.0),
    "praise_in_a_ring_in_part": partial(moves.praise_in_a_ring, intensity=0.3),
    "copy_peers": moves.copy_peers,
    "reverse": moves.reverse,
    "abstain": moves.abstain,
    "match_peers": partial(moves.match_peers, margin=0.0),
    "match_peers_beside": partial(moves.match_peers, margin=-1e-3),
    "keep_best": partial(moves.keep_best, count=2),
    "level": moves.level,
    "dust": partial(moves.dust, share=1e-3),
    "arrive": partial(moves.arrive, epochs=1),
}
TWIN_MOVES: dict[str, Move] = {
    "split": partial(moves.split, parts=PARTS),
    "shun": moves.shun,
    "promote": moves.promote,
    "abstain": moves.abstain,
    "reverse": moves.reverse,
    "vote": moves.vote,
    "order": moves.order,
    "sell": moves.sell,
    "slight": partial(moves.slight, share=1e-3),
    "favour": moves.favour,
    "keep_best": partial(moves.keep_best, count=2),
    "level": moves.level,
    "copy_peers": moves.copy_peers,
    "arrive": partial(moves.arrive, epochs=1),
}
REPORTING = (
    "praise_self",
    "praise_in_a_ring",
    "copy_peers",
    "reverse",
    "abstain",
    "keep_best",
    "level",
    "slight",
    "favour",
    "arrive",
)


@st.composite
def reports(draw: st.DrawFn, validators: int, miners: int) -> FloatArray:
    """Draw rows of distinct positive numbers, and of zeros for the silent; not the last row."""
    amounts = st.lists(st.integers(1, 1000), min_size=miners, max_size=miners, unique=True).map(
        np.array
    )
    silent = st.just(np.zeros(miners))
    rows = [draw(amounts | silent) for _ in range(validators - 1)] + [draw(amounts)]
    return normalised(np.array(rows, float))


@st.composite
def sybil_worlds(draw: st.DrawFn) -> World:
    """Draw a world whose last validator and last miner are the adversary's."""
    n, m = draw(st.integers(2, 6)), draw(st.integers(2, 7))
    owners = np.append(n + np.arange(m - 1), n - 1)
    return world(draw, n, draw(reports(n, m)), owners, (n - 1,), ())


@st.composite
def twin_worlds(draw: st.DrawFn) -> World:
    """Draw a world with twins, and a coalition of validators whose reports are not silent."""
    n, m = draw(st.integers(2, 6)), draw(st.integers(3, 7))
    weights = draw(reports(n, m))
    voices = st.sampled_from([int(row) for row in np.flatnonzero(weights.any(axis=1))])
    coalition = tuple(draw(st.lists(voices, min_size=1, unique=True)))
    return world(draw, n, weights, n + np.arange(m), coalition, (m - 2, m - 1))


def world(
    draw: st.DrawFn,
    n: int,
    weights: FloatArray,
    miner_owner: IntArray,
    adversary: tuple[int, ...],
    twins: tuple[int, ...],
) -> World:
    m = weights.shape[1]
    stake = st.floats(1e-200, 1e3) | st.integers(0, 1000)  # products of less lose digits
    quality = draw(st.lists(st.integers(1, 100), min_size=m, max_size=m))
    return World(
        stake=np.array([draw(stake) for _ in range(n)]),
        weights=weights,
        quality=np.array(quality) / sum(quality),
        validator_owner=np.arange(n),
        miner_owner=miner_owner,
        seats=np.array(draw(st.lists(st.integers(0, n - 1), max_size=3)), int),
        adversary=adversary,
        twins=twins,
        sees_clones=np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))),
        seed=draw(st.integers(0, 2**32)),
    )


def check(before: World, after: World) -> None:
    """Check what holds after any move."""
    n, m = before.weights.shape
    validators, miners = after.weights.shape
    assert after.stake.shape == after.validator_owner.shape == after.sees_clones.shape
    assert after.stake.shape == (validators,)
    assert after.quality.shape == after.miner_owner.shape == (miners,)
    for acted in (after.votes, after.flows):
        assert acted is None or acted.shape == (validators, miners)
    assert after.tenure is None or after.tenure.shape == (validators,)
    assert after.orders is None or after.orders.shape == (after.seats.size, miners)

    sums = after.weights.sum(axis=1)
    assert (np.isclose(sums, 1) | (sums == 0)).all()
    assert (after.weights >= 0).all()
    assert after.stake.sum() == pytest.approx(before.stake.sum())
    assert after.quality.sum() == pytest.approx(1)

    # Identities are only appended, and all new ones are the adversary's.
    assert (after.validator_owner[:n] == before.validator_owner).all()
    assert (after.miner_owner[:m] == before.miner_owner).all()
    assert np.isin(after.validator_owner[n:], before.adversary).all()
    assert np.isin(after.miner_owner[m:], before.adversary).all()
    assert (after.quality[:m] == before.quality).all()
    assert (after.seats == before.seats).all()
    assert (after.adversary, after.twins) == (before.adversary, before.twins)
    assert after.seed == before.seed

    # A mechanism can be shown it.
    assert after.epoch().weights.shape == after.weights.shape


def others(world: World) -> list[int]:
    return [row for row in range(world.stake.size) if row not in world.own_validators]


@pytest.mark.parametrize("name", SYBIL_MOVES)
@briefly
@given(before=sybil_worlds())
def test_an_attackers_move_leaves_a_consistent_world(name: str, before: World) -> None:
    check(before, SYBIL_MOVES[name](before))


@pytest.mark.parametrize("name", TWIN_MOVES)
@briefly
@given(before=twin_worlds())
def test_a_coalitions_move_leaves_a_consistent_world(name: str, before: World) -> None:
    check(before, TWIN_MOVES[name](before))


@pytest.mark.parametrize("name", [name for name in SYBIL_MOVES if name != "clone"])
@briefly
@given(before=sybil_worlds())
def test_an_attacker_cannot_write_others_reports(name: str, before: World) -> None:
    after, rows = SYBIL_MOVES[name](before), others(before)
    m = before.weights.shape[1]
    assert (after.weights[rows, :m] == before.weights[rows]).all()
    assert (after.weights[rows, m:] == 0).all()


@pytest.mark.parametrize("name", TWIN_MOVES)
@briefly
@given(before=twin_worlds())
def test_a_coalition_acts_for_itself_only(name: str, before: World) -> None:
    after, rows = TWIN_MOVES[name](before), others(before)
    assert (after.weights[rows] == before.weights[rows]).all()
    for acted in (after.votes, after.flows):
        assert acted is None or not acted[rows].any()
    assert after.tenure is None or (after.tenure[rows] == np.inf).all()
    if after.orders is not None:
        strangers = ~np.isin(after.validator_owner[after.seats], before.adversary)
        assert not after.orders[strangers].any()


@pytest.mark.parametrize("name", [*REPORTING, "shun", "promote", "vote", "order", "sell"])
@briefly
@given(before=twin_worlds())
def test_reports_ballots_and_orders_need_no_identity(name: str, before: World) -> None:
    move = {**SYBIL_MOVES, **TWIN_MOVES}[name]
    if name.startswith("praise"):  # it takes a miner of one's own to praise
        before = replace(
            before, miner_owner=np.append(before.miner_owner[:-1], before.adversary[0])
        )
    assert move(before).weights.shape == before.weights.shape


@given(twin_worlds(), st.integers(1, 9))
def test_splitting_keeps_each_principals_stake(before: World, parts: int) -> None:
    after = moves.split(before, parts)
    for owner in before.validator_owner:
        held = after.stake[after.validator_owner == owner]
        assert held.sum() == pytest.approx(before.stake[owner])
        assert held.size == (parts if owner in before.adversary else 1)
        assert np.ptp(held) == 0


@given(twin_worlds(), st.integers(1, 9))
def test_accounts_of_one_principal_report_alike(before: World, parts: int) -> None:
    acted = moves.sequence(moves.vote, moves.sell, partial(moves.split, parts=parts))(before)
    assert acted.votes is not None
    for row, owner in enumerate(acted.validator_owner):
        assert (acted.weights[row] == before.weights[owner]).all()
        assert (acted.votes[row] == acted.votes[owner]).all()
        assert acted.sees_clones[row] == before.sees_clones[owner]


@given(twin_worlds())
def test_splitting_into_one_changes_nothing(before: World) -> None:
    after = moves.split(before, 1)
    assert (after.stake == before.stake).all()
    assert (after.weights == before.weights).all()


@given(sybil_worlds(), st.integers(0, 9))
def test_idle_miners_do_no_work_and_get_no_report(before: World, count: int) -> None:
    after = moves.fake(before, count)
    m = before.quality.size
    assert after.own_miners.size == 1 + count
    assert not after.quality[m:].any()
    assert not after.weights[:, m:].any()


@given(sybil_worlds(), st.integers(1, 9))
def test_who_sees_through_clones_credits_them_like_the_original_alone(
    before: World, count: int
) -> None:
    before = replace(before, sees_clones=np.ones(before.stake.size, bool))
    after = moves.clone(before, count)
    credit = after.weights[:, after.own_miners]
    assert credit.sum(axis=1) == pytest.approx(before.weights[:, before.own_miners[0]])
    assert credit == pytest.approx(np.repeat(credit[:, :1], count + 1, axis=1))
    honest = np.arange(before.quality.size - 1)
    assert after.weights[:, honest] == pytest.approx(before.weights[:, honest])


@given(sybil_worlds(), st.integers(1, 9))
def test_who_does_not_see_through_clones_credits_each_in_full(before: World, count: int) -> None:
    before = replace(before, sees_clones=np.zeros(before.stake.size, bool))
    after = moves.clone(before, count)
    due = before.weights[:, before.own_miners[0]]
    credit = after.weights[:, after.own_miners].sum(axis=1)
    assert credit == pytest.approx(due * (count + 1) / (1 + count * due))
    assert after.quality[after.own_miners].sum() == before.quality[before.own_miners[0]]


@given(sybil_worlds(), st.floats(0, 1))
def test_self_praise_moves_its_part_to_the_own_miners(before: World, part: float) -> None:
    after = moves.praise_self(before, part)
    own = before.own_miners[0]
    was, now = before.weights[-1], after.weights[-1]
    assert now[own] == pytest.approx((1 - part) * was[own] + part)
    assert np.delete(now, own) == pytest.approx((1 - part) * np.delete(was, own))


@given(sybil_worlds(), st.integers(2, 9))
def test_in_a_ring_everybody_praises_one_and_each_is_praised_by_one(
    before: World, count: int
) -> None:
    crowd = moves.sequence(partial(moves.split, parts=count), partial(moves.fake, count=count - 1))(
        before
    )
    ring = moves.praise_in_a_ring(crowd, 1.0)
    links = ring.weights[np.ix_(ring.own_validators, ring.own_miners)]
    assert np.isin(links, (0, 1)).all()
    assert (links.sum(axis=0) == 1).all()
    assert (links.sum(axis=1) == 1).all()
    assert not np.diagonal(links).any()


@given(sybil_worlds())
def test_copying_peers_gives_their_mean_by_stake(before: World) -> None:
    after = moves.copy_peers(before)
    peers, total = before.weights[:-1], before.stake[:-1].sum()
    mean = before.stake[:-1] @ peers if total else before.weights[-1]
    if mean.any():  # peers who said nothing do not thin out the report
        mean = mean / mean.sum()
    assert after.weights[-1] == pytest.approx(mean)


@given(sybil_worlds())
def test_a_reversed_report_has_the_same_weights_in_the_opposite_order(before: World) -> None:
    was, now = before.weights[-1], moves.reverse(before).weights[-1]
    assert sorted(now) == sorted(was)
    assert (np.argsort(now) == np.argsort(was)[::-1]).all()


@given(sybil_worlds())
def test_reversing_twice_restores_the_report(before: World) -> None:
    assert (moves.reverse(moves.reverse(before)).weights == before.weights).all()


@given(twin_worlds())
def test_a_shunned_target_gets_nothing_and_the_others_keep_their_ratios(before: World) -> None:
    own, target = before.own_validators, before.twins[0]
    was, now = before.weights[own], moves.shun(before).weights[own]
    kept = np.delete(was, target, axis=1)
    assert not now[:, target].any()
    assert np.delete(now, target, axis=1) == pytest.approx(kept / kept.sum(axis=1, keepdims=True))


@given(twin_worlds())
def test_promotion_gives_the_twin_what_the_target_had(before: World) -> None:
    own, (target, other) = before.own_validators, before.twins
    was, now = before.weights[own], moves.promote(before).weights[own]
    assert not now[:, target].any()
    assert now[:, other] == pytest.approx(was[:, target] + was[:, other])
    assert (np.delete(now, before.twins, axis=1) == np.delete(was, before.twins, axis=1)).all()


@given(twin_worlds())
def test_votes_orders_and_sales_are_aimed_at_the_target_alone(before: World) -> None:
    after = moves.sequence(moves.vote, moves.order, moves.sell)(before)
    for acted in (after.votes, after.orders, after.flows):
        assert acted is not None
        assert not np.delete(acted, before.twins[0], axis=1).any()
    assert after.votes is not None
    assert after.flows is not None
    own = before.own_validators
    assert (after.votes[own, before.twins[0]] == 1).all()
    assert (after.flows[own, before.twins[0]] == -before.stake[own]).all()


@given(twin_worlds(), st.integers(1, 4))
def test_a_seat_that_the_coalition_holds_orders_and_splitting_keeps_it(
    before: World, parts: int
) -> None:
    after = moves.sequence(partial(moves.split, parts=parts), moves.order)(before)
    assert after.orders is not None
    for seat, holder in enumerate(before.seats):
        assert after.orders[seat, before.twins[0]] == int(holder in before.adversary)


def supported(stake: IntArray, reports: FloatArray) -> float:
    """Return the largest of some reports that half the stake reaches."""
    return float(max(w for w in reports if stake[reports >= w].sum() >= stake.sum() / 2))


@given(sybil_worlds(), st.sampled_from([0.0, 0.25, -0.25]))
def test_matching_peers_gives_what_half_their_stake_reaches_and_the_rest_to_the_own_miner(
    before: World, margin: float
) -> None:
    before = replace(before, stake=np.round(before.stake))  # sums without rounding
    after = moves.match_peers(before, margin)
    stake, peers = before.stake[:-1], before.weights[:-1]
    if not stake.any():
        assert (after.weights == before.weights).all()
        return
    middle = [(1 + margin) * supported(stake, column) for column in peers[:, :-1].T]
    rest = max(0, 1 - sum(middle))
    expected = np.array([*middle, rest])
    assert after.weights[-1] == pytest.approx(expected / expected.sum())
    if rest and not margin:  # exactly, or it would be no tie
        assert (after.weights[-1, :-1] == middle).all()


@given(twin_worlds(), st.integers(1, 9))
def test_only_the_best_are_kept_and_in_their_ratios(before: World, count: int) -> None:
    own = before.own_validators
    for was, now in zip(
        before.weights[own], moves.keep_best(before, count).weights[own], strict=True
    ):
        kept = now > 0
        assert kept.sum() == min(count, was.size)
        assert was[kept].min() >= was[~kept].max(initial=0)
        assert now[kept] == pytest.approx(was[kept] / was[kept].sum())


@given(sybil_worlds())
def test_a_level_report_says_the_same_of_everybody(before: World) -> None:
    assert (moves.level(before).weights[-1] == 1 / before.quality.size).all()


@given(sybil_worlds(), st.integers(0, 3), st.floats(0, 0.1))
def test_dust_is_the_same_share_of_all_others_and_the_rest_is_the_own_miners(
    before: World, count: int, share: float
) -> None:
    after = moves.dust(moves.fake(before, count), share)
    own = after.own_miners
    now = after.weights[-1]
    assert (np.delete(now, own) == share).all()
    assert now[own] == pytest.approx((1 - share * (now.size - own.size)) / own.size)


@given(twin_worlds(), st.floats(0, 1))
def test_a_slighted_target_gets_a_share_of_the_best_and_the_others_keep_their_ratios(
    before: World, share: float
) -> None:
    own, target = before.own_validators, before.twins[0]
    was, now = before.weights[own], moves.slight(before, share).weights[own]
    kept, others = np.delete(was, target, axis=1), np.delete(now, target, axis=1)
    assert now[:, target] == pytest.approx(share * others.max(axis=1))
    assert others / others.sum(axis=1, keepdims=True) == pytest.approx(
        kept / kept.sum(axis=1, keepdims=True)
    )


@given(twin_worlds())
def test_who_is_favoured_gets_everything(before: World) -> None:
    now = moves.favour(before).weights[before.own_validators]
    assert (now[:, before.twins[1]] == 1).all()
    assert not np.delete(now, before.twins[1], axis=1).any()


@given(twin_worlds(), st.integers(1, 4), st.floats(0, 100))
def test_stake_that_arrives_is_as_old_as_said_and_splitting_keeps_its_age(
    before: World, parts: int, age: float
) -> None:
    fresh = partial(moves.arrive, epochs=age)
    divide = partial(moves.split, parts=parts)
    for order in ((fresh, divide), (divide, fresh)):
        after = moves.sequence(*order)(before)
        own = np.isin(after.validator_owner, before.adversary)
        assert after.tenure is not None
        assert (after.tenure[own] == age).all()
        assert (after.tenure[~own] == np.inf).all()
