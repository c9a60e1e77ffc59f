"""Networks that change from epoch to epoch, and attackers who act in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from trilemma.dynamics.simulation import Act, Scene, Step
from trilemma.errors import DataError, UsageError
from trilemma.fields import normalised
from trilemma.importers import Network
from trilemma.model import BoolArray, Epoch, FloatArray, IntArray, World
from trilemma.worlds import Preset

__all__ = ["copying", "drifting", "moving", "recorded"]

MAJORITY = 0.5  # of the stake that a copied consensus stands for


def drifting(preset: Preset, epochs: int, drift: float, copier: float, seed: int) -> list[World]:
    """Return worlds in which miners get better and worse; the last validator is the adversary.

    Parameters
    ----------
    preset : Preset
        The first world; its noise is drawn anew in every epoch.
    epochs : int
    drift : float
        Standard deviation of the change of a miner's log quality in one epoch.
    copier : float
        The adversary's share of stake, in (0, 1).
    seed : int
    """
    first = preset.sybil(seed)
    draw = np.random.default_rng([seed, 2])
    stake = _with_share(first.stake, copier)
    quality, worlds = first.quality, []
    for _ in range(epochs):
        noise = np.exp(preset.noise * draw.standard_normal(first.weights.shape))
        reports = normalised(quality * noise)
        worlds.append(replace(first, stake=stake, weights=reports, quality=quality))
        changed = quality * np.exp(drift * draw.standard_normal(quality.size))
        quality = changed / changed.sum()
    return worlds


def recorded(network: Network, copier: float) -> list[World]:
    """Return the epochs of a real network, which one validator joins: the adversary.

    Parameters
    ----------
    network : Network
        Its validators that never have both stake and weights are left out.
    copier : float
        The adversary's share of stake, in (0, 1).

    Raises
    ------
    DataError
        If the network has one epoch only, or nobody in it has both stake and weights.
    """
    if network.epochs < 2:
        raise DataError(f"{network.name}: holds one epoch; what changes over time needs more")
    used = np.asarray((network.weights.any(axis=2) & (network.stake > 0)).any(axis=0))
    if not used.any():
        raise DataError(f"{network.name}: no validator in it has both stake and weights")
    return [_joined(network, epoch, used, copier) for epoch in range(network.epochs)]


def _joined(network: Network, epoch: int, used: BoolArray, copier: float) -> World:
    said = normalised(network.weights[epoch][used].astype(np.float64))
    said = np.vstack([said, np.zeros(said.shape[1])])
    held = np.append(network.stake[epoch % len(network.stake)][used].astype(np.float64), 1.0)
    n, m = said.shape
    return World(
        stake=_with_share(held, copier),
        weights=said,
        quality=normalised(held[None, :-1] @ said[:-1])[0],
        validator_owner=np.arange(n),
        miner_owner=np.arange(n, n + m),
        seats=np.zeros(0, np.int64),
        adversary=(n - 1,),
        twins=(),
        sees_clones=np.ones(n, np.bool_),
        seed=0,
    )


def _with_share(stake: FloatArray, share: float) -> FloatArray:
    """Return stake shares of which the last is the adversary's."""
    if not 0 < share < 1:
        raise UsageError(f"the copier's stake must be in (0, 1), not {share!r}")
    peers = (1 - share) * stake[:-1] / stake[:-1].sum()
    return np.append(peers, share)


def copying(lag: int, hidden: int = 0) -> Act:
    """Return the attack of a validator that does no work and reports the others' consensus.

    Parameters
    ----------
    lag : int
        How many epochs old the copied consensus is; 0: that of the same epoch.
    hidden : int
        Epochs for which commit-reveal hides weights. Everybody's weights then count that much
        later than they were set, and the copier's rest on what was already revealed: its lag
        grows by as much.
    """
    return partial(_copy, lag + hidden)


def _copy(lag: int, scene: Scene, past: Sequence[Step]) -> Scene:
    if not isinstance(scene, World):
        raise UsageError("copying needs worlds, which tell who the copier is")
    seen = past[max(0, len(past) - lag)].scene if lag and past else scene
    weights = scene.weights.copy()
    weights[scene.own_validators] = _consensus(seen.stake, seen.weights, scene.own_validators)
    return replace(scene, weights=weights)


def _consensus(stake: FloatArray, weights: FloatArray, without: IntArray) -> FloatArray:
    from trilemma import kernels  # late, because numba takes as long to import as all else

    units = kernels.stake_units(np.delete(stake, without))
    peers = np.ascontiguousarray(np.delete(weights, without, axis=0))
    needed = kernels.needed_support(MAJORITY, int(units.sum()))
    agreed = kernels.consensus(peers, units, needed)
    return np.asarray(normalised(agreed[None])[0])


def moving(
    stake: Sequence[float], moves: Sequence[int], epochs: int, silent: Sequence[int] = ()
) -> list[Epoch]:
    """Return epochs of two miners, from one of which validators move to the other.

    Parameters
    ----------
    stake : sequence of float, shape (n,)
    moves : sequence of int, shape (n,)
        The epoch from which each validator reports the second miner instead of the first.
    epochs : int
    silent : sequence of int
        Validators that say nothing any more from their move on.
    """
    first, second, nothing = (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)

    def report(validator: int, epoch: int) -> tuple[float, float]:
        if epoch < moves[validator]:
            return first
        return nothing if validator in silent else second

    validators = range(len(stake))
    return [Epoch(stake, [report(i, epoch) for i in validators]) for epoch in range(epochs)]
