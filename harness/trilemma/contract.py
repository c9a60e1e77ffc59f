"""Calling a mechanism: one answer per epoch, checked, with both pools filled in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trilemma.errors import PluginError
from trilemma.model import OVERPAYMENT, AnyArray, Epoch, FloatArray, Mechanism, Rewards

__all__ = ["Entrant", "Pay", "call", "call_twice"]


@dataclass(frozen=True, eq=False)
class Pay:
    """Checked rewards: `miners` (m,) and `validators` (n,), each summing to at most 1."""

    miners: FloatArray
    validators: FloatArray

    def total(self, xi: float) -> float:
        """Return the share of all pay that is paid out; xi is the validators' part."""
        return float(xi * self.validators.sum() + (1 - xi) * self.miners.sum())


def call(name: str, mechanism: Mechanism, epoch: Epoch) -> Pay:
    """Return what a mechanism pays in an epoch.

    Raises
    ------
    PluginError
        If it raises, or answers with a wrong shape, NaN, a negative or an over-paying pool.
    """
    try:
        answer = mechanism(epoch)
    except Exception as error:
        raise PluginError(f"{name} failed: {type(error).__name__}: {_line(error)}") from error
    rewards = answer if isinstance(answer, Rewards) else Rewards(answer)
    n, m = epoch.weights.shape
    miners = _pool(name, "miners", rewards.miners, m)
    if rewards.validators is None:
        return Pay(miners, _by_stake(epoch.stake))
    return Pay(miners, _pool(name, "validators", rewards.validators, n))


def call_twice(name: str, mechanism: Mechanism, epoch: Epoch) -> Pay:
    """Return what a mechanism pays, having asked twice and looked whether the epoch survived.

    Raises
    ------
    PluginError
        As `call`; also for two answers to one epoch, and for an epoch written to.
    """
    before = (epoch.stake.copy(), epoch.weights.copy())
    first, second = call(name, mechanism, epoch), call(name, mechanism, epoch)
    if not (np.array_equal(before[0], epoch.stake) and np.array_equal(before[1], epoch.weights)):
        raise PluginError(f"{name} wrote to the epoch it was given; copy the array first")
    refuse_change(name, first, second)
    return first


def refuse_change(name: str, first: Pay, second: Pay) -> None:
    """Raise unless two answers to one epoch are the same to the last bit."""
    same_miners = np.array_equal(first.miners, second.miners)
    if not (same_miners and np.array_equal(first.validators, second.validators)):
        raise PluginError(
            f"{name} gave two answers for one epoch; a mechanism is a function of the epoch "
            "(offer the expectation of a lottery, and keep state in `carry`)"
        )


class Entrant:
    """A mechanism on its way through the evaluation; it drops out where it fails.

    Attributes
    ----------
    calls : int
        How often it was asked.
    failure : PluginError or None
        Why it dropped out.
    """

    def __init__(self, label: str, mechanism: Mechanism) -> None:
        self.label = label
        self.mechanism = mechanism
        self.calls = 0
        self.failure: PluginError | None = None

    def pay(self, epoch: Epoch, *, like: Pay | None = None, twice: bool = False) -> Pay | None:
        """Return what the mechanism pays, asked twice or compared with an earlier answer.

        None once it has broken the contract.
        """
        if self.failure is not None:
            return None
        self.calls += 2 if twice else 1
        try:
            answer = (call_twice if twice else call)(self.label, self.mechanism, epoch)
            if like is not None:
                refuse_change(self.label, like, answer)
        except PluginError as error:
            self.failure = error
            return None
        return answer


def _pool(name: str, pool: str, values: AnyArray, size: int) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{name}: rewards for {pool} are not numbers ({_line(error)})") from error
    if array.shape != (size,):
        raise PluginError(f"{name}: rewards for {pool} have shape {array.shape}, not ({size},)")
    # Written so that NaN fails: two reductions on the way that is always taken.
    if not (array.min() >= 0 and array.sum() <= 1 + OVERPAYMENT):
        raise PluginError(f"{name}: rewards for {pool} {_fault(array)}")
    return array


def _fault(array: FloatArray) -> str:
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        return f"hold {array[place]} at {place}; every reward must be finite"
    if array.min() < 0:
        place = int(array.argmin())
        return f"hold {array[place]} at {place}; no reward may be negative"
    return f"sum to {array.sum()}; a pool pays at most 1"


def _by_stake(stake: AnyArray) -> FloatArray:
    total = stake.sum(dtype=np.float64)
    return np.asarray(stake / total) if total > 0 else np.zeros(stake.shape)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no message"
