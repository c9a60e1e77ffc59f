"""The reports on many miners at once, in tiles that stay in the cache.

A tile holds the reports of some validators (rows) on up to `LANES` miners (lanes), one row after
the other, as integers: floats that are not negative are ordered like the integers with the same
bits. Stake is summed in integers. So rounding decides neither order nor ties, and the answer does
not depend on the way that the search takes.

Two things keep the loops vectorised: the distance between rows is a constant of the code, and how
many lanes are in use is not (loops over a small constant are unrolled instead).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "LANES",
    "STEP",
    "compiled",
    "inlined",
    "inner",
    "pack",
    "total",
    "zeros",
]

Numbers: TypeAlias = npt.NDArray[Any]
Body = TypeVar("Body", bound=Callable[..., Any])


class Compiler(Protocol):
    """A decorator that keeps what a function takes and returns."""

    def __call__(self, body: Body, /) -> Body:
        """Return the compiled function."""


compiled = njit(cache=True, nogil=True, error_model="numpy")  # divisions by zero are looked after

# What only kernels call. Entry points for others, and files of its own in the cache, took a tenth
# of the time to compile; each level of calls makes the code below it be optimised once more.
inner: Compiler = njit(  # type: ignore[call-overload]
    nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)
inlined = njit(nogil=True, error_model="numpy", inline="always")

LANES = 128  # 64 take 1.2 times as long at 64 x 256, 256 as long; 64 are better at 1024 rows only
STEP = 8  # rows weighed between two stores: four take 1.4 times as long


@inner
def zeros(rows: int, size: int, like: Numbers) -> Numbers:
    """Return zeros (rows, size) of the kind of a matrix.

    All space comes from here: each other kind of shape takes 0.1 s to compile.
    """
    return np.zeros((rows, size), like.dtype)


@inlined
def total(amounts: Numbers) -> Any:
    """Return the sum, from first to last; `sum` takes 0.15 s more to compile."""
    sum_ = amounts.dtype.type(0)
    for place in range(amounts.size):
        sum_ += amounts[place]
    return sum_


@inner
def pack(
    keys: Numbers, rows: Numbers, heard: Numbers, first: int, span: int, tile: Numbers
) -> None:
    """Fill a tile with what some rows report of the miners from `first` on.

    Rows that are not heard report zeros, and minus zero is zero. Beyond the last row the tile
    repeats it, so that its values are those of the rows.
    """
    zero = tile.dtype.type(0)
    for row in range(rows.size):
        said = keys[rows[row]][first : first + span]
        lanes = tile[row * LANES : (row + 1) * LANES]
        for lane in range(said.size):
            lanes[lane] = max(said[lane], zero)
    for row in range(rows.size):  # not above: a branch in there takes four times as long
        if not heard[row]:
            lanes = tile[row * LANES : row * LANES + span]
            for lane in range(lanes.size):
                lanes[lane] = zero
    start = (rows.size - 1) * LANES
    for place in range(start + LANES, tile.size):
        tile[place] = tile[place - LANES]
