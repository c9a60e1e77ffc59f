"""Where a search starts: the scripted plays that did most harm in this world."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from trilemma.model import Play, unchanged
from trilemma.search.evolution import Start
from trilemma.search.goals import Goal, Value
from trilemma.search.plan import Plan

__all__ = ["Scripted", "starts"]

STARTS = 4  # scripted plays, each of another attack, that a search may start from

Scripted = tuple[Play, int, Value]
"""A scripted play, the place of its stake share, and how far it gets in this world."""


def starts(goal: Goal, scripted: Iterable[Scripted]) -> list[Start]:
    """Return where a search may start: the worst play of each family, and honesty; worst first.

    Plays that no plan can express are left out: those of attacks that, say, split a principal's
    accounts unevenly among its validators.

    Parameters
    ----------
    goal : Goal
    scripted : iterable of Scripted
    """
    honest = Play("honest", "as everybody", unchanged)
    idle = Value(0.0, 0, 0.0)
    worst: dict[str, Scripted] = {"honest": (honest, len(goal.shares) - 1, idle)}
    for one in scripted:
        known = worst.setdefault(one[0].attack, one)
        if goal.worth(one[2]) > goal.worth(known[2]):
            worst[one[0].attack] = one
    ranked = sorted(worst.values(), key=lambda one: -goal.worth(one[2]))
    found = (_start(goal, *one) for one in ranked)
    return list(islice((start for start in found if start is not None), STARTS))


def _start(goal: Goal, play: Play, place: int, value: Value) -> Start | None:
    attacked = tuple(play.act(world) for world in goal.worlds)
    plan = Plan.read(goal.worlds, attacked, place)
    return None if plan is None else Start(f"{play.attack}: {play.label}", plan, value)
