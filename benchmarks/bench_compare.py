"""What a user waits for: the main job, and the first answer of a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from trilemma import Budget, compare, names

FIRST_ANSWER = """
from trilemma import Epoch, load
print(load("yuma")(Epoch([2, 1], [[1, 0], [0, 1]])).miners.tolist())
"""


def once(benchmark: BenchmarkFixture, act: Callable[..., Any], *given: Any) -> Any:
    """Time a single round of what takes seconds."""
    return benchmark.pedantic(act, given)  # type: ignore[no-untyped-call]


def first_answer(cache: Path | None = None) -> str:
    """Return what a fresh process prints, with compiled code in a folder of its own or as usual."""
    extra = {} if cache is None else {"NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", FIRST_ANSWER],
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_whole_default_compare(benchmark: BenchmarkFixture) -> None:
    worlds, evaluations = (1, 20) if benchmark.disabled else (16, Budget().evaluations)
    budget = Budget(evaluations=evaluations)
    report = once(benchmark, partial(compare, worlds=worlds, budget=budget))
    benchmark.extra_info["mechanism calls"] = report.calls
    assert [row.label for row in report.rows] == names()
    assert not report.failures
    assert report.worlds == worlds
    assert (report.world["validators"], report.world["miners"]) == (64, 128)


@pytest.mark.slow
def test_a_cold_start(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    benchmark.group = "first answer of yuma in a fresh process"
    assert once(benchmark, first_answer, tmp_path) == "[1.0, 0.0]\n"
    assert any(tmp_path.rglob("*.nbi"))


def test_a_warm_start(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "first answer of yuma in a fresh process"
    expected = first_answer()  # compiles where nobody has yet
    assert once(benchmark, first_answer) == expected == "[1.0, 0.0]\n"
