from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests import naive
from tests.data import shared
from trilemma.kernels import (
    bonds_version_2,
    bonds_version_3,
    clip_and_rank,
    consensus,
    needed_support,
    normalised,
    stake_units,
)

FloatArray = npt.NDArray[np.float64]
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


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


def facts(
    weights: FloatArray, stake: FloatArray, prior: FloatArray, beta: float, alpha: float
) -> tuple[Any, ...]:
    """Return what the bonds of an epoch follow from; its weights are read-only, as ever."""
    weights.setflags(write=False)
    units = stake_units(stake)
    agreed = consensus(weights, units, needed_support(0.5, sum(units.tolist())))
    clipped, ranks, _ = clip_and_rank(weights, agreed, normalised(stake))
    return weights, clipped, normalised(stake), normalised(ranks), prior, beta, alpha


@st.composite
def epochs(draw: st.DrawFn, part: st.SearchStrategy[float] = ROUGH | TINY) -> tuple[Any, ...]:
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    weights = draw(arrays(np.float64, (n, m), elements=part))
    weights /= max(1.0, weights.sum(axis=1).max())
    stake = draw(arrays(np.float64, n, elements=part))
    prior = draw(st.just(np.zeros((n, m))) | arrays(np.float64, (n, m), elements=part))
    return facts(weights, stake, prior, draw(st.floats(0, 1)), draw(ALPHA))


def synthetic(n: int, m: int) -> tuple[Any, ...]:
    rng = np.random.default_rng([n, m])
    weights = rng.random((n, m)) * (rng.random((n, m)) < 0.7)
    weights /= weights.sum(axis=1, keepdims=True) + 1e-9
    return facts(weights, rng.random(n), rng.random((n, m)), 0.7, 0.1)


@patient
@given(epochs())
def test_clipping_ranks_and_trust_agree_with_the_twin(epoch: tuple[Any, ...]) -> None:
    weights, _, share = epoch[:3]
    ceiling = weights.mean(axis=0)
    clipped, ranks, trust = clip_and_rank(weights, ceiling, share)
    expected = naive.clip_and_rank(weights, ceiling, share)
    np.testing.assert_array_equal(clipped, expected[0])
    close(ranks, expected[1])
    close(trust, expected[2])


@VERSIONS
@patient
@given(epoch=epochs())
def test_bonds_and_dividends_agree_with_the_twin(
    bonds: Bonds, twin: Bonds, epoch: tuple[Any, ...]
) -> None:
    for found, expected in zip(bonds(*epoch), twin(*epoch), strict=True):
        close(found, expected)


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
    bonds: Bonds, twin: Bonds, epoch: tuple[Any, ...]
) -> None:
    carried, dividends = bonds(*epoch)
    sums = [dividends.sum(), epoch[3].sum()]
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
    bonds: Bonds, epoch: tuple[Any, ...], random: Any
) -> None:
    weights, clipped, share, incentive, prior, beta, alpha = epoch
    n, m = weights.shape
    rows, columns = random.sample(range(n), n), random.sample(range(m), m)
    weights, clipped, prior = (
        np.ascontiguousarray(matrix[np.ix_(rows, columns)]) for matrix in (weights, clipped, prior)
    )
    carried, dividends = bonds(*epoch)
    again = bonds(weights, clipped, share[rows], incentive[columns], prior, beta, alpha)
    close(again[0], carried[np.ix_(rows, columns)])
    close(again[1], dividends[rows])


@BONDS
def test_the_ends_of_beta_are_exact(bonds: Bonds) -> None:
    weights, clipped, share, incentive, prior, _, alpha = synthetic(9, 20)
    for beta, binding in ((0.0, weights), (1.0, clipped)):
        found = bonds(weights, clipped, share, incentive, prior, beta, alpha)
        same = bonds(binding, binding, share, incentive, prior, 1.0, alpha)
        np.testing.assert_array_equal(found[0], same[0])


@BONDS
def test_bonds_decay_to_zero_and_never_to_denormal_numbers(bonds: Bonds) -> None:
    _, clipped, share, incentive, carried, beta, _ = synthetic(3, 5)
    clipped[:] = [[0.0], [0.1], [0.1]]
    for _ in range(200):
        carried, dividends = bonds(clipped, clipped, share, incentive, carried, beta, 0.5)
    assert not carried[0].any()
    assert dividends[0] == 0
    assert carried[carried > 0].min() > 1e-30


def test_no_bond_of_version_3_exceeds_one() -> None:
    weights, clipped, share, incentive, prior, beta, alpha = synthetic(3, 5)
    carried, _ = bonds_version_3(weights, clipped, share, incentive, prior + 2, beta, alpha)
    assert (carried == 1).all()


def test_nothing_normalises_to_nothing() -> None:
    assert normalised(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert normalised(np.array([5e-324, 0.0])).tolist() == [1.0, 0.0]


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
