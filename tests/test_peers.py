"""The peers of the benchmarks come to what our kernel comes to."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from benchmarks.measuring.data import KINDS, Plays, changed, plays_of, unchanged, weights
from benchmarks.peers import numpy_epoch
from tests.data import ROOT

SHAPE = (4, 20, 300)
KIND = pytest.mark.parametrize("kind", KINDS)
DTYPE = pytest.mark.parametrize("dtype", ["float32", "float64"])


def network(kind: str, dtype: str) -> Plays:
    """Weights with ties, and a miner nobody reports on."""
    said = np.round(weights(kind, SHAPE, np.dtype(dtype)), 4)
    said[..., 7] = 0
    said.setflags(write=dtype == "float32")  # as epochs have them: compiled once
    plays = plays_of(said[None])
    plays.run()
    return plays


def given(plays: Plays) -> dict[str, Any]:
    return {
        "weights": plays.weights[0],
        "share": plays.share[0, 0],
        "units": plays.units[0, 0],
        "needed": int(plays.needed[0, 0]),
        "alpha": 0.1,
    }


def assert_like_ours(plays: Plays, answer: numpy_epoch.Answer) -> None:
    close: dict[str, Any] = (
        {"rtol": 2e-5, "atol": 1e-8} if plays.weights.itemsize == 4 else {"rtol": 1e-12}
    )
    ours = plays.outcome
    assert ours.consensus.any()
    np.testing.assert_array_equal(answer.consensus, ours.consensus[0])
    np.testing.assert_allclose(answer.incentive, ours.incentive[0], **close)
    np.testing.assert_allclose(answer.dividends, ours.dividends[0], **close)
    np.testing.assert_allclose(answer.bonds, ours.bonds[0], **close)
    assert answer.dividends.dtype == plays.weights.dtype


@KIND
@DTYPE
def test_plain_numpy_comes_to_the_same(kind: str, dtype: str) -> None:
    plays = network(kind, dtype)
    assert_like_ours(plays, numpy_epoch.epochs(**given(plays), packed=False))


@KIND
def test_packed_numpy_comes_to_the_same(kind: str) -> None:
    plays = network(kind, "float32")
    assert_like_ours(plays, numpy_epoch.epochs(**given(plays), packed=True))


@KIND
@DTYPE
def test_torch_comes_to_the_same(kind: str, dtype: str) -> None:
    pytest.importorskip("torch")
    from benchmarks.peers import torch_epoch

    plays = network(kind, dtype)
    assert_like_ours(plays, torch_epoch.epochs(**given(plays)))


def test_where_nobody_says_anything_nobody_is_paid() -> None:
    plays = plays_of(np.zeros((1, *SHAPE)))
    for part in numpy_epoch.epochs(**given(plays), packed=False):
        assert not part.any()


def test_a_hundredth_of_the_reports_changes_from_epoch_to_epoch() -> None:
    said = weights("honest", (3, 50, 400), np.float64)
    assert (unchanged(said) == said[0]).all()
    before, now, _ = changed(said)
    parts = now / before
    usual = np.median(parts, axis=1, keepdims=True)  # rows were scaled again
    moved = np.abs(parts / usual - 1) > 1e-12
    assert 0.005 < moved.mean() < 0.015
    np.testing.assert_allclose(now.sum(axis=1), 1)


def test_nothing_but_the_peer_itself_imports_torch() -> None:
    code = "import sys, benchmarks.ratios; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
