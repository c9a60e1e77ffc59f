"""Asking a mechanism for less than an epoch: what a few rows lead to, what many like epochs leave.

A mechanism may offer `on_base` and `after`, which come to the same as plain calls but for rounding,
and sooner. They are for ranking candidates: what is reported comes from a plain call, so that it
replays to the last bit. `shortcut=False` makes plain calls throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma import registry
from trilemma.checks import whole
from trilemma.contract import call
from trilemma.errors import UsageError
from trilemma.fields import numbers, same, weights
from trilemma.model import AnyArray, Epoch, FloatArray, IntArray, Mechanism

__all__ = ["Estimate", "Ranker", "forward", "ranker"]


class Estimate(NamedTuple):
    """What the weights of a few validators lead to.

    Parameters
    ----------
    miners : ndarray, shape (m,)
        The miners' pool.
    validators : ndarray, shape (q,)
        Those validators' part of their pool. What the others earn is not known.
    """

    miners: FloatArray
    validators: FloatArray


Ranker: TypeAlias = Callable[[npt.ArrayLike], Estimate]


def ranker(
    mechanism: Mechanism, epoch: Epoch, rows: npt.ArrayLike, *, shortcut: bool = True
) -> Ranker:
    """Return a function from a few validators' weights to what they lead to.

    Parameters
    ----------
    mechanism : Mechanism
        It may offer `on_base(epoch, rows)`: None, or a function from weights (q, m) with rows
        that sum to 1 or 0 to the pair of an `Estimate`. That may be None for some weights.
        Whatever is None is asked of the mechanism itself.
    epoch : Epoch
        Everything but the weights of those validators.
    rows : array_like of int, shape (q,)
        Who they are; each once.
    shortcut : bool
        Whether to use what is offered.

    Returns
    -------
    callable
        Takes weights (q, m) in any scale.

    Raises
    ------
    UsageError
        If rows are no validators of the epoch, or named twice, or the epoch is sparse; from the
        function, if weights are not as an epoch needs them.
    PluginError
        From the function, if the mechanism breaks the contract.
    """
    if not isinstance(epoch.weights, np.ndarray):
        raise UsageError("weights: candidates need dense ones; give weights.dense() to the epoch")
    who = _places(rows, epoch.stake.size)
    label = registry.label(mechanism)
    offered = getattr(mechanism, "on_base", None) if shortcut else None
    estimate = None if offered is None else offered(epoch, who)

    def rank(said: npt.ArrayLike) -> Estimate:
        rows = weights(said)
        same("weights", rows.shape, (who.size, epoch.weights.shape[1]), "one row each")
        found = None if estimate is None else estimate(rows)
        if found is not None:
            return Estimate(*found)
        pay = call(label, mechanism, _saying(epoch, who, rows))
        return Estimate(pay.miners, pay.validators[who])

    return rank


def forward(mechanism: Mechanism, epoch: Epoch, epochs: int, *, shortcut: bool = True) -> Any:
    """Return what a mechanism carries after some epochs that are all alike.

    Parameters
    ----------
    mechanism : Mechanism
        It may offer `after(epoch, epochs)`: the carry, or None where it knows no shortcut.
    epoch : Epoch
        The first of them, with its carry.
    epochs : int
        How many; 1 or more.
    shortcut : bool
        Whether to use what is offered.

    Returns
    -------
    object
        What the last epoch leaves to the next.

    Raises
    ------
    UsageError
        If the number of epochs is below 1.
    PluginError
        If the mechanism breaks the contract.
    """
    number = whole("epochs", epochs, 1)
    label = registry.label(mechanism)
    offered = getattr(mechanism, "after", None) if shortcut else None
    carry = None if offered is None else offered(epoch, number)
    if carry is not None:
        return carry
    for _ in range(number):
        carry = call(label, mechanism, epoch).carry
        epoch = epoch.replace(carry=carry)
    return carry


def _places(rows: npt.ArrayLike, validators: int) -> IntArray:
    places = numbers("rows", rows)
    if places.ndim != 1 or places.size == 0 or places.dtype.kind not in "iu":
        raise UsageError(
            f"rows: expected one validator or more by number, got {places.dtype} {places.shape}"
        )
    if places.min() < 0 or places.max() >= validators:
        raise UsageError(f"rows: validators are 0..{validators - 1}, got {places.tolist()}")
    if np.unique(places).size < places.size:
        raise UsageError(f"rows: a validator is named twice in {places.tolist()}")
    return places.astype(np.int64)


def _saying(epoch: Epoch, rows: IntArray, said: AnyArray) -> Epoch:
    """Return an epoch in which some validators have said something else."""
    reported = epoch.weights.copy()
    reported[rows] = said
    return Epoch(
        epoch.stake,
        reported,
        votes=epoch.votes,
        seats=epoch.seats,
        orders=epoch.orders,
        flows=epoch.flows,
        tenure=epoch.tenure,
        subnets=epoch.subnets,
        chain=epoch.chain,
        carry=epoch.carry,
    )
