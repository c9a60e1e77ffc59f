"""What only a fresh process shows: bounds, the disk cache, one compilation for every caller."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.data import ROOT

pytestmark = pytest.mark.slow

Counts = dict[str, dict[str, int]]

BEFORE = """
import json
import numpy as np
from trilemma import Chain, Csr, Epoch, kernels
from trilemma_mechanisms.yuma import Yuma

signatures = 0


def records(arithmetic, n=5):
    rng = np.random.default_rng(n)
    said = Csr.of(rng.integers(0, 65536, (n, n)))
    for version in (2, 3):
        rule = Yuma(
            arithmetic=arithmetic, version=version, liquid_alpha=version == 3, bonds_penalty=0.5
        )
        facts = Chain(block=9, last_update=[9] * n, registered=[0] * n, weights=said, owner=1)
        epoch = Epoch(rng.integers(1, 9, n), said.dense(n), chain=facts)
        first = rule(epoch)
        again = rule(epoch.replace(carry=first.carry))
        assert again.miners.any() and again.validators.any() and again.carry.bonds.any()
"""
AFTER = """
compiled = [getattr(kernels, name) for name in kernels.__all__]
compiled = {kernel.__name__: kernel.stats for kernel in compiled if hasattr(kernel, "stats")}
print(json.dumps({
    "consensus": {"signatures": signatures},
    "hits": {name: sum(stats.cache_hits.values()) for name, stats in compiled.items()},
    "misses": {name: sum(stats.cache_misses.values()) for name, stats in compiled.items()},
}))
"""
STEPS = """
from tests import naive
from tests.kernels.test_yuma_kernels import close, speeds, synthetic
from trilemma.kernels import ONE

for n, m in ((1, 1), (2, 64), (5, 65), (70, 3), (7, 130)):
    rng = np.random.default_rng(n)
    floats = rng.integers(0, 5, (n, m)) / 4
    for weights in (floats, (floats * ONE).astype(np.int64)):
        weights.setflags(write=False)
        for stake in (rng.integers(0, 5, n), rng.random(n)):
            stake.setflags(write=False)
            units = kernels.stake_units(stake)
            needed = kernels.needed_support(0.5, int(units.sum()))
            found = kernels.consensus(weights, units, needed)
            np.testing.assert_array_equal(found, naive.consensus(weights, units, needed))

signatures = len(kernels.consensus.signatures)


def steps(value):
    return (value * ONE).astype(np.int64) if isinstance(value, np.ndarray) else int(value * ONE)


for n, m in ((1, 1), (5, 3), (3, 67)):
    epoch = synthetic(n, m)
    limits = epoch.target.mean(axis=0)
    every = {
        "clip_and_rank": (epoch.target, limits, epoch.share),
        "interpolated": (epoch.target, epoch.prior, epoch.alpha),
        "liquid_alpha": (epoch.target, epoch.prior, limits, 0.5, 0.75, 8.0),
        "bonds_version_2": epoch,
        "bonds_version_3": epoch,
        "columns_upscaled": (epoch.prior,),
        "normalised": (limits,),
    }
    for name, given in [*every.items(), ("bonds_version_3", (*epoch[:-1], speeds(epoch)))]:
        found, expected = (getattr(source, name)(*given) for source in (kernels, naive))
        fixed = getattr(kernels, name)(*map(steps, given))
        several = isinstance(found, tuple)
        together = zip(found, fixed, expected) if several else [(found, fixed, expected)]
        for one, in_steps, twin in together:
            close(one, twin)
            np.testing.assert_allclose(in_steps / ONE, twin, atol=1e-6)

records("chain")
"""
EPOCHS = """
n = 5
rng = np.random.default_rng(n)
for arithmetic in ("float", "float32"):
    for rule in (Yuma(arithmetic=arithmetic), Yuma(arithmetic=arithmetic, version=2)):
        epoch = Epoch(rng.integers(0, 9, n), rng.random((n, 131)))
        first = rule(epoch)
        assert rule(epoch.replace(carry=first.carry)).carry.bonds.any()

records("float")
"""
# Side by side, because to compile takes long: the kernels of single steps, that of whole epochs.
SCRIPTS = {name: BEFORE + it + AFTER for name, it in {"steps": STEPS, "epochs": EPOCHS}.items()}

KERNELS = {
    *("bonds_version_2", "bonds_version_3", "clip_and_rank", "columns_upscaled", "consensus"),
    *("interpolated", "liquid_alpha", "normalised", "plays"),
}


def ran(cache: Path, *command: str) -> str:
    """Return what Python prints that checks bounds in whatever it compiles."""
    switches = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **switches},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(caches: Path) -> Counts:
    """Return what both scripts count, each with a cache of its own, added up."""
    with ThreadPoolExecutor() as pool:
        printed = pool.map(lambda it: ran(caches / it[0], "-c", it[1]), SCRIPTS.items())
        one, other = map(json.loads, printed)
    return {
        kind: {name: count + other[kind][name] for name, count in one[kind].items()} for kind in one
    }


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("numba")


@pytest.fixture(scope="module")
def cold(caches: Path) -> Counts:
    """Compile everything into empty folders; an index outside raises in there."""
    return run(caches)


def test_no_kernel_reads_or_writes_out_of_bounds(cold: Counts) -> None:
    assert set(cold["misses"]) == KERNELS
    assert min(cold["misses"].values()) > 1  # in both kinds of numbers
    assert not any(cold["hits"].values())


def test_all_stakes_share_one_compiled_consensus_for_each_kind_of_weights(
    cold: Counts,
) -> None:
    assert cold["consensus"] == {"signatures": 2}


def test_a_second_process_compiles_nothing(cold: Counts, caches: Path) -> None:
    warm = run(caches)
    assert not any(warm["misses"].values())
    # Not as often as was compiled: code that is loaded does not ask for what it was made of.
    assert {name for name, hits in warm["hits"].items() if hits > 1} == set(cold["misses"])


def test_no_input_that_tests_think_of_makes_a_kernel_read_out_of_bounds(
    cold: Counts, caches: Path, tmp_path: Path
) -> None:
    assert not any(cold["hits"].values())  # code from elsewhere would have hidden the switch

    def fuzz(file: str) -> None:  # with a cache of its own: two must not write to one
        path = Path(__file__).parent / file
        cache = shutil.copytree(caches / "steps", tmp_path / path.stem)
        ran(cache, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path))

    with ThreadPoolExecutor() as pool:
        list(pool.map(fuzz, ("test_yuma_kernels.py", "test_consensus.py")))
