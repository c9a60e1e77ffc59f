"""Who is heard before a suspension takes effect, and who can undo it afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from trilemma import kernels
from trilemma.model import AnyArray, Epoch, FloatArray
from trilemma_mechanisms.governance.bodies import Keys, Vote, require_seats, said_by
from trilemma_mechanisms.governance.ruling import Ruling, Suspension, asked, decided, shape
from trilemma_mechanisms.governance.timing import require_epochs
from trilemma_mechanisms.influence import takes_batches

__all__ = ["Appeal", "Review"]

PANELS = tuple(range(3, 35))  # after three seats with keys: two panels of 16


class Docket(NamedTuple):
    """Epochs since each proposal was approved, (..., m); below 0: there is none."""

    age: FloatArray
    inner: Any


@dataclass(frozen=True)
class Review:
    """What one body approves is scheduled, and a panel's support moves the date.

    It takes effect in one epoch: `lasting` makes it last. An approval that stands is scheduled
    again. Net support p, as a part of what decides at once, moves it by c = 1 - (1 - p)**3: to
    `delay * (1 - c)` where support leads, and towards `longest` where rejection does. Source:
    opentensor/subtensor, branch governance-wiring, docs/governance/README.md: three of a
    triumvirate propose, two decide; 16 of economic and 16 of building weight review.

    Parameters
    ----------
    of : Suspension
        Who approves.
    panel : tuple of int
        Places in `Epoch.seats` of those who are heard.
    delay, longest : int
        Epochs until what was approved takes effect: where nobody speaks, and at most.
    enacts, cancels : float
        Shares of the panel whose approval enacts at once, and whose rejection cancels.
    """

    of: Suspension = field(default_factory=Keys)
    panel: tuple[int, ...] = PANELS
    delay: int = 1
    longest: int = 2
    enacts: float = 0.75
    cancels: float = 0.51

    def __post_init__(self) -> None:
        require_seats("panel", self.panel)
        require_epochs("delay", self.delay, 0)
        require_epochs("longest", self.longest, self.delay)
        for name in ("enacts", "cancels"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in (0, 1], not {getattr(self, name)}")

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the body that approves does."""
        return takes_batches(self.of)

    @property
    def waits(self) -> int:
        """Epochs until it acts, at most."""
        return self.longest

    def __call__(self, epoch: Epoch) -> Ruling:
        age, inner = epoch.carry or Docket(np.full(shape(epoch), -1.0), None)
        ruling = asked(self.of, epoch, inner)
        age = np.where((age < 0) & (ruling.decision == 1), 0, age)
        said = said_by(self.panel, epoch)
        ayes, nays = ((said == side).sum(axis=-2) for side in (1, -1))
        undone = (nays >= self._seats(self.cancels)) | (ruling.decision == -1)
        due = (ayes >= self._seats(self.enacts)) | (age >= self.scheduled(ayes - nays))
        enacted = (age >= 0) & due & ~undone
        age = np.where((age < 0) | enacted | undone, -1, age + 1)
        return Ruling(decided(enacted, ruling.decision == -1), Docket(age, ruling.carry))

    def scheduled(self, net: AnyArray) -> FloatArray:
        """Return after how many epochs something takes effect, by net support in seats."""
        deciding = np.where(net >= 0, self._seats(self.enacts), self._seats(self.cancels))
        # In whole numbers: with floats an epoch that is due exactly now would be missed.
        whole, stays = deciding**3, (deciding - np.minimum(np.abs(net), deciding)) ** 3
        sooner = self.delay * stays
        later = self.longest * whole - (self.longest - self.delay) * stays
        return np.asarray(np.where(net >= 0, sooner, later) / whole)

    def _seats(self, share: float) -> int:
        return kernels.needed_support(share, len(self.panel))


class Standing(NamedTuple):
    """Epochs that each suspension has lasted, and that a reversal still stands; both (..., m)."""

    age: FloatArray
    safe: FloatArray
    inner: Any
    above: Any


@dataclass(frozen=True)
class Appeal:
    """A second body can reverse a suspension within a window.

    The body is heard when it reinstates: it may have the reinstatement on record before, and
    members who want the suspension to stand do not outweigh those it takes to reverse. A
    reversal is final for a while; later the miner may be suspended again, and appeal again.

    Parameters
    ----------
    of : Suspension
        Who suspends.
    to : Suspension
        Who reverses.
    hearing : int
        Epochs that a suspension has lasted when it can be reversed at the earliest.
    window : int or inf
        Epochs after which it can no longer be reversed.
    final : int or inf
        Epochs for which a reversal stands.
    """

    of: Suspension = field(default_factory=Vote)
    to: Suspension = field(default_factory=lambda: Keys(needed=2, seats=(3, 4, 5)))
    hearing: int = 0
    window: float = math.inf
    final: float = math.inf

    def __post_init__(self) -> None:
        require_epochs("hearing", self.hearing, 0)
        for name in ("window", "final"):
            if getattr(self, name) != math.inf:
                require_epochs(name, getattr(self, name), 1)
        if self.window <= self.hearing:
            raise ValueError(
                f"window must be longer than the hearing of {self.hearing} epochs, or nothing is "
                f"ever reversed; got {self.window}"
            )

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where both bodies do."""
        return takes_batches(self.of) and takes_batches(self.to)

    @property
    def waits(self) -> int:
        """Epochs until it acts."""
        return self.hearing

    def __call__(self, epoch: Epoch) -> Ruling:
        none = np.zeros(shape(epoch))
        age, safe, inner, above = epoch.carry or Standing(none, none, None, None)
        ruling, verdict = asked(self.of, epoch, inner), asked(self.to, epoch, above)
        suspended = (ruling.decision == 1) & (safe <= 0)
        heard = (age >= self.hearing) & (age < self.window)
        reversed_ = suspended & heard & verdict.reverses
        held = suspended & ~reversed_
        carry = Standing(
            np.where(held, age + 1, 0),
            np.where(reversed_, self.final - 1, np.maximum(safe - 1, 0)),
            ruling.carry,
            verdict.carry,
        )
        return Ruling(decided(held, (ruling.decision == -1) | reversed_), carry)
