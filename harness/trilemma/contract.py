"""Calling a mechanism: one answer per epoch, checked, with both pools filled in."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from trilemma.errors import PluginError
from trilemma.model import OVERPAYMENT, AnyArray, Epoch, FloatArray, Mechanism, Rewards

__all__ = ["Entrant", "Pay", "call", "call_twice", "copied"]

KEPT = 61  # every so many answers one is kept, to be asked for again: 1.6 % more calls


@dataclass(frozen=True, eq=False)
class Pay:
    """Checked rewards: `miners` (m,) and `validators` (n,), each summing to at most 1.

    `carry` is what the mechanism wants to see in the next epoch.
    """

    miners: FloatArray
    validators: FloatArray
    carry: Any = None

    def total(self, xi: float) -> float:
        """Return the share of all pay that is paid out; xi is the validators' part."""
        return float(xi * self.validators.sum() + (1 - xi) * self.miners.sum())


class Entrant:
    """A mechanism on its way through the evaluation; it drops out where it fails.

    Parameters
    ----------
    label : str
        Its name in messages.
    mechanism : Mechanism
        The one that is asked.
    unused : Mechanism, optional
        A copy that was never asked anything. What it answers shows whether the answers of the
        other depend on what it was asked before.

    Attributes
    ----------
    calls : int
        How often it was asked.
    failure : PluginError or None
        Why it dropped out.
    """

    def __init__(self, label: str, mechanism: Mechanism, unused: Mechanism | None = None) -> None:
        self.label = label
        self.mechanism = mechanism
        self.unused = mechanism if unused is None else unused
        self.calls = 0
        self.failure: PluginError | None = None
        self._kept: list[tuple[Epoch, Pay]] = []
        self._last: list[tuple[Epoch, Pay]] = []

    def pay(self, epoch: Epoch, *, twice: bool = False) -> Pay | None:
        """Return what the mechanism pays; None once it has broken the contract."""
        if self.failure is not None:
            return None
        self.calls += 1 + twice
        try:
            answer = (call_twice if twice else call)(self.label, self.mechanism, epoch)
        except PluginError as error:
            self.failure = error
            return None
        self._last = [(epoch, Pay(answer.miners, answer.validators))]
        if self.calls % KEPT < 1 + twice:
            self._kept += self._last
        return answer

    def confirm(self) -> None:
        """Ask a copy without a past for some of the answers again, the last one first."""
        self._kept += self._last
        while self._kept and self.failure is None:
            epoch, answer = self._kept.pop()
            self.calls += 1
            try:
                _refuse_change(self.label, answer, call(self.label, copied(self.unused), epoch))
            except PluginError as error:
                self.failure = error


def call(name: str, mechanism: Mechanism, epoch: Epoch) -> Pay:
    """Return what a mechanism pays in an epoch.

    Raises
    ------
    PluginError
        If it raises, writes to the epoch, or answers with a wrong shape, NaN, a negative or an
        over-paying pool.
    """
    shown = epoch.replace()  # its own: others see the same arrays, which nobody can write to
    try:
        answer = mechanism(shown)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{name} failed: {type(error).__name__}: {_line(error)}") from error
    if not epoch.is_same(shown):
        raise PluginError(f"{name} wrote to the epoch it was given; copy what you change")
    rewards = answer if isinstance(answer, Rewards) else Rewards(answer)
    n, m = epoch.weights.shape
    miners = _pool(name, "miners", rewards.miners, m)
    if rewards.validators is None:
        return Pay(miners, _by_stake(epoch.stake), rewards.carry)
    return Pay(miners, _pool(name, "validators", rewards.validators, n), rewards.carry)


def call_twice(name: str, mechanism: Mechanism, epoch: Epoch) -> Pay:
    """Return what a mechanism pays, having asked twice.

    Raises
    ------
    PluginError
        As `call`; also for two answers to one epoch.
    """
    first = call(name, mechanism, epoch)
    _refuse_change(name, first, call(name, mechanism, epoch))
    return first


def copied(mechanism: Mechanism) -> Mechanism:
    """Return a deep copy of a mechanism, or itself where it cannot be copied."""
    try:
        return deepcopy(mechanism)
    except Exception:  # a lock, an open file, a copy method that fails: anything may be in there
        return mechanism


def _refuse_change(name: str, first: Pay, second: Pay) -> None:
    same_miners = np.array_equal(first.miners, second.miners)
    if not (same_miners and np.array_equal(first.validators, second.validators)):
        raise PluginError(
            f"{name} gave two answers for one epoch; a mechanism is a function of the epoch "
            "(offer the expectation of a lottery, and keep state in `carry`)"
        )


def _pool(name: str, pool: str, values: AnyArray, size: int) -> FloatArray:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(array.dtype.name)
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
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


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no message"
