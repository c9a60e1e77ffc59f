"""Rules made to look good: each must be caught by a score, by a flag, or by being refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from trilemma import (
    Budget,
    Epoch,
    Mechanism,
    PluginError,
    Preset,
    Report,
    Rewards,
    World,
    compare,
)
from trilemma.attacks.censorship import EVERY_CHANNEL
from trilemma.attacks.moves import sequence
from trilemma.compare import measured
from trilemma.contract import call_twice
from trilemma.model import AnyArray, unchanged
from trilemma.report import Row
from trilemma.scene import Scene
from trilemma.twins import TwinTest
from trilemma.worlds import world_seed
from trilemma_mechanisms.dao_vote import DaoVote
from trilemma_mechanisms.yuma import Yuma

SMALL = Preset(validators=16, miners=24)
BUDGET = Budget(identities=8, evaluations=40)
UNORDERED = "pay depends on the order of the identities"
FIELDS = ("stake", "weights", "votes", "seats", "orders", "flows", "tenure", "subnets")


# Rules that hardly look at what they are shown.


@dataclass(frozen=True)
class Constant:
    """The same answer to everything."""

    def __call__(self, epoch: Epoch) -> AnyArray:
        miners = np.zeros(epoch.weights.shape[1])
        miners[0] = 1
        return miners


@dataclass(frozen=True)
class Blind:
    """Everybody gets the same, whatever is reported."""

    def __call__(self, epoch: Epoch) -> Rewards:
        n, m = epoch.weights.shape
        return Rewards(np.full(m, 1 / m), np.full(n, 1 / n))


@dataclass(frozen=True)
class Favourites:
    """A tenth of everything goes to hard-coded places; the rest follows merit."""

    def __call__(self, epoch: Epoch) -> AnyArray:
        miners = 0.9 * Yuma()(epoch).miners
        miners[[3, 5]] += 0.05
        return np.asarray(miners)


@dataclass(frozen=True)
class Miser:
    """A tenth of what Yuma pays."""

    def __call__(self, epoch: Epoch) -> Rewards:
        paid = Yuma()(epoch)
        return Rewards(0.1 * paid.miners, 0.1 * validators_of(paid))


@dataclass(frozen=True)
class Patron:
    """Validators are paid by head, not by stake."""

    def __call__(self, epoch: Epoch) -> Rewards:
        n = epoch.stake.size
        return Rewards(Yuma()(epoch).miners, np.full(n, 1 / n))


def test_a_constant_answer_has_no_quality_and_is_flagged() -> None:
    row = played()[Constant]
    assert row.free.quality.value == 0
    assert UNORDERED in row.flags
    assert any("both twins get nothing" in flag for flag in row.flags)


def test_ignoring_weights_has_no_quality_and_is_farmed() -> None:
    row = played()[Blind]
    gain = (8 / 23 - 1 / 16) / 2 + (8 / 31 - 1 / 24) / 2  # 8 of 16 + 7, and 8 of 24 + 7
    others = 1 - (1 / 16 + 1 / 24) / 2
    assert row.free.quality.value == pytest.approx(0, abs=1e-9)
    assert row.free.sybil_resistance.value == pytest.approx(1 - gain / others, abs=1e-9)


@pytest.mark.parametrize("seed", [0, 21, 25, 28])
def test_ignoring_weights_is_never_called_best(seed: int) -> None:
    """Equal pay has quality 0, up to rounding: some of these seeds round it to 2e-16."""
    report = compare(
        ["uniform", "dictator"],
        world=Preset("equal", validators=12, miners=24),
        worlds=2,
        budget=Budget(stake=0, identities=1, evaluations=0),
        seed=seed,
        workers=1,
    )
    assert report.rows[0].free.best == 0
    assert not any("uniform" in note for note in report.notes)


def test_hard_coded_places_are_flagged() -> None:
    assert UNORDERED in played()[Favourites].flags


def test_burning_most_of_the_pay_has_no_quality_and_is_flagged() -> None:
    row = played()[Miser]
    assert row.free.quality.value == 0
    assert any("burns 90% of the pay" in flag for flag in row.flags)


def test_validators_pay_far_from_stake_is_flagged() -> None:
    assert any("validators' pay is far from stake" in flag for flag in played()[Patron].flags)
    assert not any("far from stake" in flag for flag in played()[Yuma].flags)


# Rules that punish everybody.


@dataclass(frozen=True)
class Scorched:
    """Yuma unless some report is far off the others', else nothing for anybody."""

    def __call__(self, epoch: Epoch) -> Rewards:
        common = epoch.stake @ epoch.weights / epoch.stake.sum()
        if (epoch.weights < common / 3).any() or (epoch.weights > 3 * common).any():
            n, m = epoch.weights.shape
            return Rewards(np.zeros(m), np.zeros(n))
        return Yuma()(epoch)


