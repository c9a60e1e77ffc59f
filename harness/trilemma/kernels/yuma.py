"""Yuma after the consensus: clipping, ranks, trust, bonds and dividends.

Rows are validators i, columns are miners j. Numbers are float64, or int64 that count in steps of
2**-32 and then give what the chain computes to the last bit. Sums of floats are made in a fixed
order, nothing is reordered by the compiler and no two products are fused, so that every machine
computes the same bits.

Source: opentensor/subtensor, ``pallets/subtensor/src/epoch/run_epoch.rs``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import overload

from trilemma.kernels.arithmetic import (
    exponential,
    flushed,
    inverse,
    number,
    one,
    over,
    scaled,
    times,
)

__all__ = [
    "bonds_version_2",
    "bonds_version_3",
    "clip_and_rank",
    "columns_upscaled",
    "interpolated",
    "liquid_alpha",
    "normalised",
]

Numbers: TypeAlias = npt.NDArray[Any]
"""Of float64, or of int64 in steps of 2**-32."""


@njit(cache=True, nogil=True)
def clip_and_rank(
    weights: Numbers, consensus: Numbers, share: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
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
    clipped = np.empty((validators, miners), weights.dtype)
    ranks = np.zeros(miners, weights.dtype)
    trust = np.empty(validators, weights.dtype)
    for i in range(validators):
        said, kept, stake = weights[i], clipped[i], share[i]
        for j in range(miners):
            kept[j] = min(said[j], consensus[j])
            ranks[j] += times(stake, kept[j])
        trust[i] = _total(kept)
    return clipped, ranks, trust


@njit(cache=True, nogil=True)
def interpolated(weights: Numbers, clipped: Numbers, beta: Any) -> Numbers:
    """Return weights + beta * (clipped - weights): what bonds follow.

    Parameters
    ----------
    weights, clipped : ndarray, shape (n, m)
        As published, and as `clip_and_rank` left them.
    beta : float or int
        How much of the clipping binds bonds: 0 none, 1 all of it.

    Returns
    -------
    ndarray, shape (n, m)
    """
    validators, miners = weights.shape
    result = np.empty((validators, miners), weights.dtype)
    for i in range(validators):
        said, kept, row = weights[i], clipped[i], result[i]
        for j in range(miners):
            row[j] = said[j] + times(beta, kept[j] - said[j])
    return result


@njit(cache=True, nogil=True)
def liquid_alpha(
    target: Numbers, prior: Numbers, consensus: Numbers, low: Any, high: Any, steepness: Any
) -> Numbers:
    """Return how fast each bond moves: faster the farther it lies from where it belongs.

    Parameters
    ----------
    target, prior : ndarray, shape (n, m)
        What bonds follow, and the bonds returned last time.
    consensus : ndarray, shape (m,)
    low, high : float or int
        Bounds of the result.
    steepness : float or int
        Of the sigmoid between them.

    Returns
    -------
    ndarray, shape (n, m)
        low + (high - low) / (1 + exp(-steepness * (d - 1/2))), where d, in [0, 1], is
        target - consensus for who buys (target >= prior), and prior - target for who sells.
    """
    validators, miners = target.shape
    alphas = np.empty((validators, miners), target.dtype)
    unit, half = one(low), number(low, 0.5)
    for i in range(validators):
        for j in range(miners):
            wanted, held = target[i, j], prior[i, j]
            away = wanted - consensus[j] if wanted >= held else held - wanted
            steep = times(-steepness, min(max(away, 0 * unit), unit) - half)
            sigmoid = inverse(unit + exponential(steep))
            alphas[i, j] = min(max(low + times(sigmoid, high - low), low), high)
    return alphas


@njit(cache=True, nogil=True)
def bonds_version_2(
    target: Numbers, prior: Numbers, share: Numbers, incentive: Numbers, alpha: Any
) -> tuple[Numbers, Numbers]:
    """Return bonds and dividends where bonds are shares of a miner, bought with stake.

    Parameters
    ----------
    target : ndarray, shape (n, m)
        What bonds follow, from `interpolated`.
    prior : ndarray, shape (n, m)
        The bonds returned last time, in any unit; zeros at first.
    share : ndarray, shape (n,)
        Stake shares.
    incentive : ndarray, shape (m,)
        Ranks that sum to 1.
    alpha : float or int
        Weight of this epoch in the moving average.

    Returns
    -------
    bonds : ndarray, shape (n, m)
        alpha * new + (1 - alpha) * prior, where new[i, j] = share[i] * target[i, j]; columns of
        new, of prior and of the result are scaled to sum 1, or are 0.
    dividends : ndarray, shape (n,)
        sum_j bonds[i, j] * incentive[j], scaled to sum 1.
    """
    validators, miners = target.shape
    bonds = np.empty((validators, miners), target.dtype)
    bought, held = np.zeros(miners, target.dtype), np.zeros(miners, target.dtype)
    for i in range(validators):
        wanted, before, now, stake = target[i], prior[i], bonds[i], share[i]
        for j in range(miners):
            now[j] = times(stake, wanted[j])
            bought[j] += now[j]
            held[j] += before[j]
    mixed = np.zeros(miners, target.dtype)
    rest = one(alpha) - alpha
    for i in range(validators):
        before, now = prior[i], bonds[i]
        for j in range(miners):
            old = times(rest, scaled(before[j], held[j]))
            now[j] = times(alpha, scaled(now[j], bought[j])) + old
            mixed[j] += now[j]
    dividends = np.empty(validators, target.dtype)
    for i in range(validators):
        now = bonds[i]
        for j in range(miners):
            now[j] = flushed(scaled(now[j], mixed[j]))
        dividends[i] = _dot(now, incentive)
    return bonds, normalised(dividends)


@njit(cache=True, nogil=True)
def bonds_version_3(
    target: Numbers, prior: Numbers, share: Numbers, incentive: Numbers, alpha: Any
) -> tuple[Numbers, Numbers]:
    """Return bonds and dividends where bonds follow weights, and stake multiplies what they earn.

    Parameters are those of `bonds_version_2`; prior is in units of 1, and alpha may be an
    array (n, m), from `liquid_alpha`.

    Returns
    -------
    bonds : ndarray, shape (n, m)
        min(1, (1 - alpha) * prior[i, j] + alpha * target[i, j])
    dividends : ndarray, shape (n,)
        share[i] * sum_j (bonds[i, j] / sum_i bonds[i, j]) * incentive[j], scaled to sum 1.
    """
    validators, miners = target.shape
    bonds = np.empty((validators, miners), target.dtype)
    totals = np.zeros(miners, target.dtype)
    for i in range(validators):
        wanted, before, now, speed = target[i], prior[i], bonds[i], _at(alpha, i)
        for j in range(miners):
            fresh = _at(speed, j)
            unit = one(fresh)
            moved = times(unit - fresh, before[j]) + times(fresh, wanted[j])
            now[j] = flushed(min(unit, moved))
            totals[j] += now[j]
    shares = np.empty(miners, target.dtype)
    dividends = np.empty(validators, target.dtype)
    for i in range(validators):
        now = bonds[i]
        for j in range(miners):
            shares[j] = scaled(now[j], totals[j])
        dividends[i] = times(share[i], _dot(shares, incentive))
    return bonds, normalised(dividends)


@njit(cache=True, nogil=True)
def normalised(amounts: Numbers) -> Numbers:
    """Return amounts scaled to sum 1, or zeros if there is nothing to scale.

    Parameters
    ----------
    amounts : ndarray, shape (k,)
        Not negative.

    Returns
    -------
    ndarray, shape (k,)
    """
    total = amounts.dtype.type(0)
    for k in range(amounts.size):  # `sum` takes five times as long to compile
        total += amounts[k]
    result = np.zeros(amounts.size, amounts.dtype)
    if total > 0:
        for k in range(amounts.size):
            result[k] = over(amounts[k], total)
    return result


@njit(cache=True, nogil=True)
def columns_upscaled(bonds: Numbers) -> Numbers:
    """Return bonds (n, m) with the largest of every column scaled to 1.

    Parameters
    ----------
    bonds : ndarray, shape (n, m)
        Not negative.

    Returns
    -------
    ndarray, shape (n, m)
    """
    validators, miners = bonds.shape
    largest = np.zeros(miners, bonds.dtype)
    for i in range(validators):
        for j in range(miners):
            largest[j] = max(largest[j], bonds[i, j])
    result = np.zeros((validators, miners), bonds.dtype)
    for i in range(validators):
        for j in range(miners):
            if largest[j] > 0:
                result[i, j] = over(bonds[i, j], largest[j])
    return result


def _at(held: Any, place: int) -> Any:
    """Return what an array holds at a place; a number stands for an array of itself."""
    return held[place]


@overload(_at, strict=False)
def _at_compiled(held: Any, _: Any) -> Any:
    return _at if isinstance(held, types.Array) else (lambda held, _: held)


@njit(cache=True, nogil=True)
def _dot(left: Numbers, right: Numbers) -> Any:
    """Return the scalar product, by four running sums in a fixed order.

    One sum would wait for each addition: `bonds_version_3` at 64 x 128 takes 1.11 times as long.
    """
    a = b = c = d = 0 * left[0]
    whole = left.size // 4 * 4
    for j in range(0, whole, 4):
        a += times(left[j], right[j])
        b += times(left[j + 1], right[j + 1])
        c += times(left[j + 2], right[j + 2])
        d += times(left[j + 3], right[j + 3])
    for j in range(whole, left.size):
        a += times(left[j], right[j])
    return (a + b) + (c + d)


@njit(cache=True, nogil=True)
def _total(amounts: Numbers) -> Any:
    """Return the sum, in the order of `_dot`."""
    a = b = c = d = 0 * amounts[0]
    whole = amounts.size // 4 * 4
    for j in range(0, whole, 4):
        a += amounts[j]
        b += amounts[j + 1]
        c += amounts[j + 2]
        d += amounts[j + 3]
    for j in range(whole, amounts.size):
        a += amounts[j]
    return (a + b) + (c + d)
