"""The smallest play that still does most of the harm: few identities, few and round weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trilemma import registry
from trilemma.contract import call, copied
from trilemma.errors import UsageError
from trilemma.fields import normalised
from trilemma.model import BoolArray, FloatArray, Mechanism
from trilemma.scene import Scene
from trilemma.search.goals import epochs_at
from trilemma.search.plan import Plan
from trilemma.search.resizing import resized
from trilemma.search.sight import Sight
from trilemma.search.structure import Structure, staged
from trilemma.witness.witness import Witness

__all__ = ["minimised"]

KEPT = 0.95  # part of the harm that the smaller play must do
DIGITS = (1, 2, 3, 4)  # decimals tried, fewest first


def minimised(witness: Witness, mechanism: Mechanism | None = None) -> Witness:
    """Return a witness of a smaller play that does at least 95 % of the harm.

    Parameters
    ----------
    witness : Witness
    mechanism : Mechanism, optional
        Default: the one it accuses.

    Raises
    ------
    UsageError
        If the play does no harm to the mechanism, or is none that can be made smaller: accounts
        that the moves of `trilemma.attacks.moves` do not lead to.
    PluginError
        If the mechanism breaks the contract.
    """
    rule = registry.load(witness.mechanism) if mechanism is None else mechanism
    plan = Plan.read(witness.honest, witness.attacked, 0)
    if plan is None:
        raise UsageError(
            f"{witness.name}: its accounts were not made by splitting, cloning, faking"
        )
    smaller = _Smaller(witness, rule)
    if not smaller.least > 0:
        raise UsageError(f"{witness.name}: the play does no harm to {registry.label(rule)}")
    plan = smaller.identities(plan)
    plan = smaller.channels(plan)
    plan = smaller.reports(plan)
    return smaller.rounded(plan)


class _Smaller:
    """Tries smaller plans, and keeps those that do enough."""

    def __init__(self, witness: Witness, rule: Mechanism) -> None:
        self.given, self.rule, self.label = witness, rule, registry.label(rule)
        replay = witness.replay(copied(rule))
        self.goal, self.least = witness.goal(replay.before), KEPT * replay.harm

    def harm(self, plan: Plan) -> float:
        scenes = [Scene.of(plan.act(world, k)) for k, world in enumerate(self.given.honest)]
        epochs = (epochs_at(scene, (self.given.share,))[0] for scene in scenes)
        pays = [call(self.label, copied(self.rule), epoch) for epoch in epochs]
        return self.goal.worth(self.goal.value(scenes, pays, 0))

    def first(self, plans: Iterator[Plan], otherwise: Plan) -> Plan:
        """Return the first plan that does enough harm."""
        return next((plan for plan in plans if self.harm(plan) >= self.least), otherwise)

    def identities(self, plan: Plan) -> Plan:
        """Show as few identities as will do, role by role."""
        for role, least in (("parts", 1), ("clones", 0), ("fakes", 0)):
            plan = self.first(self._with_fewer(plan, role, least), plan)
        return plan

    def _with_fewer(self, plan: Plan, role: str, least: int) -> Iterator[Plan]:
        now = getattr(plan.structure, role)
        steps = sorted({least, *(2**power for power in range(now.bit_length()))})
        for count in steps:
            if least <= count < now:
                structure = plan.structure._replace(**{role: count})
                yield resized(plan, structure, self._sight(plan.structure), self._sight(structure))

    def _sight(self, structure: Structure) -> Sight:
        return Sight.of([staged(world, structure) for world in self.given.honest])

    def channels(self, plan: Plan) -> Plan:
        """Act through as few channels as will do."""
        silent = (
            replace(plan, votes=None, orders=None, flows=None, tenure=None),
            replace(plan, flows=None, tenure=None),
            replace(plan, votes=None, orders=None, tenure=None),
            replace(plan, votes=None, orders=None, flows=None),
        )
        return self.first(iter(silent), plan)

    def reports(self, plan: Plan) -> Plan:
        """Say of as many miners as possible what honest accounts say, in proportion."""
        honest = self._honest(plan)
        size = honest.shape[-1]
        while size:
            left = np.flatnonzero(_changed(plan, honest).any(axis=(0, 1)))
            for start in range(0, left.size, size):
                spared = np.isin(np.arange(honest.shape[-1]), left[start : start + size])
                said = np.where(spared, _scaled(plan, honest), plan.weights)
                plan = self.first(iter([_saying(plan, said)]), plan)
            size = min(size, left.size) // 2
        return plan

    def _honest(self, plan: Plan) -> FloatArray:
        worlds = [staged(world, plan.structure) for world in self.given.honest]
        return np.stack([world.weights[world.own_validators] for world in worlds])

    def rounded(self, plan: Plan) -> Witness:
        """Say it in as few decimals as will do."""
        changed = int(_changed(plan, self._honest(plan)).any(axis=0).sum())
        weights = f"{changed} weight{'' if changed == 1 else 's'}"
        said = ", ".join([*plan.structure.words(), weights])
        for digits in DIGITS:
            rounder = _saying(plan, np.round(plan.weights, digits))
            if self.harm(rounder) >= self.least:
                return self._witness(rounder, f"{said} in steps of {10**-digits:g}")
        return self._witness(plan, said)

    def _witness(self, plan: Plan, said: str) -> Witness:
        attacked = tuple(plan.act(world, k) for k, world in enumerate(self.given.honest))
        smaller = replace(
            self.given,
            mechanism=self.label,
            play=f"{self.given.play} [minimised: {said}]",
            attacked=attacked,
        )
        return replace(smaller, harm=smaller.replay(copied(self.rule)).harm)


def _scaled(plan: Plan, honest: FloatArray) -> FloatArray:
    """Return honest reports in the scale in which a plan repeats most of them."""
    ratio = np.divide(plan.weights, honest, out=np.zeros_like(honest), where=honest > 0)
    return np.asarray(honest * np.median(ratio, axis=-1, keepdims=True))


def _changed(plan: Plan, honest: FloatArray) -> BoolArray:
    return np.asarray(np.abs(plan.weights - _scaled(plan, honest)) > 1e-9)


def _saying(plan: Plan, said: FloatArray) -> Plan:
    rows = normalised(said.reshape(-1, said.shape[-1])).reshape(said.shape)
    return replace(plan, weights=rows)
