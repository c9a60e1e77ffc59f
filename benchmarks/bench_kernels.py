"""The consensus in three ways, and whole Yuma epochs: `pytest benchmarks --benchmark-enable`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.measuring.data import LIQUID, PLAIN, plays_of, weights
from tests import naive
from trilemma import kernels
from trilemma.model import Epoch
from trilemma_mechanisms.yuma import Yuma

FloatArray = npt.NDArray[np.float64]

SIZES = [(16, 16), (64, 128), (64, 256), (256, 256), (1024, 1024)]
NAIVE_SIZES = SIZES[:3]
RULES = {"version 2": PLAIN._replace(version=2), "version 3": PLAIN, "liquid alpha": LIQUID}


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


def steps(weights: FloatArray) -> npt.NDArray[np.int64]:
    return (weights * kernels.ONE).astype(np.int64)


def dividends(source: Any, bonds: str, weights: FloatArray, stake: FloatArray) -> FloatArray:
    """Return the dividends of one epoch by the kernels or by their twins."""
    units = kernels.stake_units(stake)
    share = source.normalised(stake)
    agreed = source.consensus(weights, units, kernels.needed_support(0.5, int(units.sum())))
    clipped, ranks, _ = source.clip_and_rank(weights, agreed, share)
    incentive = source.normalised(ranks)
    target, prior = source.interpolated(weights, clipped, 0.5), np.zeros(weights.shape)
    paid: FloatArray
    _, paid = getattr(source, bonds)(target, prior, share, incentive, 0.1)
    return paid


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


@pytest.mark.parametrize("size", SIZES, ids=label)
def test_consensus_in_fixed_point(benchmark: BenchmarkFixture, size: tuple[int, int]) -> None:
    benchmark.group = f"consensus {label(size)}"
    weights, units, needed = question(*size)
    fixed = steps(weights)
    expected = naive.argsort_consensus(fixed, units, needed)
    kernels.consensus(fixed, units, needed)  # compiles before the clock starts
    np.testing.assert_array_equal(benchmark(kernels.consensus, fixed, units, needed), expected)


@pytest.mark.parametrize("size", NAIVE_SIZES, ids=label)
@pytest.mark.parametrize("bonds", ["bonds_version_2", "bonds_version_3"])
@pytest.mark.parametrize("source", [kernels, naive], ids=["kernel", "naive"])
def test_kernels_of_an_epoch(
    benchmark: BenchmarkFixture, source: Any, bonds: str, size: tuple[int, int]
) -> None:
    benchmark.group = f"kernels of {bonds} {label(size)}"
    given = network(*size)
    expected = dividends(kernels, bonds, *given)
    found = benchmark(dividends, source, bonds, *given)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("size", SIZES, ids=label)
@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fused_epochs(
    benchmark: BenchmarkFixture, dtype: str, rule: kernels.Settings, size: tuple[int, int]
) -> None:
    """Eight epochs in one call; `test_kernels_of_an_epoch` times one of them step by step."""
    benchmark.group = f"eight fused epochs {label(size)}"
    said = weights("honest", (8, *size), np.dtype(dtype))
    said.setflags(write=dtype == "float32")  # as epochs have them: compiled once
    plays = plays_of(said[None])
    plays.run(rule)  # compiles before the clock starts
    benchmark(plays.run, rule)
    for paid in (*plays.outcome.incentive[0], *plays.outcome.dividends[0]):
        assert paid.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("size", SIZES, ids=label)
@pytest.mark.parametrize("arithmetic", ["float", "float32", "chain"])
@pytest.mark.parametrize(
    "given",
    [{"version": 2}, {"version": 3}, {"liquid_alpha": True}],
    ids=["version 2", "version 3", "liquid alpha"],
)
def test_yuma_epoch(
    benchmark: BenchmarkFixture, given: dict[str, Any], arithmetic: Any, size: tuple[int, int]
) -> None:
    """A whole epoch that carries bonds, in the numbers of either arithmetic."""
    told = ", ".join(f"{name}={value}" for name, value in given.items())
    benchmark.group = f"yuma({told}) {label(size)}"
    weights, stake = network(*size)
    rule, first = Yuma(arithmetic=arithmetic, **given), Epoch(stake, weights)
    later = first.replace(carry=rule(first).carry)
    rule(later)  # compiles before the clock starts
    found = benchmark(rule, later)
    for pool in (found.miners, found.validators):
        assert pool.sum() == pytest.approx(1, abs=1e-5)
