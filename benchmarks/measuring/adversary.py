"""What the adaptive search costs beside the mechanism calls it makes."""

from __future__ import annotations

import numpy as np

from benchmarks.measuring.clock import ROUNDS, interleaved
from benchmarks.measuring.goals import Answers, Found
from trilemma import Budget, Epoch, Preset, load
from trilemma.contract import call
from trilemma.entrant import Entrant
from trilemma.scene import Scene
from trilemma.search import Gain, Plan, Search, Start, Value, take_turns

__all__ = ["measure"]

EVALUATIONS = 2000
DISTINCT = 200  # epochs that are called in turn: more than the cache holds


def measure(_: bool = False) -> Answers:
    """Compare a search from honesty with as many plain calls."""
    world, rule, shares = Preset().sybil(1), load("yuma"), Budget().stakes
    scene = Scene.of(world)
    goal = Gain.of(world, shares, [call("yuma", rule, it) for it in scene.at(shares)], 0.0, 0.5)
    plan = Plan.read((world,), (world,), len(shares) - 1)
    if plan is None:
        raise AssertionError("honesty is a plan")
    start = Start("honest", plan, Value(0.0, 0, 0.0))

    def searching() -> None:
        search = Search(Entrant("yuma", rule), goal, [start], 1, [0])
        take_turns([search], EVALUATIONS)

    draw = np.random.default_rng(0)
    epochs = [Epoch(draw.random(64), draw.random((64, 128))) for _ in range(DISTINCT)]

    def calling() -> None:
        for _ in range(EVALUATIONS // DISTINCT):
            for epoch in epochs:
                rule(epoch)

    taken = interleaved({"search": searching, "calls": calling})
    detail = {
        "us an evaluation": taken["search"].median() * 1e6 / EVALUATIONS,
        "us a call": taken["calls"].median() * 1e6 / EVALUATIONS,
    }
    return {"adversary": Found(taken["search"].over(taken["calls"]), ROUNDS, detail)}
