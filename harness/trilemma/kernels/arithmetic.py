"""The same formulas in two kinds of numbers: float64, and the chain's fixed point in int64.

A kernel is written once, in terms of the functions below. They are for floats; where numba meets
integers it takes the body beside instead, for the chain's I32F32: numbers in steps of 2**-32.

Source: opentensor/subtensor, ``pallets/subtensor/src/epoch/math.rs``, and substrate-fixed 0.6.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

__all__ = [
    "ONE",
    "exponential",
    "fixed",
    "flushed",
    "inverse",
    "number",
    "one",
    "over",
    "scaled",
    "times",
    "to_u16",
]

ONE = 1 << 32
U16 = 65535
LOW = np.uint64(ONE - 1)
EULER = 22802600 << 9  # the chain's own e has 23 bits behind the point
TERMS = 31  # of the Taylor series
FARTHEST = 20  # exponents are clamped to it

LOG2_E = 1.4426950408889634
LN_2_UPPER, LN_2_LOWER = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # as in fdlibm
ROUNDER = 1.5 * 2.0**52  # added and taken away again, it rounds to a whole number
LAST = 1 / math.factorial(13)
SERIES = tuple(1 / math.factorial(order) for order in range(12, -1, -1))  # of Taylor

Body = Callable[..., Any]

FLUSH = 1e-30  # bonds below count as none: old ones would decay into slow denormal numbers


def fixed(value: float) -> int:
    """Return a parameter in fixed point, rounded towards zero.

    For quotients of denominators up to 10**6, as u16 shares and millionths are, no float is so far
    off that it falls on the other side of a step.
    """
    return int(value * ONE)


def to_u16(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
    """Return shares in fixed point as the chain stores them: in 1 / 65535, rounded down."""
    shares = np.clip(numbers, 0, ONE)
    return np.asarray((shares * U16) >> 32, np.uint16)


def one(like: Any) -> Any:  # noqa: ARG001 - the fixed point tells it by its kind
    """Return 1 as a number of the same kind."""
    return 1.0


def number(like: Any, value: float) -> Any:  # noqa: ARG001 - likewise
    """Return a small constant as a number of the same kind."""
    return value


def times(a: Any, b: Any) -> Any:
    """Return a * b; in fixed point rounded down."""
    return a * b


def over(a: Any, b: Any) -> Any:
    """Return a / b for 0 <= a and 0 < b; in fixed point rounded down, b below 2**15."""
    return a / b


def inverse(a: Any) -> Any:
    """Return 1 / a for 0 < a; in fixed point rounded down."""
    return 1.0 / a


def scaled(amount: Any, total: Any) -> Any:
    """Return an amount as a share of a total, or 0 where the total is as good as nothing."""
    return amount / total if total >= FLUSH else 0.0


def flushed(bond: Any) -> Any:
    """Return a bond, or 0 if it is too small to be one."""
    return bond if bond >= FLUSH else 0.0


def exponential(x: Any) -> Any:
    """Return e**x, with x clamped to -20..20; floats within two units in the last place.

    Written out, because a call of the library's exp keeps loops from being vectorised (liquid
    alpha took 5 times as long as the rest of an epoch) and its last bit differs by machine.
    """
    near = min(max(np.float64(x), -20.0), 20.0)
    power = (near * LOG2_E + ROUNDER) - ROUNDER
    rest = (near - power * LN_2_UPPER) - power * LN_2_LOWER
    series = LAST
    for divisor in SERIES:
        series = series * rest + divisor
    return series * np.int64((np.int64(np.int32(power)) + 1023) << 52).view(np.float64)


def _one(_: Any) -> Any:
    return np.int64(ONE)


def _number(_: Any, value: float) -> Any:
    return np.int64(value * ONE)


def _times(a: Any, b: Any) -> Any:
    # Whole parts (signed) and fractions apart: only their products fit 64 bits.
    low_a, low_b = np.uint64(a) & LOW, np.uint64(b) & LOW
    high_a, high_b = a >> 32, b >> 32
    crossed = high_a * np.int64(low_b) + high_b * np.int64(low_a)
    return ((high_a * high_b) << 32) + crossed + np.int64((low_a * low_b) >> np.uint64(32))


def _over(a: Any, b: Any) -> Any:
    # Long division in digits of 16 bits, because a << 32 does not fit 64 bits.
    whole, rest = a // b, a % b
    upper, rest = (rest << 16) // b, (rest << 16) % b
    return (whole << 32) + (upper << 16) + (rest << 16) // b


def _inverse(a: Any) -> Any:
    most, divisor = np.uint64(2**64 - 1), np.uint64(a)
    carried = most % divisor == divisor - np.uint64(1)  # 2**64 itself does not fit
    return np.int64(most // divisor) + np.int64(carried)


def _scaled(amount: Any, total: Any) -> Any:
    return over(amount, total) if total > 0 else np.int64(0)


def _flushed(bond: Any) -> Any:
    return bond


def _exponential(x: Any) -> Any:
    farthest = np.int64(FARTHEST * ONE)
    far = abs(max(min(x, farthest), -farthest))
    term, series = far, np.int64(ONE) + far
    for order in range(2, TERMS + 1):
        term = times(term, far) // order
        series += term
    if x == ONE:  # and not for -1
        return np.int64(EULER)
    return series if x >= 0 else inverse(series)


def _compile(real: Body, fixed: Body) -> None:
    """Let numba take one of two bodies, by the kind of the first argument."""

    @overload(real, strict=False)
    def body(first: Any, *_: Any) -> Body:
        return real if isinstance(first, types.Float) else fixed


_compile(one, _one)
_compile(number, _number)
_compile(times, _times)
_compile(over, _over)
_compile(inverse, _inverse)
_compile(scaled, _scaled)
_compile(flushed, _flushed)
_compile(exponential, _exponential)
