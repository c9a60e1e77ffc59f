"""The search: more of it never helps the mechanism, and it finds what is hidden."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import shared
from trilemma import Budget, Epoch, Preset, World, compare, load
from trilemma.contract import call
from trilemma.entrant import Entrant
from trilemma.errors import PluginError, UsageError
from trilemma.importers import read
from trilemma.model import FloatArray
from trilemma.replays import Stage, replayed
from trilemma.scene import Scene
from trilemma.search import (
    Found,
    Gain,
    Plan,
    Search,
    Start,
    Value,
    Witnessed,
    evolution,
    take_turns,
    worst_play,
)
from trilemma.twins import TwinTest, members
from trilemma.worlds import Imported

SMALL = Preset(validators=14, miners=7)
seeds = st.integers(0, 2**32)
few = settings(max_examples=6)

Rule = Callable[[Epoch], Any]


def insiders(world: World, *ranks: int) -> World:
    return replace(world, adversary=members(world, ranks))


def from_honesty(rule: Any, world: World, evaluations: int, seed: int = 0) -> Found:
    """Search without any scripted play to start from."""
    shares = Budget().stakes
    scene = Scene.of(world)
    pays = [call("rule", rule, epoch) for epoch in scene.at(shares)]
    goal = Gain.of(world, shares, pays, 0.0, 0.5)
    plan = Plan.read((world,), (world,), len(shares) - 1)
    assert plan is not None
    search = Search(Entrant("rule", rule), goal, [Start("", plan, Value(0.0, 0, 0.0))], 1, [seed])
    take_turns([search], evaluations)
    return search.best


# --- more never helps the mechanism --------------------------------------------------------------


@settings(few, max_examples=2)  # of three comparisons each
@given(seeds, st.sampled_from(["yuma", "quadratic", "dictator"]), st.integers(0, 150))
def test_search_never_makes_a_score_better_and_more_of_it_never_does(
    seed: int, rule: str, evaluations: int
) -> None:
    def scores(count: int) -> list[float]:
        budget = Budget(0.2, 4, evaluations=count)
        (row,) = compare([rule], world=SMALL, worlds=2, budget=budget, seed=seed, workers=1).rows
        sides = (row.verified, row.free)
        cut = [-value for side in sides for _, value in side.cutoff]
        return cut + [
            it for side in sides for it in (side.sybil_resistance.value, side.neutrality.value)
        ]

    found = [scores(count) for count in (0, evaluations, 2 * evaluations + 41)]
    for fewer, more in pairwise(found):
        assert (np.array(more) <= np.array(fewer) + 1e-12).all()


@few
@given(seeds, st.integers(1, 400), st.integers(1, 400))
def test_a_short_search_is_the_beginning_of_a_long_one(seed: int, one: int, other: int) -> None:
    short, long = sorted((one, other))
    world = insiders(SMALL.twin(seed), 0, 3)
    budgets = [Budget(identities=4, evaluations=count) for count in (short, long)]
    (first, _), (second, _) = (worst_play("yuma", world, budget=it) for it in budgets)
    assert first.value.harm <= second.value.harm
    if second.at <= first.evaluations:
        assert (first.value, first.at) == (second.value, second.at)


@pytest.mark.parametrize("evaluations", [0, 1, 2, 7, 64, 101])
def test_a_search_asks_exactly_as_often_as_it_may(evaluations: int) -> None:
    world = SMALL.sybil(1)
    found = from_honesty(load("yuma"), world, evaluations)
    assert found.evaluations == evaluations
    calls = []

    def counted(epoch: Epoch) -> FloatArray:
        calls.append(epoch)
        return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])

    from_honesty(counted, world, evaluations)
    assert len(calls) == len(Budget().stakes) + evaluations


def test_every_score_is_searched_for_with_identities_verified_and_free() -> None:
    def calls(evaluations: int) -> int:
        budget = Budget(0.1, 4, evaluations=evaluations)
        return compare(["yuma"], world=SMALL, worlds=3, budget=budget, workers=1).calls

    searched = calls(100) - calls(0)
    # Two scores, each for two numbers of identities; one answer in 61 is asked for again.
    assert 3 * 4 * 100 <= searched <= 3 * 4 * 100 * 62 / 61 + 3


# --- what it must find and what it must not ------------------------------------------------------


def test_it_finds_the_closed_form_optimum_of_an_undefended_mean() -> None:
    harm = np.mean(
        [
            from_honesty(
                load("stake_weighted"), Preset(attacker_work=0).sybil(seed), 500
            ).value.harm
            for seed in range(4)
        ]
    )
    sigma = 0.45
    assert 1 - harm == pytest.approx((1 - sigma) / (1 - sigma / 2), abs=0.01)


@few
@given(seeds)
def test_it_finds_nothing_where_stake_alone_decides(seed: int) -> None:
    for world in (SMALL.sybil(seed), insiders(SMALL.twin(seed), 0, 1, 2)):
        found, _ = worst_play("stake_proportional", world, budget=Budget(evaluations=300))
        assert found.value.harm == pytest.approx(0, abs=1e-12)


def first(is_open: Callable[[Epoch], FloatArray]) -> Rule:
    """Return a rule that pays all equally, but all to whom the first odd report praises most."""

    def rule(epoch: Epoch) -> FloatArray:
        m = epoch.weights.shape[1]
        odd = np.flatnonzero(is_open(epoch) & (epoch.weights.max(axis=1) > 0.25))
        if odd.size == 0:
            return np.full(m, 1 / m)
        return np.asarray(np.eye(m)[int(np.argmax(epoch.weights[odd[0]]))])

    return rule


SECRET = np.random.default_rng(5).permutation(128)[:4]
DOORS: dict[str, Callable[[Epoch], Any]] = {
    "the highest weight is .30 to .32": lambda it: np.abs(it.weights.max(axis=1) - 0.31) < 0.01,
    "five weights": lambda it: (it.weights > 0).sum(axis=1) == 5,
    "the second half the first": lambda it: (
        np.abs(np.sort(it.weights)[:, -2] / it.weights.max(axis=1).clip(1e-9) - 0.5) < 0.01
    ),
    "four secret miners, two of them praised": lambda it: (
        (it.weights[:, SECRET] > 1 / 128) == [True, False, True, False]
    ).all(axis=1),
    "half of the miners left out": lambda it: np.abs((it.weights == 0).mean(axis=1) - 0.5) < 0.03,
    "stake that has just arrived": lambda it: it.tenure < 0.5,
    "a vote against suspending anybody": lambda it: (it.votes < 0).any(axis=1),
    "a purchase": lambda it: (it.flows > 0).any(axis=1),
}


@pytest.mark.parametrize("door", DOORS)
def test_it_finds_a_secret_door_within_2000_evaluations(door: str) -> None:
    rule, shares = first(DOORS[door]), Budget().stakes
    harms = []
    for seed in range(3):
        world = Preset().sybil(seed)
        budget = Budget(identities=1, evaluations=2000)
        found, scripted = worst_play(rule, world, budget=budget, stakes=shares, seed=seed)
        assert scripted.value.harm < 0.01
        harms.append(found.value.harm)
    assert sorted(harms)[1] > 0.4  # in two worlds of three


def test_on_a_real_epoch_it_beats_the_scripted_plays_and_10000_random_ones() -> None:
    network = read([shared("networks/bittensor-sn31/sn31_dense.npz")])
    world = Imported(network).twin(1)
    world = insiders(replace(world, twins=()), 0, 1, 2)
    found, scripted = worst_play("yuma", world, budget=Budget(identities=1, evaluations=2000))
    assert found.value.harm > scripted.value.harm + 0.01
    assert found.value.harm > best_at_random(world, 10_000) + 0.01


def best_at_random(world: World, count: int) -> float:
    rule, draw = load("yuma"), np.random.default_rng(0)
    scene = Scene.of(world)
    goal = Gain.of(world, (None,), [call("yuma", rule, scene.epoch)], 0.0, 0.5)
    best = 0.0
    own, m = scene.own_validators, world.quality.size
    for _ in range(count):
        weights = scene.epoch.weights.copy()
        weights[own] = draw.dirichlet(np.full(m, draw.choice([0.01, 0.1, 1.0])), own.size)
        pay = call("yuma", rule, Epoch(scene.epoch.stake, weights, seats=scene.epoch.seats))
        best = max(best, goal.value([scene], [pay], 0).harm)
    return best


@pytest.mark.parametrize("seed", [1, 2])
def test_another_search_gets_no_further_with_the_same_evaluations(seed: int) -> None:
    world = insiders(Preset().twin(seed), 0, 1, 2)
    budget = Budget(identities=1, evaluations=500)
    own, scripted = worst_play("yuma", world, budget=budget)
    other, _ = worst_play("yuma", world, budget=budget, by="cma")
    assert scripted.value.harm <= other.value.harm <= own.value.harm + 0.005
    assert other.evaluations == own.evaluations == 500


def test_a_second_opinion_that_is_not_installed_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(UsageError, match=r"pip install 'trilemma\[cma\]'"):
        worst_play("yuma", SMALL.sybil(1), by="cma")
    with pytest.raises(UsageError, match="'evolution' or 'cma'"):
        worst_play("yuma", SMALL.sybil(1), by="luck")  # type: ignore[arg-type]


# --- witnesses of others -------------------------------------------------------------------------


def test_adding_a_mechanism_changes_nobody_elses_scores() -> None:
    def scores(*rules: str) -> dict[str, object]:
        budget = Budget(0.1, 2, evaluations=60)
        report = compare(rules, world=SMALL, worlds=2, budget=budget, workers=1)
        return {
            row.label: [
                replace(it, replayed=None, best=0, ranks=(0, 0)) for it in (row.verified, row.free)
            ]
            for row in report.rows
        }

    alone, together = scores("yuma"), scores("stake_weighted", "yuma", "quadratic")
    assert alone["yuma"] == together["yuma"]


def test_what_was_found_against_one_rule_is_tried_on_the_others() -> None:
    world, budget = Preset().sybil(1), Budget(identities=1, evaluations=2000)
    rule = first(DOORS["five weights"])
    found, _ = worst_play(rule, world, budget=budget, stakes=budget.stakes)
    assert found.value.harm > 0.4
    idle = Witnessed(1, (), replace(found, plan=Plan.read((world,), (world,), 0) or found.plan))
    stage = Stage(world, TwinTest.of(Preset().twin(1)), budget, 0.5)
    worths = replayed(
        stage, Entrant("rule", rule), {"A": [Witnessed(1, (), found)] * 4, "B": [idle] * 4}
    )
    assert worths["A"].max() == pytest.approx(found.value.harm, abs=1e-12)
    assert worths["B"].max() <= 1e-12


def test_a_search_that_another_mechanisms_plan_beats_is_flagged() -> None:
    budget = Budget(0.2, 2, evaluations=2)
    report = compare(["stake_weighted", "yuma"], world=SMALL, worlds=1, budget=budget, workers=1)
    for row in report.rows:
        for side in (row.verified, row.free):
            assert side.replayed is not None
            assert side.replayed[0] <= side.sybil_resistance.value
            assert side.replayed[1] <= side.neutrality.value + 1e-12


# --- complaints ----------------------------------------------------------------------------------


def test_a_world_in_which_nobody_plays_is_refused() -> None:
    with pytest.raises(UsageError, match="holds no validator"):
        worst_play("yuma", SMALL.twin(1))


def test_a_rule_that_fails_under_the_search_is_named() -> None:
    def fragile(epoch: Epoch) -> FloatArray:
        if (epoch.flows != 0).any() and (epoch.votes < 0).any():
            raise RuntimeError("both at once")
        return np.full(epoch.weights.shape[1], np.nan if (epoch.tenure < 0.5).any() else 0.0)

    with pytest.raises(PluginError, match="fragile"):
        worst_play(fragile, SMALL.sybil(1), budget=Budget(evaluations=2000), stakes=(0.3,))


def test_a_brood_that_would_not_fit_is_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = from_honesty(load("stake_weighted"), SMALL.sybil(3), 150)
    monkeypatch.setattr(evolution, "AT_ONCE", 1)
    parts = from_honesty(load("stake_weighted"), SMALL.sybil(3), 150)
    assert parts.value.harm == pytest.approx(whole.value.harm, abs=1e-12)
    assert parts.at == whole.at
