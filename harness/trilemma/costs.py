"""What an attack must hold, what an identity must cost, and how gains grow with identities.

Pure functions of what was measured, as the scores are: one number for every resample, infinite or
NaN where there is none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trilemma.cells import Cell
from trilemma.checks import NOTHING
from trilemma.model import Budget, FloatArray
from trilemma.resampled import Resampled

__all__ = [
    "PAYS",
    "break_even_price",
    "break_even_stake",
    "growth",
    "up_to",
]

PAYS = 1e-3  # what a play must take to count as paying: of the others' pay, or of all pay

PER_STAKE = ("sybil_pay", "sybil_fair", "sybil_rest", "sybil_distance", "clone_pay")


def up_to(cells: Cell, budget: Budget) -> Cell:
    """Return cells without the stake shares beyond a budget."""
    shares = len(budget.stakes)
    return replace(cells, **{name: getattr(cells, name)[..., :shares] for name in PER_STAKE})


def break_even_stake(resampled: Resampled, budget: Budget) -> FloatArray:
    """Return the smallest stake share at which a play takes more than `PAYS`; shape (b,).

    Infinite where none within the budget does.
    """
    pays = resampled.extraction(budget.identity_cost).max(axis=1) > PAYS
    return np.asarray(np.where(pays, budget.stakes, np.inf).min(axis=1))


def break_even_price(resampled: Resampled) -> FloatArray:
    """Return the smallest price at which more identities take no more than one; shape (b,).

    That is where the extraction X with all identities falls to that with one per role, or to the
    0 of an honest attacker. A play's X falls in a straight line as identities get dearer, so the
    price is the largest of the plays' own.
    """
    gain, rest, taken = resampled.gain, resampled.rest, resampled.extraction(0.0)
    extra = resampled.cells.sybil_extra[0]
    alone = np.array([play.identities == 1 for play in resampled.suite.sybil])
    verified = taken[:, alone].max(axis=(1, 2), initial=0.0) + NOTHING
    dear = (gain - verified[:, None, None] * rest)[:, extra > 0] / extra[extra > 0][:, None]
    counted = np.where(rest[:, extra > 0] >= NOTHING, dear, 0.0)
    return np.asarray(counted.max(axis=(1, 2), initial=0.0))


def growth(resampled: Resampled, budget: Budget) -> FloatArray:
    """Return the exponent with which the largest gain grows with identities K; shape (b,).

    The slope of log gain over log K, over the K = 2, 4, 8, ... with which a play gains more
    than `PAYS`; identities cost nothing here. NaN where fewer than two do.
    """
    counts = budget.identity_counts
    gain = resampled.gain.max(axis=2)
    used = np.array([play.identities for play in resampled.suite.sybil])
    most = [gain[:, used == count].max(axis=1, initial=0.0) for count in counts]
    if not most:
        return np.full(len(gain), np.nan)
    return _slope(np.log(counts), np.stack(most, axis=1))


def _slope(places: FloatArray, gains: FloatArray) -> FloatArray:
    """Return the slope of log gains over places, row by row, where they are more than `PAYS`."""
    counted = gains > PAYS
    heights = np.log(np.where(counted, gains, 1.0))
    number = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    across = np.where(counted, places - (counted * places).sum(axis=1, keepdims=True) / number, 0.0)
    spread = (across**2).sum(axis=1)
    slope = np.full(len(gains), np.nan)
    np.divide((across * heights).sum(axis=1), spread, out=slope, where=spread > 0)
    return np.round(slope, 9)  # no slope is none, whatever the sums were rounded to
