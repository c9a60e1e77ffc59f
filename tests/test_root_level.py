"""The level above the subnet: holders stand where validators do, and subnets where miners do."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trilemma.contract import Pay, call
from trilemma.errors import PluginError, UsageError
from trilemma.model import AnyArray, Epoch, Mechanism, Sparse
from trilemma.profiles import Profile
from trilemma.registry import load
from trilemma.testing.finding import tried
from trilemma.testing.verdict import checks_of
from trilemma_mechanisms.flow_share import FlowShare
from trilemma_mechanisms.pools import trades
from trilemma_mechanisms.price_share import PriceShare
from trilemma_mechanisms.root_vote import RootVote

BRIEF = Profile(8, same=True)
SPECS = (
    "root_vote",
    "price_share",
    "flow_share",
    "root_vote(rho=1e300)",
    "price_share(smoothing=1, halving=0, tempo=1)",
    "flow_share(cutoff=-1, exponent=0.5)",
)
BY_POOLS = ("price_share", "flow_share")
HALVING = math.sqrt(2) - 1  # 0.414 reserves
STAKE, WEIGHTS = [2, 1, 1], [[2, 1, 1], [1, 1, 2], [0, 1, 3]]
LISTED = np.array([5, 4, 7]) / 16  # what these holders say that each subnet is worth

some = settings(deadline=None, max_examples=24)


def paid(mechanism: Mechanism | str, flows: Any = None, carry: Any = None) -> Pay:
    """Return what is paid for STAKE and WEIGHTS, through the door of every plug-in."""
    rule = load(mechanism) if isinstance(mechanism, str) else mechanism
    return call("it", rule, Epoch(STAKE, WEIGHTS, flows=flows, carry=carry))


def by(holder: int, subnet: int, tokens: float) -> AnyArray:
    """Return the flows in which one holder trades one subnet's tokens."""
    flows = np.zeros((3, 3))
    flows[holder, subnet] = tokens
    return flows


def stages(rule: Any, flows: Any = None, carry: Any = None) -> dict[str, AnyArray]:
    found: dict[str, AnyArray] = rule.stages(Epoch(STAKE, WEIGHTS, flows=flows, carry=carry))
    return found


@pytest.mark.parametrize("spec", SPECS[:3])
def test_laws_and_claims_hold(spec: str) -> None:
    rule = load(spec)
    assert [it.name for it in checks_of(rule) if tried(it, rule, BRIEF).case is not None] == []


@pytest.mark.parametrize("name", ["root_vote", *BY_POOLS])
def test_sparse_reports_are_paid_as_dense_ones(name: str) -> None:
    flows = by(0, 1, 0.5)
    sparse = Epoch(STAKE, Sparse.of(np.array(WEIGHTS, float)), flows=flows)
    found = call("it", load(name), sparse).miners
    np.testing.assert_allclose(found, paid(name, flows).miners, rtol=1e-12)


# --- the vote of the root network ----------------------------------------------------------------


def test_a_vote_is_a_sigmoid_of_trust_times_rank() -> None:
    """Trust 3/4, 1 and 1 at kappa 1/2; ranks 5/16, 4/16 and 7/16."""
    low, high = 1 / (1 + math.exp(-2.5)), 1 / (1 + math.exp(-5))
    merit = [low * 5, high * 4, high * 7]
    np.testing.assert_allclose(paid("root_vote").miners, np.array(merit) / sum(merit), rtol=1e-14)
    found = stages(RootVote())
    np.testing.assert_allclose(found["trust"], [0.75, 1, 1], rtol=1e-15)
    np.testing.assert_allclose(found["rank"], LISTED, rtol=1e-15)
    np.testing.assert_allclose(found["consensus"], [low, high, high], rtol=1e-14)


def test_silent_stake_counts_against_trust() -> None:
    found = RootVote().stages(Epoch([1, 3], [[1, 1], [0, 0]]))
    assert found["trust"].tolist() == [0.25, 0.25]


