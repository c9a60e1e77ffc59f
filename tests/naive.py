"""Slow twins of every kernel: nothing but definitions, in exact stake, one number at a time.

Below the line the same in fixed point: lists of Python integers that count in steps of 2**-32,
and every product and quotient rounded as `tests/naive_chain.py` says.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.naive_chain import ONE, exp, over, times
from tests.naive_chain import normalised as chain_normalised

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
Vector = list[int]
Matrix = list[list[int]]

FLUSH = 1e-30
FARTHEST = 20  # exponents are clamped to it


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


def consensus(weights: Numbers, units: IntArray, needed: int) -> Numbers:
    """Try every value of a column."""

    def support(column: Numbers, value: Any) -> int:
        return sum(int(unit) for unit, said in zip(units, column, strict=True) if said >= value)

    return np.array(
        [
            max((v for v in set(column.tolist()) if support(column, v) >= needed), default=0)
            for column in weights.T
        ],
        weights.dtype,
    )


def argsort_consensus(weights: Numbers, units: IntArray, needed: int) -> Numbers:
    """The best that plain numpy does: sort each column, add up stake from the top. Exact too."""
    if units.sum() < needed:
        return np.zeros(weights.shape[1], weights.dtype)
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


def interpolated(weights: FloatArray, clipped: FloatArray, beta: float) -> FloatArray:
    return weights + beta * (clipped - weights)


def liquid_alpha(
    target: FloatArray,
    prior: FloatArray,
    consensus: FloatArray,
    low: float,
    high: float,
    steepness: float,
) -> FloatArray:
    alphas = np.zeros(target.shape)
    for i, j in np.ndindex(target.shape):
        wanted, held = float(target[i, j]), float(prior[i, j])
        distance = wanted - float(consensus[j]) if wanted >= held else held - wanted
        distance = 0.0 if distance < 0 else 1.0 if distance > 1 else distance
        exponent = steepness * (distance - 0.5)
        if abs(exponent) > FARTHEST:
            exponent = math.copysign(FARTHEST, exponent)
        alphas[i, j] = low + (high - low) / (1.0 + math.exp(-exponent))
    return alphas


def bonds_version_2(
    target: FloatArray,
    prior: FloatArray,
    share: FloatArray,
    incentive: FloatArray,
    alpha: float,
) -> tuple[FloatArray, FloatArray]:
    bought = share[:, None] * target
    mixed = alpha * columns_normalised(bought) + (1.0 - alpha) * columns_normalised(prior)
    bonds = flushed(columns_normalised(mixed, 0.0))
    dividends = [math.fsum(row * incentive) for row in bonds]
    return bonds, normalised(np.array(dividends))


def bonds_version_3(
    target: FloatArray,
    prior: FloatArray,
    share: FloatArray,
    incentive: FloatArray,
    alpha: float | FloatArray,
) -> tuple[FloatArray, FloatArray]:
    bonds = flushed(np.minimum(1.0, (1.0 - alpha) * prior + alpha * target))
    dividends = [math.fsum(row * incentive) for row in columns_normalised(bonds, 0.0)]
    return bonds, normalised(share * np.array(dividends))


def normalised(amounts: FloatArray) -> FloatArray:
    total = math.fsum(amounts)
    return np.array([amount / total if total > 0 else 0.0 for amount in amounts])


def columns_upscaled(bonds: FloatArray) -> FloatArray:
    """Columns whose largest is 1, or that are empty."""
    result = np.zeros(bonds.shape)
    for i, j in np.ndindex(bonds.shape):
        if bonds[i, j] > 0:
            result[i, j] = bonds[i, j] / max(bonds[:, j])
    return result


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


# --- sparse, as {(row, column): value} -----------------------------------------------------------

Places = dict[tuple[int, int], float]


def places(indptr: IntArray, rows: Numbers, values: Numbers) -> Places:
    """Read compressed columns; no place may be there twice."""
    held = {
        (int(rows[entry]), column): float(values[entry])
        for column in range(indptr.size - 1)
        for entry in range(indptr[column], indptr[column + 1])
    }
    assert len(held) == rows.size
    return held


def compressed(held: Places, miners: int) -> tuple[list[int], list[int], list[float]]:
    """Write compressed columns: pointers, rows, values."""
    order = sorted(held, key=lambda place: (place[1], place[0]))
    indptr = [sum(column < j for _, column in order) for j in range(miners + 1)]
    return indptr, [row for row, _ in order], [held[place] for place in order]


def row_sums(held: Places, validators: int) -> list[float]:
    return [math.fsum(v for (i, _), v in held.items() if i == row) for row in range(validators)]


def column_sums(held: Places, factors: FloatArray, miners: int) -> list[float]:
    return [
        math.fsum(factors[i] * v for (i, j), v in held.items() if j == column)
        for column in range(miners)
    ]


def scaled_rows(held: Places, divisors: FloatArray) -> Places:
    return {(i, j): v / divisors[i] for (i, j), v in held.items()}


def aligned(one: Places, other: Places) -> tuple[Places, Places]:
    """Both on all places of the one, and those where the other is not zero."""
    both = set(one) | {place for place, value in other.items() if value > 0}
    return {it: one.get(it, 0.0) for it in both}, {it: other.get(it, 0.0) for it in both}


def sparse_epoch(
    weights: FloatArray,
    prior: FloatArray,
    stake: IntArray,
    heard: list[bool],
    kappa: str,
    rule: tuple[int, float, float, tuple[float, float, float] | None],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return consensus, ranks, dividends and bonds by the twins above; `rule` is version, beta,
    alpha, and the bounds of liquid alpha.
    """
    version, beta, alpha, liquid = rule
    said = np.where(np.array(heard)[:, None], weights, 0.0)
    agreed = consensus(said, stake, max(1, math.ceil(Fraction(kappa) * int(stake.sum()))))
    share = normalised(stake.astype(np.float64))
    clipped, ranks, _ = clip_and_rank(said, agreed, share)
    target = clipped if beta == 1 else interpolated(said, clipped, beta)
    speed: Any = alpha
    if liquid is not None and agreed.any():
        speed = liquid_alpha(target, prior, agreed, *liquid)
    bind: Any = bonds_version_2 if version == 2 else bonds_version_3
    bonds, dividends = bind(target, prior, share, normalised(ranks), speed)
    return agreed, ranks, dividends, bonds


