"""What only a fresh process shows: bounds, the disk cache, one compilation for every caller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data import ROOT

SCRIPT = """
import json
import numpy as np
from tests import naive
from tests.kernels.test_yuma_kernels import close, synthetic
from trilemma import kernels

for n, m in ((1, 1), (2, 64), (5, 65), (70, 3), (7, 130)):
    rng = np.random.default_rng(n)
    weights = rng.integers(0, 5, (n, m)) / 4
    weights.setflags(write=False)
    for stake in (rng.integers(0, 5, n), rng.random(n)):
        stake.setflags(write=False)
        units = kernels.stake_units(stake)
        needed = kernels.needed_support(0.5, int(units.sum()))
        found = kernels.consensus(weights, units, needed)
        np.testing.assert_array_equal(found, naive.consensus(weights, units, needed))

for n, m in ((1, 1), (5, 3), (3, 67)):
    epoch = synthetic(n, m)
    close(kernels.bonds_version_2(*epoch)[1], naive.bonds_version_2(*epoch)[1])
    close(kernels.bonds_version_3(*epoch)[1], naive.bonds_version_3(*epoch)[1])

compiled = [getattr(kernels, name) for name in kernels.__all__]
compiled = {kernel.__name__: kernel.stats for kernel in compiled if hasattr(kernel, "stats")}
print(json.dumps({
    "signatures": len(kernels.consensus.signatures),
    "hits": {name: sum(stats.cache_hits.values()) for name, stats in compiled.items()},
    "misses": {name: sum(stats.cache_misses.values()) for name, stats in compiled.items()},
}))
"""


def run(cache: Path, **extra: str) -> dict[str, Any]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **extra}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("numba")


@pytest.fixture(scope="module")
def cold(cache: Path) -> dict[str, Any]:
    """Compile everything with bounds checked; an index outside raises in there."""
    return run(cache, NUMBA_BOUNDSCHECK="1")


def test_no_kernel_reads_or_writes_out_of_bounds(cold: dict[str, Any]) -> None:
    assert min(cold["misses"].values()) > 0
    assert not any(cold["hits"].values())


def test_all_stakes_share_one_compiled_consensus(cold: dict[str, Any]) -> None:
    assert cold["signatures"] == 1


def test_a_second_process_compiles_nothing(cold: dict[str, Any], cache: Path) -> None:
    warm = run(cache)
    assert not any(warm["misses"].values())
    assert warm["hits"] == cold["misses"]
