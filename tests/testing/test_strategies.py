"""What the public strategies draw: valid, corners common, exact in floats, simple when shrunk."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.test_moves import SYBIL_MOVES, TWIN_MOVES
from tests.test_moves import check as check_moved
from trilemma.attacks.checks import check
from trilemma.contract import call
from trilemma.errors import PluginError, UsageError
from trilemma.model import Budget, Epoch, FloatArray, IntArray, Play, World
from trilemma.registry import load, load_attacks
from trilemma.scene import Scene
from trilemma.testing.strategies import (
    budgets,
    epochs,
    identity_splits,
    plays,
    stakes,
    weights,
    worlds,
)

T = TypeVar("T")

COMMON = 0.1  # of what is drawn
ENOUGH = 100  # draws, as many as a test makes
FACTS = ("votes", "seats", "orders", "flows", "tenure")
SIZES = [(1, 1), (3, 4), (8, 8)]

quiet = settings(
    database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
briefly = settings(max_examples=40, deadline=None)


@cache
def sample(strategy: st.SearchStrategy[T]) -> list[T]:
    """Return what is drawn, the same every time."""
    drawn: list[T] = []

    @settings(quiet, max_examples=ENOUGH, phases=[Phase.generate])
    @given(strategy)
    def keep(value: T) -> None:
        drawn.append(value)

    keep()
    return drawn


def simplest(strategy: st.SearchStrategy[T], such: Callable[[T], bool] = lambda _: True) -> T:
    shrinking = settings(quiet, max_examples=500, phases=[Phase.generate, Phase.shrink])
    return find(strategy, such, settings=shrinking)


def share_of(drawn: list[T], such: Callable[[T], Any]) -> float:
    return sum(bool(such(it)) for it in drawn) / len(drawn)


def is_power_of_two(total: int) -> bool:
    return total > 0 and total & (total - 1) == 0


def has_ties(numbers: Any) -> bool:
    return len(set(numbers)) < len(numbers)


# --- stakes and reports --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_stakes_are_whole_numbers_that_sum_to_a_power_of_two(size: int) -> None:
    for stake in sample(stakes(size)):
        assert stake.dtype == np.int64
        assert stake.shape == (size,)
        assert (stake >= 0).all()
        assert is_power_of_two(int(stake.sum()))


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize(
    "such",
    [
        has_ties,
        lambda stake: (stake == 0).any(),
        lambda stake: (stake > 0).all() if stake.size < 8 else (stake > 0).sum() > 2,
        lambda stake: stake.max() > 1000 * np.sort(stake)[-2] > 0,
        lambda stake: stake.max() <= 8,
    ],
    ids=["ties", "zeros", "positive", "extreme", "small"],
)
def test_ties_zeros_and_extreme_ratios_of_stake_are_common(
    size: int, such: Callable[[IntArray], bool]
) -> None:
    assert share_of(sample(stakes(size)), such) >= COMMON


@pytest.mark.parametrize("shape", SIZES)
def test_rows_of_weights_sum_to_one_or_zero_in_any_order(shape: tuple[int, int]) -> None:
    for said in sample(weights(*shape)):
        assert said.shape == shape
        assert (said >= 0).all()
        for row in said:
            assert sum(row) == sum(sorted(row)) == math.fsum(row) == row.any()


def speaks(row: FloatArray) -> bool:
    return bool(row.any())


def repeats_a_report(said: FloatArray) -> bool:
    return has_ties([tuple(row) for row in said if row.any()])


@pytest.mark.parametrize("shape", [(3, 4), (8, 8)])
@pytest.mark.parametrize(
    "such",
    [
        repeats_a_report,
        lambda said: not said.any(axis=1).all(),
        lambda said: not said.any(axis=0).all(),
        lambda said: said.any(axis=0).all(),
        lambda said: any(has_ties(row[row > 0]) for row in said),
        lambda said: ((said > 0) & (said < 1e-4)).any(),
    ],
    ids=["copied", "silent", "unspoken of", "all spoken of", "ties", "extreme"],
)
def test_copies_silence_zero_columns_and_dust_are_common_in_weights(
    shape: tuple[int, int], such: Callable[[FloatArray], bool]
) -> None:
    assert share_of(sample(weights(*shape)), such) >= COMMON


def test_nobody_is_silent_where_that_is_not_wanted() -> None:
    assert all(said.any(axis=1).all() for said in sample(weights(3, 3, silent=False)))
    assert all(epoch.weights.any(axis=1).all() for epoch in sample(epochs(silent=False)))


# --- epochs --------------------------------------------------------------------------------------


@briefly
@given(epochs(), st.randoms(use_true_random=False))
def test_support_is_exact_in_any_order(epoch: Epoch, random: Any) -> None:
    """Shares and products of shares are binary fractions of few digits."""
    shares = epoch.stake / epoch.stake.sum()
    assert math.fsum(shares) == sum(random.sample(list(shares), len(shares))) == 1
    for column in (shares[:, None] * epoch.weights).T:
        assert math.fsum(column) == sum(random.sample(list(column), len(column)))


@briefly
@given(epochs())
def test_a_mechanism_pays_in_any_epoch(epoch: Epoch) -> None:
    paid = call("it", load("stake_weighted"), epoch)
    assert (paid.miners.size, paid.validators.size) == epoch.weights.shape[::-1]


@pytest.mark.parametrize(
    ("asked", "smallest", "largest"),
    [
        ({}, (1, 1), (4, 4)),
        ({"min_validators": 2, "max_miners": 2}, (2, 1), (4, 2)),
        ({"min_validators": 6, "min_miners": 5}, (6, 5), (6, 5)),
        ({"max_validators": 1, "min_miners": 3, "max_miners": 3}, (1, 3), (1, 3)),
        ({"min_validators": 7, "max_validators": 8}, (7, 1), (8, 4)),
    ],
)
def test_epochs_are_as_large_as_asked(
    asked: dict[str, Any], smallest: tuple[int, int], largest: tuple[int, int]
) -> None:
    shapes = {epoch.weights.shape for epoch in sample(epochs(**asked))}
    assert (tuple(map(min, zip(*shapes, strict=True))), smallest) == (smallest, smallest)
    assert tuple(map(max, zip(*shapes, strict=True))) == largest


def acted(epoch: Epoch, fact: str) -> bool:
    value = getattr(epoch, fact)
    return bool((value < np.inf).any() if fact == "tenure" else value.size and np.any(value != 0))


@pytest.mark.parametrize("fact", [it for it in FACTS if it != "seats"])
def test_every_channel_is_common_in_epochs(fact: str) -> None:
    assert share_of(sample(epochs()), lambda epoch: acted(epoch, fact)) >= COMMON


def test_seats_are_common_in_epochs_and_so_are_epochs_in_which_nobody_acts() -> None:
    drawn = sample(epochs())
    assert share_of(drawn, lambda epoch: epoch.seats.size) >= COMMON
    idle = share_of(drawn, lambda epoch: not any(acted(epoch, fact) for fact in FACTS))
    assert idle >= COMMON


@pytest.mark.parametrize(
    ("asked", "absent"),
    [
        ({"acts": False}, ("votes", "seats", "orders")),
        ({"trades": False}, ("flows", "tenure")),
        ({"acts": False, "trades": False}, FACTS),
    ],
)
def test_acts_can_be_left_out(asked: dict[str, bool], absent: tuple[str, ...]) -> None:
    drawn = sample(epochs(**asked))
    assert not any(acted(epoch, fact) for epoch in drawn for fact in absent)
    assert not any(epoch.seats.size for epoch in drawn if "seats" in absent)
    others = [fact for fact in FACTS if fact not in absent]
    assert all(any(acted(epoch, fact) for epoch in drawn) for fact in others)


# --- worlds --------------------------------------------------------------------------------------


@briefly
@given(worlds("pay", max_validators=6, max_miners=7))
def test_an_attacker_can_make_every_move(world: World) -> None:
    for move in SYBIL_MOVES.values():
        check_moved(world, move(world))


@briefly
@given(worlds("twin", max_validators=6, max_miners=7))
def test_a_coalition_can_make_every_move(world: World) -> None:
    for move in TWIN_MOVES.values():
        check_moved(world, move(world))


@pytest.mark.parametrize("aim", ["pay", "twin"])
def test_registered_plays_keep_the_rules_in_every_world(aim: str) -> None:
    @settings(max_examples=100, deadline=None)
    @given(plays(Budget(identities=8), aim=aim), worlds(aim))
    def keeps_the_rules(play: Play, world: World) -> None:
        check("built-in", play, world)

    keeps_the_rules()


@briefly
@given(worlds("pay"), st.sampled_from(Budget().stakes))
def test_an_attacker_has_one_identity_per_role_and_any_share_of_stake(
    world: World, share: float
) -> None:
    n, m = world.weights.shape
    assert (world.adversary, world.twins) == ((n - 1,), ())
    assert world.own_validators.tolist() == [n - 1]
    assert world.own_miners.tolist() == [m - 1]
    assert n - 1 not in world.seats
    scene = Scene.of(world)
    [epoch] = scene.at([share])
    assert epoch.stake[scene.own_validators].sum() / epoch.stake.sum() == pytest.approx(share)


@briefly
@given(worlds("twin"))
def test_twins_are_equals_and_nobody_of_the_coalition(world: World) -> None:
    assert world.quality[world.twins[0]] == world.quality[world.twins[1]] > 0
    assert not set(world.miner_owner[list(world.twins)]) & set(world.adversary)
    assert world.own_validators.tolist() == list(world.adversary)
    assert world.own_miners.size == 0


@briefly
@given(worlds())
def test_a_world_is_honest_and_its_quality_and_reports_are_exact(world: World) -> None:
    assert world.votes is world.orders is world.flows is world.tenure is None
    assert math.fsum(world.quality) == sum(world.quality) == 1
    assert is_power_of_two(int(world.stake.sum()))
    assert set(world.weights.sum(axis=1)) <= {0.0, 1.0}
    assert world.weights[world.own_validators].any(axis=1).all()


@pytest.mark.parametrize(
    ("aim", "such"),
    [
        ("pay", lambda it: it.seats.size),
        ("pay", lambda it: not it.sees_clones.all()),
        ("pay", lambda it: it.sees_clones.all()),
        ("pay", lambda it: has_ties(it.stake)),
        ("pay", lambda it: repeats_a_report(it.weights)),
        ("pay", lambda it: not it.weights.any(axis=0).all()),
        ("pay", lambda it: (it.quality == 0).any()),
        ("pay", lambda it: it.stake.max() > 1000 * it.stake[it.stake > 0].min()),
        ("twin", lambda it: len(it.adversary) > 1),
        ("twin", lambda it: set(it.seats) & set(it.adversary)),
        ("twin", lambda it: it.stake[it.own_validators].sum() == 0),
        ("twin", lambda it: 2 * it.stake[it.own_validators].sum() > it.stake.sum()),
        (None, lambda it: it.twins),
        (None, lambda it: not it.twins),
        (None, lambda it: (it.relabelling()[0] != np.arange(it.stake.size)).any()),
    ],
)
def test_corners_are_common_in_worlds(aim: str | None, such: Callable[[World], bool]) -> None:
    assert share_of(sample(worlds(aim)), such) >= COMMON


def test_worlds_are_as_large_as_asked() -> None:
    shapes = {it.weights.shape for it in sample(worlds(max_validators=2, max_miners=3))}
    assert shapes == {(2, 2), (2, 3)}
    largest = [it.weights.shape for it in sample(worlds("twin", max_validators=6, max_miners=7))]
    assert tuple(map(max, zip(*largest, strict=True))) == (6, 7)


# --- budgets and plays ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "such",
    [
        lambda it: it.stake in (0, math.nextafter(1, 0)),
        lambda it: it.stake in it.stakes,
        lambda it: it.stake not in it.stakes,
        lambda it: it.identities in (1, 1024),
        lambda it: it.identities & (it.identities - 1) == 0,
        lambda it: it.identities & (it.identities - 1),
        lambda it: it.identity_cost in (0, sys.float_info.max),
        lambda it: 0 < it.identity_cost <= 1,
        lambda it: it.insiders in ((1,), (10,)),
        lambda it: len(it.insiders) > 1,
        lambda it: it.evaluations in (0, 10**7),
        lambda it: 0 < it.evaluations < 10**7,
    ],
)
def test_ends_and_steps_of_the_grids_are_common_in_budgets(such: Callable[[Budget], bool]) -> None:
    assert share_of(sample(budgets()), such) >= COMMON


def test_budgets_reach_both_ends_of_every_range() -> None:
    drawn = sample(budgets())
    assert {0.0, math.nextafter(1, 0)} <= {it.stake for it in drawn}
    assert {1, 1024} <= {it.identities for it in drawn}
    assert {0.0, sys.float_info.max} <= {it.identity_cost for it in drawn}
    assert {1, 10} <= {size for it in drawn for size in it.insiders}
    assert {0, 10**7} <= {it.evaluations for it in drawn}


@pytest.mark.parametrize("budget", [Budget(identities=1), Budget(identities=8)])
def test_plays_of_every_registered_family_are_drawn_within_the_budget(budget: Budget) -> None:
    attacks = load_attacks()[0]
    expected = {play.attack for attack in attacks.values() for play in attack(budget)}
    drawn = sample(plays(budget))
    assert {play.attack for play in drawn} == expected
    assert all(play.identities <= budget.identities for play in drawn)


@pytest.mark.parametrize("aim", ["pay", "twin"])
def test_plays_have_the_aim_that_is_asked_for(aim: str) -> None:
    assert {play.aim for play in sample(plays(aim=aim))} == {aim}


def mine(budget: Budget) -> Iterator[Play]:
    yield Play("mine", f"{budget.identities} identities", lambda world: world)


def faulty(budget: Budget) -> Iterator[Play]:
    yield Play("faulty", "fine", lambda world: world)
    raise LookupError(f"nothing for {budget.stake}")


def test_plays_of_one_attack_can_be_drawn() -> None:
    assert simplest(plays(Budget(identities=3), attacks=[mine])).label == "3 identities"
    assert {it.attack for it in sample(plays(attacks=["merges", mine]))} == {"merges", "mine"}


def test_an_attack_that_fails_is_named() -> None:
    with pytest.raises(PluginError, match="faulty fails to enumerate its plays: LookupError"):
        plays(attacks=[mine, faulty])


# --- splits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stake", "most"), [(1, 8), (2, 2), (7, 3), (60, 64), (2**63 - 1, 16)])
def test_parts_of_a_split_are_positive_and_sum_to_the_stake(stake: int, most: int) -> None:
    drawn = sample(identity_splits(stake, most=most))
    assert all(min(parts) > 0 for parts in drawn)
    assert all(sum(parts) == stake for parts in drawn)
    counts = {len(parts) for parts in drawn}
    assert (min(counts), max(counts)) == (1, min(stake, most))


@pytest.mark.parametrize("stake", [12, 60, 2**20])
@pytest.mark.parametrize(
    "such",
    [
        lambda parts: len(parts) > 1 and max(parts) <= min(parts) + 1,
        lambda parts: len(parts) > 2 and set(parts[1:]) == {1} and parts[0] > 1,
        lambda parts: len(set(parts)) > 2,
    ],
    ids=["equal", "one against many", "different"],
)
def test_equal_parts_and_one_against_many_are_common(
    stake: int, such: Callable[[tuple[int, ...]], bool]
) -> None:
    assert share_of(sample(identity_splits(stake, most=16)), such) >= COMMON


# --- the simplest --------------------------------------------------------------------------------


def test_the_simplest_epoch_is_one_validator_who_reports_the_only_miner() -> None:
    epoch = simplest(epochs())
    assert epoch.stake.tolist() == [1]
    assert epoch.weights.tolist() == [[1]]
    assert not any(acted(epoch, fact) for fact in FACTS)
    assert epoch.seats.size == 0


def test_the_simplest_worlds_are_the_smallest_with_everybody_in_them() -> None:
    attacked, twinned = simplest(worlds()), simplest(worlds("twin"))
    assert (attacked.weights.shape, twinned.weights.shape) == ((2, 2), (2, 3))
    assert attacked.stake.tolist() == [1, 1]
    for world in (attacked, twinned):
        assert (world.seed, world.seats.size, len(world.adversary)) == (0, 0, 1)
        assert world.sees_clones.all()


def test_the_simplest_stakes_weights_budgets_plays_and_splits_come_first() -> None:
    assert simplest(stakes(3)).tolist() == [0, 0, 1]
    assert simplest(weights(1, 2)).tolist() == [[0, 1]]
    assert simplest(budgets()) == Budget(0, 1, 0, (1,), 1, 0)
    assert simplest(identity_splits(12)) == (12,)
    first = next(iter(next(iter(load_attacks()[0].values()))(Budget())))
    found = simplest(plays())
    assert (found.attack, found.label) == (first.attack, first.label)


def test_nothing_beside_what_fails_is_left_after_shrinking() -> None:
    voted = simplest(epochs(), lambda epoch: acted(epoch, "votes"))
    assert len(voted.weights) == 1
    assert [it for it in FACTS if acted(voted, it)] == ["votes"]
    silent = simplest(epochs(), lambda epoch: not epoch.weights.any(axis=1).all())
    assert silent.weights.shape == (1, 1)
    many = simplest(plays(), lambda play: play.identities > 1)
    assert many.identities == 2


def test_a_failure_prints_the_numbers_of_its_epoch() -> None:
    @quiet
    @given(epochs())
    def fails(epoch: Epoch) -> None:
        assert not epoch.weights.size

    with pytest.raises(AssertionError) as caught:
        fails()
    assert "Case(stake=(1,)" in caught.value.__notes__[0]


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: stakes(0), "stakes: validators must be in 1..8, not 0"),
        (lambda: stakes(2.0), "stakes: validators must be in 1..8, not 2.0"),  # type: ignore[arg-type]
        (lambda: weights(9, 1), "weights: validators must be in 1..8, not 9"),
        (lambda: weights(1, 0), "weights: miners must be in 1..8, not 0"),
        (
            lambda: weights(1, 1, silent=1),  # type: ignore[arg-type]
            "weights: silent must be True or False, not 1",
        ),
        (lambda: epochs(min_validators=0), "epochs: min_validators must be in 1..8, not 0"),
        (
            lambda: epochs(min_validators=3, max_validators=2),
            "epochs: max_validators must be in 3..8, not 2",
        ),
        (lambda: epochs(min_miners=9), "epochs: min_miners must be in 1..8, not 9"),
        (lambda: epochs(max_miners=9), "epochs: max_miners must be in 1..8, not 9"),
        (
            lambda: epochs(silent=None),  # type: ignore[arg-type]
            "epochs: silent must be True or False, not None",
        ),
        (
            lambda: epochs(acts="no"),  # type: ignore[arg-type]
            "epochs: acts must be True or False, not 'no'",
        ),
        (
            lambda: epochs(trades=0),  # type: ignore[arg-type]
            "epochs: trades must be True or False, not 0",
        ),
        (lambda: worlds("win"), "worlds: aim must be 'pay' or 'twin', not 'win'"),
        (lambda: worlds(max_validators=1), "worlds: max_validators must be in 2..8, not 1"),
        (lambda: worlds(max_miners=2), "worlds: max_miners must be in 3..8, not 2"),
        (
            lambda: plays({"stake": 0.1}),  # type: ignore[arg-type]
            "plays: budget must be a trilemma.Budget, not {'stake': 0.1}",
        ),
        (lambda: plays(aim="both"), "plays: aim must be 'pay' or 'twin', not 'both'"),
        (
            lambda: plays(attacks=3),  # type: ignore[arg-type]
            "plays: attacks must be a list of attacks, not 3",
        ),
        (
            lambda: plays(Budget(identities=1), attacks=["stake_splitting"]),
            "plays: none of ['stake_splitting'] aims at pay or twin in Budget(stake=0.45, "
            "identities=1, identity_cost=0.0, insiders=(1, 3, 5), epochs=1, evaluations=500)",
        ),
        (
            lambda: identity_splits(0),
            "identity_splits: stake must be in 1..9223372036854775807, not 0",
        ),
        (
            lambda: identity_splits(5, most=1025),
            "identity_splits: most must be in 1..1024, not 1025",
        ),
    ],
)
def test_a_wrong_argument_is_refused_by_name(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        ask()
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "ask",
    [
        lambda: stakes(3),
        lambda: weights(2, 3),
        lambda: epochs(max_miners=3),
        worlds,
        budgets,
        plays,
        lambda: identity_splits(9),
    ],
)
def test_a_strategy_is_made_once(ask: Callable[[], object]) -> None:
    assert ask() is ask()


# --- types ---------------------------------------------------------------------------------------

KINDS = "Epoch, World, Budget, Play"
RESOLVED = f"""
from hypothesis import find, strategies as st
from trilemma import {KINDS}
for kind in ({KINDS}):
    assert isinstance(find(st.from_type(kind), lambda _: True), kind)
assert find(st.from_type(Epoch | None), bool).weights.shape == (1, 1)
"""


@pytest.mark.parametrize(
    "first", ["import hypothesis", "import trilemma", "import trilemma.testing.strategies"]
)
def test_hypothesis_knows_our_types_whichever_is_imported_first(first: str) -> None:
    ran(f"{first}\n{RESOLVED}")


def test_importing_hypothesis_imports_nothing_of_the_kit() -> None:
    kit = {"trilemma.testing", "numba", "pytest"}
    ran(f"import hypothesis, sys; assert not {kit} & set(sys.modules)")


def ran(code: str) -> None:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
