"""Networks of two sides, honest and cabal, each with its own validators and miners.

Honest validators give their own miners a part W_H of their weights, those of the cabal give theirs
a part W_C.

Source: opentensor/subtensor, ``docs/consensus.md`` and ``tests/consensus.rs``; without its u16
rounding of weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trilemma.checks import real, whole
from trilemma.fields import normalised
from trilemma.model import Epoch, FloatArray, World

__all__ = ["Experiment", "Sides"]


@dataclass(frozen=True)
class Experiment:
    """A network of two sides, and the grid of what they report of each other.

    Parameters
    ----------
    validators, miners : int
        Of both sides together; each side has them in proportion to its stake.
    sigma : float
        Standard deviation of a weight around its mean of 1, drawn by validator and miner.
    stake_sigma : float
        The same of a validator's stake.
    validator_share : float
        xi: the validators' part of all pay, in [0, 1].
    grid : int
        Points along W_H and along W_C, from 0 to 1.
    """

    validators: int = 64
    miners: int = 448
    sigma: float = 0.4
    stake_sigma: float = 0.3
    validator_share: float = 0.5
    grid: int = 51

    def __post_init__(self) -> None:
        for name, value in {
            "validators": whole("validators", self.validators, 2, 4096),
            "miners": whole("miners", self.miners, 2, 65536),
            "sigma": real("sigma", self.sigma, 0, 5),
            "stake_sigma": real("stake_sigma", self.stake_sigma, 0, 5),
            "validator_share": real("validator_share", self.validator_share, 0, 1),
            "grid": whole("grid", self.grid, 3, 1001),
        }.items():
            object.__setattr__(self, name, value)

    def sides(self, honest_stake: float, seed: int) -> Sides:
        """Draw the two sides; one seed serves all honest stakes."""
        draw = np.random.default_rng(seed)
        stakes = np.maximum(1 + self.stake_sigma * draw.standard_normal(self.validators), 0)
        shape = (self.validators, self.miners)
        reports = np.maximum(1 + self.sigma * draw.standard_normal(shape), 0)
        validators = _part(honest_stake, self.validators)
        miners = _part(honest_stake, self.miners)
        honest = honest_stake * _shares(stakes[:validators])
        cabal = (1 - honest_stake) * _shares(stakes[validators:])
        said = np.hstack([normalised(reports[:, :miners]), normalised(reports[:, miners:])])
        return Sides(np.concatenate([honest, cabal]), said, validators, miners)


@dataclass(frozen=True, eq=False)
class Sides:
    """The two sides of a network; the honest accounts come first.

    Parameters
    ----------
    stake : ndarray, shape (n,)
    reports : ndarray, shape (n, m)
        What each validator says of each side's miners, which sums to 1 for either side.
    validators, miners : int
        How many of them are honest.
    """

    stake: FloatArray
    reports: FloatArray
    validators: int
    miners: int

    def epoch(self, honest_weight: float, cabal_weight: float) -> Epoch:
        """Return the epoch in which the sides give these parts of their weights to their own."""
        return Epoch(self.stake, self.weights(honest_weight, cabal_weight))

    def world(self, honest_weight: float, cabal_weight: float) -> World:
        """Return the same as a world of two principals: 0 honest, 1 the cabal, who plays."""
        n, m = self.reports.shape
        return World(
            stake=self.stake,
            weights=self.weights(honest_weight, cabal_weight),
            quality=np.full(m, 1 / m),
            validator_owner=(np.arange(n) >= self.validators).astype(np.int64),
            miner_owner=(np.arange(m) >= self.miners).astype(np.int64),
            seats=np.zeros(0, np.int64),
            adversary=(1,),
            twins=(),
            sees_clones=np.ones(n, np.bool_),
            seed=0,
        )

    def weights(self, honest_weight: float, cabal_weight: float) -> FloatArray:
        """Return what all validators report when the sides give these parts to their own."""
        weights = self.reports.copy()
        weights[: self.validators, : self.miners] *= honest_weight
        weights[: self.validators, self.miners :] *= 1 - honest_weight
        weights[self.validators :, : self.miners] *= 1 - cabal_weight
        weights[self.validators :, self.miners :] *= cabal_weight
        return weights


def _part(share: float, size: int) -> int:
    """Return how many of all belong to the honest side, at least one, and not all."""
    return min(max(int(share * size + 1e-9), 1), size - 1)


def _shares(stakes: FloatArray) -> FloatArray:
    total = stakes.sum()
    return stakes / total if total > 0 else np.full(stakes.size, 1 / stakes.size)
