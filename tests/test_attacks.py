"""The suite of plays: within its budget, growing with it, and each told apart by its name."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import Budget, Play, Preset, World
from trilemma.attacks import NEUTRALITY, SYBIL, plays
from trilemma.twins import members

FAMILIES = (*SYBIL, *NEUTRALITY)
SOURCE = Preset(validators=16, miners=7)
FULL = Budget(identities=8)

every_play = pytest.mark.parametrize(
    "play", plays(FAMILIES, FULL), ids=lambda play: f"{play.attack}: {play.label}"
)


def honest(play: Play) -> World:
    """Return a world in which the play can be made, with a coalition of three in the twins'."""
    if any(play.attack == family.__name__ for family in SYBIL):
        return SOURCE.sybil(5)
    twin = SOURCE.twin(5)
    return replace(twin, adversary=members(twin, (0, 3, 15)))


def names(budget: Budget) -> list[tuple[str, str, int]]:
    return [(play.attack, play.label, play.identities) for play in plays(FAMILIES, budget)]


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
    assert all(1 <= play.identities <= budget.identities for play in plays(FAMILIES, budget))


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
def test_a_play_is_the_same_in_a_larger_suite(play: Play) -> None:
    larger = {(it.attack, it.label): it for it in plays(FAMILIES, Budget(identities=64))}
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
    lies = {play.attack for play in plays(SYBIL, Budget(identities=1))}
    assert lies == {"self_dealing", "merges", "weight_copying", "misreporting"}


def test_only_merges_are_judged_against_two_principals() -> None:
    for play in plays(FAMILIES, FULL):
        owned = play.baseline(honest(play)).own_validators.size
        assert owned == (2 if play.attack == "merges" else honest(play).own_validators.size)