def test_a_steep_vote_pays_nobody_whose_trust_is_below_kappa() -> None:
    np.testing.assert_allclose(
        paid("root_vote(rho=1e300, kappa=0.9)").miners, [0, 4 / 11, 7 / 11], rtol=1e-14
    )


@pytest.mark.parametrize("rho", [0, 10, 1000, 1e300, np.finfo(float).max])
@pytest.mark.parametrize("kappa", [0, 0.5, 1])
def test_where_all_sigmoids_round_to_0_ranks_still_count(rho: float, kappa: float) -> None:
    """Trust is a quarter for everybody, however little is left of its sigmoid."""
    epoch = Epoch([1] * 4, np.eye(4))
    found = call("it", RootVote(rho, kappa), epoch).miners
    np.testing.assert_allclose(found, [0.25] * 4, rtol=1e-12)


def test_support_that_rounds_to_0_takes_nothing_from_others() -> None:
    """All trust the last subnet, with weights whose mean is no float above 0."""
    epoch = Epoch([1] * 4, np.hstack([np.eye(4), np.full((4, 1), 5e-324)]))
    found = call("it", RootVote(rho=1e300), epoch).miners
    np.testing.assert_allclose(found, [0.25] * 4 + [0], rtol=1e-12)


# --- pools ---------------------------------------------------------------------------------------


@some
@given(
    st.integers(1, 64),
    st.lists(st.integers(-40, 8), min_size=1, max_size=6),
    st.sampled_from((0.5, 1.0, 4.0)),
)
def test_trades_one_after_another_come_to_the_same_as_all_at_once(
    listed: int, amounts: Sequence[int], reserve: float
) -> None:
    """A pool in fractions, from which every holder buys in turn, at x * y = k; amounts in 64ths."""
    tokens, worth = Fraction(reserve), Fraction(listed, 64) * Fraction(reserve)
    product, spent = tokens * worth, Fraction(0)
    for amount in amounts:
        tokens -= Fraction(amount, 64) * Fraction(reserve)
        spent += product / tokens - worth
        worth = product / tokens
    n = len(amounts)
    reports = np.tile([listed, 64 - listed], (n, 1))
    flows = np.array(amounts)[:, None] / 64 * reserve * [[1, 0]]
    found = FlowShare(reserve).stages(Epoch([1] * n, reports, flows=flows))
    assert found["price"][0] == pytest.approx(float(worth / tokens), rel=1e-12)
    assert found["flow"][0] == pytest.approx(float(spent), rel=1e-12, abs=1e-12)


def test_a_pool_keeps_a_thousandth_of_its_tokens() -> None:
    """Whoever asks for more gets, and pays for, no more than there is."""
    greedy, all_there_is = (stages(FlowShare(), by(0, 1, it)) for it in (1e300, 0.999))
    for name in ("tokens", "price", "flow", "incentive"):
        np.testing.assert_allclose(greedy[name], all_there_is[name], rtol=1e-12)
    assert greedy["tokens"][1] == 1e-3
    assert greedy["price"][1] == pytest.approx(1e6 * LISTED[1])
    assert greedy["flow"][1] == pytest.approx(999 * LISTED[1])


@pytest.mark.parametrize("name", BY_POOLS)
def test_an_empty_pool_sells_nothing_more(name: str) -> None:
    rule = load(name)
    emptied = paid(rule, by(0, 1, 7))
    again = paid(rule, by(0, 1, 7), emptied.carry)
    assert again.carry.pools.tokens.tolist() == emptied.carry.pools.tokens.tolist() == [1, 1e-3, 1]
    if name == "flow_share":
        assert stages(rule, by(0, 1, 7), emptied.carry)["flow"].tolist() == [0, 0, 0]


def test_huge_trades_hide_no_small_one_in_whatever_order_holders_stand() -> None:
    for column in permutations((1e300, 0.25, -1e300, -0.5)):
        epoch = Epoch([1] * 4, [[1, 1]] * 4, flows=[[it, 0] for it in column])
        assert trades(epoch, 1.0).tolist() == [-0.25, 0]


