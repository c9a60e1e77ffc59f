"""What was found against one mechanism, tried on the others.

It never changes a score, so that adding a mechanism changes nobody else's numbers; where it does
more harm than a mechanism's own search, that search looks unconverged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trilemma.entrant import Entrant
from trilemma.model import Budget, FloatArray, World
from trilemma.scene import Scene
from trilemma.search import SEARCHED, Cut, Gain, Goal, Witnessed
from trilemma.search.goals import epochs_at
from trilemma.twins import Coalition, TwinTest

__all__ = ["Stage", "replayed"]


@dataclass(frozen=True, eq=False)
class Stage:
    """A world in both versions, where plans are tried.

    Parameters
    ----------
    world : World
        Honest, with an attacker.
    test : TwinTest
    budget : Budget
    xi : float
    """

    world: World
    test: TwinTest
    budget: Budget
    xi: float

    def goal(self, entrant: Entrant, coalition: Coalition) -> Goal | None:
        """Return what is tried against a mechanism; None where it has failed."""
        price = self.budget.identity_cost
        if not coalition:
            shares = self.budget.stakes
            pays = entrant.pays(epochs_at(Scene.of(self.world), shares))
            return Gain.of(self.world, shares, pays, price, self.xi) if pays else None
        test = self.test.by(coalition)
        pays = entrant.pays([scene.epoch for scene in test.honest()])
        return Cut.of(test, pays, price, self.xi) if pays else None

    def worth(self, entrant: Entrant, goal: Goal | None, witnessed: Witnessed) -> float:
        """Return what a plan is worth against a mechanism; NaN where it has failed."""
        if goal is None:
            return np.nan
        plan = witnessed.found.plan
        scenes = [Scene.of(plan.act(world, k)) for k, world in enumerate(goal.worlds)]
        share = (goal.shares[int(plan.place)],)
        pays = entrant.pays([epochs_at(scene, share)[0] for scene in scenes])
        return np.nan if pays is None else goal.worth(goal.value(scenes, pays, int(plan.place)))


def replayed(
    stage: Stage, entrant: Entrant, found: Mapping[str, Sequence[Witnessed]]
) -> dict[str, FloatArray]:
    """Try on one mechanism what was found against others.

    Parameters
    ----------
    stage : Stage
    entrant : Entrant
        The one it is tried on.
    found : mapping of str to sequence of Witnessed
        By whom it was found against.

    Returns
    -------
    dict of str to ndarray, shape (f, 1 + sizes)
        What those plans are worth, by identities and aim, as in `Cell.found`. Nothing once the
        mechanism has failed.
    """
    goals: dict[Coalition, Goal | None] = {}
    worths: dict[str, FloatArray] = {}
    for other, plans in found.items():
        for coalition in {one.coalition for one in plans} - goals.keys():
            goals[coalition] = stage.goal(entrant, coalition)
        tried = [stage.worth(entrant, goals[one.coalition], one) for one in plans]
        worths[other] = np.array(tried, np.float64).reshape(-1, 1 + len(SEARCHED))
    entrant.confirm()
    return {} if entrant.failure else worths
