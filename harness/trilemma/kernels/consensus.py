"""The consensus of stake-weighted validators: an exact quantile of each column, without sorting.

`trilemma.kernels.bounds` holds the search; weights in fixed point are integers already.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma.kernels.bounds import scratch, search
from trilemma.kernels.tiles import LANES, STEP, compiled, pack, zeros

__all__ = ["consensus", "least_beyond", "needed_support", "stake_units"]

Numbers: TypeAlias = npt.NDArray[Any]
IntArray: TypeAlias = npt.NDArray[np.int64]

UNIT_BITS = 62  # units total 2**62 at most, so that no sum of them leaves int64
SHORT_BITS = 30  # the same for int32, which goes with float32


def stake_units(stake: npt.NDArray[Any], bits: int = UNIT_BITS) -> npt.NDArray[Any]:
    """Return stakes as integers, whose sums are exact.

    Integers that total less than 2**bits stay what they are. All others are scaled by the power of
    two that brings the total between 2**(bits - 1) and 2**bits. With 62 bits that rounds only
    stakes below 2**-9 of the total; floats that hold whole numbers keep their ratios.

    Parameters
    ----------
    stake : ndarray, shape (n,)
        Finite, not negative, integer or floating.
    bits : int
        62, or 30 for units that go with weights of float32.

    Returns
    -------
    ndarray of int64 (int32 if bits < 32), shape (n,)
        A new array.
    """
    kind = np.int64 if bits > SHORT_BITS else np.int32
    if stake.dtype.kind in "iu" and sum(stake.tolist()) < 1 << bits:
        return stake.astype(kind)
    reals = stake.astype(np.float64)
    reals = np.ldexp(reals, -math.frexp(reals.max())[1])  # at most 1: the total cannot overflow
    total = math.fsum(reals.tolist())  # rounded once: the order of identities does not matter
    return np.rint(np.ldexp(reals, bits - math.frexp(total)[1])).astype(kind)


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


def least_beyond(share: float, total: int) -> int:
    """Return the least part that is more than a share of the total; see `needed_support`."""
    numerator, denominator = _as_meant(float(share))
    return numerator * total // denominator + 1


@lru_cache(maxsize=64)
def _as_meant(share: float) -> tuple[int, int]:
    simple = Fraction(share).limit_denominator(10**6)
    return (simple if float(simple) == share else Fraction(repr(share))).as_integer_ratio()


@compiled
def consensus(weights: Numbers, units: IntArray, needed: int) -> Numbers:
    """Return the largest value per column that enough stake reaches or exceeds.

    Parameters
    ----------
    weights : ndarray of float64, float32 or int64, shape (n, m)
        Finite, not negative, C-contiguous. Minus zero counts as zero.
    units : ndarray of int64 (int32 where weights are float32), shape (n,)
        Stake, from `stake_units`.
    needed : int
        The support that is enough, at least 1, from `needed_support`.

    Returns
    -------
    ndarray, shape (m,)
        Always a value of the column; zeros if all stake together is not enough.
    """
    miners = weights.shape[1]
    agreed = np.zeros(miners, weights.dtype)
    if units.sum() < needed:
        return agreed
    keys = weights.view(units.dtype)
    found = agreed.view(units.dtype)
    staked = np.flatnonzero(units)  # in a real subnet 23 of 256 rows, so 11 times faster
    stake = np.zeros(-(-staked.size // STEP) * STEP, units.dtype)
    for row in range(staked.size):
        stake[row] = units[staked[row]]
    tile = np.zeros(stake.size * LANES, units.dtype)
    heard = np.ones(staked.size, np.bool_)
    work, few = scratch(stake), zeros(2, stake.size, stake)
    for first in range(0, miners, LANES):
        lanes = found[first : first + LANES]
        pack(keys, staked, heard, first, lanes.size, tile)
        search(tile, stake, needed, work[:0], weights, work, few, lanes)
    return agreed
