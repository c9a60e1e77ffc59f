"""A play as arrays: what the search changes, and what a witness keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trilemma.model import AnyArray, FloatArray, IntArray, World, changed
from trilemma.search.structure import Structure, held_seats, staged

__all__ = ["Plan", "per_principal"]


@dataclass(frozen=True, eq=False)
class Plan:
    """What an adversary's q accounts do in w worlds, before m miners; h are the seats it holds.

    Several plans of one structure are one with a leading axis in every array.

    Parameters
    ----------
    structure : Structure
    place : ndarray of int, shape ()
        Which of the stake shares on offer the adversary holds.
    share : ndarray, shape (q,)
        Each account's part of its principal's stake.
    weights : ndarray, shape (w, q, m)
        What each account reports in each world; rows sum to 1 or 0.
    votes, orders, flows : ndarray, shapes (q, m), (h, m), (q, m), optional
        As in `Epoch`. None: nobody acts. Flows are in units of the account's stake.
    tenure : ndarray, shape (q,), optional
        As in `Epoch`.
    """

    structure: Structure
    place: AnyArray
    share: FloatArray
    weights: FloatArray
    votes: AnyArray | None = None
    orders: AnyArray | None = None
    flows: FloatArray | None = None
    tenure: FloatArray | None = None

    @classmethod
    def read(
        cls, worlds: tuple[World, ...], attacked: tuple[World, ...], place: int
    ) -> Plan | None:
        """Return the plan that leads from worlds to attacked ones; None if there is none."""
        before, after = worlds[0], attacked[0]
        own = after.own_validators
        peers = np.delete(after.weights, own, axis=0)
        appended = peers[:, before.quality.size :]
        clones = int(np.count_nonzero(appended.any(axis=0)))
        parts = own.size // max(before.own_validators.size, 1)
        held = held_seats(after)
        plan = cls(
            Structure(parts, clones, appended.shape[1] - clones),
            np.asarray(place),
            _ratio(after.stake[own], per_principal(after, own)),
            np.stack([world.weights[own] for world in attacked]),
            _acted(after.votes, own),
            _acted(after.orders, held),
            _acted(after.flows, own, scale=after.stake[own, None]),
            None if after.tenure is None else after.tenure[own],
        )
        return plan if all(map(plan._leads, range(len(worlds)), worlds, attacked)) else None

    def _leads(self, number: int, world: World, attacked: World) -> bool:
        found = staged(world, self.structure)
        if found.weights.shape != attacked.weights.shape:
            return False
        found = self.within(found, number)
        return np.array_equal(found.validator_owner, attacked.validator_owner) and all(
            np.allclose(one, other, rtol=1e-12, atol=0)
            for one, other in ((found.weights, attacked.weights), (found.stake, attacked.stake))
        )

    def act(self, world: World, number: int = 0) -> World:
        """Return what the plan makes of an honest world, the number-th of its own."""
        return self.within(staged(world, self.structure), number)

    def within(self, world: World, number: int = 0) -> World:
        """Return what the plan makes of a world that has its structure already."""
        own = world.own_validators
        stake = world.stake.astype(np.float64)
        stake[own] = per_principal(world, own) * self.share
        weights = world.weights.copy()
        weights[own] = self.weights[number]
        shape = weights.shape
        flows = None if self.flows is None else self.flows * stake[own, None]
        return changed(
            world,
            stake=stake,
            weights=weights,
            votes=_written(shape, own, self.votes, world.votes),
            orders=_written(
                (world.seats.size, shape[1]), held_seats(world), self.orders, world.orders
            ),
            flows=_written(shape, own, flows, world.flows),
            tenure=_tenure(world, own, self.tenure),
        )

    def repeated(self, count: int) -> Plan:
        """Return as many plans like this one."""
        return self._each(lambda array: np.repeat(array[None], count, axis=0))

    def part(self, start: int, stop: int) -> Plan:
        """Return some of several plans, those from `start` to before `stop`."""
        return self._each(lambda array: array[start:stop])

    def at(self, index: int) -> Plan:
        """Return one of several plans."""
        return self._each(lambda array: np.array(array[index]))

    def _each(self, change: Callable[[AnyArray], AnyArray]) -> Plan:
        acts = (self.votes, self.orders, self.flows, self.tenure)
        return Plan(
            self.structure,
            change(self.place),
            change(self.share),
            change(self.weights),
            *(None if array is None else change(array) for array in acts),
        )


def per_principal(world: World, own: IntArray) -> FloatArray:
    """Return for each own account the stake of its principal."""
    owner = world.validator_owner[own]
    return np.asarray(np.bincount(owner, world.stake[own])[owner])


def _acted(
    everybody: AnyArray | None, own: IntArray, scale: AnyArray | None = None
) -> AnyArray | None:
    if everybody is None or not everybody[own].any():
        return None
    mine = everybody[own]
    return mine if scale is None else _ratio(mine, scale)


def _ratio(part: AnyArray, whole: AnyArray) -> FloatArray:
    return np.asarray(np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0))


def _written(
    shape: tuple[int, ...], own: IntArray, mine: AnyArray | None, others: AnyArray | None
) -> AnyArray | None:
    if mine is None:
        return others
    everybody = np.zeros(shape, mine.dtype) if others is None else others.copy()
    everybody[own] = mine
    return everybody


def _tenure(world: World, own: IntArray, mine: FloatArray | None) -> FloatArray | None:
    if mine is None:
        return world.tenure
    tenure = np.full(world.stake.size, np.inf) if world.tenure is None else world.tenure.copy()
    tenure[own] = mine
    return tenure