@dataclass(frozen=True)
class KillSwitch:
    """Yuma until one seat orders any suspension; then nothing for anybody."""

    def __call__(self, epoch: Epoch) -> Rewards:
        if (epoch.orders == 1).any():
            n, m = epoch.weights.shape
            return Rewards(np.zeros(m), np.zeros(n))
        return Yuma()(epoch)


@dataclass(frozen=True)
class Unanimous:
    """What all report alike is paid; otherwise everybody gets the same."""

    def __call__(self, epoch: Epoch) -> AnyArray:
        m = epoch.weights.shape[1]
        agreed = np.allclose(epoch.weights, epoch.weights[0], rtol=1e-9)
        return np.asarray(epoch.weights[0] if agreed else np.full(m, 1 / m))


def test_yuma_unless_some_row_deviates_else_burn_can_be_burnt_by_anybody() -> None:
    row = played()[Scorched]
    assert row.free.sybil_resistance.value > 0.99  # nobody dares to deviate, so all looks well
    assert row.free.quality.value > 0.9
    for side in (row.verified, row.free):
        assert side.neutrality.value == 0
        assert side.cutoff_number == 1
        assert side.quality_attacked.value == 0


def test_a_kill_switch_in_one_seat_is_a_cut_off_by_one() -> None:
    row = played()[KillSwitch]
    for side in (row.verified, row.free):
        assert side.neutrality.value == 0
        assert side.cutoff_number == 1


def test_unanimity_or_uniform_loses_all_quality_to_one_dissenter() -> None:
    silent = play(Unanimous(), world=Preset(validators=16, miners=24, noise=0.0))
    assert silent.verified.neutrality.value == pytest.approx(1, abs=1e-9)
    assert silent.verified.quality.value == pytest.approx(1, abs=1e-9)
    assert silent.verified.quality_attacked.value == pytest.approx(0, abs=1e-9)
    assert played()[Unanimous].verified.quality.value == pytest.approx(0, abs=1e-9)


# Rules in which one account decides and seems not to.


@dataclass(frozen=True)
class AveragingDictator:
    """The first seat decides, but miners on whom all others agree exactly get equal pay."""

    def __call__(self, epoch: Epoch) -> AnyArray:
        report = epoch.weights[epoch.seats[0]]
        others = np.delete(epoch.weights, epoch.seats[0], axis=0)
        alike = (others[:, :, None] == others[:, None, :]).all(axis=0)
        return np.asarray(alike @ report / alike.sum(axis=1))


@dataclass(frozen=True)
class Smallest:
    """The account with the least stake decides."""

    def __call__(self, epoch: Epoch) -> AnyArray:
        return np.asarray(epoch.weights[np.argmin(epoch.stake)])


def test_a_dictator_who_averages_identical_columns_is_a_dictator() -> None:
    row = played()[AveragingDictator]
    for side in (row.verified, row.free):
        assert side.neutrality.value == pytest.approx(0, abs=1e-9)
        assert side.cutoff_number == 1


def test_it_is_the_noise_on_the_twins_that_finds_the_averaging_dictator() -> None:
    still = play(AveragingDictator(), world=Preset(validators=16, miners=24, noise=0.0))
    assert dict(still.verified.cutoff)[1] == pytest.approx(0.5)  # its silence burns the pool


def test_the_smallest_account_is_found_where_it_decides() -> None:
    row = play(Smallest(), world=Preset("pareto(1.2)", validators=16, miners=24))
    for side in (row.verified, row.free):
        assert side.neutrality.value == pytest.approx(0, abs=1e-9)
        assert side.cutoff_number == 1
    assert row.verified.worst_neutrality_play.endswith("by stake rank 16")


def test_an_attacker_without_stake_takes_the_pool_where_the_smallest_account_decides() -> None:
    row = played()[Smallest]
    assert row.verified.sybil_resistance.value < 0.55
    assert "stake 0.00" in row.verified.worst_sybil_play


# Rules that are no functions. They hold what they remember in a list.


@dataclass(frozen=True)
class Counting:
    """Pays a little more merit from one call to the next."""

    calls: list[int] = field(default_factory=list)

    def __call__(self, epoch: Epoch) -> AnyArray:
        self.calls.append(1)
        return np.asarray(Yuma()(epoch).miners * (1 - 1e-6 / len(self.calls)))


