"""Matrices whose rows and columns are put in another order, and looked at on the way."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["relabelled"]

Numbers: TypeAlias = npt.NDArray[Any]
Places: TypeAlias = npt.NDArray[np.int64]


# Sums only say whether something is near 1, so that they may be added up in any order.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def relabelled(
    matrix: Numbers,
    rows: Places,
    columns: Places,
    low: float,
    high: float,
    slack: float,
    out: Numbers,
) -> int:
    """Put rows and columns in another order, and count what is wrong with them.

    Parameters
    ----------
    matrix : ndarray of float64 or int8, shape (n, m)
    rows, columns : ndarray of int64, shapes (n,) and (m,)
        What stands at each place.
    low, high : float
        Between which numbers should lie.
    slack : float
        By which a row that does not sum to 0 may miss 1.
    out : ndarray, of the kind of the matrix, shape (n, m)
        Written to.

    Returns
    -------
    int
        Numbers that are out of range, or NaN, and rows with another sum.
    """
    wrong = 0
    for place in range(rows.size):
        given, shown = matrix[rows[place]], out[place]
        for column in range(columns.size):
            shown[column] = given[columns[column]]
        total = 0.0
        for column in range(columns.size):
            total += shown[column]
            wrong += not (low <= shown[column] <= high)
        wrong += not (total == 0 or abs(total - 1) <= slack)
    return wrong
