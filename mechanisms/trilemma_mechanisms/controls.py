"""Rules with known scores: if a control is off, the evaluation is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trilemma.model import Epoch, FloatArray, Sparse
from trilemma_mechanisms.influence import share

__all__ = ["Dictator", "StakeProportional", "StakeWeighted", "Uniform"]


@dataclass(frozen=True)
class Uniform:
    """Every miner's account gets the same."""

    def __call__(self, epoch: Epoch) -> FloatArray:
        miners = epoch.weights.shape[1]
        return np.full(miners, 1 / miners)


@dataclass(frozen=True)
class StakeProportional:
    """Validators are paid for their stake; the miners' pool is burnt."""

    def __call__(self, epoch: Epoch) -> FloatArray:
        return np.zeros(epoch.weights.shape[1])


@dataclass(frozen=True)
class StakeWeighted:
    """The stake-weighted mean of all reports, undefended."""

    def __call__(self, epoch: Epoch) -> FloatArray:
        return share(epoch.stake @ epoch.weights)


@dataclass(frozen=True)
class Dictator:
    """The first seat's report decides; no seat, no pay."""

    def __call__(self, epoch: Epoch) -> FloatArray:
        if epoch.seats.size == 0:
            return np.zeros(epoch.weights.shape[1])
        said: Any = epoch.weights
        if isinstance(said, Sparse):
            return np.asarray((np.arange(epoch.stake.size) == epoch.seats[0]) @ said)
        return np.asarray(said[epoch.seats[0]])