@dataclass(frozen=True)
class Lottery:
    """Somebody drawn at random gets everything."""

    def __call__(self, epoch: Epoch) -> AnyArray:
        miners = np.zeros(epoch.weights.shape[1])
        miners[np.random.default_rng().integers(miners.size)] = 1
        return miners


@dataclass(frozen=True)
class Turncoat:
    """Changes its mind after so many calls, and never again."""

    after: int = 10**9
    calls: list[int] = field(default_factory=list)

    def __call__(self, epoch: Epoch) -> AnyArray:
        self.calls.append(1)
        miners = Yuma()(epoch).miners
        return np.asarray(miners if len(self.calls) <= self.after else 0.9 * miners)


@dataclass(frozen=True)
class Rememberer:
    """Remembers what it paid when a report looked honest; deviants change nothing any more."""

    paid: dict[bytes, list[tuple[AnyArray, AnyArray]]] = field(default_factory=dict)

    def __call__(self, epoch: Epoch) -> AnyArray:
        key = epoch.stake.tobytes() + bytes(epoch.weights.shape[1])
        before = self.paid.setdefault(key, [])
        for weights, miners in before:
            changed = (weights != epoch.weights).any(axis=1)
            if changed.mean() < 0.5:
                return miners
        before.append((epoch.weights.copy(), Yuma()(epoch).miners))
        return before[-1][1]


@pytest.mark.parametrize("rule", [Counting(), Lottery()])
def test_two_answers_to_one_epoch_are_refused(rule: Mechanism) -> None:
    assert "two answers for one epoch" in refusal(rule)


@pytest.mark.parametrize("share", [0.1, 0.75, 0.95])  # the first while coalitions are grown
def test_a_change_of_mind_after_many_calls_is_refused(share: float) -> None:
    fickle = Turncoat(int(share * calls_in_a_world()))
    assert "two answers for one epoch" in refusal(fickle, worlds=1)


@cache
def calls_in_a_world() -> int:
    """Return how often a rule is asked in a world, which is a copy of those asked before."""
    with measured({"yuma": Yuma()}, world=SMALL, worlds=1, budget=BUDGET, workers=1) as run:
        _, before, _ = run.tasks.coalitions("yuma")
        return run.contestants["yuma"].calls - before


def test_answers_that_depend_on_earlier_epochs_are_refused() -> None:
    assert "two answers for one epoch" in refusal(Rememberer())


def test_a_rule_that_is_refused_leaves_the_others_their_rows() -> None:
    report = compare([Lottery(), Yuma()], world=SMALL, worlds=2, budget=BUDGET, workers=1)
    assert [row.label for row in report.rows] == ["yuma"]
    assert len(report.failures) == 1
    assert any("is missing" in note for note in report.notes)


# Rules that write to what they are shown.


@dataclass(frozen=True)
class Scribbler:
    """Overwrites a field of the epoch in one of several ways."""

    name: str
    way: Callable[[Epoch, str], None]

    def __call__(self, epoch: Epoch) -> Rewards:
        self.way(epoch, self.name)
        return Yuma()(epoch)


@dataclass(frozen=True)
class Saboteur:
    """Pays as Yuma does; where attackers deviate, overwrites a field for whoever comes next."""

    name: str
    way: Callable[[Epoch, str], None]

    def __call__(self, epoch: Epoch) -> Rewards:
        paid = Yuma()(epoch)
        if epoch.votes.any() or epoch.weights.max() > 0.99:
            self.way(epoch, self.name)
        return paid


def write(epoch: Epoch, name: str) -> None:
    getattr(epoch, name)[...] = 1


def unlock(epoch: Epoch, name: str) -> None:
    array = getattr(epoch, name)
    array.flags.writeable = True
    array[...] = 1


def unlock_base(epoch: Epoch, name: str) -> None:
    for array in list(bases(getattr(epoch, name)))[::-1]:
        array.flags.writeable = True
        array[...] = 1


def rebind(epoch: Epoch, name: str) -> None:
    setattr(epoch, name, np.ones_like(getattr(epoch, name)))


def rebind_below(epoch: Epoch, name: str) -> None:
    epoch.__dict__[name] = np.ones_like(getattr(epoch, name))


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("way", [write, unlock, unlock_base, rebind])
@pytest.mark.parametrize("play", [unchanged, sequence(*EVERY_CHANNEL)], ids=["honest", "attacked"])
def test_writing_to_an_epoch_is_refused(
    name: str, way: Callable[[Epoch, str], None], play: Callable[[World], World]
) -> None:
    world = replace(SMALL.twin(1), adversary=(0, 1))
    with pytest.raises(PluginError, match=r"failed|wrote"):
        call_twice("it", Scribbler(name, way), play(world).epoch())


