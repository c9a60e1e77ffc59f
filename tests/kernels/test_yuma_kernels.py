from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests import naive
from tests.data import shared
from tests.naive_chain import liquid_alpha as chain_alpha
from tests.naive_chain import normalised as chain_normalised
from tests.naive_chain import over
from trilemma.kernels import (
    ONE,
    bonds_version_2,
    bonds_version_3,
    clip_and_rank,
    columns_upscaled,
    consensus,
    interpolated,
    liquid_alpha,
    needed_support,
    normalised,
    stake_units,
)

FloatArray = npt.NDArray[np.float64]
Numbers = npt.NDArray[Any]
Bonds = Callable[..., tuple[FloatArray, FloatArray]]

patient = settings(deadline=None)  # the first call compiles

VERSIONS = pytest.mark.parametrize(
    ("bonds", "twin"),
    [(bonds_version_2, naive.bonds_version_2), (bonds_version_3, naive.bonds_version_3)],
    ids=["version 2", "version 3"],
)

BONDS = pytest.mark.parametrize("bonds", [bonds_version_2, bonds_version_3])

ROUGH = st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0.001, 1)
TINY = st.sampled_from([-0.0, 5e-324, 1e-310, 1e-30]) | st.floats(0, 1e-29)
ALPHA = st.sampled_from([0.0, 0.1, 1.0]) | st.floats(0.001, 0.999)


class Facts(NamedTuple):
    """What the bonds of an epoch follow from."""

    target: FloatArray
    prior: FloatArray
    share: FloatArray
    incentive: FloatArray
    alpha: float


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


def facts(
    weights: FloatArray, stake: FloatArray, prior: FloatArray, beta: float, alpha: float
) -> Facts:
    """Return the facts of an epoch; its weights are read-only, as ever."""
    weights.setflags(write=False)
    units, share = stake_units(stake), normalised(stake)
    agreed = consensus(weights, units, needed_support(0.5, sum(units.tolist())))
    clipped, ranks, _ = clip_and_rank(weights, agreed, share)
    target = interpolated(weights, clipped, beta)
    return Facts(target, prior, share, normalised(ranks), alpha)


@st.composite
def epochs(draw: st.DrawFn, part: st.SearchStrategy[float] = ROUGH | TINY) -> Facts:
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    weights = draw(arrays(np.float64, (n, m), elements=part))
    weights /= max(1.0, weights.sum(axis=1).max())
    stake = draw(arrays(np.float64, n, elements=part))
    prior = draw(st.just(np.zeros((n, m))) | arrays(np.float64, (n, m), elements=part))
    return facts(weights, stake, prior, draw(st.floats(0, 1)), draw(ALPHA))


def synthetic(n: int, m: int) -> Facts:
    rng = np.random.default_rng([n, m])
    weights = rng.random((n, m)) * (rng.random((n, m)) < 0.7)
    weights /= weights.sum(axis=1, keepdims=True) + 1e-9
    return facts(weights, rng.random(n), rng.random((n, m)), 0.7, 0.1)


def speeds(epoch: Facts) -> FloatArray:
    """Return alphas that differ from bond to bond, some at the ends."""
    return np.asarray(np.clip(np.sin(np.arange(epoch.target.size)) + 0.5, 0, 1)).reshape(
        epoch.target.shape
    )


@patient
@given(epochs())
def test_clipping_ranks_and_trust_agree_with_the_twin(epoch: Facts) -> None:
    weights, share = epoch.target, epoch.share
    ceiling = weights.mean(axis=0)
    clipped, ranks, trust = clip_and_rank(weights, ceiling, share)
    expected = naive.clip_and_rank(weights, ceiling, share)
    np.testing.assert_array_equal(clipped, expected[0])
    close(ranks, expected[1])
    close(trust, expected[2])


@patient
@given(epochs(), st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1))
def test_what_bonds_follow_agrees_with_the_twin(epoch: Facts, beta: float) -> None:
    found = interpolated(epoch.target, epoch.prior, beta)
    np.testing.assert_array_equal(found, naive.interpolated(epoch.target, epoch.prior, beta))
    close(found, (1 - beta) * epoch.target + beta * epoch.prior)


@patient
@given(epochs(), ROUGH, ROUGH, st.sampled_from([-1000.0, 1000.0, 0.0]) | st.floats(-60, 60))
def test_liquid_alpha_agrees_with_the_twin(
    epoch: Facts, one: float, other: float, steepness: float
) -> None:
    low, high = min(one, other), max(one, other)
    limits = epoch.target.mean(axis=0)
    found = liquid_alpha(epoch.target, epoch.prior, limits, low, high, steepness)
    close(found, naive.liquid_alpha(epoch.target, epoch.prior, limits, low, high, steepness))
    assert (found >= low).all()
    assert (found <= high).all()


