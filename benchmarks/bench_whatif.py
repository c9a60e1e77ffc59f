"""What the owner of a subnet waits for: 100 epochs of 256 accounts, by one rule and by three."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.measuring.data import weights
from trilemma.importers import Network
from trilemma.whatif import whatif

BEFORE, AFTER = "yuma", ("stake_capped(percentile=88)", "quadratic", "dao_vote")


@pytest.fixture(scope="module")
def network() -> Network:
    """Return a network as large as a subnet: 64 of 256 accounts hold permits, 24 report."""
    draw = np.random.default_rng(0)
    said = weights("honest", (100, 256, 256), np.float32)
    said[:, 24:] = 0
    permits = np.tile(np.arange(256) < 64, (100, 1))
    stake = np.tile(np.sort(draw.pareto(1, 256))[::-1], (100, 1))
    return Network("subnet", stake, said, permits=permits)


def test_the_epochs_of_a_subnet_by_three_other_rules(
    benchmark: BenchmarkFixture, network: Network
) -> None:
    whatif(network, BEFORE, AFTER)  # and compiles before the clock starts
    answer = benchmark(partial(whatif, network, BEFORE, AFTER))
    assert answer.counted == (24, 24)
    assert len(answer.after) == len(AFTER)
    for change in answer.after:
        assert abs(change.differences.sum()) < 1e-9
