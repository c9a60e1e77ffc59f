"""What a few validators' weights lead to, where everything else in an epoch stays.

Among the others, the honest ones, the consensus on a miner can only move between two places: that
with all attackers above it, and that with none. A base holds every column between the two, sorted,
with the sums over everybody above and below. So a candidate costs q rows and a binary search per
column instead of n rows; `candidates.py` does that.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["Records", "SharedBase", "compiled", "shared_base"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Records: TypeAlias = npt.NDArray[Any]

# What is read together lies together: all of a place is one or two cache lines.
PLACE = np.dtype(
    [
        ("weight", np.float64),  # reported by one honest validator; 0 ends a column
        ("units", np.int64),  # stake of those before it, in units
        ("share", np.float64),  # the same in shares
        ("reported", np.float64),  # weights from here on
        ("supported", np.float64),  # share * weight from here on
    ]
)
COLUMN = np.dtype(
    [
        ("above", np.int64),  # honest validators before the first place
        ("reported", np.float64),  # all honest weights
        ("supported", np.float64),  # share * weight of all of them
        ("held", np.float64),  # all honest prior bonds
        ("staked", np.float64),  # share * bond of all of them
    ]
)

compiled = njit(cache=True, nogil=True, error_model="numpy")


class SharedBase(NamedTuple):
    """An epoch but for what q attackers report; h honest validators, m miners.

    Parameters
    ----------
    places : ndarray of PLACE, shape (k,)
        Column after column, weights falling.
    first : ndarray of int, shape (m + 1,)
        Where each column begins, and the end.
    columns : ndarray of COLUMN, shape (m,)
    units, share : ndarray, shape (q,)
        The attackers' stake.
    prior : ndarray, shape (q, m)
        Their bonds, as returned last time.
    needed : int
        The support that is enough for the consensus.
    """

    places: Records
    first: IntArray
    columns: Records
    units: IntArray
    share: FloatArray
    prior: FloatArray
    needed: int


def shared_base(
    weights: FloatArray,
    units: IntArray,
    share: FloatArray,
    prior: FloatArray,
    rows: IntArray,
    needed: int,
) -> SharedBase:
    """Sort what does not change between candidates.

    Parameters
    ----------
    weights : ndarray, shape (n, m)
        Finite, not negative. Those of the attackers are not read.
    units : ndarray of int64, shape (n,)
        Stake, from `stake_units`.
    share : ndarray, shape (n,)
        Stake shares.
    prior : ndarray, shape (n, m)
        The bonds returned last time; zeros at first.
    rows : ndarray of int, shape (q,)
        Who the attackers are.
    needed : int
        From `needed_support`.

    Returns
    -------
    SharedBase
    """
    honest = np.delete(np.arange(units.size), rows)
    said = weights.T.take(honest, axis=1)
    # Stable, because others add ties up in an order that differs by machine.
    order = np.argsort(-said, axis=1, kind="stable")
    counted = units[honest], share[honest]
    top, bottom = _reach(said, order, counted[0], needed, int(units[rows].sum()))
    first = np.concatenate([[0], np.cumsum(bottom - top + 1)])
    places, columns = np.zeros(first[-1], PLACE), np.zeros(first.size - 1, COLUMN)
    _fill(places, columns, said, order, *counted, first, top)
    for i in honest:  # row by row: no second matrix, and one order on every machine
        columns["held"] += prior[i]
        columns["staked"] += share[i] * prior[i]
    return SharedBase(places, first, columns, units[rows], share[rows], prior[rows], needed)


@compiled
def _reach(
    said: FloatArray, order: IntArray, units: IntArray, needed: int, attacking: int
) -> tuple[IntArray, IntArray]:
    """Return each column's consensus place with all attackers above it, and with none."""
    miners, honest = said.shape
    top, bottom = np.empty(miners, np.int64), np.empty(miners, np.int64)
    for j in range(miners):
        place, support = 0, np.int64(0)
        for ends, others in ((top, attacking), (bottom, 0)):
            while place < honest and said[j, order[j, place]] > 0:
                reached = support + units[order[j, place]]
                if reached + others >= needed:
                    break
                place, support = place + 1, reached
            ends[j] = place
    return top, bottom


@compiled
def _fill(
    places: Records,
    columns: Records,
    said: FloatArray,
    order: IntArray,
    units: IntArray,
    share: FloatArray,
    first: IntArray,
    top: IntArray,
) -> None:
    """Write the places from top to bottom, and the sums of each column.

    Sums over those below are added up from the smallest: differences of sums from above would
    lose digits where one weight is far above the consensus.
    """
    miners, honest = said.shape
    for j in range(miners):
        shift, last = first[j] - top[j], first[j + 1]
        before, stake = np.int64(0), 0.0
        for k in range(min(honest, last - 1 - shift) + 1):
            if k >= top[j]:
                places[shift + k].units, places[shift + k].share = before, stake
            if k < honest:
                before, stake = before + units[order[j, k]], stake + share[order[j, k]]
        reported, supported = 0.0, 0.0
        for k in range(honest - 1, -1, -1):
            weight = abs(said[j, order[j, k]])  # of minus zero
            reported, supported = reported + weight, supported + share[order[j, k]] * weight
            if top[j] <= k < last - shift:
                place = places[shift + k]
                place.weight, place.reported, place.supported = weight, reported, supported
        column = columns[j]
        column.above, column.reported, column.supported = top[j], reported, supported
