"""Two levels: what the network pays its subnets, and what each of them pays its miners."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.naive_governance import SIGNS
from trilemma.attacks import moves
from trilemma.contract import Pay, call
from trilemma.errors import UsageError
from trilemma.model import AnyArray, Epoch, IntArray, Mechanism, Rewards
from trilemma.profiles import Profile
from trilemma.registry import label, load
from trilemma.testing.finding import tried
from trilemma.testing.verdict import checks_of
from trilemma.worlds import Preset
from trilemma_mechanisms.controls import StakeWeighted, Uniform
from trilemma_mechanisms.governance import Keys, Vote
from trilemma_mechanisms.governed import Governed
from trilemma_mechanisms.layered import Layered
from trilemma_mechanisms.price_share import PriceShare
from trilemma_mechanisms.root_vote import RootVote
from trilemma_mechanisms.yuma import Yuma

BRIEF = Profile(4, same=True)
ONE_KEY = Keys(needed=1, seats=(0,))
STAKE = [3, 2, 1]
WEIGHTS = [[1, 1, 2, 0, 4], [0, 3, 1, 1, 1], [1, 0, 0, 1, 0]]
SUBNETS = [7, 7, -2, 7, -2]

# Without shrinking, which takes minutes, and an epoch is shown by its sizes alone.
some = settings(deadline=None, max_examples=20, phases=(Phase.reuse, Phase.generate))


def shown(subnets: Any = SUBNETS, **facts: Any) -> Epoch:
    return Epoch(STAKE, WEIGHTS, subnets=subnets, **facts)


def paid(rule: Mechanism, epoch: Epoch) -> Pay:
    return call("it", rule, epoch)


def on(miner: int, what: float, rows: int = 3, by: int = 0) -> AnyArray:
    """Return votes, orders or flows in which one row acts on one miner alone."""
    acts = np.zeros((rows, 5))
    acts[by, miner] = what
    return acts


def tenth_each(epoch: Epoch) -> Any:
    """Pay every miner a tenth, as a plain list, and burn the rest."""
    return [0.1] * epoch.weights.shape[1]


# --- a slow twin ---------------------------------------------------------------------------------


def slow(above: Mechanism, inside: Mechanism, epoch: Epoch, carries: dict[Any, Any]) -> Pay:
    """Return what both levels pay, added up subnet by subnet; what they carry is kept for them."""
    n, m = epoch.weights.shape
    labels = [*dict.fromkeys(epoch.subnets.tolist())]  # as they come
    there = [[j for j in range(m) if epoch.subnets[j] == it] for it in labels]

    def together(values: AnyArray) -> list[list[Any]]:
        return [[sum(row[j] for j in part) for part in there] for row in values.tolist()]

    def signs(values: AnyArray) -> list[list[int]]:
        return [[(one > 0) - (one < 0) for one in row] for row in together(values)]

    def seen(carry: Any, weights: Any, votes: Any, orders: Any, flows: Any) -> Epoch:
        return Epoch(
            epoch.stake,
            weights,
            votes=votes,
            seats=epoch.seats,
            orders=orders,
            flows=flows,
            tenure=epoch.tenure,
            carry=carry,
        )

    acts = (epoch.weights, epoch.votes, epoch.orders, epoch.flows)
    summed = (how(it) for how, it in zip((together, signs, signs, together), acts, strict=True))
    top = call("above", above, seen(carries.get("above"), *summed))
    carries["above"] = top.carry
    miners, validators = np.zeros(m), np.zeros(n)
    for it, part, share in zip(labels, there, top.miners, strict=True):
        own = (value[:, part] for value in acts)
        pay = call("inside", inside, seen(carries.get(it), *own))
        carries[it] = pay.carry
        for j, earned in zip(part, pay.miners, strict=True):
            miners[j] = share * earned
        validators += share * pay.validators
    return Pay(miners, validators)


@st.composite
def plays(draw: st.DrawFn, length: int = 3) -> list[Epoch]:
    """Draw epochs of three validators, two seats and five miners in up to three subnets."""
    shape, subnets = (3, 5), draw(st.tuples(*[st.integers(-1, 1)] * 5))
    reports = arrays(np.float64, shape, elements=st.integers(0, 4).map(float))
    votes = arrays(np.int8, shape, elements=st.sampled_from(SIGNS))
    orders = arrays(np.int8, (2, 5), elements=st.sampled_from(SIGNS))
    flows = arrays(np.float64, shape, elements=st.sampled_from((0.0, 0.25, -1.0)))
    stake = st.tuples(*[st.integers(0, 4)] * 3)
    return [
        Epoch(
            draw(stake),
            draw(reports),
            votes=draw(votes),
            seats=(0, 2),
            orders=draw(orders),
            flows=draw(flows),
            tenure=draw(st.tuples(*[st.integers(0, 60)] * 3)),
            subnets=subnets,
        )
        for _ in range(length)
    ]


PAIRS = (
    "layered",
    "layered(above=price_share(smoothing=0.1), inside=price_share)",
    "layered(above=governed(inner=root_vote, suspension=override(of=lasting(of=vote("
    "electorate=by_tenure)))))",
    "layered(above=flow_share, inside=governed(inner=dao_vote, suspension=override(of=vote("
    "electorate=by_tenure(full=60)))))",
)


@pytest.mark.parametrize("spec", PAIRS)
@some
@given(plays())
def test_a_miner_is_paid_its_part_of_its_subnets_part_in_every_epoch(
    spec: str, epochs: list[Epoch]
) -> None:
    rule: Any = load(spec)
    assert label(rule) == spec
    carries: dict[Any, Any] = {}
    carry = None
    for epoch in epochs:
        epoch = epoch.replace(carry=pickle.loads(pickle.dumps(carry)))
        pay, expected = paid(rule, epoch), slow(rule.above, rule.inside, epoch, carries)
        np.testing.assert_allclose(pay.miners, expected.miners, atol=1e-12)
        np.testing.assert_allclose(pay.validators, expected.validators, atol=1e-12)
        told = rule.stages(epoch)
        np.testing.assert_array_equal(told["incentive"], pay.miners)
        assert all(value.shape == (5,) for value in told.values())
        carry = pay.carry


@some
@given(plays(), st.permutations((3, -(2**62), 2**62)), st.permutations(range(5)))
def test_neither_labels_of_subnets_nor_places_of_miners_matter(
    epochs: list[Epoch], names: list[int], order: list[int]
) -> None:
    rule = Layered(PriceShare(smoothing=0.1), Yuma())
    carry = other = None
    for epoch in epochs:
        columns = {it: getattr(epoch, it)[:, order] for it in ("weights", "flows")}
        renamed = [names[int(it)] for it in epoch.subnets[order] + 1]
        turned = Epoch(
            epoch.stake, columns["weights"], flows=columns["flows"], subnets=renamed, carry=other
        )
        pay, moved = paid(rule, epoch.replace(carry=carry)), paid(rule, turned)
        np.testing.assert_allclose(moved.miners, pay.miners[order], atol=1e-12)
        np.testing.assert_allclose(moved.validators, pay.validators, atol=1e-12)
        carry, other = pay.carry, moved.carry


# --- by hand -------------------------------------------------------------------------------------


def test_reports_on_a_subnet_are_those_on_its_miners_together() -> None:
    """Stake 3, 2, 1; subnet -2 gets 6/8, 2/6 and 0 of the reports of those who hold it."""
    there = (3 * 6 / 8 + 2 * 2 / 6) / 6
    rule: Any = Layered(StakeWeighted(), StakeWeighted())
    found = paid(rule, shown())
    np.testing.assert_allclose(found.miners[[2, 4]].sum(), there, rtol=1e-14)
    inside = (3 * 2 / 6 + 2 / 2) / 5  # of miner 2: whoever says nothing there does not count
    np.testing.assert_allclose(found.miners[2], there * inside, rtol=1e-14)
    np.testing.assert_allclose(rule.stages(shown())["subnet"][[2, 4]], [there, there], rtol=1e-14)


@pytest.mark.parametrize("inside", ["yuma", "dao_vote", "stake_weighted", "stake_proportional"])
def test_in_one_subnet_pay_is_that_of_the_rule_inside(inside: str) -> None:
    rule, votes = load(inside), on(1, 1)
    for subnets in (None, [9] * 5):
        expected = paid(rule, shown(None, votes=votes))
        found = paid(Layered(Uniform(), rule), shown(subnets, votes=votes))
        np.testing.assert_array_equal(found.miners, expected.miners)
        np.testing.assert_array_equal(found.validators, expected.validators)

    def half(_: Epoch) -> AnyArray:
        return np.array([0.5])

    halved = paid(Layered(half, rule), shown(None, votes=votes)).miners
    np.testing.assert_array_equal(halved, expected.miners / 2)


@pytest.mark.parametrize("target", range(5))
def test_a_cut_at_the_top_takes_a_whole_subnet_and_nobody_elses(target: int) -> None:
    own = np.array(SUBNETS) == SUBNETS[target]
    rule = Layered(Governed(RootVote(), ONE_KEY), StakeWeighted())
    before = paid(rule, shown(seats=[2])).miners
    after = paid(rule, shown(seats=[2], orders=on(target, 1, rows=1))).miners
    assert not after[own].any()
    np.testing.assert_allclose(after[~own], before[~own] / before[~own].sum(), rtol=1e-13)


@pytest.mark.parametrize("target", range(5))
def test_a_cut_inside_leaves_other_subnets_alone(target: int) -> None:
    own = np.array(SUBNETS) == SUBNETS[target]
    rule = Layered(RootVote(), Governed(StakeWeighted(), ONE_KEY))
    before = paid(rule, shown(seats=[2])).miners
    after = paid(rule, shown(seats=[2], orders=on(target, 1, rows=1))).miners
    np.testing.assert_array_equal(after[~own], before[~own])
    assert after[target] == 0
    assert after[own].sum() == pytest.approx(before[own].sum(), rel=1e-14)


def test_a_ballot_on_a_miner_counts_for_its_subnet_once() -> None:
    rule = Layered(Governed(Uniform(), Vote(threshold=0.5, of="all")), Uniform())
    for votes, suspended in (
        (on(0, 1), False),  # half of all stake is not more than half
        (on(0, 1) + on(3, 1, by=2), True),  # others of the subnet add up over voters
        (on(0, 1) + on(1, 1) + on(3, 1), False),  # and for each voter count once
        (on(0, 1) + on(1, -1) + on(3, 1, by=2), False),  # for and against is no ballot
        (on(0, 1) + on(4, -1) + on(3, 1, by=2), True),  # against in another subnet is
    ):
        found = paid(rule, shown(votes=votes)).miners
        assert (found[0] == 0) == suspended
        assert found.sum() == pytest.approx(1)


def test_tokens_of_a_miner_are_tokens_of_its_subnet() -> None:
    rule = Layered(PriceShare(), Uniform())
    at_once = paid(rule, shown(flows=on(0, -0.5))).miners
    spread = paid(rule, shown(flows=on(1, -1) + on(3, 0.75, by=1) + on(0, -0.25, by=2))).miners
    np.testing.assert_allclose(spread, at_once, rtol=1e-13)
    before = paid(rule, shown()).miners
    scaled = (at_once[0] / at_once[2]) / (before[0] / before[2])
    assert scaled == pytest.approx(1.5**-2, rel=1e-12)


def test_a_subnet_counts_by_the_part_that_its_miners_are_paid() -> None:
    """Three miners and two at a tenth each: of emission 3 s to 2 (1 - s)."""
    part = paid(Layered(StakeWeighted(), Uniform()), shown()).miners[[2, 0]] * [2, 3]
    usual = paid(Layered(StakeWeighted(), tenth_each), shown()).miners
    np.testing.assert_allclose(usual[[2, 0]], part / 10, rtol=1e-14)
    rule = Layered(StakeWeighted(), tenth_each, less_burned=True)
    counted = part * [0.2, 0.3]
    found = paid(rule, shown()).miners
    np.testing.assert_allclose(found[[2, 0]], counted / counted.sum() / 10, rtol=1e-14)


def test_where_no_miner_is_paid_shares_stay_and_so_does_what_is_burnt_above() -> None:
    def most(_: Epoch) -> AnyArray:
        return np.array([0.5, 0.25])

    for inside in ("stake_proportional", "stake_weighted"):
        rules = [Layered(most, load(inside), less_burned=it) for it in (False, True)]
        one, other = (paid(rule, shown()) for rule in rules)
        np.testing.assert_allclose(other.miners, one.miners, rtol=1e-14)
        np.testing.assert_allclose(other.validators, np.array([3, 2, 1]) / 8, rtol=1e-14)


def test_validators_earn_in_every_subnet_by_its_share() -> None:
    def first_takes_all(epoch: Epoch) -> Rewards:
        n, m = epoch.weights.shape
        return Rewards(np.full(m, 1 / m), np.eye(n)[m - 2])  # of two miners the first, of three...

    found = paid(Layered(StakeWeighted(), first_takes_all), shown())
    there = found.miners[[2, 4]].sum()
    np.testing.assert_allclose(found.validators, [there, 1 - there, 0], rtol=1e-14)


def test_a_new_subnet_begins_without_a_past_and_the_others_keep_theirs() -> None:
    def counting(epoch: Epoch) -> Rewards:
        return Rewards(np.zeros(epoch.weights.shape[1]), carry=(epoch.carry or 0) + 1)

    rule = Layered(counting, counting)
    first = paid(rule, shown())
    again = paid(rule, shown([7, 7, 3, 7, 3], carry=first.carry))
    assert (first.carry.above, first.carry.inside) == (1, {7: 1, -2: 1})
    assert (again.carry.above, again.carry.inside) == (2, {7: 2, 3: 1})


@pytest.mark.parametrize("spec", [*PAIRS, "layered(inside=uniform, less_burned=True)"])
def test_laws_hold_on_two_levels(spec: str) -> None:
    rule = load(spec)
    assert [it.name for it in checks_of(rule) if tried(it, rule, BRIEF).case is not None] == []


# --- worlds with subnets -------------------------------------------------------------------------

NETWORK = Preset("equal", validators=5, miners=10, subnets=4)


@some
@given(st.integers(0, 2**40), st.integers(2, 10))
def test_twins_work_in_two_subnets_of_about_equal_size(seed: int, subnets: int) -> None:
    world = replace(NETWORK, subnets=subnets).twin(seed)
    assert world.subnets is not None
    target, other = world.subnets[list(world.twins)]
    assert target != other
    sizes = np.bincount(world.subnets, minlength=subnets)
    assert sizes.size == subnets
    assert np.ptp(sizes) <= 1


@some
@given(st.integers(0, 2**40))
def test_an_epoch_tells_who_works_together_and_nothing_by_the_number(seed: int) -> None:
    world = NETWORK.sybil(seed)
    assert world.subnets is not None
    places, seen = world.places()[1], world.epoch().subnets
    together = world.subnets[:, None] == world.subnets
    np.testing.assert_array_equal(together, seen[places][:, None] == seen[places])
    assert sorted({*seen.tolist()}) == [0, 1, 2, 3]


def test_every_number_is_as_likely_for_a_subnet() -> None:
    found = []
    for seed in range(400):
        world = NETWORK.twin(seed)
        found.append(world.epoch().subnets[world.places()[1][world.twins[0]]])
    assert np.bincount(found, minlength=4).min() > 60


def test_subnets_change_nothing_else_of_a_world() -> None:
    for kind in ("sybil", "twin"):
        one, other = (getattr(it, kind)(5) for it in (NETWORK, replace(NETWORK, subnets=1)))
        np.testing.assert_array_equal(one.weights, other.weights)
        assert other.subnets is None
        assert not other.epoch().subnets.any()


@pytest.mark.parametrize("move", [moves.fake, moves.clone, moves.split])
def test_new_miners_join_the_subnet_of_the_adversarys_own(move: Any) -> None:
    world = NETWORK.sybil(3)
    after = move(world, 3)
    joined = subnets_of(after)[subnets_of(world).size :]
    assert joined.tolist() == [subnets_of(world)[world.own_miners[0]]] * (
        0 if move is moves.split else 3
    )
    np.testing.assert_array_equal(subnets_of(after)[:10], subnets_of(world))
    assert after.epoch().subnets.shape == (after.weights.shape[1],)
    alone = move(replace(world, subnets=None), 3)
    assert alone.subnets is None


def subnets_of(world: Any) -> IntArray:
    return np.asarray(world.subnets)


def test_one_key_at_the_top_cuts_off_a_twin_and_not_the_other() -> None:
    world = NETWORK.twin(2)
    world = replace(world, adversary=(int(world.seats[0]),))
    rule = load("layered(above=governed(inner=root_vote, suspension=keys(needed=1, seats=(0,))))")
    target, other = world.places()[1][list(world.twins)]
    before, after = (paid(rule, it.epoch()).miners for it in (world, moves.order(world)))
    assert before[target] > 0
    assert after[target] == 0
    assert after[other] > before[other] > 0


@pytest.mark.parametrize("subnets", [0, 11, 1.5])
def test_a_number_of_subnets_out_of_range_is_refused(subnets: Any) -> None:
    with pytest.raises(UsageError, match="world: subnets"):
        replace(NETWORK, subnets=subnets)


# --- epochs with subnets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subnets", "said"),
    [
        ([0, 1], r"subnets: expected shape \(5,\) .*, got \(2,\)"),
        ([[0, 1, 0, 1, 0]], r"subnets: expected shape \(5,\) .*, got \(1, 5\)"),
        ([], r"subnets: expected shape \(5,\)"),
        (3, r"subnets: expected shape \(5,\)"),
        ([0.0, 1, 0, 1, 0], "subnets: expected whole numbers, got float64"),
        ([0, 1, np.nan, 1, 0], "subnets: expected whole numbers, got float64"),
        (list("abcde"), "subnets: expected real numbers"),
    ],
    ids=str,
)
def test_subnets_of_a_wrong_shape_or_kind_are_refused(subnets: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        shown(subnets)


def test_subnets_are_kept_read_only_and_travel() -> None:
    given = np.array(SUBNETS, np.int8)
    epoch = shown(given)
    given[0] = 5
    assert epoch.subnets.tolist() == SUBNETS
    with pytest.raises(ValueError, match="read-only"):
        epoch.subnets[0] = 1
    for one in (epoch, shown(None), epoch.replace(stake=[1, 1, 1])):
        assert pickle.loads(pickle.dumps(one)).subnets.tolist() == one.subnets.tolist()
    assert shown(None).subnets.tolist() == [0] * 5
    assert shown([True, False, True, False, True]).subnets.tolist() == [1, 0, 1, 0, 1]
