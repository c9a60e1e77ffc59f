"""Where plans of one structure meet a mechanism: only the adversary's own rows differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trilemma.batch import Batch
from trilemma.fields import freeze, poured
from trilemma.model import AnyArray, FloatArray, IntArray, World
from trilemma.scene import Scene
from trilemma.search.plan import Plan, per_principal
from trilemma.search.structure import Structure, held_seats, staged

__all__ = ["Arena"]


class Arena:
    """The worlds of a search with so many identities of the adversary's.

    Parameters
    ----------
    worlds : sequence of World
        Honest ones, as many as a plan has rows for.
    structure : Structure
    shares : sequence of float or None
        The stake shares on offer; None: what the adversary holds in these worlds.
    """

    def __init__(
        self, worlds: Sequence[World], structure: Structure, shares: Sequence[float | None]
    ) -> None:
        self.worlds = [staged(world, structure) for world in worlds]
        self.scenes = [Scene.of(world) for world in self.worlds]
        self.shares = shares
        self.own = self.worlds[0].own_validators
        self.held = held_seats(self.worlds[0])
        self.known: dict[tuple[int, bytes], list[FloatArray]] = {}
        self.totals = per_principal(self.worlds[0], self.own)

    def epochs(self, plans: Plan) -> Batch:
        """Return the epochs that several plans lead to, those of one world after the other.

        They are put together without validation: a plan's rows are as an epoch needs them, and
        the rest has been validated.
        """
        held = self.totals * plans.share
        fields = {"weights": self._weights(plans.weights), "stake": self._stake(plans, held)}
        bases = [scene.epoch for scene in self.scenes for _ in held]
        return Batch(bases, {**fields, **self._others(plans, held)})

    def _weights(self, said: FloatArray) -> FloatArray:
        _, columns = self.worlds[0].relabelling()
        mine = [said[:, number].take(columns, axis=-1) for number in range(len(self.scenes))]
        return self._placed("weights", self.scenes[0].own_validators, mine)

    def _stake(self, plans: Plan, held: FloatArray) -> FloatArray:
        if not (_alike(plans.place) and _alike(plans.share)):
            places = plans.place.tolist()
            rows = [
                self._at(scene, mine, place)
                for scene in self.scenes
                for mine, place in zip(held, places, strict=True)
            ]
            return freeze(np.array(rows))
        # Made once, and the same for all: a mechanism may see that nothing differs.
        key = int(plans.place[0]), plans.share[0].tobytes()
        if key not in self.known:
            self.known = {key: [freeze(self._at(it, held[0], key[0])) for it in self.scenes]}
        rows = [np.broadcast_to(stake, (len(held), stake.size)) for stake in self.known[key]]
        return rows[0] if len(rows) == 1 else freeze(np.concatenate(rows))

    def _at(self, scene: Scene, held: FloatArray, place: int) -> FloatArray:
        """Return the stakes (n,) where the adversary's accounts hold so much."""
        stake, share = scene.epoch.stake.astype(np.float64), self.shares[place]
        stake[scene.own_validators] = held
        if share is None:
            return stake
        mine, peers = scene.sides(stake)
        return share * mine + (1 - share) * peers

    def _others(self, plans: Plan, held: FloatArray) -> dict[str, AnyArray]:
        """Return the channels beside stake and weights that the plans act through."""
        _, columns = self.worlds[0].relabelling()
        own = self.scenes[0].own_validators
        acts: dict[str, tuple[IntArray, AnyArray]] = {}
        if plans.votes is not None:
            acts["votes"] = own, plans.votes[..., columns]
        if plans.flows is not None:
            acts["flows"] = own, plans.flows[..., columns] * held[..., None]
        if plans.orders is not None:
            acts["orders"] = self.held, plans.orders[..., columns]
        if plans.tenure is not None:
            acts["tenure"] = own, plans.tenure
        worlds = len(self.scenes)
        return {it: self._placed(it, at, [mine] * worlds) for it, (at, mine) in acts.items()}

    def _placed(self, name: str, places: IntArray, mine: Sequence[AnyArray]) -> AnyArray:
        """Return a field of all epochs: that of a world, with the adversary's entries (b, ...)."""
        bases = [getattr(scene.epoch, name) for scene in self.scenes]
        shape = (len(bases), len(mine[0]), *bases[0].shape)

        def fill(memory: AnyArray) -> None:
            for part, base, entries in zip(memory.reshape(shape), bases, mine, strict=True):
                part[:] = base
                part[:, places] = entries

        (filled,) = poured(fill, (int(np.prod(shape)), bases[0].dtype))
        return filled.reshape(-1, *shape[2:])


def _alike(rows: AnyArray) -> bool:
    return bool((rows == rows[0]).all())
