"""Yuma consensus, versions 2 and 3, in floating point.

Source: the chain's epoch (opentensor/subtensor, pallets/subtensor/src/epoch/run_epoch.rs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trilemma import kernels
from trilemma.model import Epoch, FloatArray, Rewards

__all__ = ["Yuma"]


@dataclass(frozen=True)
class Yuma:
    """Weights above what stake agrees on are cut; validators hold bonds in the miners.

    The consensus on a miner is the largest weight that validators with at least a share `kappa`
    of the stake give it. Miners are paid by their clipped, stake-weighted support; validators
    by the bonds they hold in miners that are paid.

    Parameters
    ----------
    kappa : float
        Share of stake that carries the consensus, in [0, 1]; exactly that much is enough.
    bonds_penalty : float
        How far a bond counts the clipped (1) instead of the published (0) weight, in [0, 1].
    bonds_alpha : float
        Weight of the newest observation in the bonds' moving average, in [0, 1].
    version : {2, 3}
        2: bonds are stake times weight, normalised by miner. 3: bonds are weights, and stake
        counts when dividends are paid.

    Notes
    -----
    State: the bonds (n, m) travel in `carry`; without them bonds start from nothing, and the
    first epoch's dividends equal those of endless repetition. When nobody supports anybody,
    validators are paid by stake and the miners' pool is burnt.
    """

    kappa: float = 0.5
    bonds_penalty: float = 1.0
    bonds_alpha: float = 0.1
    version: int = 3

    def __post_init__(self) -> None:
        for name in ("kappa", "bonds_penalty", "bonds_alpha"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], not {getattr(self, name)}")
        if self.version not in (2, 3):
            raise ValueError(f"version must be 2 or 3, not {self.version}")

    def __call__(self, epoch: Epoch) -> Rewards:
        units = kernels.stake_units(epoch.stake)
        needed = kernels.needed_support(self.kappa, int(units.sum()))
        consensus = kernels.consensus(epoch.weights, units, needed)
        share = kernels.normalised(epoch.stake.astype(np.float64))
        clipped, ranks, _ = kernels.clip_and_rank(epoch.weights, consensus, share)
        incentive = kernels.normalised(ranks)
        bind = kernels.bonds_version_2 if self.version == 2 else kernels.bonds_version_3
        bonds, dividends = bind(
            epoch.weights,
            clipped,
            share,
            incentive,
            self._prior(epoch),
            self.bonds_penalty,
            self.bonds_alpha,
        )
        return Rewards(incentive, dividends if incentive.any() else share, bonds)

    def _prior(self, epoch: Epoch) -> FloatArray:
        if epoch.carry is None:
            return np.zeros(epoch.weights.shape)
        if np.shape(epoch.carry) != epoch.weights.shape:
            raise ValueError(
                f"carry holds bonds of shape {np.shape(epoch.carry)}, but weights have shape "
                f"{epoch.weights.shape}"
            )
        return np.asarray(epoch.carry, np.float64)
