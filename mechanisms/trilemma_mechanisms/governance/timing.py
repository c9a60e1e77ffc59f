"""When a decision bites, and for how long."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray
from trilemma_mechanisms.governance.bodies import Keys, Vote
from trilemma_mechanisms.governance.ruling import Ruling, Suspension, asked, decided, shape
from trilemma_mechanisms.influence import takes_batches

__all__ = ["Delayed", "Lasting", "require_epochs"]


class Pending(NamedTuple):
    """Suspensions on their way: `due` (d, ..., m), the first of them now."""

    due: AnyArray
    inner: Any


@dataclass(frozen=True)
class Delayed:
    """A suspension takes effect some epochs after it was decided, unless it is taken back.

    What reinstates does so at once.

    Parameters
    ----------
    of : Suspension
    epochs : int
        At least 1.
    """

    of: Suspension = field(default_factory=Vote)
    epochs: int = 7

    def __post_init__(self) -> None:
        require_epochs("epochs", self.epochs, 1)

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the body does."""
        return takes_batches(self.of)

    @property
    def waits(self) -> int:
        """Epochs until it acts."""
        return self.epochs

    def __call__(self, epoch: Epoch) -> Ruling:
        nothing = np.zeros((int(self.epochs), *shape(epoch)), np.bool_)
        before: Pending = epoch.carry or Pending(nothing, None)
        ruling = asked(self.of, epoch, before.inner)
        undone = ruling.decision == -1
        due = before.due & ~undone
        pending = np.concatenate([due[1:], (ruling.decision == 1)[None]])
        return Ruling(decided(due[0], undone), Pending(pending, ruling.carry))


class Terms(NamedTuple):
    """Epochs of suspension, then of rest, that are left to each miner; both (..., m)."""

    left: FloatArray
    rest: FloatArray
    inner: Any


@dataclass(frozen=True)
class Lasting:
    """What was decided once lasts until it expires or is taken back.

    Decisions during a suspension do not lengthen it; after it the miner is safe for a while.

    Parameters
    ----------
    of : Suspension
    epochs : int or inf
        How long a suspension lasts; infinity: until it is taken back.
    cooldown : int
        Epochs after a suspension in which no other one begins.
    """

    of: Suspension = field(default_factory=Keys)
    epochs: float = math.inf
    cooldown: int = 0

    def __post_init__(self) -> None:
        if self.epochs != math.inf:
            require_epochs("epochs", self.epochs, 1)
        require_epochs("cooldown", self.cooldown, 0)

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the body does."""
        return takes_batches(self.of)

    def __call__(self, epoch: Epoch) -> Ruling:
        none = np.zeros(shape(epoch))
        left, rest, inner = epoch.carry or Terms(none, none, None)
        ruling = asked(self.of, epoch, inner)
        begins = (ruling.decision == 1) & (left <= 0) & (rest <= 0)
        undone = ruling.decision == -1
        under = np.where(begins, self.epochs, left)
        suspended = (under > 0) & ~undone
        left = np.where(suspended, under - 1, 0)
        over = (under > 0) & (left <= 0)
        rest = np.where(over, self.cooldown, np.maximum(rest - 1, 0))
        return Ruling(decided(suspended, undone), Terms(left, rest, ruling.carry))


def require_epochs(name: str, value: float, least: int) -> None:
    """Raise ValueError unless a value is a whole number of epochs, at least so many."""
    if isinstance(value, bool) or not math.isfinite(value) or value != int(value) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, not {value}")
