"""The adversary's search: a batched evolution strategy that starts from scripted plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle

import numpy as np

from trilemma.contract import Pay
from trilemma.entrant import Entrant
from trilemma.search.arena import Arena
from trilemma.search.goals import Goal, Value
from trilemma.search.mutations import explored, mutated
from trilemma.search.plan import Plan
from trilemma.search.resizing import resized
from trilemma.search.sight import Sight
from trilemma.search.structure import Structure, other

__all__ = ["Found", "Ground", "Search", "Start", "take_turns"]

BROOD = 16  # plans asked at once: 46 us an evaluation at 64 x 128, 56 with 8
AT_ONCE = 1 << 26  # bytes of weights that are put together at once
PATIENCE = 12  # broods without a gain before the search starts again elsewhere
EXPLORING = 0.5  # part of the broods that say something unlike what was said before
STRUCTURAL = 0.2  # part of the broods that try other identities or another stake share


@dataclass(frozen=True, eq=False)
class Start:
    """A play that the search starts from, and what it is known to be worth.

    Parameters
    ----------
    label : str
    plan : Plan
    value : Value
    """

    label: str
    plan: Plan
    value: Value


@dataclass(frozen=True, eq=False)
class Found:
    """The worst that a search found.

    Parameters
    ----------
    start : str
        The scripted play it grew from.
    plan : Plan
    value : Value
    at : int
        The evaluation that found it; 0: a start.
    late : float
        What the last tenth of the evaluations gained.
    evaluations : int
        All that were made.
    """

    start: str
    plan: Plan
    value: Value
    at: int
    late: float
    evaluations: int


class Search:
    """One search; a short one is the beginning of a long one.

    Parameters
    ----------
    entrant : Entrant
        The mechanism.
    goal : Goal
    starts : sequence of Start
        One or more, the best first.
    identities : int
        That a principal may use per role.
    seed : sequence of int

    Attributes
    ----------
    best : Found
    """

    def __init__(
        self,
        entrant: Entrant,
        goal: Goal,
        starts: Sequence[Start],
        identities: int,
        seed: Sequence[int],
    ) -> None:
        self.entrant, self.goal, self.starts = entrant, goal, starts
        self.best = Found(starts[0].label, starts[0].plan, starts[0].value, 0, 0.0, 0)
        self._record = [(0, goal.worth(starts[0].value))]
        self.ground = Ground(goal, identities)
        self._draw = np.random.default_rng(list(seed))
        self._current = starts[0]
        self._idle = self._attempt = 0

    def step(self, limit: int) -> int:
        """Ask about one brood; return the evaluations spent, 0 if there were too few.

        Parameters
        ----------
        limit : int
            Evaluations that may be spent. The brood is drawn whole, so that no draw after it
            depends on them.
        """
        cost = len(self.goal.worlds)
        count = min(BROOD, limit // cost)
        if count == 0:
            return 0
        if self._idle == PATIENCE:
            self._attempt, self._idle = self._attempt + 1, 0
            self._current = self._restart()
        plans, strict = self.ground.brood(self._current.plan, self._draw)
        values = self.ground.ask(self.entrant, plans.part(0, count))
        if values is not None:
            self._choose(plans, values, strict, cost)
        spent = self.best.evaluations + count * cost
        before = max(worth for at, worth in self._record if at <= 0.9 * spent)
        self.best = replace(self.best, evaluations=spent, late=self._record[-1][1] - before)
        return count * cost

    def _choose(self, plans: Plan, values: Sequence[Value], strict: bool, cost: int) -> None:
        worths = [self.goal.worth(value) for value in values]
        top = int(np.argmax(worths))
        before = self.goal.worth(self._current.value)
        self._idle = 0 if worths[top] > before else self._idle + 1
        if worths[top] > before or (worths[top] == before and not strict):
            self._current = Start(self._current.label, plans.at(top), values[top])
        if worths[top] > self.goal.worth(self.best.value):
            at = self.best.evaluations + (top + 1) * cost
            self._record.append((at, worths[top]))
            label, spent = self._current.label, self.best.evaluations
            self.best = Found(label, self._current.plan, values[top], at, 0.0, spent)

    def _restart(self) -> Start:
        """Return where the next attempt starts: at the best so far, or at another play."""
        if self._attempt % 2 == 1 or len(self.starts) == 1:
            return Start(self.best.start, self.best.plan, self.best.value)
        return self.starts[(self._attempt // 2) % len(self.starts)]


def take_turns(searches: Sequence[Search], evaluations: int) -> None:
    """Let searches ask in turn until evaluations are spent or the mechanism fails."""
    for search in cycle(searches):
        spent = search.step(evaluations)
        evaluations -= spent
        if spent == 0 or search.entrant.failure is not None:
            return


class Ground:
    """The arenas of a search, and what the adversary sees in each."""

    def __init__(self, goal: Goal, identities: int) -> None:
        self.goal = goal
        world = goal.worlds[0]
        owners = world.validator_owner[world.own_validators]
        accounts = int(np.bincount(owners).max(initial=1))
        # Counts are rounded down to powers of 2, as those of scripted plays are.
        self.identities = 1 << max(0, (identities // accounts).bit_length() - 1)
        self.miners = world.own_miners.size
        self.arena = lru_cache(maxsize=4)(self._arena)

    def _arena(self, structure: Structure) -> tuple[Arena, Sight]:
        arena = Arena(self.goal.worlds, structure, self.goal.shares)
        return arena, Sight.of(arena.worlds)

    def brood(self, plan: Plan, draw: np.random.Generator) -> tuple[Plan, bool]:
        """Return changed copies of a plan, and whether they must gain to be kept.

        Those that act through one more channel must: a channel that a rule ignores would slow
        everything that follows.
        """
        _, sight = self.arena(plan.structure)
        structural, exploring = draw.random() < STRUCTURAL, draw.random() < EXPLORING
        if structural:
            plan = self._restructured(plan, sight, draw)
            _, sight = self.arena(plan.structure)
        change = explored if exploring else mutated
        plans, channels = change(plan.repeated(BROOD), sight, draw)
        return plans, structural or exploring or channels

    def _restructured(self, plan: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
        shares = len(self.goal.shares)
        if shares > 1 and (self.identities == 1 or draw.random() < 0.25):
            return replace(plan, place=np.asarray(draw.integers(shares)))
        if self.identities == 1:
            return plan
        structure = other(plan.structure, self.identities, self.miners, draw)
        return resized(plan, structure, sight, self.arena(structure)[1])

    def ask(self, entrant: Entrant, plans: Plan) -> list[Value] | None:
        """Return how far several plans get; None where the mechanism has failed."""
        arena, _ = self.arena(plans.structure)
        bytes_each = sum(scene.epoch.weights.nbytes for scene in arena.scenes)
        size = max(1, AT_ONCE // bytes_each)
        values: list[Value] = []
        for start in range(0, len(plans.place), size):
            part = self._asked(entrant, arena, plans.part(start, start + size))
            if part is None:
                return None
            values += part
        return values

    def _asked(self, entrant: Entrant, arena: Arena, plans: Plan) -> list[Value] | None:
        pays = entrant.pays(arena.epochs(plans))
        if pays is None:
            return None
        count = len(plans.place)
        by_world = [Pay.together(pays[at : at + count]) for at in range(0, len(pays), count)]
        return self.goal.values(arena.scenes, by_world, plans.place)
