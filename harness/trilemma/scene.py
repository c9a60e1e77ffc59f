"""A world as a mechanism meets it, and what the mechanism's pay means behind the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trilemma import fields
from trilemma.batch import Batch
from trilemma.contract import Pay, add
from trilemma.model import AnyArray, Epoch, FloatArray, IntArray, World, shown
from trilemma.relabelling import FACTS

__all__ = ["Scene"]


@dataclass(frozen=True, eq=False)
class Scene:
    """The epoch that a world shows, and where everybody stands in it.

    Parameters
    ----------
    world : World
    epoch : Epoch
        What it shows, identities relabelled at random.
    """

    world: World
    epoch: Epoch

    @classmethod
    def of(cls, world: World) -> Scene:
        """Relabel a world's identities."""
        return cls(world, world.epoch())

    def after(self, world: World) -> Scene:
        """Return the scene of what a play made of this one's world.

        What the play has left alone is neither relabelled nor validated again.
        """
        before = self.world
        sizes, others = ((it.seed, it.weights.shape) for it in (before, world))
        if sizes != others or world.seats is not before.seats:
            return Scene.of(world)
        new = [name for name in FACTS if getattr(world, name) is not getattr(before, name)]
        return Scene(world, shown(world, new, self.epoch))

    @property
    def validators(self) -> IntArray:
        """The place in the epoch of each of the world's validators, (n,)."""
        return self.world.places()[0]

    @property
    def miners(self) -> IntArray:
        """The place of each of its miners, (m,)."""
        return self.world.places()[1]

    @cached_property
    def own_validators(self) -> IntArray:
        """Places of the adversary's validators."""
        return self.validators[self.world.own_validators]

    @cached_property
    def own_miners(self) -> IntArray:
        """Places of the adversary's miners."""
        return self.miners[self.world.own_miners]

    @cached_property
    def twins(self) -> IntArray:
        """Places of the target and of the other twin: shape (2,) or (0,)."""
        return self.miners[list(self.world.twins)]

    @cached_property
    def quality(self) -> FloatArray:
        """What the miner at each place deserves, (m,)."""
        return self.world.quality[self.world.relabelling()[1]]

    def at(self, shares: Sequence[float]) -> Batch:
        """Return the epochs in which the adversary holds each of these shares of all stake."""
        mine, peers = self.sides(self.epoch.stake)
        share = np.array(shares)[:, None]
        stakes = fields.stakes(share * mine + (1 - share) * peers)
        return Batch([self.epoch] * len(shares), {"stake": stakes})

    def sides(self, stake: AnyArray) -> tuple[FloatArray, FloatArray]:
        """Return the adversary's stake and everybody else's, each scaled to sum 1."""
        stake = stake / stake.max()
        mine = np.zeros(stake.size)
        mine[self.own_validators] = stake[self.own_validators]
        peers = stake - mine
        return mine / mine.sum(), peers / peers.sum()

    def own(self, pay: Pay, xi: float) -> FloatArray:
        """Return the adversary's pay over both pools; where pay has a leading axis, each."""
        validators = add(pay.validators.take(self.own_validators, -1), -1)
        return np.asarray(
            xi * validators + (1 - xi) * add(pay.miners.take(self.own_miners, -1), -1)
        )

    def distance(self, pay: Pay) -> FloatArray:
        """Return the total variation between miners' pay and quality.

        A principal's miners are summed first; what is burnt counts as one more miner of
        quality 0. Where pay has a leading axis, that of each.
        """
        gap = pay.miners - self.quality
        own = gap.take(self.own_miners, -1)
        rest = add(np.abs(gap), -1) - add(np.abs(own), -1)
        burnt = np.maximum(0.0, 1 - add(pay.miners, -1))
        return np.asarray(0.5 * (rest + np.abs(add(own, -1)) + burnt))
