"""The suite of plays: within its budget, growing with it, and each told apart by its name."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import Budget, Play, Preset, UsageError, World, attacks
from trilemma.attacks.checks import check
from trilemma.importers import Network
from trilemma.registry import load_attacks
from trilemma.twins import members
from trilemma.worlds import Imported, Source

ATTACKS = load_attacks()[0]
SOURCE = Preset(validators=16, miners=7)
FULL = Budget(identities=8)
DRAW = np.random.default_rng(3)
SPARSE = DRAW.random((2, 9, 12)) * (DRAW.random((2, 9, 12)) < 0.4)
SOURCES = (
    SOURCE,
    Preset(validators=12, miners=7, clone_detection=0.5),
    Preset("equal", validators=2, miners=3),
    Imported(Network("sparse", DRAW.random((2, 9)), SPARSE), clone_detection=0.5),
)


def plays(budget: Budget) -> list[Play]:
    return [play for attack in ATTACKS.values() for play in attack(budget)]


every_play = pytest.mark.parametrize(
    "play", plays(FULL), ids=lambda play: f"{play.attack}: {play.label}"
)


def honest(play: Play, source: Source = SOURCE) -> World:
    """Return a world in which the play can be made, with a coalition of three in the twins'."""
    if play.aim == "pay":
        return source.sybil(5)
    twin = source.twin(5)
    return replace(twin, adversary=members(twin, (0, 3, 15)))


def names(budget: Budget) -> list[tuple[str, str, int]]:
    return [(play.attack, play.label, play.identities) for play in plays(budget)]


budgets = st.integers(1, 1024).map(lambda identities: Budget(identities=identities))


@settings(max_examples=40)
@given(budgets)
def test_every_play_has_a_name_of_its_own(budget: Budget) -> None:
    labels = Counter((attack, label) for attack, label, _ in names(budget))
    assert set(labels.values()) == {1}


@settings(max_examples=40)
@given(budgets, budgets)
def test_a_larger_budget_only_adds_plays(one: Budget, other: Budget) -> None:
    smaller, larger = sorted((one, other), key=lambda budget: budget.identities)
    assert set(names(smaller)) <= set(names(larger))


@given(st.floats(0, 0.999), st.floats(0, 0.999))
def test_a_larger_budget_only_adds_stake_shares(one: float, other: float) -> None:
    smaller, larger = sorted((Budget(one), Budget(other)), key=lambda budget: budget.stake)
    assert larger.stakes[: len(smaller.stakes)] == smaller.stakes
    assert max(larger.stakes) <= larger.stake + 1e-9


@pytest.mark.parametrize("stake", [0.05, 0.15, 0.3, 0.35, 0.45, 0.7, 0.95])
def test_a_budget_on_the_grid_is_used_up(stake: float) -> None:
    assert max(Budget(stake).stakes) == stake


@settings(max_examples=40)
@given(budgets)
def test_no_play_says_it_needs_more_identities_than_the_budget_has(budget: Budget) -> None:
    assert all(1 <= play.identities <= budget.identities for play in plays(budget))


@every_play
def test_a_play_uses_the_identities_it_says_per_principal_and_role(play: Play) -> None:
    before = honest(play)
    after = play.act(before)
    counts = [
        int((owner == principal).sum())
        for principal in before.adversary
        for owner in (after.validator_owner, after.miner_owner)
    ]
    assert max(counts) == play.identities
    assert after.stake.sum() == pytest.approx(before.stake.sum())


@every_play
@pytest.mark.parametrize("source", SOURCES, ids=["preset", "half-blind", "tiny", "imported"])
def test_a_play_keeps_the_rules_that_bind_strangers(play: Play, source: Source) -> None:
    check("built-in", play, honest(play, source))


def test_every_file_of_an_attack_is_registered_under_its_name() -> None:
    files = {path.stem for path in Path(attacks.__file__).parent.glob("*.py")}
    helpers = {"__init__", "checks", "moves", "suite"}
    assert set(ATTACKS) == files - helpers
    assert all(play.attack == name for name in ATTACKS for play in ATTACKS[name](FULL))


def test_what_an_attack_aims_at_decides_which_score_it_can_lower() -> None:
    aims = {name: {play.aim for play in attack(FULL)} for name, attack in ATTACKS.items()}
    assert aims.pop("flash_stake") == aims.pop("rounding") == {"pay", "twin"}
    assert {name for name, aim in aims.items() if aim == {"twin"}} == {
        "censorship",
        "promotion",
        "newcomer_suppression",
        "bribery",
    }
    with pytest.raises(UsageError, match="aim must be 'pay' or 'twin', not 'both'"):
        Play("it", "does both", SOURCE.sybil, aim="both")  # type: ignore[arg-type]


@every_play
def test_a_play_is_the_same_in_a_larger_suite(play: Play) -> None:
    larger = {(it.attack, it.label): it for it in plays(Budget(identities=64))}
    one, other = (it.act(honest(play)) for it in (play, larger[play.attack, play.label]))
    for name, value in vars(one).items():
        assert np.array_equal(value, getattr(other, name)), name


@every_play
def test_a_play_leaves_the_honest_world_as_it_was(play: Play) -> None:
    before, untouched = honest(play), honest(play)
    play.act(before)
    for name, value in vars(before).items():
        assert np.array_equal(value, getattr(untouched, name)), name


def test_with_verified_identities_the_attacker_may_lie_but_not_multiply() -> None:
    lies = {play.attack for play in plays(Budget(identities=1)) if play.aim == "pay"}
    assert lies == {
        "self_dealing",
        "merges",
        "weight_copying",
        "misreporting",
        "flash_stake",
        "bond_capture",
        "tie_grinding",
        "rounding",
        "ousting",
    }


def test_only_merges_are_judged_against_two_principals() -> None:
    for play in plays(FULL):
        owned = play.baseline(honest(play)).own_validators.size
        assert owned == (2 if play.attack == "merges" else honest(play).own_validators.size)
