"""Yuma after the consensus: clipping, ranks, trust, bonds and dividends.

Rows are validators i, columns are miners j. Nothing is reordered by the compiler and no two
products are fused, so that every machine computes the same bits.

Source: the chain's ``run_epoch.rs``, here in float64.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["bonds_version_2", "bonds_version_3", "clip_and_rank", "normalised"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

FLUSH = 1e-30  # bonds below count as none: old ones would decay into slow denormal numbers


@njit(cache=True, nogil=True)
def clip_and_rank(
    weights: FloatArray,
    consensus: FloatArray,
    share: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cut weights down to the consensus and add up what is left.

    Parameters
    ----------
    weights : ndarray, shape (n, m)
    consensus : ndarray, shape (m,)
    share : ndarray, shape (n,)
        Stake shares.

    Returns
    -------
    clipped : ndarray, shape (n, m)
        min(weights[i, j], consensus[j])
    ranks : ndarray, shape (m,)
        sum_i share[i] * clipped[i, j]
    trust : ndarray, shape (n,)
        sum_j clipped[i, j]
    """
    validators, miners = weights.shape
    clipped = np.empty((validators, miners))
    ranks = np.zeros(miners)
    trust = np.empty(validators)
    ones = np.ones(miners)
    for i in range(validators):
        said, kept, stake = weights[i], clipped[i], share[i]
        for j in range(miners):
            kept[j] = min(said[j], consensus[j])
            ranks[j] += stake * kept[j]
        trust[i] = _dot(kept, ones)
    return clipped, ranks, trust


@njit(cache=True, nogil=True)
def bonds_version_2(
    weights: FloatArray,
    clipped: FloatArray,
    share: FloatArray,
    incentive: FloatArray,
    prior: FloatArray,
    beta: float,
    alpha: float,
) -> tuple[FloatArray, FloatArray]:
    """Return bonds and dividends where bonds are shares of a miner, bought with stake.

    Parameters
    ----------
    weights, clipped : ndarray, shape (n, m)
        As published, and as `clip_and_rank` left them.
    share : ndarray, shape (n,)
        Stake shares.
    incentive : ndarray, shape (m,)
        Ranks that sum to 1.
    prior : ndarray, shape (n, m)
        The bonds returned last time; zeros at first.
    beta : float
        How much of the clipping binds bonds: 0 none, 1 all of it.
    alpha : float
        Weight of this epoch in the moving average.

    Returns
    -------
    bonds : ndarray, shape (n, m)
        alpha * new + (1 - alpha) * prior, where new[i, j] = share[i] * ((1 - beta) * weights[i, j]
        + beta * clipped[i, j]); columns of new, of prior and of the result sum to 1, or to 0.
    dividends : ndarray, shape (n,)
        sum_j bonds[i, j] * incentive[j], scaled to sum 1.
    """
    validators, miners = weights.shape
    bonds = np.empty((validators, miners))
    bought, held = np.zeros(miners), np.zeros(miners)
    for i in range(validators):
        said, kept, before, now, stake = weights[i], clipped[i], prior[i], bonds[i], share[i]
        for j in range(miners):
            now[j] = stake * ((1.0 - beta) * said[j] + beta * kept[j])
            bought[j] += now[j]
            held[j] += before[j]
    _mix(bought, held, alpha)
    dividends = np.empty(validators)
    for i in range(validators):
        before, now = prior[i], bonds[i]
        for j in range(miners):
            now[j] = _flushed(bought[j] * now[j] + held[j] * before[j])
        dividends[i] = _dot(now, incentive)
    return bonds, normalised(dividends)


@njit(cache=True, nogil=True)
def bonds_version_3(
    weights: FloatArray,
    clipped: FloatArray,
    share: FloatArray,
    incentive: FloatArray,
    prior: FloatArray,
    beta: float,
    alpha: float,
) -> tuple[FloatArray, FloatArray]:
    """Return bonds and dividends where bonds follow weights, and stake multiplies what they earn.

    Parameters are those of `bonds_version_2`.

    Returns
    -------
    bonds : ndarray, shape (n, m)
        min(1, (1 - alpha) * prior[i, j] + alpha * ((1 - beta) * weights[i, j]
        + beta * clipped[i, j]))
    dividends : ndarray, shape (n,)
        share[i] * sum_j (bonds[i, j] / sum_i bonds[i, j]) * incentive[j], scaled to sum 1.
    """
    validators, miners = weights.shape
    bonds = np.empty((validators, miners))
    earns = np.zeros(miners)
    for i in range(validators):
        said, kept, before, now = weights[i], clipped[i], prior[i], bonds[i]
        for j in range(miners):
            target = (1.0 - beta) * said[j] + beta * kept[j]
            now[j] = _flushed(min(1.0, (1.0 - alpha) * before[j] + alpha * target))
            earns[j] += now[j]
    for j in range(miners):
        earns[j] = incentive[j] / earns[j] if earns[j] > 0.0 else 0.0
    dividends = np.empty(validators)
    for i in range(validators):
        dividends[i] = share[i] * _dot(bonds[i], earns)
    return bonds, normalised(dividends)


@njit(cache=True, nogil=True)
def normalised(amounts: FloatArray) -> FloatArray:
    """Return amounts scaled to sum 1, or zeros if there is nothing to scale.

    Parameters
    ----------
    amounts : ndarray, shape (k,)
        Not negative.

    Returns
    -------
    ndarray, shape (k,)
    """
    total = amounts.sum()
    return amounts / total if total > 0.0 else np.zeros(amounts.size)


@njit(cache=True, nogil=True)
def _mix(new: FloatArray, old: FloatArray, alpha: float) -> None:
    """Replace column sums by the factors under which the average of both sums to 1.

    A column that one side lacks is filled by the other alone.
    """
    for j in range(new.size):
        fresh = alpha if new[j] >= FLUSH else 0.0
        stale = 1.0 - alpha if old[j] >= FLUSH else 0.0
        new[j] = fresh / (fresh + stale) / new[j] if fresh > 0.0 else 0.0
        old[j] = stale / (fresh + stale) / old[j] if stale > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _flushed(bond: float) -> float:
    return bond if bond >= FLUSH else 0.0


@njit(cache=True, nogil=True)
def _dot(left: FloatArray, right: FloatArray) -> float:
    """Return the scalar product, by four running sums in a fixed order.

    One sum would wait for each addition: `clip_and_rank` at 64 x 128 takes 12 us instead of 8.
    """
    a = b = c = d = 0.0
    whole = left.size // 4 * 4
    for j in range(0, whole, 4):
        a += left[j] * right[j]
        b += left[j + 1] * right[j + 1]
        c += left[j + 2] * right[j + 2]
        d += left[j + 3] * right[j + 3]
    for j in range(whole, left.size):
        a += left[j] * right[j]
    return (a + b) + (c + d)
