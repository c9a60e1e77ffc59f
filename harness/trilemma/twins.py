"""The twin test: two equal miners, and the coalitions that try to cut off one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from trilemma.attacks.censorship import EVERY_CHANNEL
from trilemma.attacks.moves import sequence
from trilemma.contract import Pay
from trilemma.entrant import Entrant
from trilemma.model import FloatArray, IntArray, Play, World, changed
from trilemma.scene import Scene

__all__ = [
    "LARGEST_COALITION",
    "Coalition",
    "Outcome",
    "TwinTest",
    "by_stake",
    "grown",
    "loss",
    "scripted",
]

LARGEST_COALITION = 10
PROMISING = 12  # kinds of principals that a coalition may grow by, at every step

Coalition: TypeAlias = tuple[int, ...]
"""Ranks of its members by stake, 0 the largest: fixed before a world is drawn."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a play did in a world and in its exchanged copy; of several plays, with a leading axis.

    Parameters
    ----------
    twins : ndarray, shape (2,)
        Pay of the target and of the other twin, summed over the pair.
    paid : ndarray, shape ()
        Share of all pay that is paid out, mean over the pair.
    """

    twins: FloatArray
    paid: FloatArray


@dataclass(frozen=True, eq=False)
class TwinTest:
    """A world and its copy in which what is said and bought of the twins is exchanged.

    Summed over the two, honest reports treat the twins alike, up to rounding.
    """

    pair: tuple[World, World]
    before: TwinTest | None = None  # the same with another adversary, whose epochs these are

    @classmethod
    def of(cls, world: World) -> TwinTest:
        """Pair a world with its exchanged copy."""
        weights = _exchanged(world.weights, world.twins)
        flows = None if world.flows is None else _exchanged(world.flows, world.twins)
        return cls((world, changed(world, weights=weights, flows=flows)))

    def by(self, coalition: Coalition) -> TwinTest:
        """Return this test with a coalition as the adversary."""
        insiders = members(self.pair[0], coalition)
        one, other = (changed(world, adversary=insiders) for world in self.pair)
        return TwinTest((one, other), self)

    def honest(self) -> list[Scene]:
        """Return the scenes in which nobody attacks."""
        return self._scenes

    @cached_property
    def _scenes(self) -> list[Scene]:
        if self.before is None:
            return [Scene.of(world) for world in self.pair]
        honest = zip(self.before.honest(), self.pair, strict=True)
        return [scene.after(world) for scene, world in honest]

    def attacked(self, play: Play) -> list[Scene]:
        """Return the scenes in which the adversary makes a play."""
        # every play has a world object of its own
        return [scene.after(play.act(changed(scene.world))) for scene in self.honest()]


def _exchanged(matrix: FloatArray, twins: tuple[int, ...]) -> FloatArray:
    exchanged = matrix.copy()
    exchanged[:, list(twins)] = matrix[:, list(twins[::-1])]
    return exchanged


def outcome(entrant: Entrant, scenes: Sequence[Scene], xi: float) -> Outcome | None:
    """Return what a mechanism makes of a pair of scenes; None once it has failed."""
    pays = entrant.pays([scene.epoch for scene in scenes])
    return None if pays is None else outcome_of(pays, scenes, xi)


def outcome_of(pays: Sequence[Pay], scenes: Sequence[Scene], xi: float) -> Outcome:
    """Return what the pays mean in a pair of scenes."""
    one, other = (pay.miners.take(at.twins, -1) for pay, at in zip(pays, scenes, strict=True))
    before, after = (pay.total(xi) for pay in pays)
    return Outcome(one + other, np.asarray((before + after) / 2))


def loss(twins: FloatArray, honest: FloatArray) -> FloatArray:
    """Return the part of its due that the target loses against the other twin, in [0, 1].

    Parameters
    ----------
    twins : ndarray, shape (..., 2)
        Pay of the target and of the other twin.
    honest : ndarray
        What a twin gets when all are honest; broadcast against the leading axes.
    """
    due = np.minimum(twins[..., 1], honest)
    kept = np.divide(twins[..., 0], due, out=np.ones_like(due), where=due > 0)
    return np.asarray(np.clip(1 - kept, 0, 1))


def by_stake() -> list[Coalition]:
    """Return the coalitions of the 1 to 10 largest principals."""
    return _prefixes(range(LARGEST_COALITION))


def scripted(world: World) -> list[Coalition]:
    """Return the 1 to 10 largest principals, then seat holders first, then both in turn."""
    largest = list(range(min(LARGEST_COALITION, world.stake.size)))
    ranked = [int(owner) for owner in _ranked(world)]
    holders = [ranked.index(int(owner)) for owner in world.validator_owner[world.seats]]
    by_seat = list(dict.fromkeys([*holders, *largest]))
    in_turn = [rank for pair in zip(by_seat, largest, strict=False) for rank in pair]
    orders = (largest, by_seat, list(dict.fromkeys(in_turn)))
    return _prefixes(*orders)


def grown(entrant: Entrant, tests: Sequence[TwinTest], xi: float) -> list[Coalition]:
    """Return coalitions of 1 to 10 grown greedily by measured damage, through every channel.

    Every principal is tried alone; then the most promising are tried as the next member. Those
    with the same stake and seats are interchangeable, since labels are drawn at random, so one
    of each kind is tried at a time.
    """
    before = [outcome(entrant, test.honest(), xi) for test in tests]

    def damage(coalition: Coalition) -> float:
        after = [outcome(entrant, test.by(coalition).attacked(_CUT), xi) for test in tests]
        return float(np.mean([_harm(b, a) for b, a in zip(before, after, strict=True)]))

    kinds = _kinds([test.pair[0] for test in tests])
    kinds = sorted(kinds, key=lambda kind: -damage((kind[0],)))[:PROMISING]
    chosen: list[int] = []
    while kinds and len(chosen) < LARGEST_COALITION:
        worst = int(np.argmax([damage((*chosen, kind[0])) for kind in kinds]))
        chosen.append(kinds[worst].pop(0))
        kinds = [kind for kind in kinds if kind]
    return _prefixes(chosen)


def members(world: World, coalition: Coalition) -> tuple[int, ...]:
    """Return the principals at these ranks; a small world has fewer than asked for."""
    ranked = _ranked(world)
    return tuple(int(ranked[rank]) for rank in coalition if rank < ranked.size)


_CUT = Play("censorship", "every channel", sequence(*EVERY_CHANNEL), aim="twin")


def _harm(before: Outcome | None, after: Outcome | None) -> float:
    if before is None or after is None:
        return 0.0
    burnt = 1 - after.paid / before.paid if before.paid > 0 else 0.0
    return max(float(burnt), float(loss(after.twins, before.twins.mean())))


def _kinds(worlds: Sequence[World]) -> list[list[int]]:
    """Group ranks by what a principal has: the same stake and the same seats in every world."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    ranked = [_ranked(world) for world in worlds]
    for rank in range(min(len(places) for places in ranked)):
        has: list[object] = []
        for world, places in zip(worlds, ranked, strict=True):
            has += [world.stake[places[rank]], (world.seats == places[rank]).tobytes()]
        kinds.setdefault(tuple(has), []).append(rank)
    return list(kinds.values())


def _ranked(world: World) -> IntArray:
    return world.validator_owner[np.argsort(-world.stake, kind="stable")]


def _prefixes(*orders: Sequence[int]) -> list[Coalition]:
    """Return each order's first 1 to 10 as sets, every set once."""
    sizes = range(1, LARGEST_COALITION + 1)
    found = (tuple(sorted(order[:size])) for order in orders for size in sizes)
    return list(dict.fromkeys(found))
