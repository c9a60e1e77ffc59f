"""The consensus against an exact argsort of integers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.measuring.clock import ROOT
from benchmarks.measuring.data import Numbers
from benchmarks.measuring.goals import Answers, Found
from tests import naive
from trilemma import kernels

__all__ = ["measure"]

NETWORKS = 250
MINERS = 400
TIES = 12  # values that a report can have: of 5 to 68 validators many agree
SUBNET = "networks/bittensor-sn31/sn31_dense.npz"


def measure(_: bool = False) -> Answers:
    """Count the columns that differ, in both kinds of numbers."""
    return {"differences_random": _random(), "differences_sn31": _subnet()}


def _random() -> Found:
    draw = np.random.default_rng(0)
    wrong = 0
    for number in range(NETWORKS):
        said = draw.integers(0, TIES, (number % 64 + 5, MINERS)) / TIES
        stake = draw.integers(0, 50, len(said)) + (np.arange(len(said)) == 0)
        wrong += _differences(said, stake, draw.choice([0.1, 0.5, 0.6, 1.0]))
    return Found(wrong, NETWORKS * MINERS, {"ties": f"{TIES} values"})


def _subnet() -> Found | str:
    file = Path(os.environ.get("TRILEMMA_DATA", ROOT.parent / "shared" / "data")) / SUBNET
    if not file.exists():
        return f"no {SUBNET} in TRILEMMA_DATA"
    with np.load(file) as held:
        weights, stake = held["weights"], held["stake"]
    stakes = stake if stake.ndim == 2 else [stake] * len(weights)
    pairs = zip(weights, stakes, strict=True)
    wrong = sum(_differences(said.astype(np.float64), held, 0.5) for said, held in pairs)
    return Found(wrong, weights.shape[0] * weights.shape[2])


def _differences(said: Numbers, stake: Numbers, kappa: float) -> int:
    """Return how many columns differ, the worse of float32 and float64."""
    return max(_wrong(said.astype(kind), stake, kappa, bits) for kind, bits in KINDS)


KINDS = ((np.float32, 30), (np.float64, 62))


def _wrong(said: Numbers, stake: Numbers, kappa: float, bits: int) -> int:
    units = kernels.stake_units(stake, bits)
    needed = kernels.needed_support(kappa, int(units.sum(dtype=np.int64)))
    found = kernels.consensus(said, units, needed)
    return int((found != naive.argsort_consensus(said, units, needed)).sum())
