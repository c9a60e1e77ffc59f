"""The worst play against one mechanism in one world, for whoever wants to know it directly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal

from trilemma import registry
from trilemma.attacks import attacks_beside, plays
from trilemma.checks import real, whole
from trilemma.contract import copied
from trilemma.entrant import Entrant
from trilemma.errors import UsageError
from trilemma.model import Budget, Mechanism, World, unchanged
from trilemma.scene import Scene
from trilemma.search.evolution import Found, Search, Start, take_turns
from trilemma.search.goals import Cut, Gain, Goal, epochs_at
from trilemma.search.second_opinion import second_opinion
from trilemma.search.starts import Scripted, starts
from trilemma.twins import TwinTest

__all__ = ["worst_play"]


def worst_play(
    mechanism: str | Mechanism,
    world: World,
    *,
    budget: Budget | None = None,
    stakes: Sequence[float] | None = None,
    xi: float = 0.5,
    seed: int = 0,
    by: Literal["evolution", "cma"] = "evolution",
) -> tuple[Found, Start]:
    """Search for the worst that a world's adversary can do against a mechanism.

    It starts from the scripted plays of every registered attack that can be made in this world:
    who owns no miner cannot clone its work.

    Parameters
    ----------
    mechanism : str or Mechanism
    world : World
        Honest. Its `adversary` plays; if it has `twins`, to cut off the first of them, else for
        pay.
    budget : Budget, optional
        Identities, their price, and evaluations.
    stakes : sequence of float, optional
        Shares of all stake that an adversary who is after pay may choose from. Default: what
        it holds.
    xi : float
        The validators' part of all pay.
    seed : int
    by : {"evolution", "cma"}
        The search of `compare`, or CMA-ES as a second opinion (extra `cma`), which changes reports
        only.

    Returns
    -------
    Found, Start
        The worst play found, and the worst scripted one.

    Raises
    ------
    UsageError
        If nobody plays in this world, or the extra is not installed.
    PluginError
        If the mechanism breaks the contract.
    """
    if by not in ("evolution", "cma"):
        raise UsageError(f"by: expected 'evolution' or 'cma', got {by!r}")
    budget, xi, seed = budget or Budget(), real("xi", xi, 0, 1), whole("seed", seed, 0)
    if not world.own_validators.size:
        raise UsageError("world: its adversary holds no validator; set `adversary`")
    loaded = registry.load(mechanism) if isinstance(mechanism, str) else mechanism
    entrant = Entrant(registry.label(loaded), loaded, copied(loaded))
    begin: list[Start] = []
    if goal := _goal(entrant, world, budget, stakes, xi):
        begin = starts(goal, _scripted(entrant, goal, world, budget))
        if by == "cma":
            found = second_opinion(entrant, goal, begin[0], budget.evaluations, seed)
        else:
            one = Search(entrant, goal, begin, budget.identities, [seed])
            take_turns([one], budget.evaluations)
            found = one.best
        entrant.confirm()
    if entrant.failure:
        raise entrant.failure
    return found, begin[0]


def _goal(
    entrant: Entrant, world: World, budget: Budget, stakes: Sequence[float] | None, xi: float
) -> Goal | None:
    price = budget.identity_cost
    test, shares = TwinTest.of(world), tuple(stakes or (None,))
    scene = Scene.of(world)
    epochs = [it.epoch for it in test.honest()] if world.twins else epochs_at(scene, shares)
    pays = entrant.pays(epochs, twice=True)
    if pays is None:
        return None
    if world.twins:
        return Cut.of(test, pays, price, xi)
    return Gain.of(world, shares, pays, price, xi)


def _scripted(entrant: Entrant, goal: Goal, world: World, budget: Budget) -> Iterator[Scripted]:
    """Make every scripted play with this aim, at every stake share."""
    aim = "twin" if world.twins else "pay"
    made, _ = plays(attacks_beside()[0], budget, {aim: world})
    for play in chain.from_iterable(made.values()):
        if play.baseline is not unchanged:
            continue
        scenes = [Scene.of(play.act(it)) for it in goal.worlds]
        epochs = [epoch for scene in scenes for epoch in epochs_at(scene, goal.shares)]
        pays = entrant.pays(epochs)
        if pays is None:
            return
        count = len(goal.shares)
        for place in range(count):
            yield play, place, goal.value(scenes, pays[place::count], place)