EXTREME = st.sampled_from((0.0, 1.0, -1.0, 5e-324, 1e-17, 1e300, -1e300, 1.7e308, -1.7e308))


@pytest.mark.parametrize("name", BY_POOLS)
@some
@given(
    st.sampled_from((1e-100, 1.0, 1e100)),
    arrays(np.float64, (3, 3), elements=EXTREME),
    st.permutations(range(3)),
)
def test_extreme_trades_are_paid_without_a_warning_and_in_any_order(
    name: str, reserve: float, flows: AnyArray, order: list[int]
) -> None:
    rule = load(f"{name}(reserve={reserve!r})")
    carry = other = None
    for _ in range(3):
        pay = call("it", rule, Epoch(STAKE, WEIGHTS, flows=flows, carry=carry))
        turned = [np.array(it)[order] for it in (STAKE, WEIGHTS, flows)]
        moved = call("it", rule, Epoch(*turned[:2], flows=turned[2], carry=other))
        np.testing.assert_allclose(moved.miners, pay.miners, atol=1e-12)
        np.testing.assert_allclose(moved.validators, pay.validators[order], atol=1e-12)
        carry, other = pay.carry, moved.carry
        told: Any = rule
        found = told.stages(Epoch(STAKE, WEIGHTS, flows=flows, carry=carry))
        assert all(np.isfinite(value).all() for value in found.values())


@some
@given(st.integers(0, 2), st.floats(1e-9, 1e5), st.booleans())
def test_what_is_sold_and_bought_back_leaves_no_trace(
    subnet: int, tokens: float, sold_first: bool
) -> None:
    amount = -tokens if sold_first else min(tokens, 0.99)
    rule = PriceShare()
    first = paid(rule, by(0, subnet, amount))
    back = paid(rule, by(1, subnet, -amount), first.carry)
    np.testing.assert_allclose(back.carry.pools.price, LISTED, rtol=1e-9)


# --- shares by price -----------------------------------------------------------------------------


@pytest.mark.parametrize("sold", [0.1, HALVING, 1, 9])
@pytest.mark.parametrize("reserve", [1, 0.25])
def test_a_dumped_token_halves_at_0_414_and_falls_by_1_plus_f_squared(
    sold: float, reserve: float
) -> None:
    spec = f"price_share(reserve={reserve})"
    before, after = paid(spec).miners, paid(spec, by(2, 0, -sold * reserve)).miners
    scaled = (after[0] / after[1]) / (before[0] / before[1])  # the other price has not moved
    assert scaled == pytest.approx((1 + sold) ** -2, rel=1e-9)
    assert (scaled == pytest.approx(0.5, rel=1e-9)) == (sold == HALVING)
    assert after[2] / after[1] == pytest.approx(before[2] / before[1], rel=1e-12)


def test_without_trades_shares_by_price_are_the_mean_by_stake_and_stay() -> None:
    carry = None
    for _ in range(3):
        found = paid("price_share", None, carry)
        np.testing.assert_allclose(found.miners, LISTED, rtol=1e-12)
        carry = found.carry


def test_reports_set_prices_once() -> None:
    first = paid("price_share")
    turned = np.array(WEIGHTS)[:, ::-1]
    later = call("it", load("price_share"), Epoch(STAKE, turned, carry=first.carry))
    np.testing.assert_allclose(later.miners, first.miners, rtol=1e-12)


def test_a_price_above_1_counts_as_1() -> None:
    expected = np.array([LISTED[0], 1, LISTED[2]])
    found = paid("price_share", by(0, 1, 0.9)).miners
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)


TRADES = [by(0, 0, -0.5), by(1, 2, 0.9) + by(2, 0, -3), by(0, 0, 3.25), np.zeros((3, 3))]


