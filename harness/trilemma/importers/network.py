"""A network as a file tells it: stake and weights, and what else is known of its identities."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from trilemma.errors import DataError
from trilemma.model import AnyArray, BoolArray, IntArray

__all__ = ["Network"]


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """What a file says about a network, epoch by epoch; nothing is scaled or left out.

    T epochs, n validators, m miners. What a file does not tell is None, or an empty tuple.

    Parameters
    ----------
    name : str
        The file's name, without its folder.
    stake : ndarray, shape (T, n)
        int64 or float64, finite, not negative, in the file's unit.
    weights : ndarray, shape (T, n, m)
        Real numbers of the type they are stored in, finite, not negative.
    netuid : int, optional
        Number of the subnet.
    blocks : ndarray of int, shape (T,), optional
        At which each epoch was read.
    permits : ndarray of bool, shape (T, n), optional
        Who might validate.
    last_update : ndarray of int, shape (T, n), optional
        Block at which each validator last set weights.
    registered : ndarray of int, shape (T, m), optional
        Block at which each miner was registered.
    bonds : ndarray, shape (T, n, m), optional
        As `weights`.
    validator_names, miner_names : tuple of str
        n and m names, no name twice among the validators or among the miners.
    validator_owners, miner_owners : ndarray of int, shapes (n,) and (m,), optional
        The principal behind each identity, where a file knows clusters or cold keys; one
        numbering for both.
    files : tuple of str
        Where it was read from; nothing where a chain told it.

    Raises
    ------
    DataError
        If a shape does not fit, a number is negative, infinite or NaN, or a name comes twice.
    """

    name: str
    stake: AnyArray
    weights: AnyArray
    netuid: int | None = None
    blocks: IntArray | None = None
    permits: BoolArray | None = None
    last_update: IntArray | None = None
    registered: IntArray | None = None
    bonds: AnyArray | None = None
    validator_names: tuple[str, ...] = ()
    miner_names: tuple[str, ...] = ()
    validator_owners: IntArray | None = None
    miner_owners: IntArray | None = None
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.weights.ndim != 3 or min(self.weights.shape) < 1:
            raise DataError(
                f"weights: expected shape (epochs, n, m), none of them 0, got {self.weights.shape}"
            )
        for name, shape in self._shapes().items():
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != shape:
                raise DataError(f"{name}: expected shape {shape}, got {array.shape}")
            _check_values(name, array)
        for name, count in (("validator_names", self.validators), ("miner_names", self.miners)):
            _check_names(name, getattr(self, name), count)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        epochs, n, m = self.weights.shape
        return {
            "stake": (epochs, n),
            "weights": (epochs, n, m),
            "blocks": (epochs,),
            "permits": (epochs, n),
            "last_update": (epochs, n),
            "registered": (epochs, m),
            "bonds": (epochs, n, m),
            "validator_owners": (n,),
            "miner_owners": (m,),
        }

    @property
    def epochs(self) -> int:
        """Number of epochs, T."""
        return int(self.weights.shape[0])

    @property
    def validators(self) -> int:
        """Number of validators, silent ones too."""
        return int(self.weights.shape[1])

    @property
    def miners(self) -> int:
        """Number of miners, those without any weight too."""
        return int(self.weights.shape[2])

    @property
    def one_account(self) -> bool:
        """Whether validator i and miner i are one account, as on a chain."""
        return self.validators == self.miners and self.validator_names == self.miner_names

    def __repr__(self) -> str:
        return (
            f"Network({self.name}: {self.epochs} epochs, "
            f"{self.validators} validators, {self.miners} miners)"
        )


def _check_values(name: str, array: AnyArray) -> None:
    # the smallest and the largest show every fault: a NaN is both
    if float(array.min()) >= 0 and float(array.max()) < math.inf:
        return
    fault = next(it for it in (array.argmin(), array.argmax()) if not _is_amount(array.flat[it]))
    where = [int(i) for i in np.unravel_index(fault, array.shape)]
    raise DataError(f"{name}: expected finite, not negative; got {array.flat[fault]} at {where}")


def _is_amount(value: AnyArray) -> bool:
    return 0 <= float(value) < math.inf


def _check_names(name: str, given: tuple[str, ...], count: int) -> None:
    if given and len(given) != count:
        raise DataError(f"{name}: expected {count}, got {len(given)}")
    if len(set(given)) < len(given):
        twice = max(Counter(given).items(), key=lambda it: it[1])[0]
        raise DataError(f"{name}: {twice[:80]!r} a second time; expected every name once")
