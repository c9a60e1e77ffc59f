"""Where plans of one structure meet a mechanism: only the adversary's own rows differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trilemma.fields import freeze, poured
from trilemma.model import AnyArray, Epoch, FloatArray, IntArray, World
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
        self.known: dict[tuple[int, int, bytes], AnyArray] = {}
        self.totals = per_principal(self.worlds[0], self.own)

    def epochs(self, plans: Plan) -> list[list[Epoch]]:
        """Return the epochs that several plans lead to, world by world.

        They are put together without validation: a plan's rows are as an epoch needs them, and
        the rest has been validated. This takes 12 us an epoch of 64 x 128, not 90.
        """
        weights = self._weights(plans.weights)
        found = []
        held = self.totals * plans.share
        for number, scene in enumerate(self.scenes):
            stake = self._stake(scene, plans, held)
            others = self._others(scene, plans, held)
            found.append(
                [
                    scene.epoch.trusting(
                        stake=stake[b],
                        weights=weights[number, b],
                        **{name: array[b] for name, array in others.items()},
                    )
                    for b in range(len(plans.weights))
                ]
            )
        return found

    def _weights(self, said: FloatArray) -> FloatArray:
        n, m = self.scenes[0].epoch.weights.shape
        shape = (len(self.scenes), len(said), n, m)

        def fill(memory: FloatArray) -> None:
            whole = memory.reshape(shape)
            for number, (world, scene) in enumerate(zip(self.worlds, self.scenes, strict=True)):
                _, columns = world.relabelling()
                whole[number] = scene.epoch.weights
                whole[number][:, scene.own_validators] = said[:, number].take(columns, axis=-1)

        (filled,) = poured(fill, (int(np.prod(shape)), np.float64))
        return filled.reshape(shape)

    def _stake(self, scene: Scene, plans: Plan, held: FloatArray) -> list[FloatArray]:
        if not (_alike(plans.place) and _alike(plans.share)):
            return [
                freeze(self._at(scene, mine, place))
                for mine, place in zip(held, plans.place.tolist(), strict=True)
            ]
        # One object for all, made once: a mechanism may see that nothing differs.
        key = id(scene), int(plans.place[0]), plans.share[0].tobytes()
        if key not in self.known:
            self.known = {key: freeze(self._at(scene, held[0], key[1]))}
        return [self.known[key]] * len(held)

    def _at(self, scene: Scene, held: FloatArray, place: int) -> FloatArray:
        """Return the stakes (n,) where the adversary's accounts hold so much."""
        stake, share = scene.epoch.stake.astype(np.float64), self.shares[place]
        stake[scene.own_validators] = held
        if share is None:
            return stake
        mine, peers = scene.sides(stake)
        return share * mine + (1 - share) * peers

    def _others(self, scene: Scene, plans: Plan, held: FloatArray) -> dict[str, AnyArray]:
        """Return the channels beside stake and weights that the plans act through."""
        _, columns = self.worlds[0].relabelling()
        count, own = len(held), scene.own_validators
        acted: dict[str, AnyArray] = {}
        if plans.votes is not None:
            acted["votes"] = _placed(scene.epoch.votes, own, plans.votes[..., columns], count)
        if plans.flows is not None:
            flows = plans.flows[..., columns] * held[..., None]
            acted["flows"] = _placed(scene.epoch.flows, own, flows, count)
        if plans.orders is not None:
            acted["orders"] = _placed(
                scene.epoch.orders, self.held, plans.orders[..., columns], count
            )
        if plans.tenure is not None:
            acted["tenure"] = _placed(scene.epoch.tenure, own, plans.tenure, count)
        return acted


def _alike(rows: AnyArray) -> bool:
    return bool((rows == rows[0]).all())


def _placed(base: AnyArray, places: IntArray, mine: AnyArray, count: int) -> AnyArray:
    """Return frozen copies of a base with the adversary's entries in their places."""
    shape = (count, *base.shape)

    def fill(memory: AnyArray) -> None:
        whole = memory.reshape(shape)
        whole[:] = base
        whole[:, places] = mine

    (filled,) = poured(fill, (int(np.prod(shape)), base.dtype))
    return filled.reshape(shape)
