"""A sparse matrix that behaves like an array where mechanisms need it to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma.errors import UsageError
from trilemma.fields import SUMS_TO_ONE, fits, freeze, numbers, poured, same
from trilemma.sparse.reading import Shape, arrays

if TYPE_CHECKING:
    from trilemma.kernels.sparse import Columns
    from trilemma.kernels.threads import Part

__all__ = ["Compressible", "Sparse", "is_sparse", "weights"]

AnyArray: TypeAlias = npt.NDArray[Any]
IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float64]
Triple: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
Placed: TypeAlias = tuple[npt.ArrayLike, tuple[npt.ArrayLike, npt.ArrayLike]]

BLOCK = 1 << 20  # entries compared at a time
# How far a row may be from sum 1 to be left as it is: rounding to float32 alone is 2**-24.
NEAR_ONE = {np.dtype(np.float64): SUMS_TO_ONE, np.dtype(np.float32): 2.0**-23}


class Compressible(Protocol):
    """What the sparse matrices of scipy have in common."""

    def tocsc(self) -> Any:
        """Return the matrix by columns: `data`, `indices`, `indptr`, `shape`."""


class Sparse:
    """A matrix of numbers that are not negative, most of them zero. Immutable.

    Its columns are compressed: 2 bytes (4 beyond 65,536 rows) for the row of an entry, and 4 or 8
    for its value.

    Parameters
    ----------
    entries : tuple
        `(values, (rows, columns))`, in any order; or `(values, rows, indptr)`, where column j
        holds the entries `indptr[j]` to `indptr[j + 1]`. As in scipy. No place may be given
        twice; a value may be zero.
    shape : tuple of int
        (n, m)

    Attributes
    ----------
    indptr : ndarray of int64, shape (m + 1,)
    rows : ndarray of uint16 or uint32, shape (k,)
        Rising in every column.
    values : ndarray, shape (k,)
        Float32 if they came so, else float64.
    shape : tuple of int

    Raises
    ------
    UsageError
        If lengths, pointers and shape do not fit each other, an index is out of range, a place is
        given twice, or a value is NaN, infinite or negative.

    Examples
    --------
    >>> from trilemma import Sparse
    >>> weights = Sparse(([0.5, 0.5, 1], ([0, 0, 1], [3, 7, 3])), shape=(2, 9))
    >>> weights
    Sparse(2 x 9, 3 entries of float64)
    >>> weights.sum(axis=1)
    array([1., 1.])
    """

    indptr: IntArray
    rows: AnyArray
    values: AnyArray
    shape: Shape

    ndim = 2
    __array_ufunc__ = None  # so that `stake @ weights` asks the matrix, not numpy

    def __init__(self, entries: Triple | Placed, shape: Shape) -> None:
        self._set(*arrays(entries, shape))

    @classmethod
    def of(cls, matrix: Any) -> Sparse:
        """Return a matrix that is sparse already, has a method `tocsc()` (scipy), or is dense."""
        if isinstance(matrix, Sparse):
            return matrix
        if hasattr(matrix, "tocsc"):
            held = matrix.tocsc()
            return cls((held.data, held.indices, held.indptr), held.shape)
        dense = numbers("sparse", matrix)
        if dense.ndim != 2:
            raise UsageError(f"sparse: expected a matrix, got shape {dense.shape}")
        columns, rows = np.nonzero(dense.T)
        return cls((dense[rows, columns], (rows, columns)), dense.shape)

    @property
    def nnz(self) -> int:
        """The number of entries, k; zeros among them count."""
        return self.values.size

    @property
    def nbytes(self) -> int:
        """The memory that its arrays take."""
        return self.indptr.nbytes + self.rows.nbytes + self.values.nbytes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The kind of its values."""
        return self.values.dtype

    @property
    def columns(self) -> Columns:
        """Its arrays as compiled loops take them."""
        from trilemma.kernels.sparse import Columns

        return Columns(self.indptr, self.rows, self.values)

    @cached_property
    def parts(self) -> list[Part]:
        """Runs of columns for threads to share, of about equal work."""
        from trilemma.kernels.threads import parts

        return parts(self.indptr, self.shape[0])

    def sum(self, axis: int | None = None) -> Any:
        """Return the sum of all values, or those of columns (axis 0) or of rows (axis 1)."""
        if axis not in (None, 0, 1, -1, -2):
            raise UsageError(f"sparse: axis must be None, 0 or 1, not {axis!r}")
        if axis is None:
            return self._row_sums.sum()
        return np.ones(self.shape[0]) @ self if axis in (0, -2) else self._row_sums

    def any(self, axis: int | None = None) -> Any:
        """Tell whether any value is not zero, in all, by column (axis 0) or by row (axis 1)."""
        return self.sum(axis) > 0  # nothing is negative

    def dense(self) -> AnyArray:
        """Return the values as an array (n, m) with zeros where no entry is."""
        fits("sparse: dense()", self.shape)
        matrix = np.zeros(self.shape, self.dtype)
        matrix[self.rows, np.repeat(np.arange(self.shape[1]), np.diff(self.indptr))] = self.values
        return matrix

    def like(self, fill: Callable[[AnyArray], object]) -> Sparse:
        """Return a matrix with the same places, in the same memory, and other values.

        Parameters
        ----------
        fill : callable
            Writes the values, finite and not negative, to an array (k,) of zeros. It must not
            keep it.
        """
        [values] = poured(fill, (self.nnz, self.dtype))
        return _with(self.indptr, self.rows, values, self.shape)

    def aligned(self, other: Sparse) -> tuple[Sparse, Sparse]:
        """Return this and another matrix with the same places: all of this, and what else it holds.

        Zeros of the other are not kept where this has no entry. What is the same already stays in
        the same memory.
        """
        same("sparse", other.shape, self.shape, "as the matrix beside it has it")
        if _equal(self.indptr, other.indptr) and _equal(self.rows, other.rows):
            return self, _with(self.indptr, self.rows, other.values, self.shape)
        pattern = _union(self, other)
        return _spread(self, *pattern), _spread(other, *pattern)

    @cached_property
    def _row_sums(self) -> FloatArray:
        """Sums of rows, each rounded once or twice."""
        from trilemma.kernels import sparse, threads

        def of(part: Part) -> FloatArray:
            sums = np.zeros((2, self.shape[0]))
            sparse.row_sums(self.columns, *part, *sums)
            return sums

        with np.errstate(over="ignore", invalid="ignore"):
            total, lost = sum(threads.in_threads(of, self.parts), np.zeros((2, self.shape[0])))
            return freeze(np.where(np.isfinite(total), total + lost, total))

    def __rmatmul__(self, factors: npt.ArrayLike) -> FloatArray:
        """Return the sums of columns, each row counting by its factor (n,)."""
        from trilemma.kernels import sparse, threads

        array = numbers("factors of sparse rows", factors).astype(np.float64)
        same("factors of sparse rows", array.shape, self.shape[:1], "one per row")
        sums = np.empty(self.shape[1])
        threads.in_threads(
            lambda part: sparse.column_sums(self.columns, array, *part, sums), self.parts
        )
        return sums

    def __array__(self, *_: Any, **__: Any) -> AnyArray:
        raise TypeError(f"{self!r} is no array; {SUPPORTED}")

    def __getitem__(self, place: Any) -> Any:
        raise TypeError(f"{self!r} cannot be indexed; {SUPPORTED}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Sparse is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Sparse is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays that travelled are writeable; the constructor freezes them again.
        return type(self), ((self.values, self.rows, self.indptr), self.shape)

    def __repr__(self) -> str:
        n, m = self.shape
        return f"Sparse({n} x {m}, {self.nnz} entries of {self.dtype})"

    def _set(self, indptr: IntArray, rows: AnyArray, values: AnyArray, shape: Shape) -> None:
        self.__dict__.update(indptr=indptr, rows=rows, values=values, shape=shape)


SUPPORTED = "it offers shape, `stake @ weights`, sum(axis), any(axis) and dense()"


def is_sparse(value: Any) -> bool:
    """Tell whether weights are sparse, ours or scipy's."""
    return isinstance(value, Sparse) or hasattr(value, "tocsc")


def weights(value: Any) -> Sparse:
    """Return weights with rows that sum to 1, or to 0."""
    from trilemma.kernels import sparse, threads

    said = Sparse.of(value)
    sums = said._row_sums
    if not np.isfinite(sums).all():
        row = int(np.flatnonzero(~np.isfinite(sums))[0])
        raise UsageError(f"weights: row {row} sums to {sums[row]}; scale it down")
    away = (sums > 0) & (np.abs(sums - 1) > NEAR_ONE[said.dtype])
    if not away.any():
        return said
    divisors = np.where(away, sums, 1.0)
    return said.like(
        lambda scaled: threads.in_threads(
            lambda part: sparse.scale_rows(said.columns, divisors, *part, scaled), said.parts
        )
    )


def _with(indptr: IntArray, rows: AnyArray, values: AnyArray, shape: Shape) -> Sparse:
    """Return a matrix of arrays that are valid and frozen."""
    matrix = object.__new__(Sparse)
    matrix._set(indptr, rows, values, shape)
    return matrix


def _equal(one: AnyArray, other: AnyArray) -> bool:
    if one is other:
        return True
    blocks = range(0, one.size, BLOCK)  # at a time: a comparison makes an array
    return one.size == other.size and all(
        np.array_equal(one[start : start + BLOCK], other[start : start + BLOCK]) for start in blocks
    )


def _union(one: Sparse, other: Sparse) -> tuple[IntArray, AnyArray]:
    """Return pointers and rows of the places that either matrix holds."""
    from trilemma.kernels import sparse, threads

    both, parts = (one.columns, other.columns), one.parts
    counts = np.zeros(one.shape[1] + 1, np.int64)
    threads.in_threads(lambda part: sparse.count_union(*both, *part, counts), parts)
    indptr = freeze(np.cumsum(counts))
    if indptr[-1] == one.nnz:
        return one.indptr, one.rows
    [rows] = poured(
        lambda rows: threads.in_threads(
            lambda part: sparse.fill_union(*both, *part, indptr, rows), parts
        ),
        (int(indptr[-1]), one.rows.dtype),
    )
    return indptr, rows


def _spread(matrix: Sparse, indptr: IntArray, rows: AnyArray) -> Sparse:
    """Return a matrix with more places, of value zero."""
    from trilemma.kernels import sparse, threads

    if matrix.rows is rows:
        return matrix
    parts = threads.parts(indptr, matrix.shape[0])
    [values] = poured(
        lambda values: threads.in_threads(
            lambda part: sparse.spread(matrix.columns, indptr, rows, *part, values), parts
        ),
        (rows.size, matrix.dtype),
    )
    return _with(indptr, rows, values, matrix.shape)
