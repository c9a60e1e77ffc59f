"""Numbers as pickles hold them: numpy's arrays, their types and single numbers, built by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from trilemma.errors import DataError
from trilemma.model import AnyArray

__all__ = ["MOST_AXES", "NAMES", "Array", "Element", "array_of"]

KINDS = re.compile(r"b1|[iu][1248]|f[248]|U[0-9]{1,4}")
MOST_AXES = 8
ORDERS = ("<", ">", "|", "=")


class Element:
    """A dtype on its way: its code first, its byte order when its state comes."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not KINDS.fullmatch(code):
            shown = repr(code)[:40] if isinstance(code, str) else type(code).__name__
            raise DataError(f"an array of type {shown}; expected numbers or text")
        self.code = code
        self.order = "="

    def build(self, state: Any) -> None:
        """Take what numpy keeps of a dtype: version, order, nothing of fields, sizes."""
        if any(part is not None for part in state[2:5]) or state[1] not in ORDERS:
            raise DataError("an array of records; expected numbers or text")
        self.order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that numpy itself makes of code and order."""
        return np.dtype(self.order + self.code)


class Array:
    """An array on its way: empty first, filled when its state comes."""

    def __init__(self, array: AnyArray | None = None) -> None:
        self.array = np.empty(0) if array is None else array

    def build(self, state: Any) -> None:
        """Take what numpy keeps of an array: version, shape, dtype, order, bytes."""
        _, shape, element, fortran, raw = state
        self.array = _filled(raw, element, shape, "F" if fortran is True else "C")


def array_of(value: object) -> AnyArray | None:
    """Return the array that a loaded value is, if it is one."""
    if isinstance(value, Array):
        return value.array
    return value if isinstance(value, np.ndarray) else None


def _filled(raw: object, element: object, shape: Any, order: Any) -> AnyArray:
    """Return the array that these bytes are; no byte is made that the file does not hold."""
    if not isinstance(element, Element) or not isinstance(raw, (bytes, bytearray)):
        raise DataError("an array of objects; expected numbers or text")
    if type(shape) is not tuple or len(shape) > MOST_AXES:
        raise DataError("an array whose shape is no short tuple")
    if any(type(side) is not int or side < 0 for side in shape):
        raise DataError("an array whose shape is no tuple of whole numbers")
    dtype = element.dtype
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise DataError(
            f"an array of {len(raw):,} bytes, which is not what its shape and {dtype} need"
        )
    read: AnyArray = np.frombuffer(raw, dtype).reshape(shape, order=order)
    return read.astype(dtype.newbyteorder("="), copy=False)


def _empty(base: object, shape: object, _: object) -> Array:
    # numpy always writes (ndarray, (0,), b'b'): an array is made empty, and filled by its state
    if getattr(base, "name", None) != "numpy.ndarray" or shape != (0,):
        raise DataError("an array that is not made empty first; nothing was run")
    return Array()


def _from_buffer(raw: object, element: object, shape: object, order: object) -> Array:
    return Array(_filled(raw, element, shape, "F" if order == "F" else "C"))


def _scalar(element: object, raw: object) -> object:
    return _filled(raw, element, (1,), "C")[0].item()


def _encoded(text: object, encoding: object) -> bytes:
    # how protocol 2, which has no bytes, writes them
    if not isinstance(text, str) or encoding != "latin1":
        raise DataError("text that is encoded otherwise than bytes are; nothing was run")
    return text.encode("latin1")


def _no_bytes(*given: object) -> bytes:
    # how protocol 2 writes none; of a number, Python would make as many
    if given:
        raise DataError("makes bytes of something; nothing was run")
    return b""


def _uncallable(*_: object) -> object:
    raise DataError("calls numpy.ndarray itself; nothing was run")


NAMES: dict[str, Callable[..., object]] = {
    "numpy.ndarray": _uncallable,
    "numpy.dtype": Element,
    "_codecs.encode": _encoded,
    "__builtin__.bytes": _no_bytes,
    "builtins.bytes": _no_bytes,
}
for _core in ("numpy.core", "numpy._core"):
    NAMES |= {
        f"{_core}.multiarray._reconstruct": _empty,
        f"{_core}.multiarray.scalar": _scalar,
        f"{_core}.numeric._frombuffer": _from_buffer,
    }
