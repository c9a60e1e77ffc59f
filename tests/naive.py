"""Slow twins of every kernel: nothing but definitions, in exact stake, one number at a time."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import count

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FLUSH = 1e-30


def stake_units(stake: npt.NDArray[np.float64] | IntArray) -> list[int]:
    """Whole stakes as they are, others scaled by a power of two; the total must be finite."""
    if stake.dtype.kind in "iu" and sum(stake.tolist()) < 2**62:
        return [int(one) for one in stake]
    exact = [Fraction(float(one)) for one in stake]
    total = Fraction(float(sum(exact)))
    scale = Fraction(1)
    while 0 < total * scale < 2**61:
        scale *= 2
    while total * scale >= 2**62:
        scale /= 2
    return [round(one * scale) for one in exact]


def needed_support(kappa: str, total: int) -> int:
    """Try one support after the other."""
    return next(units for units in count(1) if units >= Fraction(kappa) * total)


def consensus(weights: FloatArray, units: IntArray, needed: int) -> FloatArray:
    """Try every value of a column."""

    def support(column: FloatArray, value: float) -> int:
        return sum(int(unit) for unit, said in zip(units, column, strict=True) if said >= value)

    return np.array(
        [
            max((v for v in set(column.tolist()) if support(column, v) >= needed), default=0.0)
            for column in weights.T
        ]
    )


def argsort_consensus(weights: FloatArray, units: IntArray, needed: int) -> FloatArray:
    """The best that plain numpy does: sort each column, add up stake from the top. Exact too."""
    if units.sum() < needed:
        return np.zeros(weights.shape[1])
    columns = np.ascontiguousarray(weights.T)
    order = np.argsort(-columns, axis=1)
    enough = np.cumsum(units[order], axis=1) >= needed
    last = np.take_along_axis(order, enough.argmax(axis=1)[:, None], axis=1)
    return np.take_along_axis(columns, last, axis=1)[:, 0]


def clip_and_rank(
    weights: FloatArray, consensus: FloatArray, share: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    validators, miners = weights.shape
    clipped = np.zeros((validators, miners))
    ranks = np.zeros(miners)
    trust = np.zeros(validators)
    for i in range(validators):
        for j in range(miners):
            clipped[i, j] = weights[i, j] if weights[i, j] <= consensus[j] else consensus[j]
            ranks[j] += share[i] * clipped[i, j]
            trust[i] += clipped[i, j]
    return clipped, ranks, trust


def bonds_version_2(
    weights: FloatArray,
    clipped: FloatArray,
    share: FloatArray,
    incentive: FloatArray,
    prior: FloatArray,
    beta: float,
    alpha: float,
) -> tuple[FloatArray, FloatArray]:
    bought = share[:, None] * ((1.0 - beta) * weights + beta * clipped)
    mixed = alpha * columns_normalised(bought) + (1.0 - alpha) * columns_normalised(prior)
    bonds = flushed(columns_normalised(mixed, 0.0))
    dividends = [math.fsum(row * incentive) for row in bonds]
    return bonds, normalised(np.array(dividends))


def bonds_version_3(
    weights: FloatArray,
    clipped: FloatArray,
    share: FloatArray,
    incentive: FloatArray,
    prior: FloatArray,
    beta: float,
    alpha: float,
) -> tuple[FloatArray, FloatArray]:
    target = (1.0 - beta) * weights + beta * clipped
    bonds = flushed(np.minimum(1.0, (1.0 - alpha) * prior + alpha * target))
    dividends = [math.fsum(row * incentive) for row in columns_normalised(bonds, 0.0)]
    return bonds, normalised(share * np.array(dividends))


def normalised(amounts: FloatArray) -> FloatArray:
    total = math.fsum(amounts)
    return np.array([amount / total if total > 0 else 0.0 for amount in amounts])


def columns_normalised(matrix: FloatArray, least: float = FLUSH) -> FloatArray:
    """Columns scaled to sum 1; those that hold less than `least` are empty."""
    result = np.zeros(matrix.shape)
    for j in range(matrix.shape[1]):
        total = 0.0
        for amount in matrix[:, j]:
            total += amount
        if total > 0 and total >= least:
            result[:, j] = matrix[:, j] / total
    return result


def flushed(bonds: FloatArray) -> FloatArray:
    return np.array([[bond if bond >= FLUSH else 0.0 for bond in row] for row in bonds])
