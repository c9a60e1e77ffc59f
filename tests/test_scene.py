"""Scenes: what a play left alone is not looked at again, and nothing else is trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trilemma.attacks import attacks_beside, moves, plays
from trilemma.errors import UsageError
from trilemma.model import Budget, Epoch, Play, World, changed
from trilemma.scene import Scene
from trilemma.twins import TwinTest
from trilemma.worlds import Preset

SMALL = Preset(validators=16, miners=9)
BUDGET = Budget(identities=4)
FIELDS = ("stake", "weights", "votes", "seats", "orders", "flows", "tenure", "subnets")


def coalition() -> TwinTest:
    return TwinTest.of(replace(SMALL, subnets=2).twin(3)).by((0, 2))


def assert_same(one: Epoch, other: Epoch) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


def test_a_scene_after_a_play_is_the_scene_of_the_world_that_it_led_to() -> None:
    sybil, twin = SMALL.sybil(3), coalition().pair[0]
    made, failures = plays(attacks_beside()[0], BUDGET, {"pay": sybil, "twin": twin})
    assert not failures
    tried = [play for own in made.values() for play in own]
    assert len(tried) > 50
    for play in tried:
        scene = Scene.of(sybil if play.aim == "pay" else twin)
        after, alone = scene.after(play.act(scene.world)), Scene.of(play.act(scene.world))
        assert_same(after.epoch, alone.epoch)
        for name in ("validators", "own_validators", "own_miners", "twins", "quality"):
            np.testing.assert_array_equal(getattr(after, name), getattr(alone, name))


def test_what_a_play_left_alone_is_the_very_same_array_in_its_epoch() -> None:
    scene = coalition().honest()[0]
    after = scene.after(moves.vote(scene.world)).epoch
    assert [it for it in FIELDS if getattr(after, it) is not getattr(scene.epoch, it)] == ["votes"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("weights", np.nan, "weights: expected finite numbers"),
        ("weights", -1, "weights: expected finite numbers, not negative"),
        ("votes", 2, "votes: expected -1, 0 or 1"),
        ("flows", np.inf, "flows: expected finite numbers"),
        ("stake", -1, "stake: expected finite numbers"),
        ("tenure", -1, "tenure: expected 0 or more"),
        ("orders", 3, "orders: expected -1, 0 or 1"),
    ],
)
def test_what_a_play_changed_is_validated(name: str, value: float, said: str) -> None:
    scene = coalition().honest()[0]
    shape = getattr(scene.epoch, name).shape
    values: dict[str, Any] = {name: np.full(shape, value)}
    with pytest.raises(UsageError, match=said):
        scene.after(replace(scene.world, **values))


def test_another_seed_or_other_seats_are_shown_as_they_are() -> None:
    scene = coalition().honest()[0]
    for other in ({"seed": 4}, {"seats": np.array([5, 6])}):
        world = replace(scene.world, **other)
        assert_same(scene.after(world).epoch, world.epoch())


def test_a_play_has_a_world_object_of_its_own() -> None:
    def act(world: World) -> World:
        object.__setattr__(world, "votes", np.full(world.weights.shape, 5))
        return moves.shun(world)

    test = coalition()
    with pytest.raises(UsageError, match="votes"):
        test.attacked(Play("bad", "writes to its world", act, aim="twin"))
    assert test.pair[0].votes is None
    assert not test.honest()[0].epoch.votes.any()


@pytest.mark.parametrize(
    "values", [{"adversary": (0, 2)}, {"validator_owner": np.zeros(16, np.int64)}, {"seed": 1}]
)
def test_a_changed_world_is_a_replaced_one_and_knows_whose_identities_are_whose(
    values: dict[str, Any],
) -> None:
    world = SMALL.sybil(0)
    assert world.own_validators.tolist() == [15]
    one, other = changed(world, **values), replace(world, **values)
    for name in World.__dataclass_fields__:
        assert getattr(one, name) is getattr(other, name)
    np.testing.assert_array_equal(one.own_validators, other.own_validators)
    np.testing.assert_array_equal(one.own_miners, other.own_miners)
