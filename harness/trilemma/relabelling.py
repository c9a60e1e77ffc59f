"""Facts as a protocol sees them: identities in an order drawn at random, valid, and frozen."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma import fields

__all__ = ["FACTS", "Order", "labels"]

AnyArray: TypeAlias = npt.NDArray[Any]
IntArray: TypeAlias = npt.NDArray[np.int64]

FACTS = ("stake", "weights", "votes", "seats", "orders", "flows", "tenure", "subnets")
MOST = np.finfo(np.float64).max
# Of each kind of matrix: its numbers, between what they lie, and by what a row may miss a sum of 1.
PLAIN: dict[str, tuple[np.dtype[Any], float, float, float]] = {
    "weights": (np.dtype(np.float64), 0.0, MOST, fields.SUMS_TO_ONE / 2),
    "votes": (np.dtype(np.int8), -1, 1, np.inf),
    "flows": (np.dtype(np.float64), -MOST, MOST, np.inf),
}


@lru_cache(maxsize=256)
def labels(
    seed: int, validators: int, miners: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return two permutations and their inverses."""
    shuffle = np.random.default_rng([seed, validators, miners])
    rows, columns = shuffle.permutation(validators), shuffle.permutation(miners)
    return rows, columns, np.argsort(rows), np.argsort(columns)


class Order(NamedTuple):
    """Who stands where in an epoch of n validators, m miners and k seats.

    Parameters
    ----------
    seed : int
    rows, columns : ndarray of int, shapes (n,) and (m,)
        Who stands at each place.
    places : ndarray of int, shape (n,)
        At which place each validator stands.
    seats : int
    """

    seed: int
    rows: IntArray
    columns: IntArray
    places: IntArray
    seats: int

    @classmethod
    def of(cls, seed: int, validators: int, miners: int, seats: int) -> Self:
        """Return the order that a seed leads to."""
        return cls(seed, *labels(seed, validators, miners)[:3], seats)

    def shown(self, name: str, fact: AnyArray | None) -> AnyArray:
        """Return a fact as an epoch holds it; None: nobody acted.

        Raises
        ------
        UsageError
            As `Epoch`.
        """
        if fact is not None:
            match name:
                case "weights" | "votes" | "flows":
                    return self._matrix(name, fact)
                case "stake" | "tenure":
                    fact = fact[self.rows]
                case "orders":
                    fact = fact[:, self.columns]
                case "seats":
                    fact = self.places[fact]
                case "subnets":
                    fact = _renumbered(fact, self.seed)[self.columns]
        return self._valid(name, fact)

    def _valid(self, name: str, value: AnyArray | None) -> AnyArray:
        return fields.valid(name, value, self.rows.size, self.columns.size, self.seats)

    def _matrix(self, name: str, matrix: AnyArray) -> AnyArray:
        """Return what validators do to miners (n, m).

        Most of it is as it should be. A kernel sees that while it moves it: 14 us instead of 48 at
        64 x 128, 120 instead of 1300 at 664 x 128. Where no mechanism has loaded numba, nobody
        waits for a compiler.
        """
        kind, low, high, slack = PLAIN[name]
        shape, wrong = (self.rows.size, self.columns.size), 1
        plain = matrix.dtype == kind and matrix.shape == shape and matrix.flags.carray
        if plain and "numba" in sys.modules:
            from trilemma.kernels.relabelled import relabelled

            def fill(memory: AnyArray) -> None:
                nonlocal wrong
                into = memory.reshape(shape)
                wrong = relabelled(matrix, self.rows, self.columns, low, high, slack, into)

            (shown,) = fields.poured(fill, (matrix.size, kind))
            if not wrong:
                return shown.reshape(shape)
        return self._valid(name, matrix[self.rows].take(self.columns, axis=1))


def _renumbered(subnets: IntArray, seed: int) -> IntArray:
    """Return subnets numbered at random: a number tells no more than a place does."""
    known, which = np.unique(subnets, return_inverse=True)
    shuffle = np.random.default_rng([seed, known.size])
    return np.asarray(shuffle.permutation(known.size)[which])
