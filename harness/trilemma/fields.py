"""Validation of an epoch's fields: anything numpy can read in, read-only arrays out."""

from __future__ import annotations

import ctypes
import io
import math
import mmap
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from trilemma.errors import UsageError

__all__ = [
    "fits",
    "flows",
    "freeze",
    "non_negative",
    "normalised",
    "numbers",
    "poured",
    "same",
    "seats",
    "signs",
    "stake",
    "stakes",
    "tenure",
    "valid",
    "weights",
]

SUMS_TO_ONE = 1e-12  # rows this close are left as they are, so that validation is idempotent
HUGE = 1 << 21  # bytes of a huge page of memory


def stake(value: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return stakes as int64 if they came as integers that fit, else as float64."""
    array = numbers("stake", value)
    if array.ndim != 1 or array.size == 0:
        raise UsageError(f"stake: expected one number per validator, got shape {array.shape}")
    whole = array.dtype.kind in "iu" and array.max() <= np.iinfo(np.int64).max
    return stakes(array.astype(np.int64 if whole else np.float64, copy=False))


def stakes(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return stakes (..., n), frozen."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum(axis=-1, dtype=np.float64)
    if not (array.min() >= 0 and np.isfinite(total).all()):
        non_negative("stake", array)
        raise UsageError("stake: the total is infinite; scale it down")
    return freeze(array)


def weights(value: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return weights as float64 with rows that sum to 1, or to 0."""
    fits("weights", getattr(value, "shape", ()))
    # Not copied here: `freeze` does. A copy more and a pass more each cost 4 us at 64 x 128.
    array = numbers("weights", value).astype(np.float64, order="C", copy=False)
    if array.ndim != 2 or array.size == 0:
        raise UsageError(f"weights: expected (validators, miners), got shape {array.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        sums = array.sum(axis=1)
    # Written so that NaN fails; most are as they should be, which takes 15 us instead of 25.
    if not (array.min() >= 0 and ((sums == 0) | (np.abs(sums - 1) <= SUMS_TO_ONE)).all()):
        array = _scaled(array, sums)
    return freeze(array)


def _scaled(
    array: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return rows that sum to 1, or to 0."""
    non_negative("weights", array)
    if not np.isfinite(sums).all():
        row = int(np.flatnonzero(~np.isfinite(sums))[0])
        raise UsageError(f"weights: row {row} sums to {sums[row]}; scale it down")
    away = (sums > 0) & (np.abs(sums - 1) > SUMS_TO_ONE)
    array = array.copy()
    array[away] /= sums[away, None]
    return array


def seats(value: npt.ArrayLike | None, validators: int) -> npt.NDArray[np.int64]:
    """Return seat holders as int64 places among the validators."""
    array = np.zeros(0, np.int64) if value is None else numbers("seats", value)
    if array.size == 0:
        array = array.astype(np.int64).reshape(-1)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise UsageError(f"seats: expected whole numbers (k,), got {array.dtype} {array.shape}")
    outside = (array < 0) | (array >= validators)
    if outside.any():
        raise UsageError(
            f"seats: {array[outside][0]} is no validator; they are numbered 0..{validators - 1}"
        )
    return freeze(array.astype(np.int64))


def signs(name: str, value: npt.ArrayLike | None, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Return ballots or orders as int8 in {-1, 0, 1}; zeros by default."""
    if value is None:
        return _everywhere("signs", shape)
    array = numbers(name, value)
    same(name, array.shape, shape, "as stake, weights and seats have it")
    odd = (array != 0) & (np.abs(array) != 1)
    if odd.any():
        raise UsageError(f"{name}: expected -1, 0 or 1, got {array[odd][0]!s} {_place(odd)}")
    return freeze(array.astype(np.int8))


def flows(value: npt.ArrayLike | None, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return token flows as finite float64; zeros by default."""
    if value is None:
        return _everywhere("flows", shape)
    array = numbers("flows", value).astype(np.float64)
    same("flows", array.shape, shape, "as stake and weights have it")
    if not np.isfinite(array).all():
        bad = ~np.isfinite(array)
        raise UsageError(f"flows: expected finite numbers, got {array[bad][0]!s} {_place(bad)}")
    return freeze(array)


def tenure(value: npt.ArrayLike | None, validators: int) -> npt.NDArray[np.float64]:
    """Return tenures as float64, not negative, perhaps infinite; infinite by default."""
    if value is None:
        return _everywhere("tenure", (validators,))
    array = numbers("tenure", value).astype(np.float64)
    same("tenure", array.shape, (validators,), "as stake has it")
    if not (array >= 0).all():
        bad = ~(array >= 0)
        raise UsageError(f"tenure: expected 0 or more, got {array[bad][0]!s} {_place(bad)}")
    return freeze(array)


def subnets(value: npt.ArrayLike | None, miners: int) -> npt.NDArray[np.int64]:
    """Return the subnet of each miner as int64; the same for all by default."""
    if value is None:
        return _everywhere("subnets", (miners,))
    array = numbers("subnets", value)
    same("subnets", array.shape, (miners,), "as weights has columns")
    if array.dtype.kind not in "iu":
        raise UsageError(f"subnets: expected whole numbers, got {array.dtype}")
    return freeze(array.astype(np.int64))


def valid(name: str, value: Any, n: int, m: int, k: int) -> npt.NDArray[Any]:
    """Return a field of an epoch of n validators, m miners and k seats, by its name."""
    match name:
        case "stake":
            return stake(value)
        case "weights":
            return weights(value)
        case "votes":
            return signs(name, value, (n, m))
        case "seats":
            return seats(value, n)
        case "orders":
            return signs(name, value, (k, m))
        case "flows":
            return flows(value, (n, m))
        case "tenure":
            return tenure(value, n)
        case "subnets":
            return subnets(value, m)
    raise AssertionError(name)


def normalised(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scale rows to sum 1; a row of zeros stays."""
    sums = rows.sum(axis=1, keepdims=True)
    if sums.min(initial=1) > 0:  # 6 instead of 9 us for a few rows
        return np.asarray(rows / sums)
    return np.asarray(np.divide(rows, sums, out=np.zeros_like(rows), where=sums > 0))


def same(name: str, got: tuple[int, ...], expected: tuple[int, ...], why: str) -> None:
    """Raise unless two shapes agree."""
    if got != expected:
        raise UsageError(f"{name}: expected shape {expected} ({why}), got {got}")


def numbers(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return an array of integers or reals; booleans are integers."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(f"{name}: not an array of numbers ({error})") from error
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind == "O":
        try:
            return array.astype(np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            raise UsageError(f"{name}: not an array of numbers ({error})") from error
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{name}: expected real numbers, got {array.dtype}")
    return array


def non_negative(name: str, array: npt.NDArray[Any]) -> None:
    """Raise unless all numbers are finite and not negative."""
    # min and max see every NaN and infinity: two passes instead of four (9 us at 64 x 128)
    if not array.min() >= 0 or not array.max() < np.inf:
        bad = ~((array >= 0) & (array < np.inf))
        raise UsageError(
            f"{name}: expected finite numbers, not negative; got {array[bad][0]!s} {_place(bad)}"
        )


def _place(mask: npt.NDArray[np.bool_]) -> str:
    return "at " + str([int(i) for i in np.argwhere(mask)[0]])


def freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy in memory that nobody can make writeable again: that of a bytes object."""
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def poured(
    fill: Callable[..., object], *kinds: tuple[int, npt.DTypeLike]
) -> tuple[npt.NDArray[Any], ...]:
    """Return frozen arrays that a function has filled, without the copy that `freeze` makes.

    Parameters
    ----------
    fill : callable
        Gets the arrays, full of zeros; it must not keep any of them.
    kinds : tuples of int and dtype
        The size and kind of each array.
    """
    memories = [io.BytesIO(bytes(size * np.dtype(kind).itemsize)) for size, kind in kinds]
    views = [memory.getbuffer() for memory in memories]
    try:
        for view in views:
            _in_huge_pages(view)
        fill(*(np.frombuffer(view, kind) for view, (_, kind) in zip(views, kinds, strict=True)))
    finally:
        for view in views:
            view.release()
    # Nobody can write through a view any more, so that these are the bytes themselves.
    return tuple(
        np.frombuffer(memory.getvalue(), kind)
        for memory, (_, kind) in zip(memories, kinds, strict=True)
    )


def _in_huge_pages(view: memoryview) -> None:
    """Ask for large pages, as numpy does: to fill 400 MB takes 25 instead of 125 ms."""
    if sys.platform != "linux" or view.nbytes < 2 * HUGE:
        return
    start = np.frombuffer(view, np.uint8).ctypes.data
    first = -(-start // HUGE) * HUGE
    size = ctypes.c_size_t(start + view.nbytes - first)
    ctypes.CDLL(None).madvise(ctypes.c_void_p(first), size, mmap.MADV_HUGEPAGE)  # or not: no harm


def fits(name: str, shape: Any) -> None:
    """Raise if a dense array of float64 would take more memory than the machine has."""
    known = isinstance(shape, tuple) and all(isinstance(size, int | np.integer) for size in shape)
    size = 8 * math.prod(map(int, shape)) if known else 0
    if size > _memory():
        raise UsageError(
            f"{name}: {shape} numbers take {size / 1e9:.1f} GB as a dense array, and this machine "
            f"has {_memory() / 1e9:.1f} GB; keep the non-zero ones in a trilemma.Sparse"
        )


def _memory() -> float:
    """Return how many bytes the machine has; infinitely many where it does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # Windows; a system that lacks the names
        return math.inf


@lru_cache(maxsize=1024)
def _everywhere(name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return the default of a field; a broadcast takes 5 us each time."""
    return np.broadcast_to(DEFAULTS[name], shape)


DEFAULTS = {
    "signs": freeze(np.array(0, np.int8)),
    "flows": freeze(np.array(0.0)),
    "tenure": freeze(np.array(np.inf)),
    "subnets": freeze(np.array(0, np.int64)),
}