def test_a_rule_that_writes_has_no_row() -> None:
    assert "read-only" in refusal(Scribbler("weights", write))


@pytest.mark.parametrize("name", ["stake", "weights", "votes"])
@pytest.mark.parametrize("way", [unlock_base, rebind_below])
def test_a_saboteur_changes_nobody_elses_numbers(
    name: str, way: Callable[[Epoch, str], None]
) -> None:
    alone = dao_vote_beside()
    beside = dao_vote_beside(Saboteur(name, way))
    assert beside.free.to_json() == alone.free.to_json()
    assert beside.verified.to_json() == alone.verified.to_json()


@cache
def dao_vote_beside(*others: Mechanism) -> Row:
    rules, budget = [*others, DaoVote()], Budget(identities=1, evaluations=0)
    return compare(rules, world=SMALL, worlds=1, budget=budget, workers=1).rows[-1]


# Rules that look for the truth.


def test_nothing_that_a_rule_is_shown_leads_to_the_truth() -> None:
    for scene, world in scenes():
        assert set(vars(scene.epoch)) == {*FIELDS, "chain", "carry"}
        for thing in reachable(scene.epoch):
            assert not isinstance(thing, (World, Scene))
            if isinstance(thing, np.ndarray):
                assert not any(np.shares_memory(thing, array) for array in arrays(world))
                assert not tells(thing, world.quality)
                assert not tells(thing, scene.quality)


def test_the_places_of_the_attacker_and_of_the_twins_are_not_given_away() -> None:
    shown = [scene for scene, _ in scenes()]
    for places in ([s.own_validators for s in shown[::2]], [s.twins for s in shown[1::2]]):
        assert len({tuple(place) for place in places}) > 1


def scenes() -> Iterator[tuple[Scene, World]]:
    for number in range(4):
        seed = world_seed(0, number)
        for world in (SMALL.sybil(seed), TwinTest.of(SMALL.twin(seed)).pair[1]):
            yield Scene.of(world), world


def reachable(root: object) -> list[object]:
    """Return what attributes, items and array bases lead to."""
    found: list[object] = []
    ahead: list[object] = [root]
    while ahead:
        thing = ahead.pop()
        if any(thing is other for other in found) or isinstance(thing, (str, int, float)):
            continue
        found.append(thing)
        ahead += list(getattr(thing, "__dict__", {}).values())
        if isinstance(thing, np.ndarray):
            ahead.append(thing.base)
        elif isinstance(thing, (list, tuple, dict)):
            ahead += thing.values() if isinstance(thing, dict) else thing
    return found


def arrays(world: World) -> list[AnyArray]:
    return [value for value in vars(world).values() if isinstance(value, np.ndarray)]


def tells(array: AnyArray, quality: AnyArray) -> bool:
    """Tell whether an array is quality, or has it as a row."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    return rows.shape[1] == quality.size and bool((np.abs(rows - quality) < 1e-9).all(axis=1).any())


# What all of them meet.


def game(rule: Mechanism, world: Preset, worlds: int) -> Report:
    return compare([rule], world=world, worlds=worlds, budget=BUDGET, workers=1)


@cache
def played() -> dict[type, Row]:
    """Return the rows of all rules above that are accepted, by class."""
    rules: list[Mechanism] = [
        *(Constant(), Blind(), Favourites(), Miser(), Patron(), Scorched(), KillSwitch()),
        *(Unanimous(), AveragingDictator(), Smallest(), Yuma()),
    ]
    report = compare(rules, world=SMALL, worlds=2, budget=BUDGET, workers=1)
    return {type(rule): row for rule, row in zip(rules, report.rows, strict=True)}


def play(rule: Mechanism, world: Preset) -> Row:
    (row,) = game(rule, world, 2).rows
    return row


def refusal(rule: Mechanism, *, worlds: int = 2) -> str:
    report = game(rule, SMALL, worlds)
    assert not report.rows, f"not refused: {report.rows[0].label}"
    return report.failures[0].reason


def bases(array: Any) -> Iterator[AnyArray]:
    while isinstance(array, np.ndarray):
        yield array
        array = array.base


def validators_of(rewards: Rewards) -> AnyArray:
    assert rewards.validators is not None
    return rewards.validators
