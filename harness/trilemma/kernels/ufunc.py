"""The consensus as a generalised ufunc, for mechanisms written in numpy.

A module of its own, and imported when asked for, because a ufunc is compiled as it is defined.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import guvectorize

from trilemma.kernels.consensus import consensus, needed_support, stake_units

__all__ = ["agreed"]

Numbers: TypeAlias = npt.NDArray[Any]

KINDS = ["(float64[:,::1], int64[::1], int64, float64[:])"]


@guvectorize(KINDS, "(n,m),(n),()->(m)", cache=True)  # type: ignore[no-untyped-call,untyped-decorator]
def _consensus(weights: Numbers, units: Numbers, needed: int, found: Numbers) -> None:
    """As `consensus`; the core axes must be contiguous."""
    found[:] = consensus(weights, units, needed)


def agreed(weights: npt.ArrayLike, stake: npt.ArrayLike, kappa: float = 0.5) -> Numbers:
    """Return the largest weight per miner that a share kappa of all stake reaches or exceeds.

    Parameters
    ----------
    weights : array_like, shape (..., n, m)
        Finite and not negative.
    stake : array_like, shape (..., n)
        Finite and not negative, any unit.
    kappa : float
        In [0, 1]; exactly that much is enough.

    Returns
    -------
    ndarray, shape (..., m)

    Examples
    --------
    >>> from trilemma.kernels import agreed
    >>> agreed([[0.6, 0.4], [0.2, 0.8], [0.1, 0.9]], [3, 2, 1]).tolist()
    [0.6, 0.4]
    """
    held = np.asarray(stake)
    rows = held.reshape(-1, held.shape[-1])
    units = np.stack([stake_units(row) for row in rows])
    needed = np.array([needed_support(kappa, int(row.sum())) for row in units])
    said = np.ascontiguousarray(weights, np.float64)
    return np.asarray(_consensus(said, units.reshape(held.shape), needed.reshape(held.shape[:-1])))
