"""The consensus of stake-weighted validators: an exact quantile of each column, without sorting.

Floats that are not negative are ordered like the integers with the same bits. So the search runs
on integers (weights in fixed point are some already), and stake is summed in integers: rounding
decides neither order nor ties.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["consensus", "exceeds", "needed_support", "stake_units"]

Numbers: TypeAlias = npt.NDArray[Any]
IntArray: TypeAlias = npt.NDArray[np.int64]
Seen: TypeAlias = tuple[np.int64, np.int64, np.int64]

UNIT_BITS = 62  # units total about 2**62 at most, so that no sum of them leaves int64
INFINITY = 0x7FF0_0000_0000_0000  # its bits: above those of every weight

LANES = 64  # miners searched at a time; 16 are unrolled instead of vectorised: 3 to 9 times slower
STEP = 4  # rows weighed between two stores: one takes 1.4 times as long on AVX-512, eight no less


def stake_units(stake: npt.NDArray[Any]) -> IntArray:
    """Return stakes as integers, whose sums are exact.

    Integers that total less than 2**62 stay what they are. All others are scaled by the power of
    two that brings the total between 2**61 and 2**62. That rounds only stakes below 2**-9 of the
    total; floats that hold whole numbers keep their ratios.

    Parameters
    ----------
    stake : ndarray, shape (n,)
        Finite, not negative, integer or floating.

    Returns
    -------
    ndarray of int64, shape (n,)
        A new array.
    """
    if stake.dtype.kind in "iu" and sum(stake.tolist()) < 1 << UNIT_BITS:
        return stake.astype(np.int64)
    reals = stake.astype(np.float64)
    reals = np.ldexp(reals, -math.frexp(reals.max())[1])  # at most 1: the total cannot overflow
    total = math.fsum(reals.tolist())  # rounded once: the order of identities does not matter
    return np.rint(np.ldexp(reals, UNIT_BITS - math.frexp(total)[1])).astype(np.int64)


def needed_support(kappa: float, total: int) -> int:
    """Return the least support, in units of stake, that reaches a share of the total.

    Parameters
    ----------
    kappa : float
        The share, read as the simplest fraction it stands for: one of ten equal stakes reaches
        0.1, although the float nearest to a tenth is a little more.
    total : int
        All stake, in units.

    Returns
    -------
    int
        At least 1, so that kappa = 0 asks for the most that anybody with stake reports.
    """
    numerator, denominator = _as_meant(float(kappa))
    return max(1, -(-numerator * total // denominator))


def exceeds(part: int, share: float, total: int) -> bool:
    """Tell whether a part is more than a share of the total, exactly; see `needed_support`."""
    numerator, denominator = _as_meant(float(share))
    return part * denominator > numerator * total


@lru_cache(maxsize=64)
def _as_meant(share: float) -> tuple[int, int]:
    simple = Fraction(share).limit_denominator(10**6)
    return (simple if float(simple) == share else Fraction(repr(share))).as_integer_ratio()


@njit(cache=True, nogil=True)
def consensus(weights: Numbers, units: IntArray, needed: int) -> Numbers:
    """Return the largest value per column that enough stake reaches or exceeds.

    Parameters
    ----------
    weights : ndarray of float64 or int64, shape (n, m)
        Finite, not negative, C-contiguous. Minus zero counts as zero.
    units : ndarray of int64, shape (n,)
        Stake, from `stake_units`.
    needed : int
        The support that is enough, at least 1, from `needed_support`.

    Returns
    -------
    ndarray, shape (m,)
        Always a value of the column; zeros if all stake together is not enough.
    """
    # Loops, because assignments to slices double the time to compile and add 3 us at 64 x 128.
    miners = weights.shape[1]
    agreed = np.zeros(miners, weights.dtype)
    if units.sum() < needed:
        return agreed
    staked = np.flatnonzero(units)  # in a real subnet 23 of 256 rows, so 11 times faster
    rows = -(-staked.size // STEP) * STEP  # the last step is filled with rows without stake
    stake, tile = np.zeros(rows, np.int64), np.zeros((rows, LANES), weights.dtype)
    for row in range(staked.size):
        stake[row] = units[staked[row]]
    for first in range(0, miners, LANES):
        last = min(first + LANES, miners)  # lanes beyond keep old values and are not read
        for row in range(staked.size):
            lanes, said = tile[row], weights[staked[row], first:last]
            for lane in range(said.size):
                lanes[lane] = said[lane]
        found = _search(tile.view(np.int64), stake, needed).view(weights.dtype)
        for miner in range(first, last):
            agreed[miner] = found[miner - first]
    return agreed


@njit(cache=True, nogil=True)
def _search(keys: IntArray, stake: IntArray, needed: int) -> IntArray:
    """Close a bracket, low <= consensus <= high, around the consensus of each lane.

    A pass probes halfway between the two bit patterns. Enough support lifts low to the next value
    at or above the probe, too little drops high to the next value below it. Because both land on
    values that somebody reported, 64 validators take about 12 passes, and ties fewer; a search
    bit by bit would take 62. Minus zero, as an integer negative, never is above low.
    """
    low, high = np.zeros(LANES, np.int64), np.full(LANES, INFINITY)
    probe, support = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    above, below = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    while True:
        widest = np.int64(0)
        for lane in range(LANES):
            gap = high[lane] - low[lane]
            widest = max(widest, gap)
            probe[lane] = low[lane] + ((gap + 1) >> 1)
            support[lane], above[lane], below[lane] = 0, high[lane], low[lane]
        if widest == 0:
            return low
        for row in range(0, keys.shape[0], STEP):
            # Slices and scalars, taken out of the inner loop, are what lets it vectorise.
            key_0, unit_0 = keys[row], stake[row]
            key_1, unit_1 = keys[row + 1], stake[row + 1]
            key_2, unit_2 = keys[row + 2], stake[row + 2]
            key_3, unit_3 = keys[row + 3], stake[row + 3]
            for lane in range(LANES):
                at = probe[lane]
                seen = support[lane], above[lane], below[lane]
                seen = _weigh(key_0[lane], unit_0, at, seen)
                seen = _weigh(key_1[lane], unit_1, at, seen)
                seen = _weigh(key_2[lane], unit_2, at, seen)
                seen = _weigh(key_3[lane], unit_3, at, seen)
                support[lane], above[lane], below[lane] = seen
        for lane in range(LANES):
            if support[lane] >= needed:
                low[lane] = above[lane]
            else:
                high[lane] = below[lane]


@njit(cache=True, nogil=True)
def _weigh(key: np.int64, unit: np.int64, probe: np.int64, seen: Seen) -> Seen:
    """Add one report to the support, and to the values next to the probe."""
    support, above, below = seen
    if key >= probe:
        return support + unit, min(above, key), below
    return support, above, max(below, key)
