"""From what somebody gives to compressed columns: checks, conversion, sorting.

A matrix may take most of the memory, so whole copies are made of nothing but the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma.checks import whole
from trilemma.errors import UsageError
from trilemma.fields import freeze, numbers, poured, same

__all__ = ["Arrays", "Shape", "arrays"]

AnyArray: TypeAlias = npt.NDArray[Any]
IntArray: TypeAlias = npt.NDArray[np.int64]
Shape: TypeAlias = tuple[int, int]
Arrays: TypeAlias = tuple[IntArray, AnyArray, AnyArray, Shape]
"""Pointers, rows, values, shape."""
Place: TypeAlias = tuple[int, int]

BLOCK = 1 << 20  # entries converted at a time
SHORT_ROWS = 1 << 16  # that uint16 tells apart
MOST_ROWS = 1 << 32


def arrays(entries: Any, shape: Any) -> Arrays:
    """Return what a `Sparse` is made of; see there."""
    size = _shape(shape)
    if not isinstance(entries, tuple) or len(entries) not in (2, 3):
        raise UsageError(
            "sparse: expected (values, (rows, columns)) or (values, rows, indptr), not "
            f"{type(entries).__name__}; Sparse.of takes whole matrices"
        )
    values = _values(entries[0])
    if len(entries) == 3:
        return _from_columns(values, entries[1], entries[2], size)
    if not isinstance(entries[1], tuple | list) or len(entries[1]) != 2:
        raise UsageError("sparse: expected two sequences, (rows, columns), beside the values")
    rows, columns = entries[1]
    return _from_places(values, rows, columns, size)


def _from_columns(values: AnyArray, rows: Any, indptr: Any, shape: Shape) -> Arrays:
    ends = freeze(_pointers(indptr, values.size, shape))
    given = _indices("rows", rows, values.size, shape[0])
    _check(values, lambda entry: (int(given[entry]), _column(ends, entry)))

    def fill(kept: AnyArray, said: AnyArray) -> None:
        np.copyto(kept, given, casting="unsafe")
        np.add(values, values.dtype.type(0), out=said)  # minus zero becomes zero
        _sort(ends, kept, said, shape)

    return _poured(ends, fill, values, shape)


def _from_places(values: AnyArray, rows: Any, columns: Any, shape: Shape) -> Arrays:
    from trilemma.kernels import sparse

    given = _indices("rows", rows, values.size, shape[0])
    beside = _indices("columns", columns, values.size, shape[1])
    _check(values, lambda entry: (int(given[entry]), int(beside[entry])))
    counts = np.zeros(shape[1] + 1, np.int64)
    for block in _blocks(values.size):
        sparse.count_entries(beside[block].astype(np.int64), counts)
    ends = freeze(np.cumsum(counts))

    def fill(kept: AnyArray, said: AnyArray) -> None:
        behind = ends[:-1].copy()
        for block in _blocks(values.size):
            at, row = beside[block].astype(np.int64), given[block].astype(kept.dtype)
            sparse.place(at, row, values[block] + 0, behind, kept, said)
        _sort(ends, kept, said, shape)

    return _poured(ends, fill, values, shape)


def _poured(
    indptr: IntArray, fill: Callable[[AnyArray, AnyArray], None], values: AnyArray, shape: Shape
) -> Arrays:
    kind = np.uint16 if shape[0] <= SHORT_ROWS else np.uint32
    rows, said = poured(fill, (values.size, kind), (values.size, values.dtype))
    return indptr, rows, said, shape


def _sort(indptr: IntArray, rows: AnyArray, values: AnyArray, shape: Shape) -> None:
    """Bring columns into the order of rows, in place; raise if a place is there twice."""
    from trilemma.kernels import sparse, threads

    parts = threads.parts(indptr, shape[0])

    def fall() -> int:
        falls = threads.in_threads(lambda part: sparse.first_fall(indptr, rows, *part), parts)
        return next((entry for entry in falls if entry >= 0), -1)

    if fall() < 0:
        return
    threads.in_threads(lambda part: sparse.sort_columns(indptr, rows, values, *part), parts)
    if (entry := fall()) >= 0:
        raise UsageError(
            f"sparse: row {rows[entry]} of column {_column(indptr, entry)} is given more than "
            "once; add such entries up first (scipy: sum_duplicates())"
        )


def _shape(shape: Any) -> Shape:
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise UsageError(f"sparse: shape must be (rows, columns), not {shape!r}")
    n, m = shape
    return whole("sparse: rows of shape", n, 1, MOST_ROWS), whole("sparse: columns of shape", m, 1)


def _values(given: Any) -> AnyArray:
    array = numbers("sparse: values", given)
    same("sparse: values", array.shape, (array.size,), "one number per entry")
    short = array.dtype.kind == "f" and array.dtype.itemsize == 4
    return array.astype(np.float32 if short else np.float64, copy=False)


def _indices(name: str, given: Any, entries: int, limit: int) -> AnyArray:
    """Return places along an axis, of any integer type."""
    array = numbers(f"sparse: {name}", given)
    same(f"sparse: {name}", array.shape, (entries,), "one per value")
    if entries == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise UsageError(f"sparse: {name}: expected whole numbers, got {array.dtype}")
    if array.min() < 0 or array.max() >= limit:
        entry = int(((array < 0) | (array >= limit)).argmax())
        raise UsageError(
            f"sparse: {name}: got {array[entry]} at entry {entry}; the shape numbers them "
            f"0..{limit - 1}"
        )
    return array


def _pointers(given: Any, entries: int, shape: Shape) -> IntArray:
    array = numbers("sparse: indptr", given)
    same("sparse: indptr", array.shape, (shape[1] + 1,), "one more than columns")
    if array.dtype.kind not in "iu":
        raise UsageError(f"sparse: indptr: expected whole numbers, got {array.dtype}")
    ends = array.astype(np.int64)
    wrong = np.diff(ends, prepend=0) < 0
    wrong[0] |= ends[0] != 0
    wrong[-1] |= ends[-1] != entries
    if wrong.any():
        place = int(wrong.argmax())
        raise UsageError(
            f"sparse: indptr must rise from 0 to {entries}, the number of values; "
            f"got {ends[place]} at [{place}]"
        )
    return ends


def _check(values: AnyArray, where: Callable[[int], Place]) -> None:
    """Raise unless values are finite and not negative, naming the place of one that is not."""
    if values.size == 0 or (values.min() >= 0 and values.max() < np.inf):
        return
    entry = int((~((values >= 0) & (values < np.inf))).argmax())
    row, column = where(entry)
    raise UsageError(
        "sparse: values: expected finite numbers, not negative; "
        f"got {values[entry]!s} at entry {entry} (row {row}, column {column})"
    )


def _column(indptr: IntArray, entry: int) -> int:
    return int(np.searchsorted(indptr, entry, side="right")) - 1


def _blocks(entries: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, entries, BLOCK))
