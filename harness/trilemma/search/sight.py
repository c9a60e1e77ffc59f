"""What an adversary sees before it plays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trilemma.model import FloatArray, IntArray, World
from trilemma.search.structure import held_seats

__all__ = ["Sight"]


@dataclass(frozen=True, eq=False)
class Sight:
    """What an adversary sees of its worlds, in the structure it has chosen.

    Parameters
    ----------
    peers : ndarray, shape (w, m)
        The stake-weighted mean of the others' reports.
    order : ndarray of int, shape (m,)
        Miners by that mean, in the first world, best first.
    own : ndarray of int
        Its own miners.
    twins : tuple of int
        The target and the other twin; empty where there are none.
    seats : int
        How many privileged seats it holds.
    principals : ndarray of int, shape (q,)
        Whose account each of its accounts is, numbered from 0.
    """

    peers: FloatArray
    order: IntArray
    own: IntArray
    twins: tuple[int, ...]
    seats: int
    principals: IntArray

    @cached_property
    def rank(self) -> IntArray:
        """Place of each miner in `order`, (m,)."""
        return np.argsort(self.order)

    @cached_property
    def opposite(self) -> FloatArray:
        """The peers' mean with the worst miner in the place of the best, and so on, (w, m)."""
        turned = np.empty_like(self.peers)
        turned[:, self.order] = self.peers[:, self.order[::-1]]
        return turned

    @classmethod
    def of(cls, worlds: list[World]) -> Sight:
        """Look at worlds that have the structure."""
        world = worlds[0]
        peers = np.stack([_mean_report(it) for it in worlds])
        order = np.argsort(-peers[0], kind="stable")
        _, principals = np.unique(world.validator_owner[world.own_validators], return_inverse=True)
        held = held_seats(world).size
        return cls(peers, order, world.own_miners, world.twins, held, principals)


def _mean_report(world: World) -> FloatArray:
    stake = world.stake.astype(np.float64)
    stake[world.own_validators] = 0
    total = stake.sum()
    mean = stake @ world.weights / total if total > 0 else world.weights.mean(axis=0)
    return np.asarray(mean)