# --- in fixed point ------------------------------------------------------------------------------


def fixed_clip_and_rank(
    weights: Matrix, consensus: Vector, share: Vector
) -> tuple[Matrix, Vector, Vector]:
    clipped = [
        [min(one, most) for one, most in zip(row, consensus, strict=True)] for row in weights
    ]
    ranks = [sum(map(times, share, column)) for column in zip(*clipped, strict=True)]
    return clipped, ranks, [sum(row) for row in clipped]


def fixed_interpolated(weights: Matrix, clipped: Matrix, beta: int) -> Matrix:
    return [
        [said + times(beta, kept - said) for said, kept in zip(*rows, strict=True)]
        for rows in zip(weights, clipped, strict=True)
    ]


def fixed_liquid_alpha(
    target: Matrix, prior: Matrix, consensus: Vector, low: int, high: int, steepness: int
) -> Matrix:
    def alpha(wanted: int, held: int, agreed: int) -> int:
        distance = wanted - agreed if wanted >= held else held - wanted
        distance = min(max(distance, 0), ONE)
        exponent = times(-steepness, distance - ONE // 2)
        exponent = min(max(exponent, -FARTHEST * ONE), FARTHEST * ONE)
        return low + times(over(ONE, ONE + exp(exponent)), high - low)

    return [
        [alpha(*facts) for facts in zip(wanted, held, consensus, strict=True)]
        for wanted, held in zip(target, prior, strict=True)
    ]


def fixed_bonds_version_2(
    target: Matrix, prior: Matrix, share: Vector, incentive: Vector, alpha: int
) -> tuple[Matrix, Vector]:
    bought = [[times(stake, one) for one in row] for stake, row in zip(share, target, strict=True)]
    bonds = fixed_columns(
        [
            [times(alpha, new) + times(ONE - alpha, old) for new, old in zip(*rows, strict=True)]
            for rows in zip(fixed_columns(bought), fixed_columns(prior), strict=True)
        ]
    )
    return bonds, chain_normalised([sum(map(times, row, incentive)) for row in bonds])


def fixed_bonds_version_3(
    target: Matrix, prior: Matrix, share: Vector, incentive: Vector, alpha: Matrix
) -> tuple[Matrix, Vector]:
    def moved(wanted: int, held: int, speed: int) -> int:
        return min(ONE, times(ONE - speed, held) + times(speed, wanted))

    bonds = [
        [moved(*facts) for facts in zip(*rows, strict=True)]
        for rows in zip(target, prior, alpha, strict=True)
    ]
    earned = [sum(map(times, row, incentive)) for row in fixed_columns(bonds)]
    return bonds, chain_normalised([times(*facts) for facts in zip(share, earned, strict=True)])


def fixed_columns_upscaled(bonds: Matrix) -> Matrix:
    largest = [max(column) for column in zip(*bonds, strict=True)]
    return [[over(one, most) for one, most in zip(row, largest, strict=True)] for row in bonds]


def fixed_columns(matrix: Matrix) -> Matrix:
    """Columns scaled to sum 1, as far as rounding allows."""
    totals = [sum(column) for column in zip(*matrix, strict=True)]
    return [[over(one, total) for one, total in zip(row, totals, strict=True)] for row in matrix]


# --- labels --------------------------------------------------------------------------------------


def relabelled(
    matrix: Numbers, rows: IntArray, columns: IntArray, low: float, high: float, slack: float
) -> tuple[Numbers, int]:
    """Return a matrix in another order, and how many numbers and sums of rows are wrong."""
    shown = matrix[np.ix_(rows, columns)]
    outside = sum(not low <= number <= high for number in shown.ravel().tolist())
    sums = [math.fsum(row) if np.isfinite(row).all() else math.nan for row in shown.tolist()]
    return shown, outside + sum(not (total == 0 or abs(total - 1) <= slack) for total in sums)
