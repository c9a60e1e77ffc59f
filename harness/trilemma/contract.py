"""Calling a mechanism: one answer per epoch, checked, with both pools filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from trilemma.batch import Batch, alike
from trilemma.errors import PluginError, words
from trilemma.forks import FORKS, refuse_fork
from trilemma.limits import is_ours
from trilemma.model import OVERPAYMENT, AnyArray, Epoch, FloatArray, Mechanism, Rewards

__all__ = [
    "Pay",
    "asked",
    "call",
    "call_each",
    "call_twice",
    "copied",
    "refuse_change",
    "takes_batches",
]

Answer = TypeVar("Answer")

CHUNK = 1 << 20  # bytes of weights in a batch: more leaves the cache, less gains less
FEWEST = 4  # epochs in a batch: two are asked sooner one by one (Yuma: 60 us instead of 78)
# As methods they take 1 us more each, and there are ten of them in a play.
add, least, most = np.add.reduce, np.minimum.reduce, np.maximum.reduce
SLACK = 1e-9  # by which a batch may differ from its epochs alone


@dataclass(frozen=True, eq=False)
class Pay:
    """Checked rewards: `miners` (m,) and `validators` (n,), each summing to at most 1.

    `carry` is what the mechanism wants to see in the next epoch.
    """

    miners: FloatArray
    validators: FloatArray
    carry: Any = None

    @classmethod
    def together(cls, pays: Sequence[Pay]) -> Pay:
        """Return the pays of epochs of one shape as one with a leading axis, without carry."""
        return cls(np.array([it.miners for it in pays]), np.array([it.validators for it in pays]))

    def total(self, xi: float) -> FloatArray:
        """Return the share of all pay that is paid out; xi is the validators' part."""
        return np.asarray(xi * add(self.validators, -1) + (1 - xi) * add(self.miners, -1))


def call(name: str, mechanism: Mechanism, epoch: Epoch) -> Pay:
    """Return what a mechanism pays in an epoch.

    Raises
    ------
    PluginError
        If it raises, writes to the epoch, or answers with a wrong shape, NaN, a negative or an
        over-paying pool.
    """
    shown = epoch.trusting()  # its own: others see the same arrays, which nobody can write to
    rewards = _rewards(name, mechanism, shown)
    if not epoch.is_same(shown):
        raise PluginError(f"{name} wrote to the epoch it was given; copy what you change")
    n, m = epoch.weights.shape
    miners = _pool(name, "miners", rewards.miners, (m,))
    if rewards.validators is None:
        return Pay(miners, _by_stake(epoch.stake), rewards.carry)
    return Pay(miners, _pool(name, "validators", rewards.validators, (n,)), rewards.carry)


def call_twice(name: str, mechanism: Mechanism, epoch: Epoch) -> Pay:
    """Return what a mechanism pays, having asked twice.

    Raises
    ------
    PluginError
        As `call`; also for two answers to one epoch.
    """
    first = call(name, mechanism, epoch)
    refuse_change(name, first, call(name, mechanism, epoch))
    return first


def call_each(name: str, mechanism: Mechanism, epochs: Sequence[Epoch]) -> list[Pay]:
    """Return what a mechanism pays in each epoch, asked in batches if it takes them.

    Raises
    ------
    PluginError
        As `call`.
    """
    if len(epochs) >= FEWEST and takes_batches(name, mechanism):
        batch = epochs if isinstance(epochs, Batch) else Batch(epochs)
        if alike(batch.epochs):
            size = max(1, CHUNK // batch.epochs[0].weights.nbytes)
            starts = range(0, len(batch), size)
            parts = [_call_batch(name, mechanism, batch[at : at + size]) for at in starts]
            return [pay for part in parts for pay in part]
    return [call(name, mechanism, epoch) for epoch in epochs]


def takes_batches(name: str, mechanism: Mechanism) -> bool:
    """Tell whether a mechanism declares that it takes a leading axis."""
    try:
        return getattr(mechanism, "batched", False) is True
    except Exception as error:
        raise PluginError(f"{name}.batched failed: {_line(error)}") from error


def _call_batch(name: str, mechanism: Mechanism, batch: Batch) -> list[Pay]:
    shown: Any = batch.shown()  # its own, as in `call`
    rewards = _rewards(name, mechanism, shown)
    if not batch.is_same(shown):
        raise PluginError(f"{name} wrote to an epoch of its batch; copy what you change")
    size, (n, m) = len(batch), batch.epochs[0].weights.shape
    miners = _pool(name, "miners", rewards.miners, (size, m))
    if rewards.validators is None:
        validators = np.stack([_by_stake(stake) for stake in batch.stake])
    else:
        validators = _pool(name, "validators", rewards.validators, (size, n))
    return [Pay(*pools) for pools in zip(miners, validators, strict=True)]


def asked(name: str, function: Callable[[Epoch], Answer], epoch: Epoch) -> Answer:
    """Return what somebody else's function says of an epoch.

    Raises
    ------
    PluginError
        If it raises whatever it may be, or forks.
    """
    before = FORKS.count
    try:
        return function(epoch)
    except BaseException as error:
        if is_ours(error):
            raise
        raise PluginError(f"{name} failed: {type(error).__name__}: {_line(error)}") from error
    finally:
        if FORKS.count != before:
            refuse_fork(name, before)


def _rewards(name: str, mechanism: Mechanism, epoch: Epoch) -> Rewards:
    answer = asked(name, mechanism, epoch)
    return answer if isinstance(answer, Rewards) else Rewards(answer)


def copied(mechanism: Mechanism) -> Mechanism:
    """Return a deep copy of a mechanism, or itself where it cannot be copied."""
    try:
        return deepcopy(mechanism)
    except Exception:  # a lock, an open file, a copy method that fails: anything may be in there
        return mechanism


def refuse_change(name: str, first: Pay, second: Pay, slack: float = 0) -> None:
    """Raise where two answers to one epoch differ by more than some slack."""
    same_miners = _same(first.miners, second.miners, slack)
    if not (same_miners and _same(first.validators, second.validators, slack)):
        raise PluginError(
            f"{name} gave two answers for one epoch; a mechanism is a function of the epoch "
            "(offer the expectation of a lottery, and keep state in `carry`)"
        )


def _same(first: FloatArray, second: FloatArray, slack: float) -> bool:
    return np.array_equal(first, second) or bool(np.abs(first - second).max() <= slack)


def _pool(name: str, pool: str, values: AnyArray, shape: tuple[int, ...]) -> FloatArray:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(array.dtype.name)
        array = array.astype(np.float64, copy=False)
    except Exception as error:  # of an array of its own making
        if is_ours(error):
            raise
        raise PluginError(f"{name}: rewards for {pool} are not numbers ({_line(error)})") from error
    if array.shape != shape:
        raise PluginError(f"{name}: rewards for {pool} have shape {array.shape}, not {shape}")
    # Written so that NaN fails: two reductions on the way that is always taken.
    if not (least(array, None) >= 0 and most(add(array, -1), None) <= 1 + OVERPAYMENT):
        raise PluginError(f"{name}: rewards for {pool} {_faults(array)}")
    return array


def _faults(array: FloatArray) -> str:
    """Say what is wrong with a pool, or with the first of a batch that is wrong."""
    for row in array.reshape(-1, array.shape[-1]):
        if not (row.min() >= 0 and row.sum() <= 1 + OVERPAYMENT):
            return _fault(row)
    raise AssertionError("no pool is at fault")


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
    return words(error) or "no message"