@patient
@given(epochs())
def test_upscaled_columns_agree_with_the_twin(epoch: Facts) -> None:
    close(columns_upscaled(epoch.prior), naive.columns_upscaled(epoch.prior))


@VERSIONS
@patient
@given(epoch=epochs())
def test_bonds_and_dividends_agree_with_the_twin(bonds: Bonds, twin: Bonds, epoch: Facts) -> None:
    for found, expected in zip(bonds(*epoch), twin(*epoch), strict=True):
        close(found, expected)


@patient
@given(epoch=epochs())
def test_every_bond_may_move_at_its_own_speed(epoch: Facts) -> None:
    own = (*epoch[:-1], speeds(epoch))
    for found, expected in zip(bonds_version_3(*own), naive.bonds_version_3(*own), strict=True):
        close(found, expected)
    alike = (*epoch[:-1], np.full(epoch.target.shape, epoch.alpha))
    for found, expected in zip(bonds_version_3(*alike), bonds_version_3(*epoch), strict=True):
        np.testing.assert_array_equal(found, expected)


@VERSIONS
@pytest.mark.parametrize("shape", [(1, 1), (1, 130), (70, 2), (13, 67)])
def test_every_shape_agrees_with_the_twin(
    bonds: Bonds, twin: Bonds, shape: tuple[int, int]
) -> None:
    epoch = synthetic(*shape)
    for found, expected in zip(bonds(*epoch), twin(*epoch), strict=True):
        close(found, expected)


@VERSIONS
@patient
@given(epoch=epochs())
def test_shares_of_a_whole_sum_to_one_or_to_nothing(
    bonds: Bonds, twin: Bonds, epoch: Facts
) -> None:
    carried, dividends = bonds(*epoch)
    sums = [dividends.sum(), epoch.incentive.sum()]
    if twin is naive.bonds_version_2:
        sums += carried.sum(axis=0).tolist()
    for total in sums:
        assert total == 0 or abs(total - 1) < 1e-12
    assert (carried >= 0).all()
    assert (carried <= 1 + 1e-12).all()


@BONDS
@patient
@given(epoch=epochs(ROUGH), random=st.randoms(use_true_random=False))
def test_renumbering_identities_renumbers_bonds_and_dividends(
    bonds: Bonds, epoch: Facts, random: Any
) -> None:
    n, m = epoch.target.shape
    rows, columns = random.sample(range(n), n), random.sample(range(m), m)
    target, prior = (
        np.ascontiguousarray(matrix[np.ix_(rows, columns)])
        for matrix in (epoch.target, epoch.prior)
    )
    carried, dividends = bonds(*epoch)
    again = bonds(target, prior, epoch.share[rows], epoch.incentive[columns], epoch.alpha)
    close(again[0], carried[np.ix_(rows, columns)])
    close(again[1], dividends[rows])


@BONDS
def test_bonds_decay_to_zero_and_never_to_denormal_numbers(bonds: Bonds) -> None:
    target, carried, share, incentive, _ = synthetic(3, 5)
    target[:] = [[0.0], [0.1], [0.1]]
    for _ in range(200):
        carried, dividends = bonds(target, carried, share, incentive, 0.5)
    assert not carried[0].any()
    assert dividends[0] == 0
    assert carried[carried > 0].min() > 1e-30


def test_no_bond_of_version_3_exceeds_one() -> None:
    epoch = synthetic(3, 5)
    carried, _ = bonds_version_3(*epoch._replace(prior=epoch.prior + 2))
    assert (carried == 1).all()


