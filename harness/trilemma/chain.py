"""On-chain facts beside an epoch, which only a chain-true mechanism needs.

Shapes: n validators, m miners. Where n == m the record speaks of a chain's uids: row i and column
i are the same account. Blocks are counted from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma.checks import whole
from trilemma.errors import UsageError
from trilemma.fields import freeze, numbers, same

__all__ = ["NEVER", "Chain", "Csr"]

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

NEVER = int(np.iinfo(np.int64).max)
"""A block that never comes."""

U16 = 65535


@dataclass(frozen=True, eq=False)
class Csr:
    """A matrix of u16 by rows, as a chain stores it: order and explicit zeros are kept.

    Parameters
    ----------
    indptr : array_like of int, shape (n + 1,)
        Row i holds the entries `indptr[i]` to `indptr[i + 1]`.
    indices : array_like of int, shape (k,)
        The column of each entry; no column twice in a row.
    values : array_like of int, shape (k,)
        Each 0..65535.

    Raises
    ------
    UsageError
        If pointers, columns and values do not fit each other, or a value is no u16.
    """

    indptr: IntArray
    indices: IntArray
    values: IntArray

    if TYPE_CHECKING:  # more is taken in than is kept

        def __init__(
            self, indptr: npt.ArrayLike, indices: npt.ArrayLike, values: npt.ArrayLike
        ) -> None: ...

    def __post_init__(self) -> None:
        for field in fields(self):
            array = _wholes(f"csr: {field.name}", getattr(self, field.name))
            object.__setattr__(self, field.name, array)
        entries = self.values.size
        starts = self.indptr
        if (
            starts.size < 1
            or starts[0] != 0
            or starts[-1] != entries
            or (np.diff(starts) < 0).any()
        ):
            shown = np.array2string(starts, max_line_width=1000, threshold=8, edgeitems=3)
            raise UsageError(
                f"csr: indptr must rise from 0 to {entries}, the number of values, not {shown}"
            )
        same("csr: indices", self.indices.shape, (entries,), "one column per value")
        if entries and self.values.max() > U16:
            raise UsageError(f"csr: values must be in 0..{U16} (u16), not {self.values.max()}")
        if np.unique(np.stack([self.rows, self.indices]), axis=1).shape[1] < entries:
            raise UsageError("csr: indices name a column twice in one row")

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays that travelled are writeable; the constructor freezes them again.
        return type(self), (self.indptr, self.indices, self.values)

    @classmethod
    def of(cls, matrix: npt.ArrayLike) -> Self:
        """Store every element of a dense matrix of u16, zeros included."""
        dense = numbers("csr: values", matrix)
        if dense.ndim != 2:
            raise UsageError(f"csr: expected a matrix, got shape {dense.shape}")
        n, m = dense.shape
        return cls(np.arange(n + 1) * m, np.tile(np.arange(m), n), dense.reshape(-1))

    @property
    def rows(self) -> IntArray:
        """The row of each entry."""
        return np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))

    def dense(self, miners: int) -> IntArray:
        """Return the values as a matrix with zeros where no entry is."""
        matrix = np.zeros((self.indptr.size - 1, miners), np.int64)
        matrix[self.rows, self.indices] = self.values
        return matrix

    def entries(self, miners: int) -> BoolArray:
        """Return where there are entries."""
        matrix = np.zeros((self.indptr.size - 1, miners), np.bool_)
        matrix[self.rows, self.indices] = True
        return matrix

    def places(self, miners: int) -> IntArray | None:
        """Return the place of each entry in storage, `NEVER` where none is.

        None where every row is in the order of columns.
        """
        if not ((np.diff(self.indices) < 0) & (np.diff(self.rows) == 0)).any():
            return None
        matrix = np.full((self.indptr.size - 1, miners), NEVER)
        matrix[self.rows, self.indices] = np.arange(self.values.size)
        return matrix

    def fit(self, name: str, validators: int, miners: int) -> None:
        """Raise unless the rows are the validators and all columns are miners."""
        if self.indptr.size != validators + 1:
            raise UsageError(
                f"chain: {name} has {self.indptr.size - 1} rows for {validators} validators"
            )
        if self.indices.size and self.indices.max() >= miners:
            raise UsageError(
                f"chain: {name} names column {self.indices.max()}; miners are 0..{miners - 1}"
            )


@dataclass(frozen=True, eq=False)
class Chain:
    """What a chain knows about an epoch beyond stake and weights. All of it is optional.

    Parameters
    ----------
    block : int, optional
        The current block. None: nobody is inactive, and without `last_step` no bond is outdated.
    tempo : int
        Blocks from one epoch to the next.
    last_step : int
        Block of the last epoch; 0: there was none.
    last_update : array_like of int, shape (n,), optional
        Block at which each validator last set weights. None: just now.
    registered : array_like of int, shape (m,), optional
        Block at which each miner was registered. None: before everything else.
    permits : array_like of bool, shape (n,), optional
        Who may validate in this epoch. None: who will in the next.
    commits : array_like of int, shape (n,), optional
        Block of each validator's earliest commit that is still hidden; `NEVER` without one.
    resets : array_like of bool, shape (m,), optional
        Miners that ask for all bonds in them to be deleted.
    owner : int, optional
        The uid of the subnet's owner, who always has a permit, meets every threshold and is
        heard on itself. Where n == m nobody else is heard on itself.
    weights, bonds : Csr, optional
        As stored. None: those of the epoch, and of its carry.

    Raises
    ------
    UsageError
        If a value is out of range. That lengths fit is seen when the record joins an epoch.
    """

    block: int | None = None
    tempo: int = 360
    last_step: int = 0
    last_update: IntArray | None = None
    registered: IntArray | None = None
    permits: BoolArray | None = None
    commits: IntArray | None = None
    resets: BoolArray | None = None
    owner: int | None = None
    weights: Csr | None = None
    bonds: Csr | None = None

    if TYPE_CHECKING:  # more is taken in than is kept

        def __init__(
            self,
            block: int | None = None,
            tempo: int = 360,
            last_step: int = 0,
            last_update: npt.ArrayLike | None = None,
            registered: npt.ArrayLike | None = None,
            permits: npt.ArrayLike | None = None,
            commits: npt.ArrayLike | None = None,
            resets: npt.ArrayLike | None = None,
            owner: int | None = None,
            weights: Csr | None = None,
            bonds: Csr | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        for name in ("block", "tempo", "last_step", "owner"):
            value = getattr(self, name)
            if value is not None or name in ("tempo", "last_step"):
                object.__setattr__(self, name, whole(f"chain: {name}", value, 0, 2**64 - 1))
        for name in (*_OF_VALIDATORS, *_OF_MINERS):
            value = getattr(self, name)
            if value is not None:
                array = _wholes(f"chain: {name}", value)
                flags = name in ("permits", "resets")
                object.__setattr__(self, name, freeze(array.astype(np.bool_)) if flags else array)
        for name in ("weights", "bonds"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Csr):
                raise UsageError(f"chain: {name} must be a Csr, not {type(value).__name__}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def fit(self, validators: int, miners: int) -> None:
        """Raise unless every length fits an epoch of n validators and m miners."""
        for names, size in ((_OF_VALIDATORS, validators), (_OF_MINERS, miners)):
            for name in names:
                if getattr(self, name) is not None:
                    kind = "validator" if names is _OF_VALIDATORS else "miner"
                    same(f"chain: {name}", getattr(self, name).shape, (size,), f"one per {kind}")
        for name in ("weights", "bonds"):
            if getattr(self, name) is not None:
                getattr(self, name).fit(name, validators, miners)
        if self.owner is not None:
            whole("chain: owner (a uid)", self.owner, 0, min(validators, miners) - 1)


_OF_VALIDATORS = ("last_update", "permits", "commits")
_OF_MINERS = ("registered", "resets")


def _wholes(name: str, value: Any) -> IntArray:
    """Return whole numbers as read-only int64; what is beyond int64 never comes."""
    if isinstance(value, list | tuple) and all(type(block) is int for block in value):
        value = [min(block, NEVER) for block in value]  # numpy reads 5 beside 2**64 - 1 as a float
    array = numbers(name, value)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        if array.size:
            raise UsageError(
                f"{name}: expected whole numbers (k,), got {array.dtype} {array.shape}"
            )
        array = array.astype(np.int64).reshape(-1)
    if array.size and array.min() < 0:
        raise UsageError(f"{name}: expected 0 or more, got {array.min()}")
    if array.dtype.kind == "u":
        array = np.minimum(array.astype(np.uint64), np.uint64(NEVER))
    return freeze(array.astype(np.int64))
