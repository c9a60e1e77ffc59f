"""Plans are plays: what the search asks about is, to the last bit, what a replay will ask about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import Budget, Epoch, Preset, World
from trilemma.attacks import attacks_beside, plays
from trilemma.entrant import Entrant
from trilemma.model import Play, unchanged
from trilemma.scene import Scene
from trilemma.search import Found, Plan, Structure, Value, Witnessed
from trilemma.search.arena import Arena
from trilemma.search.goals import epochs_at
from trilemma.search.keeping import from_arrays, to_arrays
from trilemma.search.mutations import MUTATIONS, explored, mutated
from trilemma.search.resizing import resized
from trilemma.search.sight import Sight
from trilemma.search.structure import other, staged
from trilemma.twins import TwinTest, members

SOURCE = Preset(validators=14, miners=7)
BUDGET = Budget(identities=4)
SHARES = BUDGET.stakes

structures = st.builds(Structure, st.integers(1, 4), st.integers(0, 2), st.integers(0, 2))
seeds = st.integers(0, 2**32)
few = settings(max_examples=25)


def coalition(seed: int, ranks: tuple[int, ...] = (0, 2, 13)) -> tuple[World, ...]:
    world = SOURCE.twin(seed)
    return TwinTest.of(replace(world, adversary=members(world, ranks))).pair


def worlds(seed: int, *, twin: bool) -> tuple[World, ...]:
    return coalition(seed) if twin else (SOURCE.sybil(seed),)


def shown(it: tuple[World, ...], structure: Structure) -> Sight:
    return Sight.of([staged(world, structure) for world in it])


def drawn(it: tuple[World, ...], structure: Structure, seed: int, rounds: int = 4) -> Plan:
    """Return four plans of a structure that a few mutations have led to."""
    draw = np.random.default_rng(seed)
    honest = Plan.read(it, it, len(SHARES) - 1 if len(it) == 1 else 0)
    assert honest is not None
    sight = shown(it, structure)
    plan = resized(honest, structure, shown(it, Structure()), sight).repeated(4)
    for _ in range(rounds):
        plan, _ = (explored if draw.random() < 0.5 else mutated)(plan, sight, draw)
    for mutation in MUTATIONS[-4:]:
        plan = mutation(plan, sight, draw)
    return plan


def same(one: Epoch, other_one: Epoch) -> None:
    for name in ("stake", "weights", "votes", "seats", "orders", "flows", "tenure"):
        mine, yours = getattr(one, name), getattr(other_one, name)
        assert np.array_equal(mine, yours), name
        assert mine.dtype == yours.dtype, name


@few
@given(seeds, structures, st.booleans())
def test_an_arena_shows_the_epochs_that_acting_out_the_plan_shows(
    seed: int, structure: Structure, twin: bool
) -> None:
    it = worlds(seed, twin=twin)
    if twin:
        structure = Structure(structure.parts)
    plans = drawn(it, structure, seed)
    shares = (None,) if twin else SHARES
    asked = Arena(it, structure, shares).epochs(plans)
    for number, world in enumerate(it):
        for b in range(4):
            plan = plans.at(b)
            scene = Scene.of(plan.act(world, number))
            same(asked[4 * number + b], epochs_at(scene, (shares[int(plan.place)],))[0])


@few
@given(seeds, structures, st.booleans())
def test_whatever_mutations_do_an_epoch_accepts_it(
    seed: int, structure: Structure, twin: bool
) -> None:
    it = worlds(seed, twin=twin)
    structure = Structure(structure.parts) if twin else structure
    plans = drawn(it, structure, seed, rounds=12)
    sums = plans.weights.sum(axis=-1)
    assert ((np.abs(sums - 1) < 1e-9) | (sums == 0)).all()
    assert (plans.weights >= 0).all()
    assert (plans.share >= 0).all()
    owners = shown(it, structure).principals
    for share in plans.share:
        assert np.allclose(np.bincount(owners, share), 1)
    for b, world in enumerate(it):
        plans.at(b).act(world, b).epoch()


@few
@given(seeds, structures)
def test_a_plan_leaves_others_reports_and_stake_alone(seed: int, structure: Structure) -> None:
    (world,) = worlds(seed, twin=False)
    after = drawn((world,), structure, seed).at(0).act(world)
    honest = staged(world, structure)
    others = np.setdiff1d(np.arange(after.stake.size), after.own_validators)
    assert np.array_equal(after.weights[others], honest.weights[others])
    assert np.array_equal(after.stake[others], honest.stake[others])
    assert after.stake[after.own_validators].sum() == pytest.approx(1.0)


def scripted(aim: str) -> list[Play]:
    world = SOURCE.sybil(3) if aim == "pay" else coalition(3)[0]
    made, failures = plays(attacks_beside()[0], BUDGET, {aim: world})
    assert not failures
    return [play for own in made.values() for play in own]


@pytest.mark.parametrize("aim", ["pay", "twin"])
def test_scripted_plays_can_be_read_as_plans_and_acted_out_again(aim: str) -> None:
    it = worlds(3, twin=aim == "twin")
    unread = []
    for play in scripted(aim):
        attacked = tuple(play.act(world) for world in it)
        plan = Plan.read(it, attacked, 0)
        if plan is None:
            unread.append(f"{play.attack}: {play.label}")
            continue
        for number, (world, expected) in enumerate(zip(it, attacked, strict=True)):
            found = plan.act(world, number)
            for name in ("stake", "weights", "votes", "orders", "flows", "tenure"):
                mine, yours = getattr(found, name), getattr(expected, name)
                if yours is None or not np.any(yours):
                    assert mine is None or not np.any(mine) or name == "tenure"
                else:
                    assert np.allclose(mine, yours, rtol=1e-12, atol=0), (play.label, name)
    assert not unread


def test_a_world_that_no_moves_lead_to_is_not_read() -> None:
    world = SOURCE.sybil(1)
    weights = world.weights.copy()
    weights[0] = weights[0][::-1]
    assert Plan.read((world,), (replace(world, weights=weights),), 0) is None


@few
@given(st.integers(1, 64), st.integers(0, 1), seeds)
def test_structures_stay_within_the_identities_allowed(most: int, miners: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    structure = Structure()
    for _ in range(40):
        structure = other(structure, most, miners, draw)
        assert 1 <= structure.parts <= most
        assert min(structure.clones, structure.fakes) >= 0
        assert structure.clones + structure.fakes <= (most - 1 if miners else 0)


@few
@given(seeds, structures, structures)
def test_other_identities_keep_what_is_said_of_everybody_else(
    seed: int, one: Structure, two: Structure
) -> None:
    it = worlds(seed, twin=False)
    honest = Plan.read(it, it, 0)
    assert honest is not None
    first = resized(honest, one, shown(it, Structure()), shown(it, one))
    second = resized(first, two, shown(it, one), shown(it, two))
    strangers = np.setdiff1d(np.arange(7), it[0].own_miners)
    expected = np.broadcast_to(honest.weights[..., strangers], second.weights[..., strangers].shape)
    assert np.allclose(second.weights[..., strangers], expected)
    assert np.allclose(second.weights.sum(axis=-1), 1)
    second.act(it[0]).epoch()


@few
@given(seeds, structures)
def test_what_was_found_comes_back_from_its_arrays(seed: int, structure: Structure) -> None:
    plan = drawn(worlds(seed, twin=False), structure, seed).at(1)
    found = Found("a: play", plan, Value(0.25, 3.0, 1.5), 77, 0.125, 500)
    given_one = Witnessed(4, (), found)
    (back,) = from_arrays(to_arrays([given_one]))
    assert (back.identities, back.coalition) == (4, ())
    assert back.found.value == found.value
    assert (back.found.start, back.found.at, back.found.late, back.found.evaluations) == (
        "a: play",
        77,
        0.125,
        500,
    )
    for name in ("place", "share", "weights", "votes", "orders", "flows", "tenure"):
        mine, yours = getattr(back.found.plan, name), getattr(plan, name)
        assert (mine is None) == (yours is None)
        assert mine is None or np.array_equal(mine, yours), name
    assert unchanged(SOURCE.sybil(seed)).seed == SOURCE.sybil(seed).seed


def test_an_epoch_that_is_kept_lets_go_of_the_others_of_its_brood() -> None:
    it = worlds(1, twin=False)
    epochs = Arena(it, Structure(), SHARES).epochs(drawn(it, Structure(), 1))
    entrant = Entrant("even", lambda epoch: np.full(epoch.weights.shape[1], 1 / 7))
    while not entrant._kept:
        entrant.pays(epochs)
    ((kept, _),) = entrant._kept
    assert any(np.array_equal(kept.weights, epoch.weights) for epoch in epochs)
    for name in ("weights", "votes", "flows", "tenure"):
        base = getattr(kept, name).base
        assert base is None or base.nbytes == getattr(kept, name).nbytes, name
