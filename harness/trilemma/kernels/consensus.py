"""The consensus of stake-weighted validators: an exact quantile of every column, without sorting.

Floats that are not negative are ordered like the integers with the same bits. So the search runs
on integers, and stake is summed in integers: neither order nor ties are decided by rounding.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["consensus", "needed_support", "stake_units"]

UNIT_BITS = 62  # units total at most 2**62, so that no sum of them leaves int64

LANES = 64  # miners searched at a time: rows of 512 bytes; 16 or fewer are not vectorised
STEP = 4  # rows weighed between two stores: 2.2 ns an element at 64 x 128, one at a time 2.8


def stake_units(stake: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return stakes as integers whose sums are exact.

    Whole stakes that total less than 2**62 stay what they are. All others are scaled by the power
    of two that brings their total just below 2**62, which rounds only what is less than
    2**-10 of the total: floats that hold whole numbers keep their exact ratios.

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
    reals = np.ldexp(reals, -math.frexp(reals.max())[1])  # below 1: no total overflows
    total = math.fsum(reals)  # correctly rounded, so the order of identities cannot matter
    return np.rint(np.ldexp(reals, UNIT_BITS - math.frexp(total)[1])).astype(np.int64)


def needed_support(kappa: float, total: int) -> int:
    """Return the least integer support that reaches a share kappa of the total.

    Parameters
    ----------
    kappa : float
        Read as the decimal that prints it: one of ten equal stakes reaches 0.1, although the
        float 0.1 is a little more than a tenth.
    total : int
        All stake, in units.

    Returns
    -------
    int
        At least 1: at kappa = 0 the consensus is the most that anybody with stake says.
    """
    numerator, denominator = _as_written(float(kappa))
    return max(1, -(-numerator * total // denominator))


@lru_cache(maxsize=64)
def _as_written(kappa: float) -> tuple[int, int]:
    return Fraction(repr(kappa)).as_integer_ratio()


@njit(cache=True, nogil=True)
def consensus(
    weights: npt.NDArray[np.float64], units: npt.NDArray[np.int64], needed: int
) -> npt.NDArray[np.float64]:
    """Return the largest value per column that enough stake reports, or exceeds.

    Parameters
    ----------
    weights : ndarray, shape (n, m)
        Finite, not negative, C-contiguous. Minus zero counts as zero.
    units : ndarray of int64, shape (n,)
        Stake, from `stake_units`.
    needed : int
        The support that is enough, from `needed_support`.

    Returns
    -------
    ndarray, shape (m,)
        Always one of the values in the column; 0 where all stake together is not enough.
    """
    miners = weights.shape[1]
    agreed = np.zeros(miners)
    staked = np.flatnonzero(units)  # 23 of 256 identities in a real subnet: 11 times fewer rows
    if staked.size == 0 or units.sum() < needed:
        return agreed
    rows = -(-staked.size // STEP) * STEP  # rows without stake fill the last step
    stake = np.zeros(rows, np.int64)
    stake[: staked.size] = units[staked]
    tile = np.zeros((rows, LANES))
    low = np.zeros(LANES, np.int64)
    high = np.zeros(LANES, np.int64)
    for first in range(0, miners, LANES):
        last = min(first + LANES, miners)
        for row in range(staked.size):
            _copy(weights[staked[row], first:last], tile[row])
        _bracket(tile[: staked.size].view(np.int64), low, high)
        _narrow(tile.view(np.int64), stake, needed, low, high)
        agreed[first:last] = low.view(np.float64)[: last - first]
    return agreed


@njit(cache=True, nogil=True)
def _copy(values: npt.NDArray[np.float64], lanes: npt.NDArray[np.float64]) -> None:
    # Lanes beyond the last miner keep old values: they are searched in vain, which is harmless.
    for lane in range(values.size):
        lanes[lane] = values[lane] + 0.0  # minus zero becomes zero, whose bits come first


@njit(cache=True, nogil=True)
def _bracket(
    keys: npt.NDArray[np.int64], low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]
) -> None:
    low[:] = keys[0]
    high[:] = keys[0]
    for row in range(1, keys.shape[0]):
        key = keys[row]
        for lane in range(LANES):
            low[lane] = min(low[lane], key[lane])
            high[lane] = max(high[lane], key[lane])


@njit(cache=True, nogil=True)
def _narrow(
    keys: npt.NDArray[np.int64],
    stake: npt.NDArray[np.int64],
    needed: int,
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
) -> None:
    """Move both ends of each lane's bracket onto the consensus.

    The ends are values of the column, and low <= consensus <= high. A probe halfway between their
    bit patterns has either enough support, then so has the value next above it and nothing
    between them; or too little, then the value next below it is the most that is possible.
    Nine or ten passes over 64 validators; a search bit by bit takes 62.
    """
    probe = np.empty(LANES, np.int64)
    support = np.empty(LANES, np.int64)
    above = np.empty(LANES, np.int64)
    below = np.empty(LANES, np.int64)
    while True:
        widest = np.int64(0)
        for lane in range(LANES):
            gap = high[lane] - low[lane]
            widest = max(widest, gap)
            probe[lane] = low[lane] + ((gap + 1) >> 1)
            support[lane] = 0
            above[lane] = high[lane]
            below[lane] = low[lane]
        if widest == 0:
            return
        for row in range(0, keys.shape[0], STEP):
            # A slice per row: two indices at once compile to gathers.
            key_0, key_1, key_2, key_3 = keys[row], keys[row + 1], keys[row + 2], keys[row + 3]
            unit_0, unit_1, unit_2, unit_3 = stake[row], stake[row + 1], stake[row + 2], stake[row + 3]
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
def _weigh(key, unit, probe, seen):
    support, above, below = seen
    if key >= probe:
        return support + unit, min(above, key), below
    return support, above, max(below, key)
