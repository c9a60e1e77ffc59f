"""What an adversary is after: pay beyond its due, or one of two equals cut off."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple, Protocol

import numpy as np

from trilemma.checks import NOTHING
from trilemma.contract import Pay
from trilemma.model import Epoch, FloatArray, IntArray, World
from trilemma.scene import Scene
from trilemma.twins import TwinTest, loss, outcome_of

__all__ = ["Cut", "Gain", "Goal", "Value", "affordable", "epochs_at", "net"]


class Value(NamedTuple):
    """How far a plan gets in its worlds.

    Parameters
    ----------
    harm : float
        The share of the others' pay that it takes, or of the target's due that it cuts off,
        before identities are paid for.
    extra : float
        Identities beyond the first ones.
    means : float
        What one identity costs in units of `harm` at a price of 1 (gain), or what the coalition
        can spend (cut).
    """

    harm: float
    extra: float
    means: float


class Goal(Protocol):
    """What plans are judged by."""

    worlds: tuple[World, ...]
    """The honest worlds a play is made in."""
    shares: tuple[float | None, ...]
    """The stake shares on offer; None: what the adversary holds."""

    def values(self, scenes: Sequence[Scene], pays: Sequence[Pay], places: IntArray) -> list[Value]:
        """Return how far each of b plays gets that led to these scenes, one a world.

        Parameters
        ----------
        scenes : sequence of Scene
        pays : sequence of Pay
            One a world, with a leading axis of plays.
        places : ndarray of int, shape (b,)
            Which of the stake shares on offer the adversary holds.
        """

    def value(self, scenes: Sequence[Scene], pays: Sequence[Pay], place: int) -> Value:
        """Return how far one play gets."""
        return self.values(scenes, [Pay.together([it]) for it in pays], np.array([place]))[0]

    def worth(self, value: Value) -> float:
        """Return the number to be raised; minus infinity where it cannot be afforded."""


class Gain(Goal):
    """The adversary's pay beyond what it gets when honest, in units of the others' pay.

    Parameters
    ----------
    world : World
        Honest.
    shares : sequence of float or None
        Stake shares that it may hold; None: what it holds.
    fair, rest : ndarray, shape (s,)
        Its pay and the others' when it is honest, by share.
    price : float
        Of an identity, in units of all pay.
    xi : float
        The validators' part of all pay.
    """

    def __init__(
        self,
        world: World,
        shares: Sequence[float | None],
        fair: FloatArray,
        rest: FloatArray,
        price: float,
        xi: float,
    ) -> None:
        self.worlds, self.shares = (world,), tuple(shares)
        self.fair, self.rest, self.price, self.xi = fair, rest, price, xi

    @classmethod
    def of(
        cls,
        world: World,
        shares: Sequence[float | None],
        pays: Sequence[Pay],
        price: float,
        xi: float,
    ) -> Gain:
        """Return the goal where honest epochs at these shares lead to these pays."""
        scene = Scene.of(world)
        pay = Pay.together(pays)
        fair = scene.own(pay, xi)
        return cls(world, shares, fair, pay.total(xi) - fair, price, xi)

    def values(self, scenes: Sequence[Scene], pays: Sequence[Pay], places: IntArray) -> list[Value]:
        """Return what each play takes of the others' pay."""
        rest, gain = self.rest[places], scenes[0].own(pays[0], self.xi) - self.fair[places]
        means = np.divide(1, rest, out=np.zeros_like(rest), where=rest >= NOTHING)
        taken = np.divide(gain, rest, out=np.zeros_like(rest), where=rest >= NOTHING)
        extra = _extra(self.worlds[0], scenes[0])
        return [Value(*it) for it in zip(taken.tolist(), repeat(extra), means.tolist())]

    def worth(self, value: Value) -> float:
        """Return the gain after identities are paid for."""
        return net(value, self.price)


class Cut(Goal):
    """The part of its due that one of two equals loses, over an exchanged pair of worlds.

    Parameters
    ----------
    pair : tuple of World
        Honest, with the coalition as adversary.
    twin, paid : float
        When all are honest: what a twin gets over the pair, and the share of pay paid out.
    means : float
        The coalition's own honest pay, out of which it buys identities.
    price, xi : float
        As in `Gain`.
    """

    shares = (None,)

    def __init__(
        self,
        pair: tuple[World, World],
        twin: float,
        paid: float,
        means: float,
        price: float,
        xi: float,
    ) -> None:
        self.worlds = pair
        self.twin, self.paid, self.means, self.price, self.xi = twin, paid, means, price, xi

    @classmethod
    def of(cls, test: TwinTest, pays: Sequence[Pay], price: float, xi: float) -> Cut:
        """Return the goal where the honest epochs of a test lead to these pays."""
        scenes = test.honest()
        done = outcome_of(pays, scenes, xi)
        both = zip(pays, scenes, strict=True)
        means = xi * float(np.mean([pay.validators[at.own_validators].sum() for pay, at in both]))
        return cls(test.pair, float(done.twins.mean()), float(done.paid), means, price, xi)

    def values(self, scenes: Sequence[Scene], pays: Sequence[Pay], places: IntArray) -> list[Value]:  # noqa: ARG002
        """Return the target's losses, or the shares of all pay that vanish if they are more."""
        done = outcome_of(pays, scenes, self.xi)
        burnt = 1 - done.paid / self.paid if self.paid >= NOTHING else np.zeros_like(done.paid)
        harm = np.clip(np.maximum(loss(done.twins, np.asarray(self.twin)), burnt), 0.0, 1.0)
        extra = _extra(self.worlds[0], scenes[0])
        return [Value(it, extra, self.means) for it in harm.tolist()]

    def worth(self, value: Value) -> float:
        """Return the harm, if the coalition can pay for its identities."""
        return affordable(value, self.price)


def net(value: Value, price: float) -> float:
    """Return the gain of an attacker after its identities are paid for."""
    return value.harm - price * value.extra * value.means


def affordable(value: Value, price: float) -> float:
    """Return the harm of a coalition, minus infinity if it cannot pay for its identities."""
    return value.harm if price * value.extra <= value.means + NOTHING else -np.inf


def epochs_at(scene: Scene, shares: Sequence[float | None]) -> Sequence[Epoch]:
    """Return the epochs in which the adversary holds each share; None: what it holds."""
    known = [share for share in shares if share is not None]
    return scene.at(known) if known else [scene.epoch] * len(shares)


def _extra(world: World, scene: Scene) -> int:
    before, after = world.weights.shape, scene.epoch.weights.shape
    return int(sum(after) - sum(before))
