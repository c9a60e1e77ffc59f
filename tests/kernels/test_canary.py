"""The long loops stay vectorised: kernels against copying their weights.

Bounds are about four times what is measured. Without any vectors every case takes 6 to 15 times as
long and fails. The loops that clip and bind, or that only move bounds, make an epoch 1.2 to 1.5
times as long, which no test on a busy machine can tell.

Taken is the least of several CPU times, so that other programs do not fail the test.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trilemma import kernels

pytestmark = pytest.mark.slow

EPOCHS, VALIDATORS, MINERS = 32, 64, 256
ROUNDS = 20
PLAIN = kernels.Settings(3, 1.0, 0.1, False, 0.7, 0.9, 10.0)

Numbers = npt.NDArray[Any]


class Network:
    """Random weights, which leave the search its longest way."""

    def __init__(self, dtype: str) -> None:
        draw = np.random.default_rng(0)
        self.weights = draw.random((1, EPOCHS, VALIDATORS, MINERS)).astype(dtype)
        self.copy = np.empty_like(self.weights)
        self.weights.setflags(write=dtype == "float32")  # as epochs have them: compiled once
        stake = draw.random(VALIDATORS)
        self.units = kernels.stake_units(stake, 30 if dtype == "float32" else 62)
        self.needed = kernels.needed_support(0.5, int(self.units.sum(dtype=np.int64)))
        self.share = np.broadcast_to((stake / stake.sum()).astype(dtype), (1, EPOCHS, VALIDATORS))
        self.outcome = kernels.Outcome(
            np.zeros((1, EPOCHS, MINERS), dtype),
            np.zeros((1, EPOCHS, MINERS), dtype),
            np.zeros((1, EPOCHS, VALIDATORS), dtype),
            np.zeros((0, VALIDATORS, MINERS), dtype),
        )

    def memcpy(self) -> None:
        np.copyto(self.copy, self.weights)

    def consensus(self) -> None:
        for said in self.weights[0]:
            kernels.consensus(said, self.units, self.needed)

    def epochs(self, **changes: Any) -> None:
        none = np.zeros(0, self.weights.dtype)
        stakes = np.broadcast_to(self.units, self.share.shape).copy()
        needed = np.full((1, EPOCHS), self.needed, self.units.dtype)
        given = self.weights, self.share.copy(), stakes, needed
        prior, rule = np.zeros((0, VALIDATORS, MINERS), none.dtype), PLAIN._replace(**changes)
        kernels.plays(*given, prior, none, rule, 0, 1, self.outcome)

    def liquid(self) -> None:
        self.epochs(liquid=True)

    def version_2(self) -> None:
        self.epochs(version=2)


def least(*works: Callable[[], None]) -> list[float]:
    """Return the least CPU seconds of each, after a first turn that compiles."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS + 1):
        for work, taken in zip(works, times, strict=True):
            start = time.thread_time()
            work()
            taken.append(time.thread_time() - start)
    return [min(taken[1:]) for taken in times]


@pytest.mark.parametrize(
    ("dtype", "work", "copies"),
    [
        ("float32", Network.consensus, 24),
        ("float64", Network.consensus, 20),
        ("float32", Network.epochs, 28),
        ("float64", Network.epochs, 24),
        ("float32", Network.version_2, 36),
        ("float64", Network.version_2, 28),
        ("float32", Network.liquid, 70),
        ("float64", Network.liquid, 45),
    ],
)
def test_a_kernel_is_vectorised(dtype: str, work: Callable[[Network], None], copies: float) -> None:
    network = Network(dtype)
    taken, memcpy = least(lambda: work(network), network.memcpy)
    assert taken < copies * memcpy, taken / memcpy
