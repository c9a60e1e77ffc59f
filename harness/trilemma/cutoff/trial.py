"""One play in time: what a coalition does epoch after epoch, and what it costs whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trilemma.checks import real, whole
from trilemma.contract import Pay, call
from trilemma.cutoff.channels import OUTSIDERS, Channel
from trilemma.errors import UsageError
from trilemma.model import FloatArray, Mechanism, World, unchanged
from trilemma.scene import Scene
from trilemma.specs import meant
from trilemma.twins import TwinTest, loss

__all__ = ["Course", "Terms", "Trial"]

HONEST = Channel("nothing", unchanged, unchanged)


@dataclass(frozen=True)
class Terms:
    """How long a play lasts, and when a miner counts as cut off.

    Parameters
    ----------
    epochs : int
        T, the length of the play.
    delta : float
        The share of its pay over the play that a miner must lose, in (0, 1].
    outsiders : {"opposed", "absent"}
        Whether everybody else votes against every suspension, and reinstates from every seat, or
        keeps silent.
    warm_up : int
        Honest epochs before the play.
    xi : float
        The validators' part of all pay.

    Raises
    ------
    UsageError
        If a value is out of its range.
    """

    epochs: int = 30
    delta: float = 0.5
    outsiders: str = "opposed"
    warm_up: int = 16
    xi: float = 0.5

    def __post_init__(self) -> None:
        whole("terms: epochs", self.epochs, 1)
        whole("terms: warm_up", self.warm_up, 0)
        real("terms: xi", self.xi, 0, 1)
        if not real("terms: delta", self.delta, 0, 1) > 0:
            raise UsageError("terms: delta must be above 0: nobody loses less than nothing")
        if self.outsiders not in OUTSIDERS:
            raise UsageError(
                f"terms: outsiders must be opposed or absent, not {self.outsiders!r}"
                f"{meant(str(self.outsiders), OUTSIDERS)}"
            )


@dataclass(frozen=True, eq=False)
class Course:
    """What a play of T epochs does, summed over a world and its exchanged copy.

    Parameters
    ----------
    twins : ndarray, shape (T, 2)
        Pay of the target and of the other twin.
    paid, own : ndarray, shape (T,)
        All that is paid, and what the coalition is paid.
    """

    twins: FloatArray
    paid: FloatArray
    own: FloatArray

    def lost(self, honest: Course) -> float:
        """Return the share of its due that the target loses over the whole play, or burnt pay."""
        due = honest.twins.sum(axis=0).mean()
        burnt = 1 - self.paid.sum() / honest.paid.sum() if honest.paid.sum() > 0 else 0.0
        return float(max(loss(self.twins.sum(axis=0), due), min(burnt, 1.0)))

    def losses(self, honest: Course) -> FloatArray:
        """Return the same epoch by epoch, shape (T,)."""
        whole_ = np.where(honest.paid > 0, honest.paid, 1)
        return np.maximum(
            loss(self.twins, honest.twins.mean(axis=1)), np.clip(1 - self.paid / whole_, 0, 1)
        )

    def cost(self, honest: Course) -> float:
        """Return the part of its honest pay that the coalition gives up; below 0: it gains."""
        fair = honest.own.sum()
        return float(1 - self.own.sum() / fair) if fair > 0 else 0.0


class Trial:
    """A mechanism in a world with twins, after honest epochs.

    Parameters
    ----------
    label : str
        The mechanism's name in messages.
    mechanism : Mechanism
    world : World
        With twins.
    terms : Terms
    """

    def __init__(self, label: str, mechanism: Mechanism, world: World, terms: Terms) -> None:
        self.label, self.mechanism, self.terms = label, mechanism, terms
        self.pair = TwinTest.of(world).pair
        self.carries = [self._warm(world) for world in self.pair]
        self.fair = self._pays((), HONEST)

    def honest(self, members: tuple[int, ...]) -> Course:
        """Return what comes of it if nobody attacks; `own` is what the members are paid."""
        return self._course(members, self.fair)

    def run(self, members: tuple[int, ...], channel: Channel) -> Course:
        """Return what comes of it if these principals act through a channel."""
        return self._course(members, self._pays(members, channel))

    def _course(self, members: tuple[int, ...], pays: Sequence[Sequence[Pay]]) -> Course:
        twins, paid, own = [], [], []
        for world, paid_out in zip(self.pair, pays, strict=True):
            seen = Scene.of(replace(world, adversary=members))
            twins.append([pay.miners[seen.twins] for pay in paid_out])
            paid.append([pay.total(self.terms.xi) for pay in paid_out])
            own.append([seen.own(pay, self.terms.xi) for pay in paid_out])
        return Course(*(np.sum(it, axis=0) for it in (twins, paid, own)))

    def _warm(self, world: World) -> Any:
        """Return what the honest epochs before the play leave behind."""
        pays = self._played(world, (), HONEST, None, self.terms.warm_up)
        return pays[-1].carry if pays else None

    def _pays(self, acting: tuple[int, ...], channel: Channel) -> list[list[Pay]]:
        return [
            self._played(world, acting, channel, carry, self.terms.epochs)
            for world, carry in zip(self.pair, self.carries, strict=True)
        ]

    def _played(
        self, world: World, acting: tuple[int, ...], channel: Channel, carry: Any, epochs: int
    ) -> list[Pay]:
        base = OUTSIDERS[self.terms.outsiders](replace(world, adversary=acting))
        first, later = channel.first(base).epoch(), channel.later(base).epoch()
        pays: list[Pay] = []
        for number in range(epochs):
            if number > 1 and carry is None:  # a function of the epoch, which is the same again
                return pays + pays[-1:] * (epochs - number)
            epoch = later if number else first
            pays.append(call(self.label, self.mechanism, epoch.replace(carry=carry)))
            carry = pays[-1].carry
        return pays
