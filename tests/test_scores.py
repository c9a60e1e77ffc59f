"""Scores as functions of what was measured: monotone, bounded, and right where a hand can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import Budget, Epoch, Preset, Rewards, compare, load
from trilemma.attacks.moves import split
from trilemma.cells import Cell, Suite, measure, stack
from trilemma.entrant import Entrant
from trilemma.model import AIMS, AnyArray, Play, unchanged
from trilemma.registry import load_attacks
from trilemma.resampled import Resampled
from trilemma.scene import Scene
from trilemma.scores import Scores, cutoff_number, score
from trilemma.statistics import resamples
from trilemma.twins import Coalition, TwinTest, grown, loss, outcome, scripted
from trilemma.worlds import world_seed
from trilemma_mechanisms.quadratic import Quadratic
from trilemma_mechanisms.stake_capped import StakeCapped

RULES = ("yuma", "stake_capped", "quadratic", "uniform", "dao_vote", "stake_weighted", "dictator")
SMALL = Preset("pareto(1.2)", validators=14, miners=16, clone_detection=0.5)
WIDEST = Budget(stake=0.45, identities=16, insiders=(10,), evaluations=100)
PLAYS = [play for attack in load_attacks()[0].values() for play in attack(WIDEST)]
SUITE = Suite(*(tuple(play for play in PLAYS if play.aim == aim) for aim in AIMS))
SEEDS = [world_seed(0, number) for number in range(2)]
SAMPLE = resamples(len(SEEDS))[:8]
patient = settings(deadline=None)  # the first call measures and compiles

COUNTED = ("sybil_resistance", "neutrality", "quality_attacked", "minimum")


# What a budget does.


@cache
def measured(xi: float = 0.5) -> Mapping[str, tuple[Cell, list[Coalition]]]:
    tests = [TwinTest.of(SMALL.twin(seed)) for seed in SEEDS]
    coalitions = {
        rule: list(dict.fromkeys(scripted(tests[0].pair[0]) + grown(fresh(rule), tests, xi)))
        for rule in RULES
    }
    worlds = [
        measure(
            SMALL,
            seed,
            SUITE,
            WIDEST,
            xi,
            {rule: (fresh(rule), coalitions[rule]) for rule in RULES},
        )
        for seed in SEEDS
    ]
    return {rule: (stack([it[rule][0] for it in worlds]), coalitions[rule]) for rule in RULES}


def fresh(rule: str) -> Entrant:
    return Entrant(rule, load(rule))


def scored(rule: str, budget: Budget) -> Scores:
    cells, coalitions = measured()[rule]
    return score(resampled(cells, budget), coalitions, budget, knows_quality=True)


def resampled(cells: Cell, budget: Budget) -> Resampled:
    return Resampled.within(cells, SUITE, budget.identities, SAMPLE)


def no_higher(scores: Scores, bound: Scores) -> bool:
    return all((getattr(scores, it) <= getattr(bound, it) + 1e-12).all() for it in COUNTED)


rules = st.sampled_from(RULES)
prices = st.floats(0, 0.2) | st.just(0.0) | st.floats(0, 1e-6)
sizes = st.lists(st.integers(1, 10), min_size=1, max_size=4).map(tuple)


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    return replace(
        WIDEST,
        identities=draw(st.integers(1, 16)),
        identity_cost=draw(prices),
        insiders=draw(sizes),
    )


@patient
@given(rules, budgets(), st.integers(1, 16))
def test_more_identities_never_raise_a_score(rule: str, budget: Budget, identities: int) -> None:
    more = replace(budget, identities=max(identities, budget.identities))
    assert no_higher(scored(rule, more), scored(rule, budget))


@patient
@given(rules, budgets(), prices)
def test_cheaper_identities_never_raise_a_score(rule: str, budget: Budget, price: float) -> None:
    cheaper = replace(budget, identity_cost=min(price, budget.identity_cost))
    assert no_higher(scored(rule, cheaper), scored(rule, budget))


@patient
@given(rules, budgets(), st.data())
def test_larger_coalitions_never_raise_a_score(
    rule: str, budget: Budget, data: st.DataObject
) -> None:
    larger = tuple(data.draw(st.integers(size, 10)) for size in budget.insiders)
    assert no_higher(scored(rule, replace(budget, insiders=larger)), scored(rule, budget))


def test_more_stake_never_raises_a_score_by_scripted_plays() -> None:
    before = None
    for stake in (0.0, 0.12, 0.6):
        budget = Budget(stake, identities=2, identity_cost=0.001, evaluations=0)
        rows = compare(RULES, world=SMALL, worlds=1, budget=budget, workers=1).rows
        values = np.array(
            [
                [getattr(side, score).value for score in COUNTED]
                for row in rows
                for side in (row.verified, row.free)
            ]
        )
        assert before is None or (values <= before + 1e-12).all()
        before = values


@patient
@given(rules, budgets())
def test_scores_are_shares(rule: str, budget: Budget) -> None:
    scores = scored(rule, budget)
    for name in (*COUNTED, "quality", "cutoff"):
        values = getattr(scores, name)
        assert ((values >= 0) & (values <= 1)).all(), name
    assert (np.diff(scores.cutoff, axis=1) >= 0).all()


@patient
@given(rules, budgets())
def test_the_minimum_is_that_of_the_three(rule: str, budget: Budget) -> None:
    cells, coalitions = measured()[rule]
    scores = scored(rule, budget)
    three = [scores.sybil_resistance, scores.neutrality, scores.quality_attacked]
    assert (scores.minimum == np.min(three, axis=0)).all()
    reference = score(resampled(cells, budget), coalitions, budget, knows_quality=False)
    assert (reference.minimum == np.min(three[:2], axis=0)).all()
    assert (scores.quality_attacked <= scores.quality).all()


@patient
@given(rules, budgets())
def test_identities_beyond_all_means_are_as_good_as_verified(rule: str, budget: Budget) -> None:
    dear = scored(rule, replace(budget, identity_cost=2.0))
    verified = scored(rule, replace(budget, identities=1))
    for name in (*COUNTED, "quality", "cutoff"):
        assert (getattr(dear, name) == getattr(verified, name)).all(), name


@patient
@given(rules, budgets(), st.lists(st.integers(0, len(SAMPLE) - 1), min_size=1))
def test_a_resample_is_judged_alone_as_among_all(
    rule: str, budget: Budget, rows: list[int]
) -> None:
    cells, coalitions = measured()[rule]
    some = resampled(cells, budget).at(rows)
    anew = replace(resampled(cells, budget), sample=SAMPLE[rows])
    for other in (budget, replace(budget, identity_cost=0.003)):  # means are kept between prices
        one, two = (score(it, coalitions, other, knows_quality=True) for it in (some, anew))
        for name in (*COUNTED, "quality", "cutoff", "neutrality_equal"):
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-12)


@patient
@given(rules, st.integers(0, 2**32))
def test_honest_play_does_no_damage(rule: str, seed: int) -> None:
    test = TwinTest.of(SMALL.twin(seed))
    honest = outcome(fresh(rule), test.honest(), 0.5)
    played = outcome(fresh(rule), test.by((0, 1, 2)).attacked(Play("none", "", unchanged)), 0.5)
    assert honest is not None
    assert played is not None
    assert played.paid == honest.paid
    # The two columns are added up in exchanged order, so the last bits may differ.
    assert loss(played.twins, honest.twins.mean()) <= 1e-14


@patient
@given(rules, st.integers(0, 2**32))
def test_honest_play_takes_nothing(rule: str, seed: int) -> None:
    world = SMALL.sybil(seed)
    suite = Suite((Play("none", "", unchanged),), ())
    scripted = replace(WIDEST, evaluations=0)
    cell, _ = measure(SMALL, seed, suite, scripted, 0.5, {rule: (fresh(rule), [])})[rule]
    cells = stack([cell])
    assert world.own_validators.size == world.own_miners.size == 1
    assert (Resampled(cells, suite, 1, np.ones((1, 1))).extraction(0) == 0).all()


# What hands can check. One world or two, one stake share, one coalition, unless said.


def cell(**given: object) -> Cell:
    """Return cells of two worlds: zeros where nothing is given."""
    shapes = {"sybil_extra": (2, 1), "twin_pay": (2, 1, 1, 2), "coalition_fair": (2, 1)}
    shapes |= dict.fromkeys(("twin_paid", "twin_extra"), (2, 1, 1))
    shapes |= {f"sybil_{name}": (2, 1, 1) for name in ("pay", "fair", "rest", "distance")}
    blank = {field.name: np.zeros(shapes.get(field.name, 2)) for field in fields(Cell)}
    known = {
        name: np.broadcast_to(np.asarray(value, float), blank[name].shape)
        for name, value in given.items()
    }
    return Cell(**{**blank, **known})


MEAN = np.full((1, 2), 0.5)
FIRST = np.array([[1.0, 0.0]])


def mean(cells: Cell, weights: AnyArray) -> Resampled:
    return Resampled(cells, Suite((), ()), 1, weights)


def test_what_is_taken_is_the_mean_gain_over_what_the_others_earn() -> None:
    cells = cell(
        sybil_pay=[[[0.5]], [[0.3]]], sybil_fair=[[[0.2]], [[0.2]]], sybil_rest=[[[0.8]], [[0.6]]]
    )
    assert mean(cells, MEAN).extraction(0)[0, 0, 0] == pytest.approx(0.2 / 0.7)
    assert mean(cells, FIRST).extraction(0)[0, 0, 0] == pytest.approx(0.3 / 0.8)


def test_identities_are_paid_for_once_each() -> None:
    cells = cell(sybil_pay=0.5, sybil_fair=0.2, sybil_rest=0.8, sybil_extra=3)
    assert mean(cells, MEAN).extraction(0.05)[0, 0, 0] == pytest.approx(0.15 / 0.8)
    assert mean(cells, MEAN).extraction(0.5)[0, 0, 0] == pytest.approx(-1.2 / 0.8)


@pytest.mark.parametrize(("rest", "taken"), [(0.0, 0.0), (9e-10, 0.0), (1.1e-9, 0.5 / 1.1e-9)])
def test_where_the_others_earn_nothing_nothing_is_taken(rest: float, taken: float) -> None:
    cells = cell(sybil_pay=0.5, sybil_rest=rest)
    assert mean(cells, MEAN).extraction(0)[0, 0, 0] == pytest.approx(taken)


@pytest.mark.parametrize(
    ("target", "other", "fair", "lost"),
    [
        (0.2, 0.2, 0.2, 0.0),
        (0.1, 0.2, 0.2, 0.5),
        (0.0, 0.2, 0.2, 1.0),
        (0.2, 0.8, 0.2, 0.0),  # promotion alone is no cut
        (0.1, 0.8, 0.2, 0.5),
        (0.1, 0.1, 0.2, 0.0),  # equals are treated equally
        (0.3, 0.2, 0.2, 0.0),
        (0.0, 0.0, 0.2, 0.0),  # nothing is due: the other gets nothing,
        (0.0, 0.5, 0.0, 0.0),  # or got nothing when all were honest
    ],
)
def test_the_target_loses_what_it_lacks_of_the_lesser_of_its_twins_pay_and_its_own(
    target: float, other: float, fair: float, lost: float
) -> None:
    cells = cell(twin_pay=[target, other], twin_fair=fair, paid=1, twin_paid=1)
    assert mean(cells, MEAN).damage(0)[0, 0, 0] == pytest.approx(lost)


def test_losses_are_averaged_over_worlds_before_they_meet_what_is_burnt() -> None:
    cells = cell(
        twin_pay=[[[[0.0, 0.2]]], [[[0.2, 0.2]]]], twin_fair=0.2, paid=1, twin_paid=[[[1]], [[0.2]]]
    )
    assert mean(cells, MEAN).damage(0)[0, 0, 0] == pytest.approx(0.5)
    assert mean(cells, FIRST).damage(0)[0, 0, 0] == 1
    assert mean(cells, FIRST[:, ::-1]).damage(0)[0, 0, 0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("before", "after", "burnt"), [(1, 0.25, 0.75), (0.5, 0.25, 0.5), (0.5, 1, 0), (0, 0, 0)]
)
def test_what_vanishes_counts_as_damage(before: float, after: float, burnt: float) -> None:
    cells = cell(paid=before, twin_paid=after)
    assert mean(cells, MEAN).damage(0)[0, 0, 0] == pytest.approx(burnt)


def test_a_coalition_buys_identities_out_of_its_honest_pay() -> None:
    cells = cell(
        twin_pay=[0, 0.2], twin_fair=0.2, paid=1, twin_paid=1, twin_extra=4, coalition_fair=0.2
    )
    assert mean(cells, MEAN).damage(0.05)[0, 0, 0] == 1
    assert mean(cells, MEAN).damage(0.051)[0, 0, 0] == -np.inf


def test_plays_beyond_the_budget_are_left_out() -> None:
    within = resampled(measured()["yuma"][0], replace(WIDEST, identities=5))
    kept, suite = within.cells, within.suite
    labels = [play.label for play in SUITE.sybil if play.identities <= 4]
    assert [play.label for play in suite.sybil] == labels
    assert kept.sybil_pay.shape[1] == kept.sybil_extra.shape[1] == len(labels)
    assert kept.twin_pay.shape[2] == kept.twin_paid.shape[2] == len(suite.neutrality)
    assert {play.identities for play in suite.neutrality} == {1, 2, 4}


@pytest.mark.parametrize(
    ("curve", "number"),
    [([0.0, 0.2, 0.49], None), ([0.5], 1), ([0.1, 0.5, 1.0], 2), ([1.0, 1.0], 1), ([], None)],
)
def test_the_cutoff_number_is_the_first_that_reaches_half(
    curve: list[float], number: int | None
) -> None:
    assert cutoff_number(np.array(curve)) == number


# Closed forms, seen through a rule that pays validators by the stake it is shown.


def by_stake(epoch: Epoch) -> Rewards:
    return Rewards(np.zeros(epoch.weights.shape[1]), epoch.stake / epoch.stake.sum())


def odds(rule: object, stake: float, parts: int) -> float:
    """Return the attacker's part of the validators' pay over everybody else's."""
    scene = Scene.of(split(SMALL.sybil(0), parts))
    (epoch,) = scene.at([stake])
    assert callable(rule)
    pay: AnyArray = rule(epoch).validators
    own = pay[scene.own_validators].sum()
    return float(own / (pay.sum() - own))