@pytest.mark.parametrize(
    "given",
    [{}, {"tempo": 7, "halving": 50, "smoothing": 0.3}, {"halving": 0, "smoothing": 1}],
    ids=str,
)
def test_average_prices_move_block_by_block(given: dict[str, Any]) -> None:
    rule, blocks, carry = PriceShare(**given), 0, None
    average = np.zeros(3)
    for flows in TRADES:
        found, pay = stages(rule, flows, carry), paid(rule, flows, carry)
        price = np.minimum(found["price"], 1)
        for _ in range(rule.tempo):
            blocks += 1
            speed = rule.smoothing * blocks / (blocks + rule.halving)
            average = price if carry is None else speed * price + (1 - speed) * average
        np.testing.assert_allclose(found["average"], average, rtol=1e-11)
        np.testing.assert_allclose(pay.miners, average / average.sum(), rtol=1e-11)
        carry = pay.carry
        assert carry.blocks == blocks


# --- shares by flow ------------------------------------------------------------------------------


def test_a_subnet_is_paid_for_what_its_buyers_pay() -> None:
    """A fifth of the tokens costs a quarter of the TAO in a pool, half of them all of it."""
    flows = by(0, 0, 0.2) + by(1, 1, 0.5) + by(2, 2, -1)
    expected = np.array([LISTED[0] / 4, LISTED[1], 0])
    np.testing.assert_allclose(paid("flow_share", flows).miners, expected / expected.sum())
    found = stages(FlowShare(), flows)
    np.testing.assert_allclose(found["flow"], [*expected[:2], -LISTED[2] / 2], rtol=1e-12)


def test_a_subnet_that_loses_tao_gets_nothing() -> None:
    found = paid("flow_share", by(0, 0, 0.1) + by(1, 1, 0.1) + by(2, 1, -0.11)).miners
    assert found.tolist() == [1, 0, 0]


def test_where_nobody_ever_traded_all_is_burnt() -> None:
    first = paid("flow_share")
    later = paid("flow_share", None, first.carry)
    assert not first.miners.any()
    assert not later.miners.any()
    np.testing.assert_allclose(later.validators, [0.5, 0.25, 0.25])


@pytest.mark.parametrize(("exponent", "shares"), [(0, [1, 1]), (0.5, [1, 2]), (1, [1, 4])])
def test_flows_count_to_the_exponent(exponent: float, shares: list[float]) -> None:
    """Of two equal pools, a fifth of one and half of the other: a quarter of its TAO, and all."""
    epoch = Epoch([1], [[1, 1, 1]], flows=[[0.2, 0.5, 0]])
    found = call("it", FlowShare(exponent=exponent), epoch).miners
    np.testing.assert_allclose(found, np.array([*shares, 0]) / sum(shares), rtol=1e-12)


@pytest.mark.parametrize(
    ("cutoff", "above"),
    [
        (0, [0.25, 0, 0, 0]),
        (0.1, [0.15, 0, 0, 0]),
        (-0.3, [0.55, 0, 0.1, 0.3]),  # more than -0.3 is forgiven
        (-2, [0.75, 0, 0.3, 0.5]),  # the lowest flow is the limit
        (1, [0, 0, 0, 0]),
    ],
)
def test_flows_count_above_the_limit(cutoff: float, above: list[float]) -> None:
    """Flows of a quarter, minus a half, minus a fifth, and none; in pools of one TAO each."""
    epoch = Epoch([1], [[1, 1, 1, 1]], flows=[[0.8, -4, -1, 0]])
    found = call("it", FlowShare(reserve=4, cutoff=cutoff), epoch).miners
    flows = [0.25, -0.5, -0.2, 0]
    np.testing.assert_allclose(FlowShare(reserve=4).stages(epoch)["flow"], flows, rtol=1e-12)
    np.testing.assert_allclose(found, np.array(above) / (sum(above) or 1), rtol=1e-12, atol=1e-15)


def test_the_lowest_inflow_is_no_limit() -> None:
    flows = by(0, 0, 0.2) + by(1, 1, 0.5) + by(2, 2, 0.5)
    low, usual = (paid(f"flow_share(cutoff={it})", flows).miners for it in (-1, 0))
    assert low.min() > 0
    np.testing.assert_array_equal(low, usual)


