"""The consensus in three ways, and a whole Yuma epoch: `pytest benchmarks --benchmark-enable`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests import naive
from trilemma import kernels

FloatArray = npt.NDArray[np.float64]

SIZES = [(16, 16), (64, 128), (64, 256), (256, 256), (1024, 1024)]
NAIVE_SIZES = SIZES[:3]


def network(n: int, m: int) -> tuple[FloatArray, FloatArray]:
    """Honest weights, 10 % noise; unequal stake."""
    rng = np.random.default_rng([n, m])
    weights = rng.lognormal(size=m) * rng.lognormal(sigma=0.1, size=(n, m))
    weights /= weights.sum(axis=1, keepdims=True)
    weights.setflags(write=False)
    return weights, rng.random(n)


def question(n: int, m: int) -> tuple[Any, ...]:
    weights, stake = network(n, m)
    units = kernels.stake_units(stake)
    return weights, units, kernels.needed_support(0.5, int(units.sum()))


def epoch(source: Any, bonds: str, weights: FloatArray, stake: FloatArray) -> FloatArray:
    """Return the dividends of one epoch by the kernels or by their twins."""
    units = kernels.stake_units(stake)
    share = source.normalised(stake)
    agreed = source.consensus(weights, units, kernels.needed_support(0.5, int(units.sum())))
    clipped, ranks, _ = source.clip_and_rank(weights, agreed, share)
    incentive = source.normalised(ranks)
    prior = np.zeros(weights.shape)
    dividends: FloatArray
    _, dividends = getattr(source, bonds)(weights, clipped, share, incentive, prior, 1.0, 0.1)
    return dividends


def label(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


@pytest.mark.parametrize("size", SIZES, ids=label)
@pytest.mark.parametrize(
    "find",
    [kernels.consensus, naive.argsort_consensus, naive.consensus],
    ids=["kernel", "argsort", "naive"],
)
def test_consensus(
    benchmark: BenchmarkFixture, find: Callable[..., FloatArray], size: tuple[int, int]
) -> None:
    if find is naive.consensus and size not in NAIVE_SIZES:
        pytest.skip("the naive twin would take minutes")
    benchmark.group = f"consensus {label(size)}"
    asked = question(*size)
    expected = kernels.consensus(*asked)  # and compiles before the clock starts
    np.testing.assert_array_equal(benchmark(find, *asked), expected)


@pytest.mark.parametrize("size", NAIVE_SIZES, ids=label)
@pytest.mark.parametrize("bonds", ["bonds_version_2", "bonds_version_3"])
@pytest.mark.parametrize("source", [kernels, naive], ids=["kernel", "naive"])
def test_yuma_epoch(
    benchmark: BenchmarkFixture, source: Any, bonds: str, size: tuple[int, int]
) -> None:
    benchmark.group = f"yuma {bonds} {label(size)}"
    given = network(*size)
    expected = epoch(kernels, bonds, *given)
    found = benchmark(epoch, source, bonds, *given)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
