"""Yuma against its definition, and what its parameters and a chain's record mean, in sentences."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests import naive
from tests.naive_chain import ONE, exp, liquid_alpha, over, times
from tests.test_mechanisms import TENTHS, pay, rewards
from trilemma.chain import Chain, Csr
from trilemma.contract import Pay, call
from trilemma.model import Epoch
from trilemma_mechanisms.yuma import State, Yuma

FloatArray = npt.NDArray[np.float64]

patient = settings(deadline=None)  # the first call compiles

KINDS: list[dict[str, Any]] = [
    {"version": version, "arithmetic": arithmetic}
    for version in (2, 3)
    for arithmetic in ("float", "chain")
]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda it: " ".join(map(str, it.values())))
BOTH = pytest.mark.parametrize("arithmetic", ["float", "chain"])

STEP = 1 / ONE
TWO = [[2, 1, 1], [1, 1, 2]]


def chained(stake: Any, said: Any, /, carry: Any = None, **facts: Any) -> Epoch:
    """Return an epoch with a chain's record."""
    return Epoch(stake, said, chain=Chain(**facts), carry=carry)


def asked(rule: Yuma, epoch: Epoch) -> Pay:
    return call("yuma", rule, epoch)


def flags(rule: Yuma, epoch: Epoch, name: str) -> list[bool]:
    return [bool(flag) for flag in rule.stages(epoch)[name]]


def state(rule: Yuma, epoch: Epoch) -> State:
    carry = rewards(rule, epoch).carry
    assert isinstance(carry, State)
    return carry


# --- by definition -------------------------------------------------------------------------------