@pytest.mark.parametrize("given", [{}, {"tempo": 7, "smoothing": 0.3}, {"smoothing": 1}], ids=str)
def test_average_flows_move_block_by_block(given: dict[str, Any]) -> None:
    """Every block sees its part of the flow of its epoch; averages by block, then by epoch."""
    rule, carry = FlowShare(**given), None
    average = np.zeros(3)
    for flows in TRADES:
        found, pay = stages(rule, flows, carry), paid(rule, flows, carry)
        by_block = found["flow"] / rule.tempo
        for _ in range(rule.tempo):
            kept = 0 if carry is None else 1 - rule.smoothing
            average = kept * average + (1 - kept) * by_block
        np.testing.assert_allclose(found["average"], average * rule.tempo, rtol=1e-10, atol=1e-14)
        above = np.maximum(average, 0)
        np.testing.assert_allclose(pay.miners, above / (above.sum() or 1), rtol=1e-9)
        carry = pay.carry


def test_half_of_an_average_flow_is_left_after_216_000_blocks() -> None:
    rule = FlowShare(tempo=216_000)
    first = paid(rule, by(0, 0, 0.5))
    later = paid(rule, None, first.carry)
    np.testing.assert_allclose(later.carry.average / LISTED, [0.5, 0, 0], rtol=1e-4)


# --- properties ----------------------------------------------------------------------------------

FLOWS = arrays(np.float64, (3, 3), elements=st.sampled_from((0, 0.125, 0.5, -0.25, -1, 7, -1000)))
REPORTS = arrays(np.float64, (3, 3), elements=st.integers(0, 4).map(float))
STAKES = st.lists(st.integers(0, 9), min_size=3, max_size=3)


@settings(some, max_examples=36)
@given(st.sampled_from(SPECS), STAKES, REPORTS, FLOWS)
def test_pools_never_pay_more_than_all(
    spec: str, stake: list[int], reports: AnyArray, flows: AnyArray
) -> None:
    carry = None
    for _ in range(2):
        pay = call("it", load(spec), Epoch(stake, reports, flows=flows, carry=carry))
        for pool in (pay.miners, pay.validators):
            assert pool.min() >= 0
            assert pool.sum() <= 1 + 1e-12
        carry = pay.carry


@some
@given(
    st.sampled_from(BY_POOLS),
    STAKES,
    REPORTS,
    FLOWS,
    st.permutations(range(3)),
    st.permutations(range(3)),
)
def test_other_labels_change_nobodys_share(
    name: str,
    stake: list[int],
    reports: AnyArray,
    flows: AnyArray,
    rows: list[int],
    columns: list[int],
) -> None:
    carry = other = None
    turned = [stake[row] for row in rows]
    said, traded = (it[np.ix_(rows, columns)] for it in (reports, flows))
    for _ in range(2):
        pay = call("it", load(name), Epoch(stake, reports, flows=flows, carry=carry))
        moved = call("it", load(name), Epoch(turned, said, flows=traded, carry=other))
        np.testing.assert_allclose(moved.miners, pay.miners[columns], atol=1e-12)
        np.testing.assert_allclose(moved.validators, pay.validators[rows], atol=1e-12)
        carry, other = pay.carry, moved.carry


@settings(some, max_examples=36)
@given(
    st.sampled_from((*BY_POOLS, SPECS[-1])),
    STAKES,
    REPORTS,
    FLOWS,
    st.integers(0, 2),
    st.floats(0, 9),
)
def test_more_purchases_never_lower_a_share(
    spec: str, stake: list[int], reports: AnyArray, flows: AnyArray, holder: int, more: float
) -> None:
    rule = load(spec)
    before = call("it", rule, Epoch(stake, reports, flows=flows)).miners
    after = call("it", rule, Epoch(stake, reports, flows=flows + by(holder, 0, more))).miners
    assert after[0] >= before[0] - 1e-12
    assert (after[1:] <= before[1:] + 1e-12).all() or spec not in BY_POOLS


