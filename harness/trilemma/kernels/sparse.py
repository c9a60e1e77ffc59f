"""Sparse matrices by columns: sorting, sums, and the union of two patterns.

All take a part of the columns, `first` to `last` (excluded), and write to arrays that are there,
so that threads share the work. Each works in place on what it returns nothing of.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma.kernels.tiles import compiled

__all__ = [
    "Columns",
    "column_sums",
    "count_entries",
    "count_union",
    "fill_union",
    "first_fall",
    "place",
    "row_sums",
    "scale_rows",
    "sort_columns",
    "spread",
]

Numbers: TypeAlias = npt.NDArray[Any]
IntArray: TypeAlias = npt.NDArray[np.int64]


class Columns(NamedTuple):
    """A matrix (n, m) of k entries; column j holds the entries `indptr[j]` to `indptr[j + 1]`.

    Parameters
    ----------
    indptr : ndarray of int64, shape (m + 1,)
    rows : ndarray of uint16 or uint32, shape (k,)
        Rising in every column.
    values : ndarray of float32 or float64, shape (k,)
        Not negative.
    """

    indptr: IntArray
    rows: Numbers
    values: Numbers


@compiled
def first_fall(indptr: IntArray, rows: Numbers, first: int, last: int) -> int:
    """Return the first entry whose row does not lie below that of the entry before it, or -1."""
    for column in range(first, last):
        for entry in range(indptr[column] + 1, indptr[column + 1]):
            if rows[entry - 1] >= rows[entry]:
                return entry
    return -1


@compiled
def sort_columns(indptr: IntArray, rows: Numbers, values: Numbers, first: int, last: int) -> None:
    """Bring the entries of every column into the order of rows."""
    for column in range(first, last):
        if first_fall(indptr, rows, column, column + 1) < 0:
            continue
        start, end = indptr[column], indptr[column + 1]
        order = np.argsort(rows[start:end])
        rows[start:end] = rows[start:end][order]
        values[start:end] = values[start:end][order]


@compiled
def count_entries(columns: IntArray, counts: IntArray) -> None:
    """Add the number of entries in column j to `counts[j + 1]`."""
    for entry in range(columns.size):
        counts[columns[entry] + 1] += 1


@compiled
def place(
    columns: IntArray,
    rows: Numbers,
    values: Numbers,
    ends: IntArray,
    kept_rows: Numbers,
    kept_values: Numbers,
) -> None:
    """Put entries into their columns, behind those that are there; `ends` (m,) moves along."""
    for entry in range(columns.size):
        where = ends[columns[entry]]
        kept_rows[where] = rows[entry]
        kept_values[where] = values[entry]
        ends[columns[entry]] += 1


@compiled
def row_sums(matrix: Columns, first: int, last: int, sums: Numbers, lost: Numbers) -> None:
    """Add entries to the sums of their rows (n,), and to `lost` (n,) what rounding took away.

    A million equal weights summed one by one would be off by more than rows may be.
    """
    indptr, rows, values = matrix
    for entry in range(indptr[first], indptr[last]):
        row, value = rows[entry], np.float64(values[entry])
        old = sums[row]
        new = old + value
        part = new - old
        lost[row] += (old - (new - part)) + (value - part)
        sums[row] = new


@compiled
def scale_rows(matrix: Columns, divisors: Numbers, first: int, last: int, scaled: Numbers) -> None:
    """Write the values (k,) divided by the divisor (n,) of their row."""
    indptr, rows, values = matrix
    for entry in range(indptr[first], indptr[last]):
        scaled[entry] = values[entry] / divisors[rows[entry]]


@compiled
def column_sums(matrix: Columns, factors: Numbers, first: int, last: int, sums: Numbers) -> None:
    """Write the sum (m,) of every column, each row counting by its factor (n,)."""
    indptr, rows, values = matrix
    for column in range(first, last):
        total = 0.0
        for entry in range(indptr[column], indptr[column + 1]):
            total += factors[rows[entry]] * values[entry]
        sums[column] = total


@compiled
def count_union(one: Columns, other: Columns, first: int, last: int, counts: IntArray) -> None:
    """Write to `counts[j + 1]` how many entries column j of a union has: see `fill_union`."""
    for column in range(first, last):
        count = one.indptr[column + 1] - one.indptr[column]
        here, end = one.indptr[column], one.indptr[column + 1]
        for entry in range(other.indptr[column], other.indptr[column + 1]):
            row = other.rows[entry]
            while here < end and one.rows[here] < row:
                here += 1
            known = here < end and one.rows[here] == row
            count += not known and other.values[entry] > 0
        counts[column + 1] = count


@compiled
def fill_union(
    one: Columns, other: Columns, first: int, last: int, indptr: IntArray, rows: Numbers
) -> None:
    """Write the rows of all entries of one matrix, and of those of the other that are not zero."""
    for column in range(first, last):
        here, end = one.indptr[column], one.indptr[column + 1]
        there, stop = other.indptr[column], other.indptr[column + 1]
        for entry in range(indptr[column], indptr[column + 1]):
            while there < stop and other.values[there] == 0:
                there += 1
            left = there == stop or (here < end and one.rows[here] <= other.rows[there])
            right = here == end or (there < stop and other.rows[there] <= one.rows[here])
            rows[entry] = one.rows[here] if left else other.rows[there]
            here, there = here + left, there + right


@compiled
def spread(
    matrix: Columns, indptr: IntArray, rows: Numbers, first: int, last: int, values: Numbers
) -> None:
    """Write the values of a matrix to the entries of a wider pattern; those it lacks are left."""
    for column in range(first, last):
        entry = indptr[column]
        for held in range(matrix.indptr[column], matrix.indptr[column + 1]):
            while entry < indptr[column + 1] and rows[entry] < matrix.rows[held]:
                entry += 1
            if entry < indptr[column + 1] and rows[entry] == matrix.rows[held]:
                values[entry] = matrix.values[held]
