"""Worlds are the sampling unit: resamples, intervals, ranks, ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trilemma.model import FloatArray

__all__ = [
    "Interval",
    "beats",
    "best_share",
    "interval",
    "kendall_tau",
    "rank_interval",
    "resamples",
]

RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A number with its bootstrap interval (95 %, percentiles over resampled worlds)."""

    value: float
    low: float
    high: float


def resamples(worlds: int) -> FloatArray:
    """Return weights of the worlds, shape (1 + 1000, worlds): all equal first, then resampled.

    Every mechanism is judged on the same resamples (a paired bootstrap), whatever else is
    compared and in whatever order.
    """
    draw = np.random.default_rng([worlds, RESAMPLES])
    counts = draw.multinomial(worlds, np.full(worlds, 1 / worlds), size=RESAMPLES)
    return np.vstack([np.full(worlds, 1 / worlds), counts / worlds])


def interval(values: FloatArray) -> Interval:
    """Return the first value (all worlds) with the interval of the rest (resamples)."""
    low, high = _bounds(values[1:])
    value = float(values[0])
    # The maximum over plays is taken inside each resample, which can leave the value outside.
    return Interval(value, min(low, value), max(high, value))


def rank_interval(minimums: FloatArray, index: int) -> tuple[int, int]:
    """Return the ranks (1 is best, ties share the best) that mechanism `index` may hold.

    Parameters
    ----------
    minimums : ndarray, shape (mechanisms, resamples)
    index : int
    """
    better = (minimums > minimums[index] + 1e-12).sum(axis=0)[1:] + 1
    low, high = _bounds(better.astype(np.float64))
    return int(np.floor(low)), int(np.ceil(high))


def best_share(minimums: FloatArray) -> FloatArray:
    """Return in which share of resamples each mechanism is best; ties share equally."""
    top = minimums >= minimums.max(axis=0) - 1e-12
    return np.asarray((top / top.sum(axis=0))[:, 1:].mean(axis=1))


def beats(one: FloatArray, other: FloatArray) -> bool:
    """Tell whether the interval of the paired difference lies above zero."""
    return _bounds((one - other)[1:])[0] > 1e-12


def kendall_tau(one: FloatArray, other: FloatArray) -> float:
    """Return Kendall's tau-b of two vectors of one length; 0 where either is constant."""
    above = np.triu_indices(one.size, 1)
    first = np.sign(one[:, None] - one)[above]
    second = np.sign(other[:, None] - other)[above]
    untied = np.sqrt(float(np.abs(first).sum()) * float(np.abs(second).sum()))
    return float((first * second).sum() / untied) if untied else 0.0


def _bounds(values: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