def twin(rule: Yuma, epoch: Epoch, prior: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return incentive, dividends and bonds of an epoch of whole stakes, by definition."""
    units = [int(unit) for unit in epoch.stake]
    permits = epoch.stake[:, None] > 0
    weights = np.where(permits, epoch.weights, 0.0)
    needed = max(1, ceil(Fraction(str(rule.kappa)) * sum(units)))
    agreed = naive.consensus(weights, np.array(units), needed)
    share = naive.normalised(epoch.stake.astype(float))
    clipped, ranks, _ = naive.clip_and_rank(weights, agreed, share)
    incentive = naive.normalised(ranks)
    target = naive.interpolated(weights, clipped, rule.bonds_penalty)
    bind: Any = naive.bonds_version_2 if rule.version == 2 else naive.bonds_version_3
    alpha: Any = 1 - rule.bonds_moving_average
    if rule.liquid_alpha and rule.version == 3 and agreed.any():
        bounds = (rule.alpha_low, rule.alpha_high, rule.steepness)
        alpha = naive.liquid_alpha(target, prior, agreed, *bounds)
    bonds, dividends = bind(target, prior, share, incentive, alpha)
    return incentive, dividends if incentive.any() else share, np.where(permits, bonds, 0)


PART = st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0.001, 1)


@st.composite
def histories(draw: st.DrawFn, liquid: bool = False) -> tuple[Yuma, list[Epoch]]:
    """Return a rule and three epochs of one network."""
    penalty, average, version = draw(PART), draw(PART), draw(st.sampled_from([2, 3]))
    rule = Yuma(draw(TENTHS), penalty, average, 3 if liquid else version)
    if liquid:
        low, high = sorted([draw(PART), draw(PART)])
        rule = Yuma(rule.kappa, penalty, average, 3, True, low, high, draw(st.floats(-50, 50)))
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    stakes = arrays(np.int64, n, elements=st.integers(0, 9))
    reports = arrays(np.float64, (n, m), elements=PART)
    return rule, [Epoch(draw(stakes), draw(reports)) for _ in range(3)]


def agree(rule: Yuma, epochs: list[Epoch]) -> None:
    carry: Any = None
    expected = np.zeros(epochs[0].weights.shape)
    for epoch in epochs:
        found: Any = rewards(rule, epoch.replace(carry=carry))
        incentive, dividends, expected = twin(rule, epoch, expected)
        carry = found.carry
        np.testing.assert_allclose(found.miners, incentive, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(found.validators, dividends, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(carry.bonds, expected, rtol=1e-10, atol=1e-15)


@patient
@given(histories())
def test_yuma_agrees_with_its_twin_from_epoch_to_epoch(history: tuple[Yuma, list[Epoch]]) -> None:
    agree(*history)


@patient
@given(histories(liquid=True))
def test_yuma_with_liquid_alpha_agrees_with_its_twin(history: tuple[Yuma, list[Epoch]]) -> None:
    agree(*history)


@pytest.mark.parametrize("version", [2, 3])
def test_bonds_remember_who_supported_a_miner_first(version: int) -> None:
    rule = Yuma(version=version)
    opening = Epoch([1, 1], [[1.0, 0.0], [0.5, 0.5]])
    first = state(rule, opening)
    later = Epoch([1, 1], [[0.5, 0.5], [0.5, 0.5]])
    anew, carried = asked(rule, later), asked(rule, later.replace(carry=first))
    assert anew.miners.tolist() == carried.miners.tolist() == [0.5, 0.5]
    assert anew.validators.tolist() == [0.5, 0.5]
    assert carried.validators.tolist() != [0.5, 0.5]
    assert state(rule, opening).bonds.tolist() == first.bonds.tolist()


def test_bonds_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\), but weights have shape \(1, 2\)"):
        Yuma()(Epoch([1], [[1, 1]], carry=State(np.zeros((2, 2)))))


@pytest.mark.parametrize("carry", [np.eye(2), (np.eye(2), None), "bonds", {"bonds": np.eye(2)}])
def test_a_carry_that_yuma_did_not_return_is_refused_by_its_type(carry: Any) -> None:
    said = f"^carry must be what Yuma returned, not {type(carry).__name__}$"
    with pytest.raises(ValueError, match=said):
        Yuma()(Epoch([1, 1], [[1, 1], [1, 1]], carry=carry))


@pytest.mark.parametrize("version", [2, 3])
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]))
@patient
def test_the_chains_arithmetic_is_close_to_floats_away_from_ties(
    version: int, seed: int, whole: bool, penalty: float
) -> None:
    """No part of these stakes is exactly half. Then bonds are stored in steps of 1 / 65535."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 12, 2)
    stake = rng.integers(1, 2**59, n) if whole else rng.lognormal(size=n)
    carries: list[Any] = [None, None]
    for allowed in (1e-4, 1e-3):
        epoch = Epoch(stake, rng.lognormal(size=(n, m)))
        rules = [
            Yuma(version=version, bonds_penalty=penalty, arithmetic=kind)
            for kind in ("float", "chain")
        ]
        answers = [
            rewards(it, epoch.replace(carry=c)) for it, c in zip(rules, carries, strict=True)
        ]
        carries = [answer.carry for answer in answers]
        pools = [np.concatenate([it.miners, np.asarray(it.validators)]) for it in answers]
        np.testing.assert_allclose(pools[1], pools[0], atol=allowed)


def test_the_chains_arithmetic_stores_the_largest_weight_as_65535_and_rounds_the_others() -> None:
    weights = Yuma(arithmetic="chain").stages(Epoch([1], [[4, 1, 2, 0]]))["weights"] * ONE
    stored = [65535, 16384, 32768, 0]  # of 16383.75 and 32767.5
    assert weights.tolist() == [[(one << 32) // sum(stored) for one in stored]]


def test_the_chains_arithmetic_stores_bonds_in_65535ths() -> None:
    """Those of version 2 as parts of the largest in a miner, those of version 3 as parts of 1."""
    epoch = Epoch([3, 1], [[1, 1], [0, 1]])
    bonds = [state(Yuma(version=it, arithmetic="chain"), epoch).bonds for it in (2, 3)]
    assert all(it.dtype == np.uint16 for it in bonds)
    assert bonds[0].tolist() == [[65535, 65535], [0, 21844]]  # a third, rounded down three times
    assert bonds[1].tolist() == [[3276, 3276], [0, 3276]]  # a tenth of 0.5


# --- kappa ---------------------------------------------------------------------------------------


def supported(rule: Yuma, stake: list[int], reporters: int) -> bool:
    """Tell whether a miner whom only the first validators report is paid."""
    weights = np.zeros((len(stake), 2))
    weights[:reporters, 0] = weights[reporters:, 1] = 1
    return bool(pay(rule, stake, weights).miners[0] > 0)


@pytest.mark.parametrize(
    ("kappa", "stake", "reporters"),
    [
        (0.5, [1, 1], 1),
        (0.5, [2, 1, 3], 2),
        (0.1, [1] * 10, 1),
        (0.3, [1, 1, 1, 7], 3),
        (0.6, [1] * 5, 3),
        (0.7, [7, 3], 1),
        (1, [5, 1], 2),
        (0.5, [2**53 + 1, 2**53 + 1], 1),
    ],
)
def test_a_stake_of_exactly_kappa_is_enough(kappa: float, stake: list[int], reporters: int) -> None:
    assert supported(Yuma(kappa), stake, reporters)
    more = [one * 100 for one in stake]
    assert supported(Yuma(kappa), more, reporters)
    more[0] -= 1
    assert kappa == 1 or not supported(Yuma(kappa), more, reporters)


def test_the_chains_kappa_is_met_by_exactly_its_stake() -> None:
    rule = Yuma(32767 / 65535)
    assert supported(rule, [32767, 32768], 1)
    assert not supported(rule, [32766, 32769], 1)
    assert supported(rule, [1, 1], 1)


@given(st.integers(1, 65535), st.integers(1, 65535))
@patient
def test_a_kappa_given_as_a_fraction_is_met_by_exactly_that_fraction(part: int, rest: int) -> None:
    rule = Yuma(part / (part + rest))
    assert supported(rule, [part, rest], 1)
    assert part == 1 or not supported(rule, [part - 1, rest + 1], 1)


@BOTH
@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_ends_of_kappa_ask_for_everybody_or_for_anybody(arithmetic: Any, size: int) -> None:
    everybody, anybody = (Yuma(kappa, arithmetic=arithmetic) for kappa in (1, 0))
    assert supported(everybody, [1] * size, size)
    assert size == 1 or not supported(everybody, [1] * size, size - 1)
    assert supported(anybody, [1] * size, 1)


# --- what bonds follow, and how fast -------------------------------------------------------------

SPLIT = [[1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [0.0, 0.25, 0.75]]


@BOTH
def test_the_penalty_leads_bonds_from_published_to_clipped_weights(arithmetic: Any) -> None:
    found = {}
    for penalty in (0, 0.5, 1):
        rule = Yuma(bonds_penalty=penalty, bonds_moving_average=0, arithmetic=arithmetic)
        stages = rule.stages(Epoch([3, 1, 1], SPLIT))
        found[penalty] = stages["bonds"]
    assert found[0].tolist() == stages["weights"].tolist()
    assert found[1].tolist() == stages["clipped"].tolist()
    assert found[0].tolist() != found[1].tolist()
    np.testing.assert_allclose(found[0.5], (found[0] + found[1]) / 2, atol=STEP)


@BOTH
@pytest.mark.parametrize("average", [0, 0.75, 1])
def test_the_moving_average_is_the_weight_of_the_old_bonds(arithmetic: Any, average: float) -> None:
    rule = Yuma(bonds_moving_average=average, bonds_penalty=0, arithmetic=arithmetic)
    epoch = chained([1, 1], np.eye(2, 3), bonds=Csr.of([[0, 65535, 0], [0, 65535, 0]]))
    expected = np.array([[1 - average, average, 0], [0, 1, 0]])
    np.testing.assert_allclose(rule.stages(epoch)["bonds"], expected, atol=2 * STEP)


@BOTH
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 1.0]))
@patient
def test_liquid_alpha_between_equal_bounds_is_the_plain_average(
    arithmetic: Any, seed: int, penalty: float
) -> None:
    rng = np.random.default_rng(seed)
    plain = Yuma(bonds_penalty=penalty, bonds_moving_average=0.75, arithmetic=arithmetic)
    rules = [
        plain,
        replace(plain, liquid_alpha=True, alpha_low=0.25, alpha_high=0.25, steepness=7.5),
    ]
    carries: list[Any] = [None, None]
    for _ in range(3):
        epoch = Epoch(rng.integers(1, 9, 4), rng.integers(0, 4, (4, 5)))
        answers = [
            rewards(it, epoch.replace(carry=c)) for it, c in zip(rules, carries, strict=True)
        ]
        carries = [answer.carry for answer in answers]
        assert carries[0].bonds.tolist() == carries[1].bonds.tolist()
        one, other = (np.asarray(answer.validators).tolist() for answer in answers)
        assert one == other


@BOTH
def test_without_any_consensus_liquid_alpha_is_the_plain_average(arithmetic: Any) -> None:
    given: dict[str, Any] = {"kappa": 1, "bonds_penalty": 0, "arithmetic": arithmetic}
    epoch = Epoch([1, 1], [[1, 0], [0, 1]])
    bonds = [state(Yuma(liquid_alpha=it, **given), epoch).bonds.tolist() for it in (True, False)]
    assert bonds[0] == bonds[1]


@BOTH
def test_liquid_alpha_is_nothing_to_version_2(arithmetic: Any) -> None:
    epoch = Epoch([1, 2], TWO)
    rules = [Yuma(version=2, liquid_alpha=it, arithmetic=arithmetic) for it in (True, False)]
    assert state(rules[0], epoch).bonds.tolist() == state(rules[1], epoch).bonds.tolist()


def bonds_after(rule: Yuma, rows: list[list[tuple[int, int]]], stake: list[int]) -> Any:
    """Return which bonds are left of some everywhere, after weights with just these entries."""
    entries = [entry for row in rows for entry in row]
    said = Csr(*map(np.array, ([0, *np.cumsum([*map(len, rows)])], *zip(*entries, strict=True))))
    old = Csr.of(np.full((len(rows), 3), 40000))
    epoch = chained(stake, said.dense(3), weights=said, bonds=old)
    return (rule.stages(epoch)["bonds"] > 0).tolist()


@BOTH
@pytest.mark.parametrize("penalty", [0, 1])
def test_liquid_alpha_deletes_bonds_without_an_entry_while_an_entry_of_zero_lets_them_decay(
    arithmetic: Any, penalty: float
) -> None:
    rows = [[(0, 9), (1, 0)], [(0, 9), (2, 0)]]
    given: dict[str, Any] = {"arithmetic": arithmetic, "bonds_penalty": penalty}
    liquid, plain = (Yuma(liquid_alpha=it, **given) for it in (True, False))
    assert bonds_after(liquid, rows, [1, 1]) == [[True, True, False], [True, False, True]]
    assert bonds_after(plain, rows, [1, 1]) == [[True] * 3, [True] * 3]


@BOTH
def test_between_the_ends_of_the_penalty_an_entry_of_zero_is_none(arithmetic: Any) -> None:
    rows = [[(0, 9), (1, 0)], [(0, 9), (2, 0)]]
    rule = Yuma(liquid_alpha=True, bonds_penalty=0.5, arithmetic=arithmetic)
    assert bonds_after(rule, rows, [1, 1]) == [[True, False, False], [True, False, False]]


@BOTH
def test_liquid_alpha_deletes_bonds_in_a_miner_whose_weight_is_cut_to_nothing(
    arithmetic: Any,
) -> None:
    rows = [[(0, 9), (1, 0)], [(0, 9), (1, 1)]]  # the small one alone supports miner 1
    for penalty, kept in ((0, True), (1, False)):
        rule = Yuma(liquid_alpha=True, bonds_penalty=penalty, arithmetic=arithmetic)
        assert bonds_after(rule, rows, [3, 1]) == [[True, True, False], [True, kept, False]]


BOUNDS = {"alpha_low": 45875, "alpha_high": 58982}
LIQUID: dict[str, Any] = {name: bound / 65535 for name, bound in BOUNDS.items()}
LIQUID |= {"liquid_alpha": True, "arithmetic": "chain"}


@pytest.mark.parametrize("late", ["weights", "bonds", None])
def test_liquid_alpha_walks_each_row_once_and_passes_over_an_entry_behind_a_later_miners(
    late: str | None,
) -> None:
    """It only takes another speed: the bond moves from what it was, to the weight that was set."""
    rule, case = Yuma(steepness=10, **LIQUID), {**BOUNDS, "alpha_sigmoid_steepness": 1000}
    in_order, reverse = ([0, 1, 0, 1], [1, 0, 0, 1])
    stored = {
        name: Csr([0, 2, 4], reverse if name == late else in_order, [value] * 4)
        for name, value in (("weights", 9), ("bonds", 40000))
    }
    found = rule.stages(chained([1, 1], np.ones((2, 3)), **stored))["bonds"] * ONE
    half, old = ONE // 2, over(40000, 65535)
    alphas = [
        liquid_alpha(case, half, 0 if late == "weights" else half, 0 if late == "bonds" else old),
        liquid_alpha(case, half, half, old),
    ]
    expected = [times(ONE - alpha, old) + times(alpha, half) for alpha in alphas]
    assert found[:, :2].tolist() == [[expected[0], expected[1]], [expected[1], expected[1]]]
    assert len({*expected}) == (1 if late is None else 2)


def test_distances_of_none_and_of_one_at_steepness_2_take_both_constants_of_the_chain() -> None:
    """They are e**1, which the chain has to 23 bits, and e**-1, which it has not."""
    rule = Yuma(steepness=2, bonds_penalty=0, **LIQUID)
    case = {**BOUNDS, "alpha_sigmoid_steepness": 200}
    old = np.array([[0, 65535, 0], [0, 0, 0]], np.uint16)
    epoch = Epoch([3, 1], [[1, 0, 0], [0, 0, 1]], carry=State(old))
    agreed, bonds = (rule.stages(epoch)[name] * ONE for name in ("consensus", "bonds"))
    assert agreed.tolist() == [ONE, 0, 0]
    at_once, bought, sold = (
        liquid_alpha(case, *given) for given in ((ONE, ONE, 0), (0, ONE, 0), (0, 0, ONE))
    )
    assert at_once < bought == sold
    assert bonds.tolist() == [[at_once, ONE - sold, 0], [0, 0, bought]]
    low, high = (over(bound, 65535) for bound in BOUNDS.values())
    for x, alpha in ((ONE, at_once), (-ONE, bought)):
        assert alpha == low + times(over(ONE, ONE + exp(x)), high - low)


@BOTH
@pytest.mark.parametrize("penalty", [0.5, 1])
def test_an_account_without_stake_changes_nobodys_bonds(arithmetic: Any, penalty: float) -> None:
    """In a plain epoch there is an entry everywhere."""
    rule = Yuma(liquid_alpha=True, bonds_penalty=penalty, arithmetic=arithmetic)
    before, after = np.ones((3, 2)), np.array([[1, 0], [1, int(penalty)], [0, 0]])
    alone = state(rule, Epoch([3, 1], after[:2], carry=state(rule, Epoch([3, 1], before[:2]))))
    more = state(rule, Epoch([3, 1, 0], before))
    beside = state(rule, Epoch([3, 1, 0], after, carry=more))
    assert beside.bonds[:2].tolist() == alone.bonds.tolist()


def test_dividends_survive_ranks_that_are_all_denormal() -> None:
    rule = Yuma(kappa=1.0, bonds_penalty=0.0, bonds_moving_average=0.0)
    nothing = [0, 0, 0, 0]
    said: Any = [[0, 0, 0.25, 1e-310], nothing, nothing, nothing, [0, 0, 0, 1e-310]]
    epoch = Epoch([1e9, 0, 0, 0, 1e-9], said)
    paid: Any = rule(epoch).validators
    np.testing.assert_allclose(paid, rule.stages(epoch)["dividends"])
