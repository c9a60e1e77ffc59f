"""One epoch under every mechanism: `pytest benchmarks --benchmark-enable --mechanism SPEC`."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from trilemma.contract import call
from trilemma.model import Rewards
from trilemma.registry import load, names
from trilemma.worlds import Preset

SIZES = [(16, 16), (64, 128), (256, 256)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("spec", dict.fromkeys([*names(), *metafunc.config.getoption("mechanism")]))


@pytest.mark.parametrize(("validators", "miners"), SIZES)
def test_one_epoch(benchmark: BenchmarkFixture, spec: str, validators: int, miners: int) -> None:
    benchmark.group = f"one epoch, {validators} x {miners}"
    mechanism = load(spec)
    epoch = Preset(validators=validators, miners=miners).twin(0).epoch()
    expected = call(spec, mechanism, epoch)  # and compiles before the clock starts
    found = benchmark(mechanism, epoch)
    assert ((found.miners if isinstance(found, Rewards) else found) == expected.miners).all()