@patient
@given(st.floats(0, 1), st.floats(0.01, 0.95), st.integers(1, 64))
def test_splitting_gains_parts_to_what_the_power_lacks_of_one(
    power: float, stake: float, parts: int
) -> None:
    rule = Quadratic(power, by_stake)
    gain = odds(rule, stake, parts) / odds(rule, stake, 1)
    assert gain == pytest.approx(parts ** (1 - power), rel=1e-9)


@given(st.floats(0.02, 0.5), st.floats(0.01, 0.95))
def test_a_cap_is_restored_by_as_many_identities_as_stake_holds_caps(
    cap: float, stake: float
) -> None:
    capped, needed = StakeCapped(cap=cap, inner=by_stake), ceil(stake / cap - 1e-9)
    peers = np.minimum(peers_at(stake), cap).sum()
    assert odds(capped, stake, needed) == pytest.approx(stake / peers, rel=1e-9)
    if needed > 1:
        assert odds(capped, stake, needed - 1) == pytest.approx((needed - 1) * cap / peers)


def peers_at(stake: float) -> AnyArray:
    scene = Scene.of(SMALL.sybil(0))
    (epoch,) = scene.at([stake])
    return np.delete(epoch.stake, scene.own_validators)


@given(st.floats(0.3, 3), st.integers(51, 300), st.integers(0, 99))
def test_under_a_cap_at_the_88th_percentile_a_majority_holds_6_percent_of_the_wallets(
    alpha: float, wallets: int, seed: int
) -> None:
    stake = np.random.default_rng(seed).pareto(alpha, wallets) + 1e-3
    shown = by_stake_through(StakeCapped(inner=by_stake), stake)
    members = int(np.searchsorted(np.cumsum(np.sort(shown)[::-1]), 0.51)) + 1
    assert members >= 0.06 * wallets


def by_stake_through(rule: StakeCapped, stake: AnyArray) -> AnyArray:
    rewards = rule(Epoch(stake, np.ones((stake.size, 1))))
    assert isinstance(rewards, Rewards)
    assert rewards.validators is not None
    return rewards.validators