# --- state ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_POOLS)
def test_three_epochs_are_the_same_however_state_travels(name: str) -> None:
    rule, kept, travelled = load(name), None, None
    shares = []
    for flows in (by(0, 0, 0.5), by(1, 1, 0.9) + by(0, 0, -4), by(2, 2, 0.5)):
        here, there = paid(rule, flows, kept), paid(rule, flows, travelled)
        np.testing.assert_array_equal(here.miners, there.miners)
        kept, travelled = here.carry, pickle.loads(pickle.dumps(there.carry))
        shares.append(here.miners.tolist())
    assert shares[0] != shares[1] != shares[2]


@pytest.mark.parametrize("name", BY_POOLS)
def test_what_is_carried_cannot_be_written_to(name: str) -> None:
    carry = paid(name, by(0, 0, 1)).carry
    for array in (carry.average, carry.pools.listed, carry.pools.tokens):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
    with pytest.raises(AttributeError):
        carry.pools.tokens = np.ones(3)


def test_a_carry_that_is_not_its_own_is_refused() -> None:
    other = paid("flow_share").carry
    narrow: Any = PriceShare()(Epoch([1], [[1, 1]]))
    for carry, said in (
        (other, "carry must be what PriceShare returned, not State"),
        (3, "carry must be what PriceShare returned, not int"),
        (narrow.carry, "carry holds 2 pools, but weights speak of 3 subnets"),
    ):
        with pytest.raises(PluginError, match=said):
            paid("price_share", None, carry)


def test_other_holders_may_come_as_pools_speak_of_subnets_alone() -> None:
    carry = paid("price_share", by(0, 0, -1)).carry
    found = call("it", load("price_share"), Epoch([1, 5], [[1, 1, 1]] * 2, carry=carry))
    np.testing.assert_allclose(found.miners, carry.average / carry.average.sum(), rtol=1e-3)


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (RootVote, {"rho": -1}),
        (RootVote, {"rho": np.inf}),
        (RootVote, {"rho": np.nan}),
        (RootVote, {"kappa": 1.5}),
        (RootVote, {"kappa": np.nan}),
        *(
            (kind, {name: value})
            for kind in (PriceShare, FlowShare)
            for name, value in (
                ("reserve", 0),
                ("reserve", 1e101),
                ("reserve", np.nan),
                ("tempo", 0),
                ("tempo", 1.5),
                ("tempo", 10**6 + 1),
                ("smoothing", -0.1),
                ("smoothing", 1.1),
                ("smoothing", np.nan),
            )
        ),
        (PriceShare, {"halving": -1}),
        (PriceShare, {"halving": np.inf}),
        (PriceShare, {"halving": np.nan}),
        (FlowShare, {"cutoff": -np.inf}),
        (FlowShare, {"cutoff": np.nan}),
        (FlowShare, {"exponent": -1}),
        (FlowShare, {"exponent": np.inf}),
        (FlowShare, {"exponent": np.nan}),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_name(
    kind: Callable[..., Mechanism], given: dict[str, Any]
) -> None:
    [(name, value)] = given.items()
    with pytest.raises(ValueError, match=f"^{name} must be .* not ") as caught:
        kind(**given)
    assert str(caught.value).endswith(repr(value))


def test_what_a_spec_gives_is_checked_too() -> None:
    with pytest.raises(UsageError, match="reserve must be in"):
        load("price_share(reserve=0)")


def test_a_vote_pays_any_support_only_while_its_sigmoid_is_above_0() -> None:
    """At rho 2000 a tenth of the stake is worth less than the smallest float."""
    epoch = Epoch([1, 9], [[1, 1], [0, 1]])
    assert call("it", RootVote(rho=500), epoch).miners[0] > 0
    assert call("it", RootVote(rho=2000), epoch).miners[0] == 0
    assert "carried_by(0)" in RootVote(rho=500).claims
    assert "carried_by(0)" not in RootVote(rho=2000).claims
