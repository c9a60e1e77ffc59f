"""Where along a range something begins to hold, with intervals over resampled worlds.

Arrays have shape (points, b): one row per point of the range, and in each row one number per
resample, the first of all worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trilemma.model import BoolArray, FloatArray, IntArray
from trilemma.statistics import CONFIDENCE

__all__ = [
    "NOWHERE",
    "TIE",
    "Estimate",
    "Holds",
    "between",
    "estimate",
    "first",
    "located",
    "turns",
]

NOWHERE = -1
TIE = 1e-9
FINE, COARSE = 1e-9, 1e-5  # parts of the range that the value and its interval are found to
TAIL = (1 - CONFIDENCE) / 2

Holds = Callable[[float, IntArray], BoolArray]
"""Tells for a value of the parameter, and some resamples, in which of them something holds."""


@dataclass(frozen=True)
class Estimate:
    """A number that need not exist, with its 95 % interval over the resamples that have one.

    Parameters
    ----------
    value, low, high : float or None
        None: with all worlds there is no such number.
    share : float
        In which share of the resamples there is one.
    """

    value: float | None
    low: float | None
    high: float | None
    share: float

    def __str__(self) -> str:
        if self.value is None or self.low is None or self.high is None:
            return "none"
        value, low, high = (f"{it:.3g}" for it in (self.value, self.low, self.high))
        spread = "" if low == value == high else f" ({low} to {high})"
        rarely = "" if self.share == 1 else f" [in {self.share:.1%} of resamples]"
        return f"{value}{spread}{rarely}"


def estimate(values: FloatArray) -> Estimate:
    """Return the first value (all worlds) with the interval of the rest (resamples).

    What is not finite does not exist.
    """
    there = values[1:][np.isfinite(values[1:])]
    ends = np.quantile(there, [TAIL, 1 - TAIL]) if there.size else ()
    return _estimate(float(values[0]), ends, there.size / (values.size - 1))


def _estimate(value: float, ends: Sequence[float] | FloatArray, share: float) -> Estimate:
    if not np.isfinite(value):
        return Estimate(None, None, None, share)
    # The maximum over plays is taken inside each resample, which can leave the value outside.
    low, high = min([value, *ends]), max([value, *ends])
    return Estimate(value, float(low), float(high), share)


def first(held: BoolArray) -> IntArray:
    """Return the first point at which something holds, by resample; else `NOWHERE`; shape (b,)."""
    return np.where(held.any(axis=0), held.argmax(axis=0), NOWHERE)


def turns(ahead: FloatArray) -> list[tuple[int, IntArray]]:
    """Return where the sign of a difference turns.

    Parameters
    ----------
    ahead : ndarray, shape (points, b)
        By how much one is ahead of another; less than 1e-9 is a tie.

    Returns
    -------
    list of (int, ndarray)
        One entry per turn with all worlds: the new sign, and by resample the point at which
        that sign is there first, or `NOWHERE`. Where a resample turns several times in that
        direction, it is the turn nearest to the one of all worlds.
    """
    signs = np.where(np.abs(ahead) < TIE, 0, np.sign(ahead)).astype(np.int64)
    last = np.zeros_like(signs)  # the last sign before each point that was no tie
    for point in range(1, len(signs)):
        last[point] = np.where(signs[point - 1] == 0, last[point - 1], signs[point - 1])
    turned = signs * last < 0
    found = []
    for point in map(int, np.flatnonzero(turned[:, 0])):
        sign = int(signs[point, 0])
        away = np.abs(np.arange(len(signs)) - point)[:, None]
        away = np.where(turned & (signs == sign), away, len(signs))
        found.append((sign, np.where(away.min(axis=0) < len(signs), away.argmin(axis=0), NOWHERE)))
    return found


def between(values: FloatArray, ahead: FloatArray, points: IntArray) -> Estimate:
    """Return where straight lines between points cross, from the points that `turns` gives."""
    rows = np.arange(points.size)
    after = np.maximum(points, 1)
    start, end = ahead[after - 1, rows], ahead[after, rows]
    part = np.divide(start, start - end, out=np.zeros_like(start), where=start != end)
    crossing = values[after - 1] + part * (values[after] - values[after - 1])
    return estimate(np.where(points == NOWHERE, np.nan, crossing))


def located(values: FloatArray, points: IntArray, holds: Holds) -> Estimate:
    """Return where something begins to hold, by halving the interval before a point.

    Parameters
    ----------
    values : ndarray, shape (points,)
        The range.
    points : ndarray of int, shape (b,)
        By resample the point at which it holds first, or `NOWHERE`.
    holds : callable
    """
    width = values[-1] - values[0]
    rows = np.flatnonzero(points[1:] != NOWHERE) + 1
    share = rows.size / (points.size - 1)
    if points[0] == NOWHERE:
        return Estimate(None, None, None, share)
    value = _ranked(values, points, holds, np.zeros(1, np.int64), 0, FINE * width)
    ranks = [int(TAIL * (rows.size - 1)), int(np.ceil((1 - TAIL) * (rows.size - 1)))]
    ends = [_ranked(values, points, holds, rows, it, COARSE * width) for it in ranks if rows.size]
    return _estimate(value, ends, share)


def _ranked(
    values: FloatArray,
    points: IntArray,
    holds: Holds,
    rows: IntArray,
    rank: int,
    tolerance: float,
) -> float:
    """Return the start of one of these resamples: of the one with this rank, counted from 0.

    Only resamples that may have it are looked at: half of the work at every halving.
    """
    starts = points[rows]
    point = int(np.sort(starts)[rank])
    rank -= int((starts < point).sum())
    rows = rows[starts == point]
    low, high = float(values[max(point - 1, 0)]), float(values[point])
    while high - low > tolerance:
        middle = (low + high) / 2
        held = holds(middle, rows)
        if rank < held.sum():
            rows, high = rows[held], middle
        else:
            rank -= int(held.sum())
            rows, low = rows[~held], middle
    return high
