"""A world as a mechanism meets it, and what the mechanism's pay means behind the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trilemma.contract import Pay
from trilemma.model import AnyArray, Epoch, FloatArray, IntArray, World

__all__ = ["Scene"]


@dataclass(frozen=True, eq=False)
class Scene:
    """The epoch that a world shows, and where everybody stands in it.

    Parameters
    ----------
    epoch : Epoch
        Identities relabelled at random.
    validators, miners : ndarray of int, shapes (n,) and (m,)
        The place in the epoch of each of the world's identities.
    own_validators, own_miners : ndarray of int
        Places of the adversary's identities.
    twins : ndarray of int, shape (2,) or (0,)
        Places of the target and of the other twin.
    quality : ndarray, shape (m,)
        By place.
    """

    epoch: Epoch
    validators: IntArray
    miners: IntArray
    own_validators: IntArray
    own_miners: IntArray
    twins: IntArray
    quality: FloatArray

    @classmethod
    def of(cls, world: World) -> Scene:
        """Relabel a world's identities and remember where they went."""
        _, columns = world.relabelling()
        validators, miners = world.places()
        return cls(
            world.epoch(),
            validators,
            miners,
            validators[world.own_validators],
            miners[world.own_miners],
            miners[list(world.twins)],
            world.quality[columns],
        )

    def at(self, shares: Sequence[float]) -> list[Epoch]:
        """Return the epochs in which the adversary holds each of these shares of all stake."""
        mine, peers = self.sides(self.epoch.stake)
        return [self.epoch.replace(stake=share * mine + (1 - share) * peers) for share in shares]

    def sides(self, stake: AnyArray) -> tuple[FloatArray, FloatArray]:
        """Return the adversary's stake and everybody else's, each scaled to sum 1."""
        stake = stake / stake.max()
        mine = np.zeros(stake.size)
        mine[self.own_validators] = stake[self.own_validators]
        peers = stake - mine
        return mine / mine.sum(), peers / peers.sum()

    def own(self, pay: Pay, xi: float) -> float:
        """Return the adversary's pay over both pools."""
        validators = pay.validators[self.own_validators].sum()
        return float(xi * validators + (1 - xi) * pay.miners[self.own_miners].sum())

    def distance(self, pay: Pay) -> float:
        """Return the total variation between miners' pay and quality.

        A principal's miners are summed first; what is burnt counts as one more miner of
        quality 0.
        """
        gap = pay.miners - self.quality
        own = gap[self.own_miners]
        rest = np.abs(gap).sum() - np.abs(own).sum()
        return 0.5 * float(rest + abs(own.sum()) + max(0.0, 1 - pay.miners.sum()))
