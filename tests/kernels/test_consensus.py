from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests import naive
from tests.data import shared
from trilemma.kernels import ONE, consensus, least_beyond, needed_support, stake_units

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Question = tuple[npt.NDArray[Any], IntArray, int]

patient = settings(deadline=None)  # the first call compiles

SAID = st.sampled_from([0.0, -0.0, 5e-324, 1e-310, 0.1, 0.25, 0.5, 1.0]) | st.floats(0, 1e300)
FIXED = st.sampled_from([0, 1, ONE - 1, ONE, 2**62]) | st.integers(0, ONE)
HELD = st.sampled_from([0, 0, 1, 1, 2, 3]) | st.integers(0, 2**58)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Small, full of ties and of numbers at the edge."""
    n, m = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    weights: npt.NDArray[Any] = draw(
        arrays(np.float64, (n, m), elements=SAID) | arrays(np.int64, (n, m), elements=FIXED)
    )
    units = draw(arrays(np.int64, n, elements=HELD))
    return weights, units, draw(st.integers(1, int(units.sum()) + 1))


@st.composite
def wide_questions(draw: st.DrawFn) -> Question:
    """Across the edges of tiles and of steps; a quarter of the stakes and weights are zero."""
    n = draw(st.integers(1, 13))
    m = draw(st.sampled_from([1, 63, 64, 65, 127, 128, 129, 200]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights: Any = rng.integers(0, 4, (n, m)) / 3 + rng.integers(0, 2) * rng.random((n, m))
    weights[rng.random((n, m)) < 0.25] = 0.0
    if draw(st.booleans()):
        weights = (weights * ONE).astype(np.int64)
    units = rng.integers(0, 4, n) * rng.integers(1, 2**40)
    return weights, units, draw(st.integers(1, int(units.sum()) + 1))


@patient
@given(questions() | wide_questions())
def test_the_kernel_agrees_with_its_twin(question: Question) -> None:
    found = consensus(*question)
    np.testing.assert_array_equal(found, naive.consensus(*question))
    assert found.dtype == question[0].dtype
    assert not (np.copysign(1, found) < 0).any()


@patient
@given(questions())
def test_the_argsort_version_agrees_too(question: Question) -> None:
    np.testing.assert_array_equal(naive.argsort_consensus(*question), naive.consensus(*question))


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (3, 65), (4, 128), (5, 129), (130, 2)])
@pytest.mark.parametrize("unit", [1.0, ONE], ids=["float", "fixed"])
def test_every_shape_is_searched_to_its_edges(shape: tuple[int, int], unit: float) -> None:
    rng = np.random.default_rng(shape)
    weights = (rng.random(shape) * unit).astype(np.asarray(unit).dtype)
    units = rng.integers(1, 9, shape[0])
    for needed in (1, int(units.sum()) // 2 + 1, int(units.sum())):
        np.testing.assert_array_equal(
            consensus(weights, units, needed), naive.consensus(weights, units, needed)
        )


Spread = Callable[[np.random.Generator, tuple[int, int]], npt.NDArray[Any]]

SPREADS: dict[str, Spread] = {
    "even": lambda rng, shape: rng.random(shape),
    "in logarithms": lambda rng, shape: 10 ** rng.uniform(-30, 0, shape),
    "in logarithms of logarithms": lambda rng, shape: 2 ** -(2 ** rng.uniform(0, 6.9, shape)),
    "one far away": lambda rng, shape: np.vstack(
        [np.full((1, shape[1]), 1e12), rng.random((shape[0] - 1, shape[1]))]
    ),
    "mostly nothing": lambda rng, shape: rng.random(shape) * (rng.random(shape) < 0.55),
    "few values": lambda rng, shape: rng.integers(0, 12, shape) / 12,
    "alternately far apart": lambda rng, shape: (
        2.0 ** -(rng.integers(0, 2, shape) * 100) * (1 + rng.random(shape))
    ),
}


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("validators", [7, 64, 300])
def test_values_are_found_however_they_are_spread(spread: str, kind: Any, validators: int) -> None:
    rng = np.random.default_rng(validators)
    weights = SPREADS[spread](rng, (validators, 150)).astype(np.float64)
    weights = (weights * 2**20).astype(kind) if kind == np.int64 else weights.astype(kind)
    units = stake_units(rng.random(validators) ** 3, 30 if kind == np.float32 else 62)
    for kappa in (0.02, 0.5, 0.9):
        needed = needed_support(kappa, int(units.sum(dtype=np.int64)))
        question = weights, units, units.dtype.type(needed)
        np.testing.assert_array_equal(consensus(*question), naive.argsort_consensus(*question))


@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_more_support_than_there_is_stake_gives_zeros(kind: type) -> None:
    weights: Any = np.ones((2, 3), kind)
    assert not consensus(weights, np.array([1, 1]), 3).any()
    assert not consensus(weights, np.array([0, 0]), 1).any()


@patient
@given(questions(), st.randoms(use_true_random=False))
def test_renumbering_identities_renumbers_the_answer(question: Question, random: Any) -> None:
    weights, units, needed = question
    n, m = weights.shape
    rows, columns = random.sample(range(n), n), random.sample(range(m), m)
    renumbered = consensus(
        np.ascontiguousarray(weights[np.ix_(rows, columns)]), units[rows], needed
    )
    np.testing.assert_array_equal(renumbered, consensus(*question)[columns])


@patient
@given(questions(), st.data())
def test_splitting_stake_over_identities_changes_nothing(question: Question, data: Any) -> None:
    weights, units, needed = question
    who = data.draw(st.integers(0, units.size - 1))
    part = data.draw(st.integers(0, int(units[who])))
    split = np.append(units, part)
    split[who] -= part
    twice = np.vstack([weights, weights[who]])
    np.testing.assert_array_equal(consensus(twice, split, needed), consensus(*question))


@patient
@given(questions())
def test_weights_may_be_read_only(question: Question) -> None:
    weights = question[0]
    before = weights.copy()
    weights.setflags(write=False)
    np.testing.assert_array_equal(consensus(*question), naive.consensus(*question))
    np.testing.assert_array_equal(weights, before)


@pytest.mark.parametrize("stakes", [np.full(10, 7), np.full(10, 0.1), np.full(10, 1e308)])
@pytest.mark.parametrize("reporters", range(1, 11))
def test_a_support_of_exactly_kappa_is_enough(stakes: npt.NDArray[Any], reporters: int) -> None:
    units = stake_units(stakes)
    weights = (np.arange(10) < reporters)[:, None].astype(np.float64)
    total = sum(units.tolist())
    assert consensus(weights, units, needed_support(reporters / 10, total))[0] == 1
    assert consensus(weights, units, needed_support(reporters / 10 + 1e-15, total))[0] == 0


def test_at_kappa_zero_the_most_that_anybody_with_stake_says_is_the_consensus() -> None:
    weights = np.array([[0.2], [0.7], [0.9]])
    assert consensus(weights, np.array([5, 1, 0]), needed_support(0.0, 6))[0] == 0.7


@given(st.decimals(0, 1, places=3), st.integers(1, 500))
def test_needed_support_agrees_with_trying_every_support(kappa: Any, total: int) -> None:
    assert needed_support(float(kappa), total) == naive.needed_support(str(kappa), total)


@given(st.floats(0, 1), st.integers(1, 2**62))
def test_needed_support_is_the_least_that_reaches_kappa(kappa: float, total: int) -> None:
    simple = Fraction(kappa).limit_denominator(10**6)
    meant = simple if float(simple) == kappa else Fraction(repr(kappa))
    needed = needed_support(kappa, total)
    assert Fraction(needed, total) >= meant
    assert needed == 1 or Fraction(needed - 1, total) < meant


@given(st.floats(0, 1), st.integers(1, 2**62), st.data())
def test_a_part_exceeds_a_share_where_its_exact_quotient_does(
    share: float, total: int, data: st.DataObject
) -> None:
    least = needed_support(share, total)
    part = data.draw(st.integers(0, total) | st.sampled_from([least - 1, least, least + 1]))
    simple = Fraction(share).limit_denominator(10**6)
    meant = simple if float(simple) == share else Fraction(repr(share))
    assert (part >= least_beyond(share, total)) == (Fraction(part, total) > meant)


@given(
    arrays(np.float64, st.integers(1, 9), elements=st.floats(0, 1e307))
    | arrays(np.int64, st.integers(1, 9), elements=st.integers(0, 2**63 - 1))
)
def test_stake_units_agree_with_exact_arithmetic(stake: npt.NDArray[Any]) -> None:
    units = stake_units(stake)
    assert units.dtype == np.int64
    assert units.tolist() == naive.stake_units(stake)


@pytest.mark.parametrize(
    "stake",
    [np.full(1000, 1.7e308), np.full(3, 5e-324), np.full(8, 2**64 - 1, np.uint64), np.zeros(2)],
)
def test_the_largest_and_the_smallest_equal_stakes_stay_equal(stake: npt.NDArray[Any]) -> None:
    units = stake_units(stake)
    assert len(set(units.tolist())) == 1
    assert sum(units.tolist()) <= 2**62 + stake.size
    assert bool(units.any()) == bool(stake.any())


@given(arrays(np.int64, st.integers(1, 9), elements=st.integers(0, 2**50)))
def test_whole_numbers_keep_their_ratios_as_floats(stake: IntArray) -> None:
    units = stake_units(stake.astype(np.float64)).tolist()
    whole = stake.tolist()
    assert [unit * sum(whole) for unit in units] == [one * sum(units) for one in whole]


@given(arrays(np.float64, st.integers(1, 9), elements=st.floats(0, 1e9)), st.integers(-60, 60))
def test_the_unit_of_stake_and_the_order_do_not_matter(stake: FloatArray, power: int) -> None:
    stake[stake < 1e-200] = 0.0  # scaling must not underflow
    units = stake_units(stake)
    np.testing.assert_array_equal(stake_units(stake * math.ldexp(1, power)), units)
    np.testing.assert_array_equal(stake_units(stake[::-1]), units[::-1])


def test_the_order_decides_nothing_where_a_total_is_nearly_a_power_of_two() -> None:
    stake = np.array([1 - 2**-53, 2**-55, 2**-55])  # adds up to less than 1, or to 1 backwards
    assert stake.sum() != stake[::-1].sum()
    np.testing.assert_array_equal(stake_units(stake[::-1]), stake_units(stake)[::-1])


def test_stakes_are_copied() -> None:
    stake = np.array([1, 2])
    assert not np.shares_memory(stake_units(stake), stake)


@pytest.mark.parametrize("epoch", [0, 49, 99])
def test_a_real_subnet_agrees_with_the_twin(epoch: int) -> None:
    with np.load(shared("networks/bittensor-sn31/sn31_dense.npz")) as file:
        weights, units = file["weights"][epoch].astype(np.float64), stake_units(file["stake"])
    needed = needed_support(0.5, int(units.sum()))
    found = consensus(weights, units, needed)
    assert found.any()
    np.testing.assert_array_equal(found, naive.argsort_consensus(weights, units, needed))
    np.testing.assert_array_equal(found[:32], naive.consensus(weights[:, :32], units, needed))
