"""CMA-ES on the reports of a play: what another search makes of the same evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trilemma.entrant import Entrant
from trilemma.errors import UsageError
from trilemma.model import FloatArray
from trilemma.search.evolution import Found, Ground, Start
from trilemma.search.goals import Goal
from trilemma.search.plan import Plan

__all__ = ["second_opinion"]

WIDTH = 0.5  # of the first steps, in logs of weights
LEAST = 1e-6  # stands in for a weight of 0, whose log is not a number
SEEDS = 2**31 - 1  # those that cma takes


def second_opinion(
    entrant: Entrant, goal: Goal, start: Start, evaluations: int, seed: int
) -> Found:
    """Search for worse reports than those of a play, with its identities, stake and votes.

    Parameters
    ----------
    entrant : Entrant
        The mechanism.
    goal : Goal
    start : Start
    evaluations : int
        Mechanism calls; a plan takes one for each of its worlds.
    seed : int

    Raises
    ------
    UsageError
        If the extra `cma` is not installed.
    """
    try:
        import cma
    except ImportError as error:
        raise UsageError(
            "by='cma' needs the package cma: pip install 'trilemma[cma]', or leave it out"
        ) from error
    ground, cost = Ground(goal, 1), len(goal.worlds)
    best, spent, restarts = Found(start.label, start.plan, start.value, 0, 0.0, 0), 0, 0
    strategy: Any = None
    origin = np.zeros(start.plan.weights[0].size)
    while spent + cost <= evaluations:
        if strategy is None or strategy.stop():
            options = {"seed": 1 + (seed + restarts) % SEEDS, "verbose": -9}
            strategy = cma.CMAEvolutionStrategy(origin, WIDTH, options)
            restarts += 1
        steps = strategy.ask()
        plans = _stepped(start.plan, steps)
        count = min(len(steps), (evaluations - spent) // cost)
        values = ground.ask(entrant, plans.part(0, count))
        if values is None:
            return best
        worths = [goal.worth(value) for value in values]
        top = int(np.argmax(worths))
        if worths[top] > goal.worth(best.value):
            at = spent + (top + 1) * cost
            best = replace(best, plan=plans.at(top), value=values[top], at=at)
        spent += count * cost
        if count == len(steps):
            strategy.tell(steps, [-worth for worth in worths])
    return replace(best, evaluations=spent)


def _stepped(plan: Plan, steps: Sequence[FloatArray]) -> Plan:
    """Return plans whose weights are a plan's times the exponential of each step."""
    plans = plan.repeated(len(steps))
    scale = np.exp(np.clip(np.stack(steps), -50, 50)).reshape(
        len(steps), 1, *plan.weights.shape[1:]
    )
    said = np.maximum(plans.weights, LEAST) * scale
    return replace(plans, weights=said / said.sum(axis=-1, keepdims=True))