def test_nothing_normalises_to_nothing() -> None:
    assert normalised(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert normalised(np.array([5e-324, 0.0])).tolist() == [1.0, 0.0]
    assert normalised(np.zeros(3, np.int64)).tolist() == [0, 0, 0]
    assert not columns_upscaled(np.zeros((2, 3))).any()


@VERSIONS
def test_ten_epochs_of_a_real_subnet_agree_with_the_twin(bonds: Bonds, twin: Bonds) -> None:
    with np.load(shared("networks/bittensor-sn31/sn31_dense.npz")) as file:
        weights, stake = file["weights"][:10].astype(np.float64), file["stake"]
    carried, expected = np.zeros(weights.shape[1:]), np.zeros(weights.shape[1:])
    for said in weights:
        said /= np.maximum(said.sum(axis=1, keepdims=True), 1.0)
        carried, dividends = bonds(*facts(said, stake, carried, 1.0, 0.1))
        expected, earned = twin(*facts(said, stake, expected, 1.0, 0.1))
        close(carried, expected)
        close(dividends, earned)
    assert dividends.any()


# --- fixed point: equal to the last bit ----------------------------------------------------------

EDGES = [0, 1, 2, ONE // 65535, ONE // 2, ONE - 1, ONE]
FIXED = st.sampled_from(EDGES) | st.integers(0, 99) | st.integers(0, ONE)
U16 = st.sampled_from([0, 1, 65534, 65535]) | st.integers(0, 65535)
BY_EXAMPLE = settings(patient, max_examples=150)


class Steps(NamedTuple):
    """Numbers in steps of 2**-32, of any kind that a kernel takes; nothing sums to 1."""

    weights: Numbers
    prior: Numbers
    limits: Numbers
    share: Numbers
    number: int

    def lists(self) -> tuple[Any, ...]:
        return tuple(it.tolist() if isinstance(it, np.ndarray) else it for it in self)


@st.composite
def in_steps(draw: st.DrawFn) -> Steps:
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    matrices = arrays(np.int64, (n, m), elements=FIXED)
    stored = arrays(np.int64, (n, m), elements=U16)
    weights, prior = draw(matrices), draw(matrices | stored)
    limits = draw(arrays(np.int64, m, elements=FIXED))
    return Steps(weights, prior, limits, draw(arrays(np.int64, n, elements=FIXED)), draw(FIXED))


def equal(found: Any, expected: Any) -> None:
    assert found.dtype == np.int64
    assert found.tolist() == expected


@BY_EXAMPLE
@given(in_steps())
def test_clipping_in_fixed_point_equals_its_twin(it: Steps) -> None:
    weights, _, limits, share, _ = it.lists()
    expected = naive.fixed_clip_and_rank(weights, limits, share)
    for found, twins in zip(clip_and_rank(it.weights, it.limits, it.share), expected, strict=True):
        equal(found, twins)


@BY_EXAMPLE
@given(in_steps())
def test_what_bonds_follow_in_fixed_point_equals_its_twin(it: Steps) -> None:
    weights, prior, _, _, beta = it.lists()
    found = interpolated(it.weights, it.prior, beta)
    equal(found, naive.fixed_interpolated(weights, prior, beta))


@BY_EXAMPLE
@given(in_steps())
def test_the_ends_of_beta_are_exact_in_fixed_point(it: Steps) -> None:
    np.testing.assert_array_equal(interpolated(it.weights, it.prior, 0), it.weights)
    np.testing.assert_array_equal(interpolated(it.weights, it.prior, ONE), it.prior)


STEEPNESS = st.sampled_from([-100_000, -200, 0, 1, 200, 1000, 100_000]) | st.integers(-9000, 9000)


@BY_EXAMPLE
@given(in_steps(), st.tuples(U16, U16), STEEPNESS)
def test_liquid_alpha_in_fixed_point_equals_its_twin(
    it: Steps, ends: tuple[int, int], steepness: int
) -> None:
    """Twice: by the twin of the kernel, and bond by bond as the chain does."""
    weights, prior, limits, _, _ = it.lists()
    alphas = (over(min(ends), 65535), over(max(ends), 65535), over(steepness, 100))
    found = liquid_alpha(it.weights, it.prior, it.limits, *alphas)
    equal(found, naive.fixed_liquid_alpha(weights, prior, limits, *alphas))
    case = {"alpha_low": min(ends), "alpha_high": max(ends), "alpha_sigmoid_steepness": steepness}
    for i, j in np.ndindex(found.shape):
        assert found[i, j] == chain_alpha(case, limits[j], weights[i][j], prior[i][j])


@BY_EXAMPLE
@given(in_steps())
def test_bonds_of_version_2_in_fixed_point_equal_their_twins(it: Steps) -> None:
    weights, prior, incentive, share, alpha = it.lists()
    expected = naive.fixed_bonds_version_2(weights, prior, share, incentive, alpha)
    found = bonds_version_2(it.weights, it.prior, it.share, it.limits, alpha)
    for one, twins in zip(found, expected, strict=True):
        equal(one, twins)


@BY_EXAMPLE
@given(in_steps(), st.data())
def test_bonds_of_version_3_in_fixed_point_equal_their_twins(it: Steps, data: Any) -> None:
    weights, prior, incentive, share, alpha = it.lists()
    own = data.draw(arrays(np.int64, it.weights.shape, elements=FIXED))
    alike = np.full(it.weights.shape, alpha)
    for speed, matrix in ((alpha, alike), (own, own)):
        expected = naive.fixed_bonds_version_3(weights, prior, share, incentive, matrix.tolist())
        found = bonds_version_3(it.weights, it.prior, it.share, it.limits, speed)
        for one, twins in zip(found, expected, strict=True):
            equal(one, twins)


@BY_EXAMPLE
@given(in_steps())
def test_scaling_in_fixed_point_equals_its_twins(it: Steps) -> None:
    _, prior, limits, share, _ = it.lists()
    equal(columns_upscaled(it.prior), naive.fixed_columns_upscaled(prior))
    equal(normalised(it.limits), chain_normalised(limits))
    equal(normalised(it.share), chain_normalised(share))
